// The shapes of the upstream room: clusters, hosts, balancers, pools. Choosing is separate from doing: `choose` is synchronous, without I/O.
import type { ClientStream, HttpProtocol, ResetReason } from '../codec/codec.ts';
import type { PeerFault } from '../base/fault.ts';
import type { HttpFilterPlan } from '../plan/hcm-plan.ts';
import type { HashPolicyPlan, MirrorPlan, RetryPlan } from '../plan/route-plan.ts';
import type { Address } from '../net/address.ts';
import type { StatBlock, StatStore } from '../observe/stats/stat-block.ts';
import type { ConnectionFacts, ForClient, MetadataValue, StreamFacts, UpstreamFacts } from '../observe/stream-facts.ts';
import type { MetadataCriteria } from './metadata-criteria.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { SocketSink, TransportSocket } from '../net/transport/transport.ts';

export interface Locality { readonly region: string; readonly zone: string; readonly subZone: string }

/** One endpoint of a cluster, one object per worker. Shared words live in the host table at `index`. */
export interface Host {
  /** Record of the host table. */
  readonly index: number;
  readonly address: Address;
  /** Envoy's text of the address. */
  readonly text: string;
  readonly hostname: string;
  readonly cluster: Cluster;
  readonly priority: number;
  readonly locality: Locality;
  readonly metadata: { readonly [key: string]: MetadataValue } | null;
  weight: number;
}

/** A host that the request asks for by its address; `strict`: that one or none. */
export interface OverrideHost { readonly address: string; readonly strict: boolean; /** Of the answer when a strict one is not there; absent or 0: 503. */ readonly missingStatus?: number }

/** What a choice may depend on. One object per attempt, reused by the router. */
export interface PickContext {
  /** Hash of the route's hash policies; valid if `hasHash`. 64 bits as two unsigned words. */
  hasHash: boolean; hashHigh: number; hashLow: number;
  readonly request: RequestHeaders | null;
  readonly facts: StreamFacts | null;
  /** Metadata match criteria (subset balancing), null: none. */
  readonly metadataMatch: MetadataCriteria | null;
  /** True for a host that must not be chosen again (retry host predicates); asked up to `maxReselect` times. */
  avoid: ((host: Host) => boolean) | null;
  maxReselect: number;
  /** Bit set of priorities that a retry leaves out; 0: none. A choice that finds no other sets it to -1 and goes as ever. */
  triedPriorities: number;
  /** Goes to this priority, with DEGRADED_CHOICE to its degraded hosts (an aggregate cluster has chosen); absent: by the loads. */
  readonly onlyPriority?: number;
  /** Override from e.g. a stateful session, null: none. */
  overrideHost: OverrideHost | null;
  /** Hosts of the override_host policy that attempts have used up. */
  overridesUsed: number;
}

/** Who waits for a connection. Exactly one of the two calls comes, unless the wait is cancelled; never from inside `lease`. */
export interface LeaseWaiter {
  onLease(stream: ClientStream, host: Host): void;
  /** 'overflow': circuit breaker; 'connect-failure', 'connect-timeout': with the transport's reason text. */
  onLeaseFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout', reason: string, host: Host): void;
}

export interface Waiting { cancel(): void }

/** What a lease needs: the sink is attached when the stream opens. */
export interface LeaseContext extends ForClient {
  readonly priority: 'default' | 'high';
  /** Receives the response; handed to the codec when the stream opens. */
  readonly sink: import('../codec/codec.ts').ResponseSink;
  readonly facts: UpstreamFacts;
  readonly downstreamProtocol: HttpProtocol;
  /** As it is sent: the server name of TLS may come from it. */
  readonly request: RequestHeaders;
  /** Not on a connection that lay idle: the one before it died of that. */
  readonly fresh: boolean;
}

export type Leased = { readonly kind: 'stream'; readonly stream: ClientStream } | { readonly kind: 'waiting'; readonly waiting: Waiting } | { readonly kind: 'failed'; /** 'no-pool': max_connection_pools, which is as if there were no host. */ readonly why: 'overflow' | 'connect-failure' | 'no-pool'; readonly reason: string };

/** A raw upstream connection (tcp_proxy, CONNECT ended here). Its owner sets `sink` at once, and ends it once: with `close`, or by the sink's onClose. */
export interface RawUpstream {
  readonly id: number;
  readonly host: Host;
  /** For writing, pausing, half-closing; never destroyed by the owner. */
  readonly socket: TransportSocket;
  sink: SocketSink;
  /** Which of several addresses it is connected to; null, absent: the host has but one. */
  readonly reached?: Address | null;
  /** Monotonic ms of the connect's begin and end. */
  readonly connectStartMs: number; readonly connectEndMs: number;
  close(how: 'flush' | 'now' | 'reset'): void;
}

