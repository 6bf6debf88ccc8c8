// A router filter between a fake stream of the connection manager and a fake cluster: what it asks of both is recorded, what they do is scripted by the test.
import type { ClientStream, ResetReason, ResponseSink } from '../../../engine/codec/codec.ts';
import type { ByteQueue } from '../../../engine/base/byte-queue.ts';
import { RequestHeaders, ResponseHeaders, type Headers } from '../../../engine/headers/headers.ts';
import type { MakeHttpFilter } from '../../../engine/http/filter-list.ts';
import { LocalReply, type HttpFilter, type ResponseEntry, type StreamView } from '../../../engine/http/filter.ts';
import { ManualClock } from '../../../engine/loop/clock.ts';
import { SeededRandom } from '../../../engine/loop/random.ts';
import { Runtime } from '../../../engine/loop/runtime.ts';
import { TimerWheel } from '../../../engine/loop/timer-wheel.ts';
import type { WorkerEnv } from '../../../engine/net/worker-env.ts';
import { CLUSTER_SCHEMA } from '../../../engine/observe/stats/schemas.ts';
import { COLUMN_SLOTS } from '../../../engine/observe/stats/stat-column.ts';
import { ThreadStatStore } from '../../../engine/observe/stats/thread-stat-store.ts';
import { StatBlock } from '../../../engine/observe/stats/stat-block.ts';
import { ConnectionFacts, StreamFacts } from '../../../engine/observe/stream-facts.ts';
import type { HttpFilterPlan } from '../../../engine/plan/hcm-plan.ts';
import type { ForwardPlan, RetryPlan, RoutePlan, RouteTablePlan, VirtualHostPlan } from '../../../engine/plan/route-plan.ts';
import { packVirtualHost } from '../../../engine/plan/route-wire.ts';
import { RETRY_ON } from '../../../engine/http/retry-on.ts';
import type { RouteEntry } from '../../../engine/router/route-entry.ts';
import { TableOfRoutes } from '../../../engine/router/route-table.ts';
import { RouterFactory, upstreamList } from '../../../engine/router/router-factory.ts';
import type { RouterFilter } from '../../../engine/router/router.ts';
import type { Cluster, Host, LeaseContext, Leased, LeaseWaiter, PickContext, Refusal } from '../../../engine/upstream/upstream.ts';

export const NO_LEVEL = { request: { add: [], remove: [] }, response: { add: [], remove: [] } };
export const RETRY: RetryPlan = {
  on: RETRY_ON.FIVE_XX, retries: 1, perTryTimeoutMs: 0, perTryIdleTimeoutMs: 0, statusCodes: [], headers: [], requestHeaders: [], baseMs: 25, maxMs: 250, hosts: [], reselects: 1, priorityFrequency: 0, resets: [], resetMaxMs: 300_000, refreshCluster: false,
};
export const FORWARD: ForwardPlan = {
  kind: 'forward', target: { kind: 'cluster', name: 'c' }, notFoundStatus: 503, prefixRewrite: '', regexRewrite: null, templateRewrite: '', pathFormat: null, hostLiteral: '', hostHeader: '', hostRegex: null, hostFormat: null, autoHost: false, appendForwardedHost: false,
  timeoutMs: 15_000, idleTimeoutMs: -1, flushTimeoutMs: -1, maxStreamDurationMs: -1, maxGrpcTimeoutMs: -1, grpcTimeoutOffsetMs: 0, newTimeouts: false, grpcHeaderMaxMs: -1, grpcHeaderOffsetMs: 0, priority: 'default', hashPolicies: [], metadataMatch: null,
  upgrades: [], connectTerminate: 'no', connectUdp: false, retry: null, hedge: null, mirrors: [], redirects: null, rateLimits: [], includeHostRateLimits: false,
};

