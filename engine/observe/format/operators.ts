// The operators of substitution formats, by name: each a function of the stream's facts. Undefined is "no value". Values are byte strings; numbers stay numbers
// for typed JSON.
import { toByteString, type Headers } from '../../headers/headers.ts';
import { withoutQuery } from '../../headers/path.ts';
import { clientCertValue } from '../../headers/client-cert-value.ts';
import { CelExpression } from '../cel/expression.ts';
import { celText, celTyped } from '../cel/values.ts';
import { grpcStatusOf, isGrpc } from '../grpc-status.ts';
import { below } from '../match/value-matcher.ts';
import { formatFlags } from '../response-flags.ts';
import type { MetadataValue, StreamFacts, UpstreamFacts } from '../stream-facts.ts';
import type { FormatContext } from './formatter.ts';
import { TLS_OPERATORS } from './tls-operators.ts';
import { formatTime } from './time.ts';

export type Value = string | number | boolean | undefined | null | object;
export type OperatorBuilder = (args: readonly string[], env: OperatorEnv) => (c: FormatContext) => Value;
/** What an operator may ask of its process. */
export interface OperatorEnv { readonly hostname: string; environment(name: string): string | undefined }

const text = (s: string): string | undefined => (s === '' ? undefined : s);
const up = (f: StreamFacts, get: (u: UpstreamFacts) => string): string | undefined => (f.upstream === null ? undefined : text(get(f.upstream)));
const ms = (from: number, to: number): number | undefined => (from < 0 || to < 0 ? undefined : Math.max(0, Math.round(to - from)));

/** 'X-A?X-B' → the first of the two that is there. */
function header(of: (f: StreamFacts) => Headers | null): OperatorBuilder {
  return ([argument = '']) => {
    const [main = '', other = ''] = argument.toLowerCase().split('?');
    return ({ facts }) => {
      const headers = of(facts);
      if (headers === null) return undefined;
      return headers.get(main) ?? (other === '' ? undefined : headers.get(other));
    };
  };
}

/** Walks into metadata; text stays text, all else is JSON. */
function dig(root: unknown, path: readonly string[]): Value {
  const at = below(root, path);
  return at === undefined || at === null ? undefined : (at as Value);
}

const metadata = (of: (f: StreamFacts) => { readonly [key: string]: MetadataValue } | null): OperatorBuilder => (args) => ({ facts }) => dig(of(facts), args);
function dynamicMetadata(facts: StreamFacts, args: readonly string[]): Value { const [ns = '', ...rest] = args; return dig(facts.metadata?.get(ns), rest); }
function fromMap(m: Map<string, MetadataValue> | null | undefined, key: string): Value { const v = m?.get(key); return v === undefined || v === null ? undefined : (v as Value); }

function pathPart(part: string, f: StreamFacts, wanted: string): string | undefined {
  const original = f.originalPath;
  const path = wanted === 'ORIG' ? original || undefined : wanted === 'PATH' ? f.request?.path : original || f.request?.path;
  if (path === undefined || path === '') return undefined;
  return part === 'NQ' ? withoutQuery(path) : path;
}

function queryParameter(path: string | undefined, name: string): string | undefined {
  const q = path?.indexOf('?') ?? -1;
  if (path === undefined || q < 0) return undefined;
  for (const pair of path.slice(q + 1).split('&')) { const eq = pair.indexOf('='); if ((eq < 0 ? pair : pair.slice(0, eq)) === name) return eq < 0 ? '' : pair.slice(eq + 1); }
  return undefined;
}

