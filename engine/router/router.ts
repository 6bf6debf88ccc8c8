// The router filter: the last of a chain. Finds cluster and host for a request, leases a stream to it, carries both directions with their back-pressure, and turns
// what goes wrong into Envoy's answers. One object per request; it is the response's sink and the lease's waiter itself.
//
//   start ──▶ choosing ──▶ waiting (for a connection) ──▶ active ──▶ done          any ──▶ done (local reply, reset, timeout)
import { ByteQueue } from '../base/byte-queue.ts';
import type { PeerFault } from '../base/fault.ts';
import type { ClientStream, HttpProtocol, ResetReason, ResponseSink } from '../codec/codec.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import { LocalReply, type DownstreamWatcher, type HttpFilter, type HttpFilterFactory, type ResponseEntry, type StreamEnd, type StreamView, type Verdict } from '../http/filter.ts';
import { Timer } from '../loop/timer-wheel.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import { flagBit } from '../observe/response-flags.ts';
import { CLUSTER, HCM, HCM_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock } from '../observe/stats/stat-block.ts';
import { UpstreamFacts } from '../observe/stream-facts.ts';
import type { Cluster, ClusterDirectory, Host, LeaseWaiter, PickContext, Waiting } from '../upstream/upstream.ts';
import { addCookies, type HashResult } from './hash-policy.ts';
import { directReply, redirectReply, tlsRedirect, type BodyRenderer } from './redirect.ts';
import type { RouteEntry } from './route-entry.ts';
import type { RouterConfig } from '../plan/router-plan.ts';
import { settleTimeouts, type Timeouts } from './timeouts.ts';

const FLAG = { NR: flagBit('NR'), NC: flagBit('NC'), UH: flagBit('UH'), UO: flagBit('UO'), UF: flagBit('UF'), UC: flagBit('UC'), UT: flagBit('UT'), UPE: flagBit('UPE'), UR: flagBit('UR'), LR: flagBit('LR') };
const NO_ROUTE = new LocalReply(404, '', 'route_not_found', FLAG.NR);
const NO_HOST = new LocalReply(503, 'no healthy upstream', 'no_healthy_upstream', FLAG.UH);
const TIMEOUT = new LocalReply(504, 'upstream request timeout', 'response_timeout', FLAG.UT);
const PREFIX = 'upstream connect error or disconnect/reset before headers. reset reason: ';



/** What all requests of one router share. */
export interface RouterParts { readonly env: WorkerEnv; readonly clusters: ClusterDirectory; readonly renderBody: BodyRenderer }

const timeouts: Timeouts = { globalMs: 0, perTryMs: 0 };
const hashResult: HashResult = { has: false, high: 0, low: 0, cookies: null };

class RouterFilter implements HttpFilter, ResponseSink, LeaseWaiter, PickContext, DownstreamWatcher {
  private readonly s: StreamView & ResponseEntry;
  private readonly router: RouterFactory;
  private state: 'start' | 'waiting' | 'active' | 'done' = 'start';
  private entry: RouteEntry | null = null;
  private cluster: Cluster | null = null;
  private host: Host | null = null;
  private waiting: Waiting | null = null;
  private upstream: ClientStream | null = null;
  private upstreamFacts: UpstreamFacts | null = null;
  private priority: 'default' | 'high' = 'default';
  /** Request body that came before there was a connection. */
  private early: ByteQueue | null = null;
  private requestEnd = false;
  private trailers: Headers | null = null;
  private responded = false;
  private counted = false;
  private resent = false;
  private timer: Timer | null = null;
  private startMs = 0;
  private cookies: string[] | null = null;
  // PickContext
  hasHash = false; hashHigh = 0; hashLow = 0;
  avoid: ((host: Host) => boolean) | null = null;
  maxReselect = 0;
  overrideHost: string | null = null;
  get request(): RequestHeaders { return this.s.request; }
  get facts(): StreamView['facts'] { return this.s.facts; }
  get metadataMatch(): PickContext['metadataMatch'] { return this.entry!.forward!.metadataMatch; }

  constructor(s: StreamView & ResponseEntry, router: RouterFactory) { this.s = s; this.router = router; }

  // ---- request ---------------------------------------------------------------------------------------------------------------

