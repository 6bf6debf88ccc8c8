// What is known of a connection and of a stream: filled in by whoever learns it, read by access logs, formatters, matchers and (later) tracing. Envoy: StreamInfo.
// Times are the clock's monotonic ms of the event, -1 where it has not happened.
import type { StatStore } from './stats/stat-block.ts';
import { fromByteString, ResponseHeaders, type Headers, type RequestHeaders } from '../headers/headers.ts';

export type SanType = 'EMAIL' | 'DNS' | 'URI' | 'IP_ADDRESS' | 'OTHER_NAME';

/** The TLS side of a connection; null for cleartext. Filled by net/tls; what is read of certificates is worked out when it is asked for. */
export interface TlsFacts {
  /** 'TLSv1.3'. */
  readonly version: string; readonly cipher: string; readonly sni: string; readonly alpn: string; readonly sessionId: string;
  /** Whether a certificate was given by the peer, and whether it was validated. */
  readonly peerCertificatePresented: boolean; readonly peerCertificateValidated: boolean;
  /** RFC 2253. */
  readonly peerSubject: string; readonly peerIssuer: string;
  /** Lower-case hex. */
  readonly peerSerial: string; readonly peerFingerprint256: string; readonly peerFingerprint1: string;
  /** Of the certificate that the peer sent after its own, '' for none. */
  readonly peerIssuerSerial: string; readonly peerIssuerFingerprint256: string;
  /** Key exchange: 'X25519'; '' where not known. */
  readonly curve: string;
  /** URL-encoded PEM, and that of the whole chain. */
  readonly peerPem: string; readonly peerChainPem: string;
  readonly peerValidFromMs: number; readonly peerValidToMs: number;
  readonly localSubject: string;
  readonly peerUriSans: readonly string[]; readonly peerDnsSans: readonly string[];
  peerSans(type: SanType): readonly string[];
  localSans(type: SanType): readonly string[];
  /** Something of each certificate that the peer sent, comma-separated. */
  peerChain(get: (c: { readonly sha256: string; readonly sha1: string; readonly serial: string }) => string): string;
}

/** Dynamic metadata and filter state values: JSON-like, as google.protobuf.Struct. */
export type MetadataValue = null | boolean | number | string | readonly MetadataValue[] | { readonly [key: string]: MetadataValue };

/** A value of filter state that goes on to upstream connections (shared_with_upstream); `transitive`: from those further, too. */
export interface SharedStateValue { readonly value: MetadataValue; readonly transitive: boolean }

/** From where connections that are made for a client go (original_src). `port` 0: any. `mark` 0: none. */
export interface UpstreamSource { readonly ip: string; readonly port: number; readonly mark: number }

/** For whom an upstream connection is made. */
export interface ForClient {
  /** The client's connection, where hosts are told of it (PROXY protocol); null: anybody's. */
  readonly client: ConnectionFacts | null;
  /** The address that it goes from (original_src); null: the cluster decides. */
  readonly source: UpstreamSource | null;
  /** Filter state that internal listeners are given. */
  readonly shared: ReadonlyMap<string, SharedStateValue> | null;
}

/** A value of filter state: the stream's, else its connection's. */
export function filterStateOf(facts: StreamFacts, key: string): MetadataValue | undefined { return facts.filterState?.get(key) ?? facts.connection.filterState?.get(key); }

export class ConnectionFacts {
  id = 0;
  startMs = 0; startWallMs = 0; endMs = -1;
  /** 'ip:port' of the peer as TCP (or PROXY protocol) says; the direct one stays the socket's. */
  remoteIp = ''; remotePort = 0; remoteText = '';
  directRemoteIp = ''; directRemotePort = 0; directRemoteText = '';
  localIp = ''; localPort = 0; localText = '';
  directLocalIp = ''; directLocalPort = 0; directLocalText = '';
  /** The local address is not the socket's: a listener filter restored it (PROXY header, SO_ORIGINAL_DST). */
  localRestored = false;
  /** TLVs of the client's PROXY header that go on to the upstream; null: there was no header. */
  proxyTlvs: readonly { readonly type: number; readonly value: Uint8Array }[] | null = null;
  /** Server name asked for by TLS (or a listener filter), '' for none. */
  serverName = '';
  transportProtocol = 'raw_buffer';
  applicationProtocol = '';
  /** What the client offers, most wanted first: ALPN by tls_inspector, or what http_inspector found. */
  requestedApplicationProtocols: readonly string[] = [];
  /** Fingerprints of the ClientHello, '' where not asked for. */
  ja3 = ''; ja4 = '';
  tls: TlsFacts | null = null;
  /** TLS ends here: known before its handshake is over. */
  tlsTerminated = false;
  listenerName = '';
  filterChainName = '';
  /** Envoy's TrafficDirection of the listener. */
  direction: 'UNSPECIFIED' | 'INBOUND' | 'OUTBOUND' = 'UNSPECIFIED';
  /** CONNECTION_TERMINATION_DETAILS. */
  terminationDetails = '';
  transportFailure = '';
  bytesReceived = 0; bytesSent = 0;
  requests = 0;
  filterState: Map<string, MetadataValue> | null = null;
  /** Of `filterState`, what internal listeners are given (shared_with_upstream). */
  sharedState: Map<string, SharedStateValue> | null = null;
  /** null: the cluster decides. */
  upstreamSource: UpstreamSource | null = null;
  /** Listener or filter-chain metadata, for %METADATA(LISTENER…)%. */
  listenerMetadata: { readonly [key: string]: MetadataValue } | null = null;
  filterChainMetadata: { readonly [key: string]: MetadataValue } | null = null;
}

