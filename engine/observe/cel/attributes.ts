// The attributes that expressions see (Envoy: "Attributes"), read from a stream's facts when they are asked for. Numbers are CEL's ints; what is absent is not there.
import type { Headers } from '../../headers/headers.ts';
import { fromByteString } from '../../headers/headers.ts';
import { withoutQuery } from '../../headers/path.ts';
import { flagBit, type ResponseFlag } from '../response-flags.ts';
import type { StreamFacts, TlsFacts } from '../stream-facts.ts';
import { duration, timestamp, type Moment } from './values.ts';

/** Flags in the order of Envoy's public bits, which is older than that of its names. */
const PUBLIC: readonly ResponseFlag[] = ['LH', 'UH', 'UT', 'LR', 'UR', 'UF', 'UC', 'UO', 'NR', 'DI', 'FI', 'RL', 'UAEX', 'RLSE', 'DC', 'URX', 'SI', 'IH', 'DPE', 'UMSDR', 'RFCF', 'NFCF', 'DT', 'UPE', 'NC', 'OM', 'DF', 'DO', 'DR', 'UDO'];
function publicFlags(bits: number): number { let out = 0; PUBLIC.forEach((name, i) => { const bit = flagBit(name); if (bit > 0 && Math.floor(bits / bit) % 2 === 1) out += 2 ** i; }); return out; }

type Values = Record<string, unknown>;

function headerMap(h: Headers | null): Map<string, string> {
  const out = new Map<string, string>();
  h?.each((name, value) => { const had = out.get(name); out.set(name, had === undefined ? fromByteString(value) : `${had},${fromByteString(value)}`); });
  return out;
}
/** What lies between two points of a stream's time (monotonic ms); undefined where one was not reached. */
const span = (from: number, to: number): Moment | undefined => (from < 0 || to < 0 ? undefined : duration(Math.max(0, to - from)));
const int = (n: number): bigint => BigInt(Math.trunc(n));
/** Without what is undefined or ''. */
const present = (v: Values): Values => Object.fromEntries(Object.entries(v).filter(([, x]) => x !== undefined && x !== ''));

function certificates(t: TlsFacts): Values {
  return {
    tls_version: t.version, subject_local_certificate: t.localSubject, subject_peer_certificate: t.peerSubject, dns_san_local_certificate: t.localSans('DNS')[0], dns_san_peer_certificate: t.peerSans('DNS')[0],
    uri_san_local_certificate: t.localSans('URI')[0], uri_san_peer_certificate: t.peerSans('URI')[0], sha256_peer_certificate_digest: t.peerFingerprint256,
  };
}

function request(f: StreamFacts): Values {
  const h = f.request;
  const when = { time: timestamp(f.startWallMs), duration: span(f.startMs, f.endMs) };
  if (h === null) return present({ protocol: f.protocol, ...when });
  const q = h.path.indexOf('?');
  return {
    ...present({ path: h.path, url_path: withoutQuery(h.path), host: h.authority, scheme: h.scheme, method: h.method, referer: h.get('referer'), useragent: h.get('user-agent'), id: f.requestId, protocol: f.protocol, ...when, query: q < 0 ? '' : h.path.slice(q + 1) }),
    size: int(f.requestBodyBytes), total_size: int(f.requestBodyBytes + h.byteSize + h.pseudoBytes), get headers() { const m = headerMap(h); for (const p of [':method', ':path', ':authority', ':scheme']) { const v = h.get(p); if (v !== undefined) m.set(p, v); } return m; },
  };
}

function response(f: StreamFacts): Values {
  const grpc = f.responseTrailers?.get('grpc-status') ?? f.response?.get('grpc-status');
  return {
    ...present({ code_details: f.statusDetails, backend_latency: f.upstream === null ? undefined : span(f.upstream.firstTxMs, f.upstream.lastRxMs) }), ...(f.status === 0 ? {} : { code: int(f.status) }), flags: int(publicFlags(f.flags)), ...(grpc !== undefined && /^\d+$/.test(grpc) ? { grpc_status: BigInt(grpc) } : {}),
    size: int(f.responseBodyBytes), total_size: int(f.responseBodyBytes + (f.response?.byteSize ?? 0)), get headers() { return headerMap(f.response); }, get trailers() { return headerMap(f.responseTrailers); },
  };
}

function upstream(f: StreamFacts): Values {
  const u = f.upstream;
  if (u === null) return { request_attempt_count: int(f.cluster === null ? 0 : 1) };
  return { ...present({ address: u.hostText, local_address: u.localText, transport_failure_reason: u.transportFailure, cx_pool_ready_duration: span(f.startMs, u.poolReadyMs), ...(u.tls === null ? {} : certificates(u.tls)) }), ...(u.hostPort > 0 ? { port: int(u.hostPort) } : {}), request_attempt_count: int(u.attempts) };
}

function xds(f: StreamFacts): Values {
  return { ...(f.virtualHostName === '' ? {} : { route_name: f.routeName }), ...present({
    cluster_name: f.upstream?.clusterRaw ?? f.cluster?.name, cluster_metadata: f.upstream?.clusterMetadata ?? f.cluster?.metadata ?? undefined, route_metadata: f.routeMetadata ?? undefined, virtual_host_name: f.virtualHostName, virtual_host_metadata: f.virtualHostMetadata ?? undefined,
    upstream_host_metadata: f.upstream?.metadata ?? undefined, filter_chain_name: f.connection.filterChainName, listener_metadata: f.connection.listenerMetadata ?? undefined, listener_direction: int(['UNSPECIFIED', 'INBOUND', 'OUTBOUND'].indexOf(f.connection.direction)),
  }) };
}

export class Attributes {
  facts!: StreamFacts;
  private readonly uint: (n: bigint) => unknown;
  /** `uint`: makes the evaluator's unsigned numbers. */
  constructor(uint: (n: bigint) => unknown) { this.uint = uint; }
  readonly bindings: Readonly<Values> = Object.defineProperties({}, Object.fromEntries(Object.entries({
    request: () => request(this.facts), response: () => response(this.facts), upstream: () => upstream(this.facts), xds: () => xds(this.facts),
    source: () => ({ address: this.facts.remoteText, port: int(this.facts.remotePort) }), destination: () => ({ address: this.facts.connection.localText, port: int(this.facts.connection.localPort) }),
    connection: () => { const c = this.facts.connection; return { id: this.uint(BigInt(c.id)), mtls: c.tls?.peerCertificatePresented === true, requested_server_name: c.serverName, ...present({ termination_details: c.terminationDetails, transport_failure_reason: c.transportFailure, ...(c.tls === null ? {} : certificates(c.tls)) }) }; },
    metadata: () => ({ filter_metadata: Object.fromEntries(this.facts.metadata ?? []) }), filter_state: () => Object.fromEntries([...this.facts.connection.filterState ?? [], ...this.facts.filterState ?? []]),
  } as Record<string, () => unknown>).map(([name, get]) => [name, { enumerable: true, get }])));
}