const POINTS: Record<string, (f: StreamFacts) => number> = {
  DS_CX_BEG: (f) => f.connection.startMs, DS_CX_END: (f) => f.connection.endMs,
  DS_RX_BEG: (f) => f.startMs, DS_RX_END: (f) => f.requestEndMs, US_CX_BEG: (f) => f.upstream?.connectStartMs ?? -1, US_CX_END: (f) => f.upstream?.connectEndMs ?? -1,
  US_TX_BEG: (f) => f.upstream?.firstTxMs ?? -1, US_TX_END: (f) => f.upstream?.lastTxMs ?? -1, US_RX_BEG: (f) => f.upstream?.firstRxMs ?? -1, US_RX_END: (f) => f.upstream?.lastRxMs ?? -1,
  DS_TX_BEG: (f) => f.firstTxMs, DS_TX_END: (f) => f.lastTxMs,
};

function duration([from = '', to = '', unit = 'ms']: readonly string[]): (c: FormatContext) => Value {
  const scale = unit === 'us' ? 1000 : unit === 'ns' ? 1e6 : 1;
  return ({ facts }) => {
    const a = POINTS[from]?.(facts) ?? -1, b = POINTS[to]?.(facts) ?? -1;
    return a < 0 || b < 0 || b < a ? undefined : Math.round((b - a) * scale);
  };
}

const GRPC_NAMES = ['OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists', 'PermissionDenied', 'ResourceExhausted', 'FailedPrecondition', 'Aborted', 'OutOfRange', 'Unimplemented', 'Internal', 'Unavailable', 'DataLoss', 'Unauthenticated'];
/** The status of a gRPC request's answer: its own, or what the HTTP status stands for. Requests of other kinds have none. */
function grpcStatus(f: StreamFacts): string | undefined {
  if (!isGrpc(f.request)) return undefined;
  return f.responseTrailers?.get('grpc-status') ?? f.response?.get('grpc-status') ?? String(grpcStatusOf(f.status));
}

/** Names and values of the answer's head, with the 'connection: close' that Envoy's map has too: what HTTP/1 put out beyond our map and its own framing line is that. */
function responseHeadersSize(f: StreamFacts): number {
  if (f.response === null) return 0;
  const own = f.response.byteSize + 10;
  if (!f.protocol.startsWith('HTTP/1') || f.responseHeadersBytes === 0) return own;
  const framing = f.response.has('content-length') ? 0 : f.responseBodyBytes === 0 ? 'content-length: 0\r\n'.length : 'transfer-encoding: chunked\r\n'.length;
  const rest = f.responseHeadersBytes - f.response.byteSize - 4 * f.response.size - framing;
  return rest === 'connection: close\r\n'.length ? own + 15 : own;
}

/** Of every attempt that got a connection, in order. */
const attempted = (get: (u: UpstreamFacts) => string): OperatorBuilder => () => ({ facts }) => text([...facts.earlierAttempts ?? [], ...(facts.upstream === null ? [] : [facts.upstream])].filter((u) => u.poolReadyMs >= 0).map(get).filter((t) => t !== '').join(','));

/** Only of a host that a connection led to. */
const reached = (u: UpstreamFacts, value: string): string => (u.poolReadyMs < 0 ? '' : value);

const plain = (get: (f: StreamFacts, c: FormatContext) => Value): OperatorBuilder => () => (c) => get(c.facts, c);

/** SNI, the Host header without its port, or the first of the two that is there. */
function requestedServerName([order = 'SNI_ONLY']: readonly string[]): (c: FormatContext) => Value {
  const host = (f: StreamFacts): string => (f.request === null ? '' : /^(?:\[[^\]]*\]|[^:]*)/.exec(f.request.authority)![0]);
  if (order === 'HOST_FIRST') return ({ facts }) => text(host(facts) || facts.connection.serverName);
  if (order === 'SNI_FIRST') return ({ facts }) => text(facts.connection.serverName || host(facts));
  return ({ facts }) => text(facts.connection.serverName);
}