/** What an attempt towards an upstream host left behind; the last attempt's is kept. */
export class UpstreamFacts {
  hostText = ''; hostName = ''; cluster = ''; clusterRaw = '';
  /** Where stats of the cluster are claimed. */
  stats: StatStore | null = null;
  localText = ''; localIp = ''; localPort = 0;
  hostIp = ''; hostPort = 0;
  /** Which of several addresses of the host was connected to, '': it has but one. */
  reachedText = ''; reachedIp = ''; reachedPort = 0;
  connectionId = 0;
  tls: TlsFacts | null = null;
  transportFailure = '';
  protocol = '';
  attempts = 0;
  /** Connection establishment, pool wait. */
  connectStartMs = -1; connectEndMs = -1; poolReadyMs = -1;
  firstTxMs = -1; lastTxMs = -1; firstRxMs = -1; lastRxMs = -1;
  bytesSent = 0; bytesReceived = 0; headerBytesSent = 0; headerBytesReceived = 0;
  metadata: { readonly [key: string]: MetadataValue } | null = null;
  clusterMetadata: { readonly [key: string]: MetadataValue } | null = null;
  locality: { readonly region: string; readonly zone: string; readonly subZone: string } | null = null;
  requestsOfConnection = 0;
}

export class StreamFacts {
  /** The request came as gRPC, whatever filters make of it: answers of our own are given in its form. */
  grpc = false;
  readonly connection: ConnectionFacts;
  startMs = 0; startWallMs = 0;
  protocol = '';
  /** The trusted client address after XFF and the like; defaults to the connection's. */
  remoteIp = ''; remotePort = 0; remoteText = '';
  request: RequestHeaders | null = null;
  requestTrailers: Headers | null = null;
  response: ResponseHeaders | null = null;
  responseTrailers: Headers | null = null;
  /** Status that went (or goes) downstream; 0: none yet. */
  status = 0;
  statusDetails = '';
  /** Bit set, see response-flags.ts. */
  flags = 0;
  /** The flag that is printed first, 0: the first of the list. Envoy prints them as they were set. */
  firstFlag = 0;
  requestHeadersBytes = 0; requestBodyBytes = 0; requestTrailersBytes = 0;
  responseHeadersBytes = 0; responseBodyBytes = 0; responseTrailersBytes = 0;
  wireReceived = 0; wireSent = 0;
  requestEndMs = -1;
  firstTxMs = -1; lastTxMs = -1; endMs = -1;
  routeName = ''; virtualHostName = ''; virtualClusterName = '';
  routeMetadata: { readonly [key: string]: MetadataValue } | null = null;
  virtualHostMetadata: { readonly [key: string]: MetadataValue } | null = null;
  /** Original :path before rewriting, for x-envoy-original-path formatters; '' if unchanged. */
  originalPath = '';
  requestId = '';
  /** The upstream host that a filter asks for; `strict`: that one or none. */
  overrideHost: { readonly address: string; readonly strict: boolean; readonly missingStatus?: number } | null = null;
  /** The cluster that the route led to, whether or not a host was found. */
  cluster: { readonly name: string; readonly statName: string; readonly metadata: { readonly [key: string]: MetadataValue } | null } | null = null;
  upstream: UpstreamFacts | null = null;
  /** The record is of one attempt alone (upstream_log): it counts none, as in Envoy. */
  ofAttempt = false;
  /** Attempts before `upstream`'s, in order; null: none. */
  earlierAttempts: UpstreamFacts[] | null = null;
  /** How often a route was looked for. */
  routeResolutions = 0;
  metadata: Map<string, { [key: string]: MetadataValue }> | null = null;
  filterState: Map<string, MetadataValue> | null = null;
  /** null: the connection's. */
  upstreamSource: UpstreamSource | null = null;
  sharedState: Map<string, SharedStateValue> | null = null;
  localReplyBody = '';
  healthCheck = false;
  internal = false;
  /** The router makes the request's scheme that of its upstream connection. */
  schemeMatchesUpstream = false;
  traceSampled = false;
  traceId = '';
  /** What this stream ended as; set once by onEnd. */
  ended = false;
  constructor(connection: ConnectionFacts) { this.connection = connection; }

  /** Another attempt begins: it is the one that is shown, those before are kept. */
  beginAttempt(up: UpstreamFacts): void {
    if (this.upstream !== null) (this.earlierAttempts ??= []).push(this.upstream);
    this.upstream = up;
  }
}

/** Adds dynamic metadata of one namespace; keys that are there are replaced. */
export function setStreamMetadata(facts: StreamFacts, namespace: string, values: { readonly [key: string]: MetadataValue }): void {
  (facts.metadata ??= new Map()).set(namespace, { ...facts.metadata.get(namespace), ...values });
}

/** Keeps headers (an answer's with its status) in filter state, as Envoy writes them: its HeaderMap message. */
export function keepHeaders(of: ConnectionFacts | StreamFacts, key: string, from: Headers): void {
  const headers = from instanceof ResponseHeaders ? [{ key: ':status', value: String(from.status) }] : [];
  from.each((name, value) => headers.push({ key: fromByteString(name), value: fromByteString(value) }));
  (of.filterState ??= new Map()).set(key, { headers });
}
