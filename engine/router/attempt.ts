// One attempt of a request towards one host: takes the circuit breaker's request and a stream, passes the response's events on to the request that made it, keeps
// the clocks of one try, and lets go of everything once.
//
//   new ──begin──▶ waiting (for a connection) ──▶ active ──▶ over          any ──end──▶ over
import { Kept, keepLast } from '../base/kept.ts';
import type { PeerFault } from '../base/fault.ts';
import type { ClientStream, HttpProtocol, MetadataMap, PauseReason, RequestWriter, ResetReason, ResponseSink } from '../codec/codec.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { FilterList } from '../http/filter-list.ts';
import type { LocalReply } from '../http/filter.ts';
import { Timer } from '../loop/timer-wheel.ts';
import { formatAddress, type IpAddress } from '../net/address.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import { BUDGETS, CLUSTER, HTTP1 } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';
import { UpstreamFacts, type ConnectionFacts, type SharedStateValue, type StreamFacts, type UpstreamSource } from '../observe/stream-facts.ts';
import type { Cluster, Host, LeaseContext, LeaseWaiter, RawUpstream, RawWaiter, Waiting } from '../upstream/upstream.ts';
import { AttemptSizes } from './attempt-sizes.ts';
import type { RequestBody } from './request-body.ts';
import { noteBudget, type Timeouts } from './timeouts.ts';
import { grpcAsHttp } from '../upstream/outlier/votes.ts';
import { noteReached } from '../upstream/pool/address-race.ts';
import { UpstreamExchange, type ExchangeAttempt, type RequestView } from './upstream-exchange.ts';
import type { UpstreamLog } from './upstream-log.ts';
import { RawStream } from './raw-stream.ts';
import { UdpStream } from './udp-stream.ts';
import type { RequestStats } from './request-stats.ts';
import { leaseFailure, resetFailure, type Failure } from './failure.ts';

/** The request that an attempt is made for. Each call may end the attempt. */
export interface AttemptOwner {
  readonly env: WorkerEnv;
  readonly priority: 'default' | 'high';
  readonly downstreamProtocol: HttpProtocol;
  readonly facts: StreamFacts;
  readonly request: RequestHeaders;
  /** Where attempts are logged; null: nowhere. */
  readonly upstreamLog: UpstreamLog | null;
  /** The request is ended here, its bytes go over a raw connection. */
  readonly raw: boolean;
  /** Of the try: perTryMs, perTryIdleMs, streamDurationMs. */
  readonly limits: Timeouts;
  /** HTTP filters that each attempt passes; null: none. */
  filtersFor(cluster: Cluster): FilterList | null;
  /** The request as those filters see it. */
  readonly view: RequestView;
  /** One of those filters answers. */
  attemptReplied(reply: LocalReply): void;
  /** The stream is open (or there are filters, which take what is there at once): the request's head and what there is of its body is to be sent. */
  attemptOpen(a: Attempt, stream: RequestWriter): void;
  attemptInformational(a: Attempt, headers: ResponseHeaders): void;
  attemptHeaders(a: Attempt, headers: ResponseHeaders, end: boolean): void;
  attemptData(a: Attempt, bytes: Uint8Array, start: number, end: number, last: boolean): void;
  attemptTrailers(a: Attempt, trailers: Headers): void;
  attemptMetadata(a: Attempt, map: MetadataMap): void;
  attemptFailed(a: Attempt, failure: Failure, reason: ResetReason, fault: PeerFault | null): void;
  attemptSlow(a: Attempt, why: 'per-try' | 'per-try-idle' | 'duration'): void;
  attemptBlocked(a: Attempt, blocked: boolean): void;
}

const CONNECT_UDP = 'connect-udp';