/** Operators of a COALESCE, in order: '{"operators": ["UPSTREAM_HOST", {"command": "REQ", "param": "x-a", "max_length": 5}]}'. Throws a text for what is none. */
export function coalesceList(json: string): readonly { readonly op: string; readonly argument: string; readonly max: number }[] {
  let parsed: unknown;
  try { parsed = JSON.parse(json); } catch { throw new Error('COALESCE: its parameter is not valid JSON'); }
  const list = (parsed as { readonly operators?: unknown } | null)?.operators;
  if (!Array.isArray(list) || list.length === 0) throw new Error("COALESCE: 'operators' must be a list that is not empty");
  return list.map((o: unknown) => {
    const { command, param = '', max_length: max = -1 } = typeof o === 'string' ? { command: o } : (o ?? {}) as { command?: unknown; param?: unknown; max_length?: unknown };
    if (typeof command !== 'string' || typeof param !== 'string' || typeof max !== 'number' || command === 'COALESCE' || !knownOperator(command)) throw new Error(`COALESCE: '${String(command)}' is no operator`);
    return { op: command, argument: param, max };
  });
}

const OPERATORS: Record<string, OperatorBuilder> = {
  ...TLS_OPERATORS,
  REQUEST_HEADER: header((f) => f.request), RESPONSE_HEADER: header((f) => f.response), RESPONSE_TRAILER: header((f) => f.responseTrailers),
  REQ: header((f) => f.request), RESP: header((f) => f.response), TRAILER: header((f) => f.responseTrailers),
  STREAM_INFO_REQ: header((f) => f.request),
  REQ_WITHOUT_QUERY: (args, env) => { const get = header((f) => f.request)(args, env); return (c) => { const v = get(c); return typeof v === 'string' ? withoutQuery(v) : v; }; },
  PROTOCOL: plain((f) => text(f.protocol)), UPSTREAM_PROTOCOL: plain((f) => up(f, (u) => u.protocol)),
  RESPONSE_CODE: plain((f) => f.status), RESPONSE_CODE_DETAILS: plain((f) => (f.statusDetails === '' ? undefined : f.statusDetails.replaceAll(' ', '_'))),
  CONNECTION_TERMINATION_DETAILS: plain((f) => text(f.connection.terminationDetails)),
  RESPONSE_FLAGS: plain((f) => formatFlags(f.flags, false, f.firstFlag)), RESPONSE_FLAGS_LONG: plain((f) => formatFlags(f.flags, true, f.firstFlag)),
  BYTES_RECEIVED: plain((f) => f.requestBodyBytes), BYTES_SENT: plain((f) => f.responseBodyBytes),
  REQUEST_HEADERS_BYTES: plain((f) => (f.request === null ? 0 : f.request.byteSize + f.request.pseudoBytes)), RESPONSE_HEADERS_BYTES: plain(responseHeadersSize), RESPONSE_TRAILERS_BYTES: plain((f) => f.responseTrailersBytes),
  DOWNSTREAM_WIRE_BYTES_RECEIVED: plain((f) => f.wireReceived), DOWNSTREAM_WIRE_BYTES_SENT: plain((f) => f.wireSent), DOWNSTREAM_HEADER_BYTES_RECEIVED: plain((f) => f.requestHeadersBytes), DOWNSTREAM_HEADER_BYTES_SENT: plain((f) => f.responseHeadersBytes),
  UPSTREAM_WIRE_BYTES_RECEIVED: plain((f) => f.upstream?.bytesReceived ?? 0), UPSTREAM_WIRE_BYTES_SENT: plain((f) => f.upstream?.bytesSent ?? 0), UPSTREAM_HEADER_BYTES_RECEIVED: plain((f) => f.upstream?.headerBytesReceived ?? 0), UPSTREAM_HEADER_BYTES_SENT: plain((f) => f.upstream?.headerBytesSent ?? 0),
  DURATION: plain((f, c) => ms(f.startMs, f.endMs < 0 ? c.nowMs : f.endMs)), REQUEST_DURATION: plain((f) => ms(f.startMs, f.requestEndMs)), REQUEST_TX_DURATION: plain((f) => ms(f.startMs, f.upstream?.lastTxMs ?? -1)),
  RESPONSE_DURATION: plain((f) => ms(f.startMs, f.upstream?.firstRxMs ?? -1)), RESPONSE_TX_DURATION: plain((f) => ms(f.upstream?.firstRxMs ?? -1, f.lastTxMs)), DOWNSTREAM_HANDSHAKE_DURATION: plain(() => undefined),
  ROUNDTRIP_DURATION: plain(() => undefined), UPSTREAM_CONNECTION_POOL_READY_DURATION: plain((f) => ms(f.startMs, f.upstream?.poolReadyMs ?? -1)), COMMON_DURATION: duration,
  START_TIME: ([format = '']) => ({ facts }) => formatTime(format, facts.startWallMs), START_TIME_LOCAL: ([format = '']) => ({ facts }) => formatTime(format, facts.startWallMs, true), EMIT_TIME: ([format = '']) => ({ wallMs }) => formatTime(format, wallMs), EMIT_TIME_LOCAL: ([format = '']) => ({ wallMs }) => formatTime(format, wallMs, true),
  UPSTREAM_HOST: plain((f) => up(f, (u) => u.hostText)), UPSTREAM_HOST_NAME: plain((f) => up(f, (u) => u.hostName || u.hostText)), UPSTREAM_HOST_NAME_WITHOUT_PORT: plain((f) => up(f, (u) => u.hostName || u.hostIp)),
  UPSTREAM_CLUSTER: plain((f) => up(f, (u) => u.cluster) ?? f.cluster?.statName), UPSTREAM_CLUSTER_RAW: plain((f) => up(f, (u) => u.clusterRaw) ?? f.cluster?.name),
  UPSTREAM_LOCAL_ADDRESS: plain((f) => up(f, (u) => u.localText)), UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((f) => up(f, (u) => u.localIp)), UPSTREAM_LOCAL_PORT: plain((f) => f.upstream?.localPort || undefined),
  UPSTREAM_REMOTE_ADDRESS: plain((f) => up(f, (u) => reached(u, u.reachedText || u.hostText))), UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((f) => up(f, (u) => reached(u, u.reachedIp || u.hostIp))), UPSTREAM_REMOTE_PORT: plain((f) => (f.upstream === null || f.upstream.poolReadyMs < 0 ? undefined : f.upstream.reachedPort || f.upstream.hostPort || undefined)),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain((f) => up(f, (u) => u.transportFailure)?.replaceAll(' ', '_')), DOWNSTREAM_TRANSPORT_FAILURE_REASON: plain((f) => text(f.connection.transportFailure)?.replaceAll(' ', '_')),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain((f) => (f.ofAttempt ? 0 : f.upstream?.attempts ?? (f.cluster === null ? 0 : 1))), UPSTREAM_CONNECTION_ID: plain((f) => (f.upstream === null || f.upstream.connectionId === 0 ? undefined : f.upstream.connectionId)),
  DOWNSTREAM_REMOTE_ADDRESS: plain((f) => text(f.remoteText)), DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((f) => text(f.remoteIp || f.remoteText)), DOWNSTREAM_REMOTE_PORT: plain((f) => f.remotePort),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: plain((f) => text(f.connection.directRemoteText)), DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: plain((f) => text(f.connection.directRemoteIp || f.connection.directRemoteText)), DOWNSTREAM_DIRECT_REMOTE_PORT: plain((f) => f.connection.directRemotePort),
  DOWNSTREAM_LOCAL_ADDRESS: plain((f) => text(f.connection.localText)), DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((f) => text(f.connection.localIp || f.connection.localText)), DOWNSTREAM_LOCAL_PORT: plain((f) => f.connection.localPort || undefined),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS: plain((f) => text(f.connection.directLocalText)), DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT: plain((f) => text(f.connection.directLocalIp || f.connection.directLocalText)), DOWNSTREAM_DIRECT_LOCAL_PORT: plain((f) => f.connection.directLocalPort || undefined),
  CONNECTION_ID: plain((f) => f.connection.id), REQUESTED_SERVER_NAME: requestedServerName, ROUTE_NAME: plain((f) => text(f.routeName)), VIRTUAL_CLUSTER_NAME: plain((f) => text(f.virtualClusterName)),
  FILTER_CHAIN_NAME: plain((f) => text(f.connection.filterChainName)), LISTENER_NAME: plain((f) => text(f.connection.listenerName)),
  DYNAMIC_METADATA: (args) => ({ facts }) => dynamicMetadata(facts, args), CLUSTER_METADATA: metadata((f) => f.upstream?.clusterMetadata ?? f.cluster?.metadata ?? null), UPSTREAM_METADATA: metadata((f) => f.upstream?.metadata ?? null),
  METADATA: ([kind = '', ...rest]) => ({ facts }) => (kind === 'DYNAMIC' ? dynamicMetadata(facts, rest) : dig(metadataOf(facts, kind), rest)),
  FILTER_STATE: ([key = '']) => ({ facts }) => fromMap(facts.filterState, key) ?? fromMap(facts.connection.filterState, key), UPSTREAM_FILTER_STATE: () => () => undefined,
  HOSTNAME: (_a, env) => () => text(env.hostname), ENVIRONMENT: ([name = ''], env) => { const v = toByteString(env.environment(name) ?? '-'); return () => v; },
  STREAM_ID: plain((f) => text(f.requestId)), UNIQUE_ID: plain((f) => text(f.requestId)), TRACE_ID: plain((f) => text(f.traceId)), ACCESS_LOG_TYPE: plain((_f, c) => c.accessLogType), LOCAL_REPLY_BODY: plain((f, c) => (c.accessLogType === '' ? f.localReplyBody : '')),
  PATH: ([part = 'WQ', wanted = '']) => ({ facts }) => pathPart(part, facts, wanted), QUERY_PARAM: ([name = '']) => ({ facts }) => queryParameter(facts.request?.path, name), QUERY_PARAMS: () => ({ facts }) => { const p = facts.request?.path ?? '', q = p.indexOf('?'); return q < 0 ? undefined : p.slice(q + 1); },
  GRPC_STATUS: ([kind = '']) => ({ facts }) => { const s = grpcStatus(facts); if (s === undefined) return undefined; const n = Number(s); if (kind === 'NUMBER') return n; const name = GRPC_NAMES[n]; return name === undefined ? s : kind === 'SNAKE_STRING' ? name.replace(/(?<=[a-z])([A-Z])/g, '_$1').toUpperCase() : name; }, GRPC_STATUS_NUMBER: plain((f) => { const s = grpcStatus(f); return s === undefined ? undefined : Number(s); }),
  // No filter sets any.
  CUSTOM_FLAGS: plain(() => ''),
  CEL: ([expression = '']) => { const e = new CelExpression(expression); return ({ facts }) => celText(e.value(facts)); },
  TYPED_CEL: ([expression = '']) => { const e = new CelExpression(expression); return ({ facts }) => celTyped(e.value(facts)); },
  XFCC_VALUE: ([key = '']) => ({ facts }) => clientCertValue(facts.request?.joined('x-forwarded-client-cert') ?? '', key),
  COALESCE: ([json = ''], env) => {
    const list = coalesceList(json).map((o) => ({ get: buildOperator(o.op, argumentsOf(o.op, o.argument), env), max: o.max }));
    return (c) => { for (const o of list) { const v = o.get(c); if (v !== undefined) return o.max >= 0 && typeof v === 'string' ? v.slice(0, o.max) : v; } return undefined; };
  },
  BYTES_RETRANSMITTED: plain(() => 0), PACKETS_RETRANSMITTED: plain(() => 0), DOWNSTREAM_CX_RTT: plain(() => 0), DOWNSTREAM_LOCAL_CLOSE_REASON: plain(() => undefined), UPSTREAM_LOCAL_CLOSE_REASON: plain(() => undefined),
  DOWNSTREAM_DETECTED_CLOSE_TYPE: plain(() => 'Normal'), UPSTREAM_DETECTED_CLOSE_TYPE: plain((f) => (f.upstream === null || f.upstream.hostText === '' ? undefined : 'Normal')),
  DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED: plain((f) => f.requestHeadersBytes), DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: plain((f) => f.responseHeadersBytes),
  UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED: plain((f) => f.upstream?.headerBytesReceived ?? 0), UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: plain((f) => f.upstream?.headerBytesSent ?? 0),
  DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID: plain(() => undefined), DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID: plain(() => undefined), UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID: plain(() => undefined),
  ROUTE_RESOLUTION_COUNT: plain((f) => f.routeResolutions), ROUTE_RESOLUTION_TIME_US: plain((f) => (f.routeResolutions === 0 ? undefined : 0)), SPAN_ID: plain(() => undefined), UPSTREAM_SERVER_NAME: plain(() => undefined),
  UPSTREAM_HOSTS_ATTEMPTED: attempted((u) => u.hostText), UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT: attempted((u) => u.hostIp || u.hostText), UPSTREAM_HOST_NAMES_ATTEMPTED: attempted((u) => u.hostName || u.hostText),
  UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT: attempted((u) => u.hostName || u.hostIp || u.hostText), UPSTREAM_CONNECTION_IDS_ATTEMPTED: attempted((u) => (u.connectionId === 0 ? '' : String(u.connectionId))),
  TLS_JA3_FINGERPRINT: plain((f) => text(f.connection.ja3)), TLS_JA4_FINGERPRINT: plain((f) => text(f.connection.ja4)),
};