  onRequestHeaders(s: StreamView, headers: RequestHeaders, end: boolean): Verdict {
    const { stats, plan, parts } = this.router;
    stats.inc(HCM.rq_total);
    const entry = s.route as RouteEntry | null;
    if (entry === null) { stats.inc(HCM.no_route); return NO_ROUTE; }
    this.entry = entry;
    const facts = s.facts;
    facts.routeMetadata = entry.plan.metadata;
    facts.virtualHostMetadata = entry.host.plan.metadata;
    const action = entry.plan.action;
    const tls = tlsRedirect(entry, headers, facts);
    if (tls !== null) { stats.inc(HCM.rq_direct_response); return tls; }
    if (action.kind === 'direct') { stats.inc(HCM.rq_direct_response); return directReply(entry, action, facts, headers, parts.renderBody); }
    if (action.kind === 'redirect') { stats.inc(HCM.rq_direct_response); return redirectReply(entry, action, headers); }
    const name = entry.clusterName(headers);
    const cluster = parts.clusters.get(name);
    if (cluster === null) { stats.inc(HCM.no_cluster); return new LocalReply(action.notFoundStatus, '', 'cluster_not_found', FLAG.NC); }
    this.cluster = cluster;
    this.priority = action.priority;
    const up = this.upstreamFacts = facts.upstream = new UpstreamFacts();
    up.cluster = cluster.statName; up.clusterRaw = name; up.clusterMetadata = cluster.metadata;
    if (entry.hashPolicies !== null) { entry.hashPolicies.compute(headers, facts, hashResult); this.hasHash = hashResult.has; this.hashHigh = hashResult.high; this.hashLow = hashResult.low; this.cookies = hashResult.cookies; }
    settleTimeouts(action, headers, plan.suppressEnvoyHeaders, plan.respectExpectedTimeout, timeouts);
    if (entry.host.plan.includeAttemptCount) headers.set('x-envoy-attempt-count', '1');
    up.attempts = 1;
    facts.virtualClusterName = entry.host.virtualCluster(headers);
    entry.finalizeRequest(headers, facts, !plan.suppressEnvoyHeaders);
    const host = cluster.choose(this);
    if (host === null) { cluster.stats.inc(CLUSTER.upstream_cx_none_healthy); cluster.onResponse(null, 503, facts.internal, false, -1); return NO_HOST; }
    this.noteHost(host);
    if (action.autoHost && host.hostname !== '') entry.setHost(headers, host.hostname, !plan.suppressEnvoyHeaders);
    this.requestEnd = end;
    if (!cluster.beginRequest(host, this.priority)) return new LocalReply(503, PREFIX + 'overflow', 'upstream_reset_before_response_started{overflow}', FLAG.UO, overloaded);
    this.counted = true;
    this.startMs = parts.env.clock.nowMs();
    if (timeouts.globalMs > 0 && end && headers.protocol === '') this.armTimer(timeouts.globalMs);
    this.globalMs = timeouts.globalMs;
    return this.lease(host);
  }
  private globalMs = 0;

  private noteHost(host: Host): void {
    this.host = host;
    const up = this.upstreamFacts!;
    up.hostText = host.text; up.hostName = host.hostname; up.metadata = host.metadata; up.locality = host.locality;
    if (host.address.kind === 'ip') { up.hostIp = host.address.ip; up.hostPort = host.address.port; }
  }

  private lease(host: Host): Verdict {
    const result = this.cluster!.lease(host, { priority: this.priority, sink: this, facts: this.upstreamFacts!, downstreamProtocol: this.s.facts.protocol as HttpProtocol, fresh: this.resent }, this);
    if (result.kind === 'stream') { this.started(result.stream); return 'taken'; }
    if (result.kind === 'waiting') { this.state = 'waiting'; this.waiting = result.waiting; return 'taken'; }
    return this.failureReply(result.why, result.reason);
  }

  /** A stream is open: the head and what was held goes out. */
  private started(stream: ClientStream): void {
    this.waiting = null;
    this.upstream = stream;
    this.state = 'active';
    const { clock } = this.router.parts.env, up = this.upstreamFacts!;
    up.poolReadyMs = up.firstTxMs = clock.nowMs();
    up.protocol = stream.protocol;
    const held = this.early, ended = this.requestEnd;
    stream.headers(this.s.request, ended && held === null && this.trailers === null);
    up.headerBytesSent = stream.bytesSent;
    if (held !== null) {
      this.early = null;
      for (let c = held.shift(); c !== undefined; c = held.shift()) stream.data(c, 0, c.length, ended && held.length === 0 && this.trailers === null);
      this.s.resumeRequest('upstream-wait');
    }
    if (this.trailers !== null) stream.trailers(this.trailers);
    if (ended) this.requestSent();
  }

  private requestSent(): void {
    this.upstreamFacts!.lastTxMs = this.router.parts.env.clock.nowMs();
    if (this.globalMs > 0 && this.timer === null && this.s.request.protocol === '' && !this.responded) this.armTimer(this.globalMs);
  }

  onRequestData(_s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (last) this.requestEnd = true;
    if (this.state === 'active') {
      this.upstream!.data(bytes, start, end, last);
      if (last) this.requestSent();
    } else if (this.state === 'waiting') {
      this.early ??= new ByteQueue();
      this.early.pushCopy(bytes, start, end);
      if (this.early.length > this.s.bufferLimit) this.s.pauseRequest('upstream-wait');
      if (last && this.globalMs > 0) this.armTimer(this.globalMs);
    }
    return 'taken';
  }