export class Attempt implements ResponseSink, LeaseWaiter, RawWaiter, LeaseContext, ExchangeAttempt {
  readonly owner: AttemptOwner;
  readonly cluster: Cluster;
  readonly host: Host;
  /** The host has reported its load in this answer (ORCA). */
  private loadTold = false;
  readonly facts: UpstreamFacts;
  readonly startMs: number;
  private state: 'new' | 'waiting' | 'active' | 'over' = 'new';
  private stream: ClientStream | null = null;
  private waiting: Waiting | null = null;
  /** Filters between the router and the stream. */
  private exchange: UpstreamExchange | null = null;
  private counted = false;
  /** No final response head was seen yet. */
  awaitingHeaders = true;
  /** Another attempt was begun beside this slow one. */
  hedged = false;
  /** Outlier detection knows that this attempt is too slow. */
  private toldSlow = false;
  /** A gRPC answer has begun well: its end says whether the host has served it. */
  private servedOpen = false;
  /** The answer's head, for logs. */
  private answer: ResponseHeaders | null = null;
  private responseEnded = false;
  private requestEnded = false;
  private headOut = false;
  /** METADATA that waits for the head. */
  private early: MetadataMap[] | null = null;
  /** track_cluster_stats of the cluster; null: not wanted. */
  readonly sizes: AttemptSizes | null;
  private budget: StatBlock | null;
  private perTry: Timer | null = null;
  private idle: Timer | null = null;
  private duration: Timer | null = null;
  // LeaseContext
  readonly fresh: boolean;
  get sink(): ResponseSink { return this; }
  get priority(): 'default' | 'high' { return this.owner.priority; }
  get request(): RequestHeaders { return this.owner.request; }
  get client(): ConnectionFacts { return this.owner.facts.connection; }
  get shared(): ReadonlyMap<string, SharedStateValue> | null { return this.owner.facts.sharedState ?? this.client.sharedState; }
  get source(): UpstreamSource | null { return this.owner.facts.upstreamSource ?? this.client.upstreamSource; }
  get downstreamProtocol(): HttpProtocol { return this.owner.downstreamProtocol; }

  constructor(owner: AttemptOwner, cluster: Cluster, clusterName: string, host: Host, count: number, fresh: boolean) {
    keepLast(Kept.attempt, this);
    this.owner = owner; this.cluster = cluster; this.host = host; this.fresh = fresh;
    this.startMs = owner.env.clock.nowMs();
    this.sizes = cluster.sizeStats === null ? null : new AttemptSizes(cluster.sizeStats);
    this.budget = cluster.budgetStats;
    const up = this.facts = new UpstreamFacts();
    up.attempts = count;
    up.stats = cluster.statStore; up.cluster = cluster.statName; up.clusterRaw = clusterName; up.clusterMetadata = cluster.metadata;
    up.hostText = host.text; up.hostName = host.hostname; up.metadata = host.metadata; up.locality = host.locality;
    if (owner.facts.schemeMatchesUpstream) owner.request.scheme = host.cluster.secured(host) ? 'https' : 'http';
    if (host.address.kind === 'ip') { up.hostIp = host.address.ip; up.hostPort = host.address.port; }
  }

  /** Goes for a stream. A failure is returned, not told: the attempt is over then. */
  begin(): Failure | null {
    const { cluster, host } = this;
    if (!cluster.beginRequest(host, this.owner.priority)) { this.state = 'over'; this.recordStats(); return leaseFailure('overflow', ''); }
    this.counted = true;
    const filters = this.owner.filtersFor(cluster);
    if (filters !== null) this.exchange = new UpstreamExchange(this, this.owner.view, filters);
    const failure = this.takeStream(cluster, host);
    if (failure === null && this.exchange !== null && this.state !== 'over') this.owner.attemptOpen(this, this.exchange);
    return failure;
  }

  private takeStream(cluster: Cluster, host: Host): Failure | null {
    if (this.owner.raw) return this.owner.request.protocol === CONNECT_UDP && UdpStream.takes(host.address) ? this.beginDatagrams(host.address) : this.beginRaw();
    const leased = cluster.lease(host, this, this);
    if (leased.kind === 'stream') { this.open(leased.stream); return null; }
    if (leased.kind === 'waiting') { this.state = 'waiting'; this.waiting = leased.waiting; return null; }
    this.end();
    return this.noLease(leased.why, leased.reason);
  }

  private beginRaw(): Failure | null {
    const leased = this.cluster.leaseRaw(this.host, this, this.client);
    if ('failed' in leased) { this.end(); return this.noLease('overflow', ''); }
    this.state = 'waiting';
    this.waiting = leased;
    return null;
  }

  private beginDatagrams(address: IpAddress): null { const { owner } = this; this.open(new UdpStream(owner.env, address, this, owner.downstreamProtocol)); return null; }