function metadataOf(f: StreamFacts, kind: string): unknown {
  switch (kind) {
    case 'ROUTE': return f.routeMetadata;
    case 'CLUSTER': return f.upstream?.clusterMetadata ?? f.cluster?.metadata;
    case 'UPSTREAM_HOST': return f.upstream?.metadata;
    case 'LISTENER': return f.connection.listenerMetadata;
    case 'LISTENER_FILTER_CHAIN': return f.connection.filterChainMetadata;
    case 'VIRTUAL_HOST': return f.virtualHostMetadata;
    default: return undefined;
  }
}

/** Operators whose argument is one text, not a list of ':'-separated parts. */
const WHOLE_ARGUMENT = new Set(['START_TIME', 'START_TIME_LOCAL', 'EMIT_TIME', 'EMIT_TIME_LOCAL', 'DOWNSTREAM_PEER_CERT_V_START', 'DOWNSTREAM_PEER_CERT_V_END', 'UPSTREAM_PEER_CERT_V_START', 'UPSTREAM_PEER_CERT_V_END', 'REQUEST_HEADER', 'RESPONSE_HEADER', 'RESPONSE_TRAILER', 'REQ', 'RESP', 'TRAILER', 'STREAM_INFO_REQ', 'REQ_WITHOUT_QUERY', 'ENVIRONMENT', 'QUERY_PARAM', 'COALESCE', 'CEL', 'TYPED_CEL', 'XFCC_VALUE']);
/** What stands between an operator's parentheses, as its builder wants it. */
export function argumentsOf(op: string, argument: string): readonly string[] { return WHOLE_ARGUMENT.has(op) ? [argument] : argument.split(':'); }

export function knownOperator(name: string): boolean { return Object.hasOwn(OPERATORS, name); }
export function buildOperator(name: string, args: readonly string[], env: OperatorEnv): (c: FormatContext) => Value { return OPERATORS[name]!(args, env); }

/** A value as text of a format: structures as JSON. */
export function valueText(v: Exclude<Value, undefined>): string {
  if (typeof v === 'string') return v;
  if (v !== null && typeof v === 'object') return toByteString(JSON.stringify(v));
  return String(v);
}