  onRequestTrailers(_s: StreamView, trailers: Headers): Verdict {
    this.requestEnd = true;
    if (this.state === 'active') { this.upstream!.trailers(trailers); this.requestSent(); } else this.trailers = trailers;
    return 'taken';
  }

  // ---- the lease -------------------------------------------------------------------------------------------------------------

  onLease(stream: ClientStream, _host: Host): void { if (this.state === 'waiting') this.started(stream); else stream.reset('local'); }
  onLeaseFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout', reason: string, _host: Host): void {
    if (this.state !== 'waiting') return;
    this.waiting = null;
    this.fail(this.failureReply(why, reason));
  }

  private failureReply(why: 'overflow' | 'connect-failure' | 'connect-timeout', reason: string): LocalReply {
    const cluster = this.cluster!, host = this.host!;
    if (why === 'overflow') return new LocalReply(503, PREFIX + 'overflow', 'upstream_reset_before_response_started{overflow}', FLAG.UO, overloaded);
    this.upstreamFacts!.transportFailure = reason;
    cluster.onAttemptFailure(host, 'connect', 'connection-failure', null);
    const word = why === 'connect-timeout' ? 'connection timeout' : 'remote connection failure';
    return new LocalReply(503, PREFIX + word, `upstream_reset_before_response_started{${word.replaceAll(' ', '_')}${reason === '' ? '' : `|${reason}`}}`, FLAG.UF);
  }

  private fail(reply: LocalReply): void {
    this.charge(reply.status, true);
    this.finish();
    this.s.respondLocally(reply);
  }

  // ---- response --------------------------------------------------------------------------------------------------------------

  onInformational(headers: ResponseHeaders): void { this.s.respondInformational(headers); }

  onHeaders(headers: ResponseHeaders, end: boolean): void {
    if (this.state !== 'active') return;
    const { env } = this.router.parts, now = env.clock.nowMs(), up = this.upstreamFacts!;
    if (!this.router.plan.suppressEnvoyHeaders && this.s.request.protocol === '' && this.s.request.method !== 'CONNECT') headers.set('x-envoy-upstream-service-time', String(Math.round(Math.max(0, now - (up.lastTxMs < 0 ? this.startMs : up.lastTxMs)))));
    if (this.timer !== null && headers.status === 101) { env.wheel.cancel(this.timer); this.timer = null; }
    this.responded = true;
    this.s.facts.status = headers.status;
    this.s.facts.response = headers;
    up.firstRxMs = now;
    up.headerBytesReceived = this.upstream!.bytesReceived;
    this.s.facts.statusDetails = 'via_upstream';
    this.charge(headers.status, false, headers);
    if (this.cluster!.healthChecked && headers.has('x-envoy-immediate-health-check-fail')) this.cluster!.failHealth(this.host!);
    if (this.entry!.host.plan.includeAttemptCountInResponse) headers.set('x-envoy-attempt-count', String(up.attempts));
    addCookies(headers, this.cookies);
    this.s.downstreamWatcher = this;
    this.entry!.finalizeResponse(headers, this.s.facts);
    if (end) this.finishReceived();
    this.s.respondHeaders(headers, end);
  }

  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (last) this.finishReceived();
    this.s.respondData(bytes, start, end, last);
  }
  onTrailers(trailers: Headers): void {
    this.finishReceived();
    this.s.respondTrailers(trailers);
  }

  onReset(reason: ResetReason, fault: PeerFault | null): void {
    if (this.state !== 'active') return;
    const cluster = this.cluster!, host = this.host!;
    const stream = this.upstream!;
    this.upstream = null;
    // The keep-alive race: a used connection that ends before a byte of the answer costs a replayable request nothing.
    if (reason === 'connection-end' && fault === null && !this.responded && !this.resent && stream.bytesReceived === 0 && this.upstreamFacts!.requestsOfConnection > 1 && this.replayable()) { this.resent = true; this.again(); return; }
    if (reason === 'remote' || reason === 'refused') cluster.stats.inc(CLUSTER.upstream_rq_rx_reset);
    cluster.onAttemptFailure(host, 'reset', reason, fault);
    const flag = fault !== null ? FLAG.UPE : reason === 'remote' || reason === 'refused' ? FLAG.UR : reason === 'local' ? FLAG.LR : FLAG.UC;
    if (this.responded) {
      const details = `upstream_reset_after_response_started{${fault !== null ? 'protocol_error' : RESET_WORDS[reason] ?? 'connection_termination'}}`;
      this.router.stats.inc(HCM.rq_reset_after_downstream_response_started);
      this.finish();
      this.s.respondReset(reason, flag, details);
      return;
    }
    const word = fault !== null ? 'protocol error' : (RESET_WORDS[reason] ?? 'connection_termination').replaceAll('_', ' ');
    this.fail(new LocalReply(fault !== null ? 502 : 503, PREFIX + word, `upstream_reset_before_response_started{${word.replaceAll(' ', '_')}}`, flag));
  }

  private replayable(): boolean { return this.requestEnd && this.s.facts.requestBodyBytes === 0 && this.s.request.protocol === '' && this.s.request.method !== 'CONNECT'; }

  /** Once more, on a fresh connection where there is one. */
  private again(): void {
    const host = this.cluster!.choose(this) ?? this.host!;
    this.noteHost(host);
    this.state = 'start';
    const verdict = this.lease(host);
    if (verdict instanceof LocalReply) this.fail(verdict);
  }

  onDownstreamBlocked(): void { this.upstream?.pause('downstream-full'); }
  onDownstreamDrained(): void { this.upstream?.resume('downstream-full'); }
  onBlocked(): void { this.s.pauseRequest('upstream-full'); }
  onDrained(): void { this.s.resumeRequest('upstream-full'); }

  /** The answer is whole. */
  private finishReceived(): void {
    const up = this.upstreamFacts!;
    up.lastRxMs = this.router.parts.env.clock.nowMs();
    up.bytesReceived = this.upstream?.bytesReceived ?? 0;
    up.bytesSent = this.upstream?.bytesSent ?? 0;
    if (this.requestEnd) this.finish();
  }

  /** Stats of an answer: by code, by class, its time. */
  private charge(status: number, local: boolean, headers: ResponseHeaders | null = null): void {
    const cluster = this.cluster!, host = this.host!;
    const time = this.router.parts.env.clock.nowMs() - this.startMs;
    cluster.onResponse(host, status, this.s.facts.internal, headers !== null && headers.get('x-envoy-upstream-canary') === 'true', local ? -1 : time);
    const { virtualClusterName } = this.s.facts;
    if (virtualClusterName !== '') this.entry!.host.charge(virtualClusterName, status, this.router.parts.env.stats);
  }

  // ---- the end ---------------------------------------------------------------------------------------------------------------

  private armTimer(ms: number): void {
    const { wheel } = this.router.parts.env;
    this.timer = new Timer(() => this.timedOut());
    wheel.arm(this.timer, ms);
  }

  private timedOut(): void {
    this.timer = null;
    if (this.state === 'done') return;
    const cluster = this.cluster!;
    cluster.stats.inc(CLUSTER.upstream_rq_timeout);
    if (this.responded) { this.finish(); this.s.respondReset('local', FLAG.UT, 'upstream_response_timeout'); return; }
    cluster.onAttemptFailure(this.host!, 'timeout', 'local', null);
    this.fail(TIMEOUT);
  }

  onEnd(_s: StreamView, _how: StreamEnd): void { this.finish(); }

  /** Lets go of everything, once. */
  private finish(): void {
    if (this.state === 'done') return;
    const upstream = this.upstream, waiting = this.waiting;
    this.state = 'done';
    if (this.timer !== null) { this.router.parts.env.wheel.cancel(this.timer); this.timer = null; }
    this.early = null;
    if (waiting !== null) { this.waiting = null; waiting.cancel(); this.cluster!.stats.inc(CLUSTER.upstream_rq_cancelled); }
    if (upstream !== null) {
      const up = this.upstreamFacts!;
      if (up.lastRxMs < 0 || !this.requestEnd) { this.cluster!.stats.inc(CLUSTER.upstream_rq_tx_reset); upstream.reset('local'); }
      this.upstream = null;
    }
    if (this.counted) { this.counted = false; this.cluster!.endRequest(this.host!, this.priority); }
  }
}

const RESET_WORDS: Partial<Record<ResetReason, string>> = { remote: 'remote_reset', refused: 'remote_refused_stream_reset', local: 'local_reset', 'connection-end': 'connection_termination', 'connection-failure': 'remote_connection_failure', overflow: 'overflow', 'protocol-error': 'protocol_error' };
function overloaded(h: ResponseHeaders): void { h.set('x-envoy-overloaded', 'true'); }

export class RouterFactory implements HttpFilterFactory {
  readonly name: string;
  readonly plan: RouterConfig;
  readonly parts: RouterParts;
  readonly stats: StatBlock;
  constructor(name: string, plan: RouterConfig, parts: RouterParts, statPrefix: string) {
    this.name = name; this.plan = plan; this.parts = parts;
    this.stats = new StatBlock(parts.env.stats, HCM_SCHEMA, `http.${statPrefix}`);
  }
  create(s: StreamView & ResponseEntry): HttpFilter { return new RouterFilter(s, this); }
}