/** One stream that the fake pool gave out. */
export class UpstreamStream implements ClientStream {
  readonly protocol = 'HTTP/1.1';
  sent = '';
  request: RequestHeaders | null = null;
  ended = false;
  resetBy: ResetReason | '' = '';
  bytesReceived = 0; bytesSent = 0; headerBytesReceived = 0; headerBytesSent = 0; queuedBytes = 0;
  readonly sink: ResponseSink;
  readonly host: Host;
  constructor(sink: ResponseSink, host: Host) { this.sink = sink; this.host = host; }
  headers(h: RequestHeaders, end: boolean): void { this.request = h; this.sent += `${h.method} ${h.path}${['x-envoy-attempt-count', 'x-envoy-is-timeout-retry', 'x-envoy-expected-rq-timeout-ms'].map((n) => (h.has(n) ? ` ${n}=${h.get(n)}` : '')).join('')}|`; this.ended = end; }
  data(b: Uint8Array, start: number, end: number, last: boolean): void { this.sent += Buffer.from(b.subarray(start, end)).toString('latin1'); this.ended = last; }
  trailers(_t: Headers): void { this.sent += '|trailers'; this.ended = true; }
  reset(reason: ResetReason): void { this.resetBy = reason; }
  pause(): void { /* not looked at */ }
  resume(): void { /* not looked at */ }
  answer(status: number, end = true, more: Record<string, string> = {}): void {
    const h = new ResponseHeaders();
    h.status = status;
    for (const [k, v] of Object.entries(more)) h.add(k, v);
    this.sink.onHeaders(h, end);
  }
}

function fakeHost(cluster: Cluster, index: number, priority: number): Host {
  return { index, address: { kind: 'ip', ip: '10.0.0.1', port: index } as Host['address'], text: `10.0.0.1:${index}`, hostname: '', cluster, priority, locality: { region: '', zone: '', subZone: '' }, metadata: null, weight: 1 };
}

/** Counts what is taken and given back; every lease is served at once unless `script` says otherwise. */
export class FakeCluster {
  readonly name = 'c'; readonly statName = 'c'; readonly metadata = null; readonly perConnectionBufferLimit = 0; readonly maxRequestsPerConnection = 0; readonly maxResponseHeadersCount = 100; sizeStats: StatBlock | null = null; budgetStats: StatBlock | null = null;
  upstreamFilters: readonly HttpFilterPlan[] | null = null;
  readonly usesHash = true; readonly hashPolicies = []; readonly retryPolicy = null; readonly mirrors = [];
  maxStreamDurationMs = -1; removed = false; readonly healthChecked = false;
  active = 0; retries = 0; maxRetries = 3;
  readonly streams: UpstreamStream[] = [];
  readonly charged: number[] = [];
  readonly retried: number[] = [];
  readonly failures: string[] = [];
  readonly served: boolean[] = [];
  readonly timeouts: number[] = [];
  readonly waiters: { who: LeaseWaiter; host: Host; ctx: LeaseContext; cancelled: boolean }[] = [];
  /** What the next leases do. */
  readonly script: ('wait' | 'overflow')[] = [];
  requestsOfConnection = 1;
  readonly stats: StatBlock;
  readonly hosts: Host[];
  /** Hosts that attempts had a connection to. */
  readonly reached: number[] = [];
  private at = 0;
  constructor(env: WorkerEnv, priorities: readonly number[] = [0, 0]) { this.stats = new StatBlock(env.stats, CLUSTER_SCHEMA, 'cluster.c'); this.hosts = priorities.map((p, i) => fakeHost(this as unknown as Cluster, i + 1, p)); }
  refuses: Refusal | null = null;
  refusal(): Refusal | null { return this.refuses; }
  choose(ctx: PickContext): Host | null {
    if (this.hosts.length === 0) return null;
    let host = this.hosts[this.at++ % this.hosts.length]!;
    for (let i = 0; ctx.avoid !== null && i < ctx.maxReselect && ctx.avoid(host); i++) host = this.hosts[this.at++ % this.hosts.length]!;
    return host;
  }
  beginRequest(): boolean { this.active++; return true; }
  endRequest(): void { this.active--; }
  lease(host: Host, ctx: LeaseContext, who: LeaseWaiter): Leased {
    const what = this.script.shift();
    if (what === 'overflow') return { kind: 'failed', why: 'overflow', reason: '' };
    if (what === 'wait') { const w = { who, host, ctx, cancelled: false }; this.waiters.push(w); return { kind: 'waiting', waiting: { cancel: () => { w.cancelled = true; } } }; }
    return { kind: 'stream', stream: this.give(ctx, host) };
  }
  give(ctx: LeaseContext, host: Host): UpstreamStream { ctx.facts.requestsOfConnection = this.requestsOfConnection; const s = new UpstreamStream(ctx.sink, host); this.streams.push(s); return s; }
  beginRetry(): boolean { if (this.retries >= this.maxRetries) return false; this.retries++; return true; }
  endRetry(): void { this.retries--; }
  onResponse(_h: Host | null, status: number): void { this.charged.push(status); }
  onRetriedResponse(_h: Host, status: number): void { this.retried.push(status); }
  onAnswer(): void { /* nothing is detected */ }
  onServed(_h: Host, success: boolean): void { this.served.push(success); }
  onTimeout(h: Host): void { this.timeouts.push(h.index); }
  onAttemptFailure(_h: Host, why: string): void { this.failures.push(why); }
  onReached(h: Host): void { this.reached.push(h.index); }
  failHealth(): void { /* not checked here */ }
}