  /** It takes what is written. */
  get active(): boolean { return this.state === 'active' || (this.state === 'waiting' && this.exchange !== null); }
  get over(): boolean { return this.state === 'over'; }
  /** Bytes of the request have gone out. */
  get started(): boolean { return this.facts.firstTxMs >= 0; }
  /** Bytes of the request that wait on their way to the host, and of the answer before filters. */
  get heldBytes(): number { return (this.stream?.queuedBytes ?? 0) + (this.exchange?.heldBytes ?? 0); }
  get bytesReceived(): number { return this.stream?.bytesReceived ?? 0; }

  private open(stream: ClientStream): void {
    this.waiting = null;
    this.stream = stream;
    this.state = 'active';
    const { env, limits: { perTryIdleMs, streamDurationMs } } = this.owner, up = this.facts;
    up.poolReadyMs = up.firstTxMs = env.clock.nowMs();
    up.protocol = stream.protocol;
    this.cluster.onReached(this.host, false);
    const max = streamDurationMs > 0 ? streamDurationMs : this.cluster.maxStreamDurationMs;
    if (max > 0) this.duration = env.wheel.after(max, () => { this.cluster.stats.inc(CLUSTER.upstream_rq_max_duration_reached); this.owner.attemptSlow(this, 'duration'); });
    if (perTryIdleMs > 0) { this.idle = new Timer(() => this.owner.attemptSlow(this, 'per-try-idle')); this.touch(); }
    if (this.owner.upstreamLog?.atStart === true) this.note('UpstreamPoolReady');
    if (this.exchange !== null) { this.exchange.open(stream); return; }
    this.owner.attemptOpen(this, stream);
  }