/** Who waits for a raw connection. Exactly one of the calls comes unless the wait is cancelled; never from inside `leaseRaw`. */
export interface RawWaiter { onRawReady(upstream: RawUpstream): void; onRawFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout', reason: string, host: Host): void }

/** Why a cluster takes no requests, or not this one: runtime's upstream.maintenance_mode, or drop_overloads ('drop-all': all are dropped). */
export type Refusal = 'maintenance' | 'drop' | 'drop-all';

export interface Cluster {
  readonly name: string;
  /** Stat scope: alt_stat_name or the name. */
  readonly statName: string;
  /** For stats below 'cluster.STATNAME'; they go when it goes. */
  readonly statStore: StatStore;
  readonly metadata: { readonly [key: string]: MetadataValue } | null;
  readonly perConnectionBufferLimit: number;
  readonly maxRequestsPerConnection: number;
  /** common_http_protocol_options.max_stream_duration etc. of the cluster, ms, -1 unset. */
  readonly maxStreamDurationMs: number;
  /** HTTP filters of each attempt, in place of the router's; null: it has none. */
  readonly upstreamFilters: readonly HttpFilterPlan[] | null;
  readonly maxResponseHeadersCount: number;
  /** track_cluster_stats; null: not wanted. */
  readonly http1Stats: StatBlock; readonly sizeStats: StatBlock | null; readonly budgetStats: StatBlock | null;
  /** Added to the cluster: true while it is draining after removal. */
  removed: boolean;
  /** Its choices depend on a hash of the request (ring hash, maglev). */
  readonly usesHash: boolean;
  /** Of the hash, in place of the route's; empty: the route's. */
  readonly hashPolicies: readonly HashPolicyPlan[];
  /** Those of them that its balancer has, which hold for raw connections too; absent: none. */
  readonly balancerHash?: readonly HashPolicyPlan[];
  /** Its own, in place of the route's; null, or empty: the route's. */
  readonly retryPolicy: RetryPlan | null; readonly mirrors: readonly MirrorPlan[];
  /** Asked for each request before a host is chosen. */
  refusal(): Refusal | null;
  /** Picks a host; null: none healthy (503 UH). Rebuilds its balancer first if an epoch word moved. */
  choose(ctx: PickContext): Host | null;
  /** Takes an HTTP stream on a connection to `host`: at once, later, or not. Circuit breakers for connections, pending and pools are counted here; requests by the caller through `beginRequest`. */
  lease(host: Host, ctx: LeaseContext, waiter: LeaseWaiter): Leased;
  /** Opens an L4 connection. `client`: for whom, where the host is told (PROXY protocol). */
  leaseRaw(host: Host, waiter: RawWaiter, client: ConnectionFacts | null): Waiting | { readonly failed: 'overflow'; /** By the overload manager. */ readonly shed?: boolean };
  /** Circuit breaker of active requests: false is overflow (upstream_rq_active_overflow counted). Must be matched by endRequest. The request's stats are the pool's, from when it has a connection. */
  beginRequest(host: Host, priority: 'default' | 'high'): boolean;
  endRequest(host: Host, priority: 'default' | 'high'): void;
  /** Retry budget / max_retries. */
  beginRetry(priority: 'default' | 'high'): boolean;
  endRetry(priority: 'default' | 'high'): void;
  /** Stats and outlier input for a finished attempt. `status` 0: no response. */
  onResponse(host: Host | null, status: number, internal: boolean, canary: boolean, timeMs: number, zone?: string): void;
  /** An attempt that another follows: its status counts under retry. (0: it had none), the host has an error. */
  onRetriedResponse(host: Host, status: number): void;
  /** Whether a host has served a request, where its answer's status did not say it (gRPC; no answer). */
  onServed(host: Host, success: boolean): void;
  /** Every answer's head, retried or not: the input of outlier detection. `grpc`: to a gRPC request. */
  onAnswer(host: Host, headers: ResponseHeaders, grpc: boolean): void;
  /** Time was up for a request at a host: counted there. Outlier detection is told by onAttemptFailure, where it is the host's fault. */
  onTimeout(host: Host): void;
  /** Its own hosts report their load in answers: `onLoad` takes it from headers, or from trailers where those had none; true: there was a report. */
  readonly wantsLoad: boolean;
  /** Whether connections to one of its hosts are TLS. */
  secured(host: Host): boolean;
  onLoad(host: Host, headers: Headers): boolean;
  /** 'connect-timeout': of a connection of layer 4; a request's is 'connect'. */
  onAttemptFailure(host: Host, why: 'timeout' | 'reset' | 'connect' | 'connect-timeout', reason: ResetReason, fault: PeerFault | null): void;
  /** An attempt has its connection. `final`: it is of layer 4, and nothing follows that could fail. */
  onReached(host: Host, final: boolean): void;
  /** Circuit breaker of connections, for what is no connection of ours to open (UDP sessions): false is overflow, counted. Given back by releaseConnection. */
  tryConnection(): boolean;
  releaseConnection(): void;
  /** The host is still of this cluster and takes traffic. */
  available(host: Host): boolean;
  /** Hosts, and how many of them take traffic (healthy or degraded). */
  membership(): { readonly total: number; readonly available: number };
  /** The DNS cache that hosts of a dynamic forward proxy come from; null: it is none. */
  readonly dnsCache: string | null;
  /** The type of such a cluster has Envoy's own name. */
  readonly dnsOwnName: boolean;
  /** Hosts are checked actively. */
  readonly healthChecked: boolean;
  /** The host said in an answer that it is to be taken out. */
  failHealth(host: Host): void;
  readonly stats: StatBlock;
}

/** All clusters of this worker by name. */
export interface ClusterDirectory {
  get(name: string): Cluster | null;
  /** Names, for matchers such as cluster_header. */
  has(name: string): boolean;
  /** Hosts of the cluster that this proxy belongs to (local_cluster_name), in whatever health; 0: there is none. */
  readonly localMembers: number;
}