export interface RouterOptions { readonly retry?: Partial<RetryPlan> | null; readonly forward?: Partial<ForwardPlan>; readonly host?: Partial<VirtualHostPlan>; readonly priorities?: readonly number[]; readonly bufferLimit?: number; readonly strict?: readonly string[]; /** Filters behind the router; of the cluster where `ofCluster`. */ readonly upstream?: readonly HttpFilter[]; readonly ofCluster?: boolean }

export class RouterPeer {
  readonly clock = new ManualClock();
  readonly env: WorkerEnv;
  readonly cluster: FakeCluster;
  readonly router: RouterFactory;
  readonly entry: RouteEntry;
  readonly facts = new StreamFacts(new ConnectionFacts());
  readonly request = new RequestHeaders();
  /** What went downstream. */
  readonly out: string[] = [];
  readonly filter: RouterFilter;
  paused = 0;
  cleared = 0;
  /** What the request matches now; another after a redirect. */
  routeNow: RouteEntry | null;

  constructor(o: RouterOptions = {}) {
    const store = new ThreadStatStore(new SharedArrayBuffer(Math.min(COLUMN_SLOTS, 1 << 14) * 8), () => {});
    this.env = { clock: this.clock, wheel: new TimerWheel(this.clock), random: new SeededRandom(1), runtime: new Runtime(), stats: store } as unknown as WorkerEnv;
    this.cluster = new FakeCluster(this.env, o.priorities);
    const route: RoutePlan = {
      name: 'r', match: { path: { kind: 'prefix', text: '/', ignoreCase: false }, headers: [], query: [], grpc: false, fraction: null, tls: null, metadata: [], cookies: [], filterState: [] }, level: NO_LEVEL, metadata: null, filterConfigs: [], bufferLimit: -1, statPrefix: '',
      action: { ...FORWARD, retry: o.retry === undefined || o.retry === null ? null : { ...RETRY, ...o.retry }, ...o.forward },
    };
    const host: VirtualHostPlan = { name: 'v', level: NO_LEVEL, requireTls: 'NONE', routes: [route], matcher: null, includeAttemptCount: false, includeAttemptCountInResponse: false, metadata: null, filterConfigs: [], virtualClusters: [], bufferLimit: -1, includeTimeoutRetry: false, retry: null, hedge: null, mirrors: [], rateLimits: [], ...o.host };
    const table: RouteTablePlan = { name: 't', counted: [], level: NO_LEVEL, mostSpecificWins: false, ignorePort: false, hostHeader: '', ignorePathParameters: false, internalOnly: [], filterConfigs: [], mirrors: [], virtualHosts: [{ domains: ['*'], packed: packVirtualHost(host) }] };
    Object.assign(this.request, { method: 'GET', path: '/', authority: 'h', scheme: 'http' });
    this.facts.protocol = 'HTTP/1.1';
    this.entry = new TableOfRoutes(table, { runtime: this.env.runtime, clock: this.clock, operators: {} as never, stats: store }).match(this.request, this.facts, 0) as RouteEntry;
    this.routeNow = this.entry;
    const plans = [...(o.upstream ?? []).map((_f, i) => ({ name: `f${i}`, filter: { kind: 'f', body: null }, disabled: false })), { name: 'codec', filter: { kind: 'codec', body: null }, disabled: false }];
    const make: MakeHttpFilter = (_kind, _body, name, index) => ({ name, create: () => o.upstream![index]! });
    if (o.ofCluster === true) this.cluster.upstreamFilters = plans;
    this.router = new RouterFactory('router', { suppressEnvoyHeaders: false, rejectEarlyConnect: false, respectExpectedTimeout: false, strictHeaders: o.strict ?? [], upstreamLogs: [], upstreamLogAtStart: false, upstreamFilters: o.upstream === undefined || o.ofCluster === true ? null : plans }, { upstreamFilter: make, clusterFilters: () => upstreamList(plans, make), accessLog: () => ({ log: () => undefined }), env: this.env, clusters: { get: () => this.cluster as unknown as Cluster, localMembers: 0, has: () => true }, renderBody: () => null, machineAddress: '10.1.1.1' }, 'in');
    this.filter = this.router.create(this.view(o.bufferLimit ?? 1000)) as RouterFilter;
  }