  // ---- the request, written by the owner while active ------------------------------------------------------------------------

  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.idle !== null) this.touch();
    if (this.sizes !== null) this.sizes.sent += end - start;
    (this.exchange ?? this.stream!).data(bytes, start, end, last);
  }
  /** The owner has written the head. */
  headWritten(): void { if (this.exchange === null && this.stream !== null) this.headSent(); }
  /** Behind the head. */
  metadata(map: MetadataMap): void {
    if (!this.headOut) { (this.early ??= []).push(map); return; }
    if (this.stream === null) return;
    if (this.stream.metadata !== undefined) this.stream.metadata(map); else if (this.stream.protocol !== 'HTTP/2') this.cluster.http1Stats.inc(HTTP1.metadata_not_supported_error);
  }
  trailers(trailers: Headers): void { (this.exchange ?? this.stream!).trailers(trailers); }
  /** What waited for `stream` (RequestBody.send). */
  sendBody(body: RequestBody, stream: RequestWriter, keep: boolean, ended: boolean): void {
    if (this.sizes !== null) this.sizes.sent += body.length;
    body.send(stream, keep, ended);
  }
  /** All of the request was written: the try's clock runs from here. */
  requestSent(): void {
    if (this.state === 'over') return;
    const { env, limits: { perTryMs } } = this.owner;
    this.requestEnded = true;
    this.facts.lastTxMs = env.clock.nowMs();
    if (perTryMs > 0 && this.awaitingHeaders && this.perTry === null) this.perTry = env.wheel.after(perTryMs, () => this.owner.attemptSlow(this, 'per-try'));
  }
  pause(why: PauseReason): void { this.stream?.pause(why); }
  resume(why: PauseReason): void { this.stream?.resume(why); }

  // ---- the lease -------------------------------------------------------------------------------------------------------------

  onLease(stream: ClientStream, _host: Host): void { if (this.state === 'waiting') this.open(stream); else stream.reset('local'); }
  onLeaseFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout', reason: string, _host: Host): void {
    if (this.state !== 'waiting') return;
    this.waiting = null;
    this.end();
    this.owner.attemptFailed(this, this.noLease(why, reason), why === 'overflow' ? 'overflow' : 'connection-failure', null);
  }
  onRawReady(upstream: RawUpstream): void {
    if (this.state !== 'waiting') { upstream.close('now'); return; }
    const up = this.facts, { local } = upstream.socket;
    up.connectionId = upstream.id; up.connectStartMs = upstream.connectStartMs; up.connectEndMs = upstream.connectEndMs;
    up.localText = formatAddress(local);
    if (upstream.reached) noteReached(up, upstream.reached);
    if (local.kind === 'ip') { up.localIp = local.ip; up.localPort = local.port; }
    this.open(new RawStream(upstream, this, this.owner.env.later));
  }
  onRawFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout', reason: string, host: Host): void { this.onLeaseFailure(why, reason, host); }
  private noLease(why: 'overflow' | 'connect-failure' | 'connect-timeout' | 'no-pool', reason: string): Failure {
    this.facts.transportFailure = reason;
    return leaseFailure(why, reason);
  }

  // ---- the response ----------------------------------------------------------------------------------------------------------

  onInformational(headers: ResponseHeaders): void { if (this.state === 'active') this.owner.attemptInformational(this, headers); }
  onHeaders(headers: ResponseHeaders, end: boolean): void {
    if (this.state !== 'active') return;
    const up = this.facts;
    this.awaitingHeaders = false;
    this.answer = headers;
    up.firstRxMs = this.owner.env.clock.nowMs();
    up.headerBytesReceived = this.stream!.headerBytesReceived;
    this.sizes?.noteAnswer(headers);
    if (this.idle !== null) this.touch();
    if (this.perTry !== null) { this.owner.env.wheel.cancel(this.perTry); this.perTry = null; }
    if (this.host.cluster.wantsLoad) this.loadTold = this.host.cluster.onLoad(this.host, headers);
    if (end) this.received();
    if (this.exchange !== null) this.exchange.responseHeaders(headers, end); else this.owner.attemptHeaders(this, headers, end);
  }
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.state !== 'active') return;
    if (last) { this.received(); this.failServed(); } else if (this.idle !== null) this.touch();
    if (this.sizes !== null) this.sizes.received += end - start;
    if (this.exchange !== null) this.exchange.responseData(bytes, start, end, last); else this.owner.attemptData(this, bytes, start, end, last);
  }
  onTrailers(trailers: Headers): void {
    if (this.state !== 'active') return;
    if (this.host.cluster.wantsLoad && !this.loadTold) this.host.cluster.onLoad(this.host, trailers);
    this.received();
    if (this.servedOpen) { this.servedOpen = false; this.cluster.onServed(this.host, servedBy(trailers)); }
    if (this.exchange !== null) this.exchange.responseTrailers(trailers); else this.owner.attemptTrailers(this, trailers);
  }

  onMetadata(map: MetadataMap): void { if (this.state === 'active') { if (this.idle !== null) this.touch(); this.owner.attemptMetadata(this, map); } }

  // ExchangeAttempt: what has passed the filters, and what they ask for
  headSent(): void {
    this.facts.headerBytesSent = this.stream!.headerBytesSent;
    this.headOut = true;
    const { early } = this;
    this.early = null;
    if (early !== null) for (const map of early) this.metadata(map);
  }
  filteredHeaders(headers: ResponseHeaders, end: boolean): void { this.owner.attemptHeaders(this, headers, end); }
  filteredData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.owner.attemptData(this, bytes, start, end, last); }
  filteredTrailers(trailers: Headers): void { this.owner.attemptTrailers(this, trailers); }
  filterReplied(reply: LocalReply): void { this.owner.attemptReplied(reply); }

  onReset(reason: ResetReason, fault: PeerFault | null): void {
    if (this.state !== 'active') return;
    if (reason === 'remote') this.cluster.stats.inc(CLUSTER.upstream_rq_rx_reset);
    else if (reason === 'protocol-error' && this.stream?.protocol !== 'HTTP/1.1') this.cluster.stats.inc(CLUSTER.upstream_rq_tx_reset);
    const failure = resetFailure(reason, fault);
    this.noteBytes();
    this.stream = null;
    this.end();
    this.owner.attemptFailed(this, failure, reason, fault);
  }
  onBlocked(): void { if (this.state === 'active') this.owner.attemptBlocked(this, true); }
  onDrained(): void { if (this.state === 'active') this.owner.attemptBlocked(this, false); }

  /** Stats of an answer: by code, by class, its time. `headers` null: it is our own. `more`: where else it is counted. */
  charge(status: number, headers: ResponseHeaders | null, internal: boolean, more: RequestStats | null): void {
    const canary = headers !== null && headers.get('x-envoy-upstream-canary') === 'true', timeMs = headers === null ? -1 : this.facts.firstRxMs - this.startMs;
    const plain = headers !== null && (status >= 500 || !this.owner.facts.grpc);
    this.cluster.onResponse(plain ? this.host : null, status, internal, canary, timeMs, this.host.locality.zone);
    more?.charge(status, this.cluster, internal, canary, timeMs);
    if (plain) return;
    if (headers !== null && !this.responseEnded) this.servedOpen = true; else this.cluster.onServed(this.host, headers !== null && servedBy(headers));
  }
  /** A gRPC answer ends without its status: the host has not served it. False: there was none to fail. */
  failServed(): boolean {
    if (!this.servedOpen) return false;
    this.servedOpen = false;
    this.cluster.onServed(this.host, false);
    return true;
  }

  /** The head of its answer, retried or not: to outlier detection and the health of the host. */
  tellAnswer(headers: ResponseHeaders): void {
    const { cluster, host } = this;
    cluster.onAnswer(host, headers, this.owner.facts.grpc);
    if (cluster.healthChecked && headers.has('x-envoy-immediate-health-check-fail')) cluster.failHealth(host);
  }
  /** It ended without an answer: to outlier detection, unless it is a limit of ours. */
  tellFailure(failure: Failure, reason: ResetReason, fault: PeerFault | null): void {
    if (failure.kind !== 'overflow') this.cluster.onAttemptFailure(this.host, failure.kind === 'connect' ? 'connect' : 'reset', reason, fault);
  }

  private note(type: 'UpstreamPoolReady' | 'UpstreamEnd'): void { this.owner.upstreamLog!.log(type, this.owner.facts, this.facts, this.startMs, this.owner.env.clock.nowMs(), this.answer); }
  private received(): void { this.responseEnded = true; this.facts.lastRxMs = this.owner.env.clock.nowMs(); this.noteBytes(); }
  private noteBytes(): void { if (this.stream !== null) { this.facts.bytesReceived = this.stream.bytesReceived; this.facts.bytesSent = this.stream.bytesSent; } }
  private touch(): void { this.owner.env.wheel.arm(this.idle!, this.owner.limits.perTryIdleMs); }

  /** The time of the whole request ended it: that says nothing of the try's. */
  timedOut(): void {
    this.cluster.stats.inc(CLUSTER.upstream_rq_timeout);
    this.cluster.onTimeout(this.host);
    if (!this.awaitingHeaders) return;
    this.budget = null;
    this.tellSlow();
  }
  /** Tells outlier detection, once, that the host did not answer in time. */
  tellSlow(): void {
    if (this.toldSlow) return;
    this.toldSlow = true;
    this.cluster.onAttemptFailure(this.host, 'timeout', 'local', null);
  }
  private recordStats(): void {
    const { owner } = this;
    if (this.budget !== null) noteBudget(this.budget, BUDGETS.upstream_rq_timeout_budget_per_try_percent_used, owner.env.clock.nowMs() - this.startMs, owner.limits.perTryMs);
    this.sizes?.record(owner.request);
  }

  /** Lets go of everything, once: what is not whole in both directions is reset, a wait is cancelled. */
  end(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    const { stream, waiting, cluster, exchange } = this, { wheel } = this.owner.env, requestEnded = exchange === null ? this.requestEnded : exchange.requestWhole;
    this.noteBytes();
    this.stream = null;
    this.waiting = null;
    if (this.perTry !== null) wheel.cancel(this.perTry);
    if (this.idle !== null) wheel.cancel(this.idle);
    if (this.duration !== null) wheel.cancel(this.duration);
    if (waiting !== null) { waiting.cancel(); cluster.stats.inc(CLUSTER.upstream_rq_cancelled); }
    if (stream !== null && !(this.responseEnded && requestEnded)) {
      if (stream.protocol !== 'HTTP/1.1') cluster.stats.inc(CLUSTER.upstream_rq_tx_reset);
      stream.reset('local');
    }
    exchange?.end(this.responseEnded);
    this.recordStats();
    if (this.counted) { this.counted = false; cluster.endRequest(this.host, this.owner.priority); }
    if (this.owner.upstreamLog !== null) this.note('UpstreamEnd');
  }
}

/** Whether headers or trailers have a gRPC status that is no error of the host. */
function servedBy(headers: Headers): boolean {
  const status = headers.get('grpc-status');
  return status !== undefined && status !== '' && grpcAsHttp(status) < 500;
}