  private view(bufferLimit: number): StreamView & ResponseEntry {
    const { facts, request, out } = this, peer = this;
    const reply = (r: LocalReply): void => { const h = new ResponseHeaders(); r.headers?.(h, undefined as never); out.push(`local ${r.status} ${r.details}${h.has('x-envoy-attempt-count') ? ` attempts=${h.get('x-envoy-attempt-count')}` : ''}`); facts.flags |= r.flags; this.filter.onEnd(undefined as never, 'complete'); };
    return {
      facts, request, bufferLimit, random: 7, get route() { return peer.routeNow; }, clearRoute: () => { peer.cleared++; },
      recreate: (h: ResponseHeaders, body: ByteQueue | null) => { out.push(`recreated ${h.status} ${request.method} ${request.scheme}://${request.authority}${request.path} ${body === null ? '-' : Buffer.from(body.takeAll()).toString()}`); }, connection: facts.connection, downstreamWatcher: null,
      pauseRequest: () => { this.paused++; }, resumeRequest: () => { this.paused = 0; },
      respondHeaders: (h: ResponseHeaders, end: boolean) => { out.push(`${h.status}${h.has('x-envoy-attempt-count') ? ` attempts=${h.get('x-envoy-attempt-count')}` : ''}${end ? ' end' : ''}`); },
      respondData: (b: Uint8Array, s: number, e: number, last: boolean) => { out.push(`data ${Buffer.from(b.subarray(s, e)).toString()}${last ? ' end' : ''}`); },
      respondTrailers: () => { out.push('trailers'); }, respondInformational: () => { out.push('1xx'); }, respondLocally: reply,
      respondReset: (_r: ResetReason, flags: number, details: string) => { facts.flags |= flags; out.push(`reset ${details}`); this.filter.onEnd(undefined as never, 'local-reset'); },
    } as unknown as StreamView & ResponseEntry;
  }

  /** Sends the head; a reply given back is what the stream would answer. */
  head(end = true, headers: Record<string, string> = {}): this {
    for (const [k, v] of Object.entries(headers)) this.request.add(k, v);
    const verdict = this.filter.onRequestHeaders(this.streamView, this.request, end);
    if (verdict instanceof LocalReply) { this.out.push(`local ${verdict.status} ${verdict.details}`); this.facts.flags |= verdict.flags; this.filter.onEnd(this.streamView, 'complete'); }
    return this;
  }
  private get streamView(): StreamView { return (this.filter as unknown as { s: StreamView }).s; }
  data(text: string, last: boolean): this {
    const b = Buffer.from(text, 'latin1');
    this.facts.requestBodyBytes += b.length;
    const verdict = this.filter.onRequestData(this.streamView, b, 0, b.length, last);
    if (verdict instanceof LocalReply) { this.out.push(`local ${verdict.status} ${verdict.details}`); this.filter.onEnd(this.streamView, 'complete'); }
    return this;
  }
  pass(ms: number): this { this.clock.set(this.clock.nowMs() + ms); this.env.wheel.advance(); return this; }
  upstream(i: number): UpstreamStream { return this.cluster.streams[i]!; }
  /** Nothing is left taken: requests, retries, timers. */
  get left(): string { return `${this.cluster.active} requests, ${this.cluster.retries} retries, ${this.env.wheel.size} timers`; }
}
