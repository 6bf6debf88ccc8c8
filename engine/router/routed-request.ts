// A request that has its route and its cluster: makes attempts (attempt.ts) until one is good or none is left (retry.ts), carries both directions with their
// back-pressure, copies to mirrors, follows internal redirects, and turns what goes wrong into Envoy's answers.
//
//   begin ──▶ attempt ──▶ answer accepted (final) ──▶ over        attempt ──failed, bad or slow──▶ back-off ──▶ attempt …        any ──▶ over (reply, reset, timeout)
import type { PeerFault } from '../base/fault.ts';
import type { HttpProtocol, MetadataMap, RequestWriter, ResetReason } from '../codec/codec.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { FilterList } from '../http/filter-list.ts';
import type { DownstreamWatcher, LocalReply, ResponseEntry, StreamView, Verdict } from '../http/filter.ts';
import { Deadline } from '../loop/timer-wheel.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import { BUDGETS, CLUSTER, HCM } from '../observe/stats/schemas.ts';
import type { Cluster, Host } from '../upstream/upstream.ts';
import { AttemptSet } from './attempt-set.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { noteAnswer, tellServiceTime } from './answer.ts';
import { redirects, startOver } from './internal-redirect.ts';
import { startMirrors, type Mirrors } from './mirror.ts';
import { FLAG, LOCAL_RESET, NO_POOL, failureDetails, failureReply, type Failure } from './failure.ts';
import { addCookies } from './hash-policy.ts';
import { mirrorsOf, retryPolicyOf } from './cluster-policies.ts';
import { HostChoice } from './host-choice.ts';
import { BODY_TOO_LARGE, OVERLOADED, noHost, durationReply, timeoutReply, withAttempts } from './replies.ts';
import type { RequestCount, RequestStats } from './request-stats.ts';
import { RequestBody } from './request-body.ts';
import { RetryState, replayable, type RetryOwner, type RetryVerdict } from './retry.ts';
import type { RouteEntry } from './route-entry.ts';
import type { RouterFactory } from './router-factory.ts';
import type { RequestView } from './upstream-exchange.ts';
import type { UpstreamLog } from './upstream-log.ts';
import { dropSteering, hasSteering, noteBudget, settleTimeouts, tellTimeout, Timeouts } from './timeouts.ts';

export class RoutedRequest extends Deadline implements AttemptOwner, RetryOwner, DownstreamWatcher {
  private readonly s: StreamView & ResponseEntry;
  private readonly router: RouterFactory;
  readonly env: WorkerEnv;
  private over = false;
  private readonly entry: RouteEntry;
  private cluster: Cluster;
  private readonly under = new AttemptSet();
  private attempts = 0;
  private retry: RetryState | null = null;
  private body: RequestBody | null = null;
  /** The body is kept for another attempt. */
  private keeping = false;
  /** The body was too large to be kept. */
  private overflowed = false;
  private mirrors: Mirrors | null = null;
  private requestEndMs = -1;
  private resent = false;
  private timeoutRetry = false;
  private requestStarted = false;
  /** An answer goes downstream. */
  private answered = false;
  private blocked = false;
  private cookies: string[] | null = null;
  /** Where else than at the cluster it is counted. */
  private stats: RequestStats | null = null;
  priority: 'default' | 'high' = 'default';
  readonly limits = new Timeouts();
  readonly choice: HostChoice;
  readonly raw: boolean;
  get facts(): StreamView['facts'] { return this.s.facts; }
  get downstreamProtocol(): HttpProtocol { return this.s.facts.protocol as HttpProtocol; }
  get request(): RequestHeaders { return this.s.request; }
  get view(): RequestView { return this.s; }
  filtersFor(cluster: Cluster): FilterList | null { return this.router.filtersFor(cluster); }
  get upstreamLog(): UpstreamLog | null { return this.router.upstreamLog; }

  constructor(s: StreamView & ResponseEntry, router: RouterFactory, entry: RouteEntry, cluster: Cluster) {
    super();
    this.s = s; this.router = router; this.env = router.parts.env; this.entry = entry; this.cluster = cluster;
    this.priority = entry.forward!.priority;
    this.choice = new HostChoice(s, entry);
    this.raw = entry.endsHere(s.request);
  }

  // ---- request ---------------------------------------------------------------------------------------------------------------
  /** The first attempt, for the cluster known as `name`. A reply refuses the request. */
  begin(headers: RequestHeaders, name: string, end: boolean): Verdict {
    const { entry, cluster, router: { plan }, s: { facts } } = this;
    if (cluster.usesHash) this.cookies = this.choice.hash(cluster);
    const steered = hasSteering(headers), asks = steered || entry.addsRequestHeaders, retryPolicy = retryPolicyOf(cluster, entry), mirrors = mirrorsOf(cluster, entry);
    settleTimeouts(entry.forward!, retryPolicy, entry.hedge, headers, steered, plan.respectExpectedTimeout, this.limits);
    tellTimeout(headers, this.limits, 0, plan.suppressEnvoyHeaders);
    this.attempts = 1;
    if (entry.host.plan.includeAttemptCount) headers.set('x-envoy-attempt-count', '1');
    facts.virtualClusterName = entry.host.virtualCluster(headers);
    this.stats = entry.requestStats(facts.virtualClusterName, steered ? headers.get('x-envoy-upstream-alt-stat-name') ?? '' : '', this.router.alternatives);
    entry.finalizeRequest(headers, facts, !plan.suppressEnvoyHeaders);
    if (retryPolicy !== null || asks) {
      this.retry = RetryState.of(this.env, retryPolicy, headers, asks, cluster, this.priority, this.limits.hedge, this);
      this.keeping = this.retry !== null;
      if (asks) dropSteering(headers); // what steers retries ends at this hop
    }
    if (entry.redirects !== null) this.keeping = true;
    const host = cluster.choose(this.choice);
    if (host === null) return this.noHost(cluster);
    if (this.s.shedsLoad) { this.router.stats.inc(HCM.rq_overload_local_reply); return OVERLOADED; }
    if (entry.forward!.autoHost && host.hostname !== '') entry.setHost(headers, host.hostname, !plan.suppressEnvoyHeaders);
    if (mirrors.length > 0) this.mirrors = startMirrors(mirrors, this.s, this.router.parts, end, this.limits.globalMs, this.router.asyncClient);
    if (end) this.requestComplete();
    return this.attempt(cluster, name, host, false) ?? 'taken';
  }

  /** Makes an attempt. A reply is returned when it failed at once and none is to follow. */
  private attempt(cluster: Cluster, name: string, host: Host, fresh: boolean): LocalReply | null {
    const a = this.under.current = new Attempt(this, cluster, name, host, this.attempts, fresh);
    this.s.facts.beginAttempt(a.facts);
    this.retry?.noteHost(host);
    const failure = a.begin();
    if (failure === null) return null;
    if (failure === NO_POOL) return this.noHost(cluster, 0);
    return this.settleFailure(a, failure, failure.kind === 'overflow' ? 'overflow' : 'connection-failure', null);
  }

  private noHost(cluster: Cluster, none = 1): LocalReply {
    cluster.stats.add(CLUSTER.upstream_cx_none_healthy, none);
    this.chargeHostless(cluster, 503);
    return this.counted(noHost(this.choice.overrideHost));
  }

  attemptOpen(a: Attempt, stream: RequestWriter): void {
    const { body } = this, ended = this.requestEndMs >= 0;
    if (a.started) this.requestStarted = true;
    this.stats?.count('upstream_rq_total');
    stream.headers(this.s.request, ended && (body === null || body.empty));
    a.headWritten();
    if (body !== null) {
      a.sendBody(body, stream, this.keeping, ended);
      if (!this.keeping) { this.body = null; this.s.resumeRequest('upstream-wait'); }
    }
    if (ended) a.requestSent();
  }

  data(bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (this.over) return 'taken';
    this.mirrors?.data(bytes, start, end, last);
    if (this.keeping && (this.body?.length ?? 0) + end - start > this.keepLimit && !this.stopKeeping()) { this.finish(); return this.counted(BODY_TOO_LARGE); }
    const a = this.under.current, active = a !== null && a.active;
    if (this.keeping || !active) {
      const body = this.body ??= new RequestBody();
      body.add(bytes, start, end);
      if (!this.keeping && body.length > this.s.bufferLimit) this.s.pauseRequest('upstream-wait');
    }
    if (active) a.data(bytes, start, end, last);
    if (last) this.requestComplete();
    return 'taken';
  }

  trailers(trailers: Headers): Verdict {
    if (this.over) return 'taken';
    this.mirrors?.trailers(trailers);
    const a = this.under.current;
    if (this.keeping || a === null || !a.active) (this.body ??= new RequestBody()).trailers = trailers;
    if (a !== null && a.active) a.trailers(trailers);
    this.requestComplete();
    return 'taken';
  }

  private requestComplete(): void {
    if (this.over) return;
    this.requestEndMs = this.env.clock.nowMs();
    if (this.under.current !== null && this.under.current.active) this.under.current.requestSent();
    if (this.limits.globalMs > 0 && this.s.request.protocol === '') this.env.wheel.arm(this, this.limits.globalMs);
  }

  metadata(map: MetadataMap): void { this.under.only?.metadata(map); }
  private get keepLimit(): number { const own = this.entry.keepLimit; return own >= 0 ? own : this.s.bufferLimit; }

  /** The body is larger than may be kept: no retry any more. False: no attempt is there that could take it. */
  private stopKeeping(): boolean {
    this.cluster.stats.inc(CLUSTER.retry_or_shadow_abandoned);
    this.retry?.stop();
    this.retry = null;
    this.keeping = false;
    this.overflowed = true;
    if (this.under.current === null) return false;
    if (this.under.current.active) this.body = null;
    return true;
  }

  // ---- what comes of an attempt ----------------------------------------------------------------------------------------------
  /** An informational answer settles on its attempt: nothing is tried again, whether the client is shown it or not, as in Envoy. */
  attemptInformational(a: Attempt, headers: ResponseHeaders): void {
    this.chargeHostless(a.cluster, headers.status);
    this.settleOn(a);
    this.s.respondInformational(headers);
  }
  private settleOn(a: Attempt): void {
    if (this.retry !== null) { this.retry.stop(); this.retry = null; if (this.entry.redirects === null) { this.keeping = false; this.body = null; } }
    this.under.settleOn(a);
  }

  attemptHeaders(a: Attempt, headers: ResponseHeaders, end: boolean): void {
    const { retry } = this;
    a.tellAnswer(headers);
    if (retry !== null) {
      let bad: boolean;
      if (a.hedged) bad = retry.wouldRetry(headers);
      else {
        const v = retry.afterHeaders(headers);
        if (v === 'yes') { a.cluster.onRetriedResponse(a.host, headers.status); this.requestStarted = true; this.timeoutRetry = false; this.drop(a); return; }
        bad = v !== 'no';
        this.flagVerdict(v);
      }
      // A bad answer waits for what the others bring.
      if (bad && this.moreToCome(a)) { a.cluster.onRetriedResponse(a.host, 0); this.drop(a); return; }
    }
    if (this.entry.redirects !== null && this.redirected(a, headers)) return;
    this.accept(a, headers, end);
  }

  /** Follows a redirect of the upstream; false: its answer goes downstream. */
  private redirected(a: Attempt, headers: ResponseHeaders): boolean {
    const { entry, s, body } = this;
    if (!redirects(entry.redirects!, entry.name, s, headers, this.requestEndMs >= 0 && !this.overflowed, this.router.stats, a.cluster.stats)) return false;
    this.finish();
    startOver(s, headers, body);
    return true;
  }

  private accept(a: Attempt, headers: ResponseHeaders, end: boolean): void {
    const { s, router: { plan } } = this, { facts, request } = s, up = a.facts;
    this.settleOn(a);
    if (this.keeping) { this.keeping = false; this.body = null; }
    this.answered = true;
    facts.upstream = up;
    if (!plan.suppressEnvoyHeaders && this.requestEndMs >= 0) tellServiceTime(request, headers, up.firstRxMs - this.requestEndMs);
    if (headers.status === 101) this.env.wheel.cancel(this);
    noteAnswer(facts, headers);
    this.charge(a, headers.status, headers);
    if (this.entry.host.plan.includeAttemptCountInResponse) headers.set('x-envoy-attempt-count', String(this.attempts));
    addCookies(headers, this.cookies);
    s.downstreamWatcher = this;
    this.entry.finalizeResponse(headers, facts);
    if (end) this.received();
    s.respondHeaders(headers, end);
  }

  attemptData(a: Attempt, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (a !== this.under.final) return;
    if (last) this.received();
    this.s.respondData(bytes, start, end, last);
  }
  attemptMetadata(a: Attempt, map: MetadataMap): void { if (this.under.final === null || a === this.under.final) this.s.respondMetadata(map); }
  attemptTrailers(a: Attempt, trailers: Headers): void { if (a === this.under.final) { this.received(); this.s.respondTrailers(trailers); } }
  /** The answer is whole. */
  private received(): void { this.noteBudget(); if (this.requestEndMs >= 0) this.finish(); }
  private noteBudget(): void { const { budgetStats } = this.cluster; if (budgetStats !== null && this.requestEndMs >= 0) noteBudget(budgetStats, BUDGETS.upstream_rq_timeout_budget_percent_used, this.env.clock.nowMs() - this.requestEndMs, this.limits.globalMs); }

  attemptFailed(a: Attempt, failure: Failure, reason: ResetReason, fault: PeerFault | null): void {
    const reply = this.settleFailure(a, failure, reason, fault);
    if (reply !== null) { this.finish(); this.s.respondLocally(reply); }
  }

  /** After an attempt without an answer: another one, or the reply that the client gets; null when it gets none now. */
  private settleFailure(a: Attempt, failure: Failure, reason: ResetReason, fault: PeerFault | null): LocalReply | null {
    a.tellFailure(failure, reason, fault);
    if (this.under.final !== null) {
      if (a !== this.under.final) return null;
      if (a.failServed()) this.router.stats.inc(HCM.rq_reset_after_downstream_response_started);
      if (!this.answered) return this.counted(failureReply(failure, this.attempts > 1, this.router.plan.suppressEnvoyHeaders, true));
      this.finish();
      this.s.respondReset('connection-end', failure.flag, failureDetails(failure, true));
      return null;
    }
    this.forget(a);
    const { retry } = this, again = retry === null || a.hedged ? 'no' : this.retryAfter(retry, a, failure);
    if (again === 'yes') return null;
    // The keep-alive race: a used connection that ends before a byte of the answer costs a replayable request nothing, whatever the policy says of retries.
    if (again === 'no' && reason === 'connection-end' && fault === null && !this.resent && a.facts.bytesReceived === 0 && a.facts.requestsOfConnection > 1 && this.requestEndMs >= 0 && replayable(this.s.request, this.s.facts)) {
      this.resent = true;
      return this.attempt(a.cluster, a.facts.clusterRaw, a.cluster.choose(this.choice) ?? a.host, true);
    }
    this.charge(a, failure.status, null);
    if (this.moreToCome(a)) return null;
    return this.counted(failureReply(failure, this.attempts > 1, this.router.plan.suppressEnvoyHeaders));
  }

  private retryAfter(retry: RetryState, a: Attempt, failure: Failure): RetryVerdict {
    const v = retry.afterReset(failure.kind, this.requestStarted ||= a.started);
    if (v === 'yes') a.cluster.onRetriedResponse(a.host, 0); else this.flagVerdict(v);
    return v;
  }
  private flagVerdict(v: RetryVerdict): void { if (v === 'limit') this.s.facts.flags |= FLAG.URX; else if (v === 'overflow') this.s.facts.flags |= FLAG.UO; }

  /** The back-off is over (RetryOwner). */
  retryNow(): void {
    const { entry } = this, { plan, parts } = this.router, headers = this.s.request, retry = this.retry!;
    this.attempts++;
    const name = retry.refreshCluster ? entry.clusterName(headers) : this.s.facts.upstream!.clusterRaw;
    const cluster = parts.clusters.get(name);
    this.choice.forRetry(retry, cluster);
    const host = cluster?.choose(this.choice) ?? null;
    if (cluster === null || host === null) { const reply = this.noHost(cluster ?? this.cluster); this.finish(); this.s.respondLocally(reply); return; }
    if (this.choice.triedPriorities < 0) retry.forgetPriorities();
    this.cluster = cluster;
    if (entry.host.plan.includeAttemptCount) headers.set('x-envoy-attempt-count', String(this.attempts));
    if (entry.host.plan.includeTimeoutRetry) headers.set('x-envoy-is-timeout-retry', String(this.timeoutRetry));
    tellTimeout(headers, this.limits, this.requestEndMs < 0 ? 0 : this.env.clock.nowMs() - this.requestEndMs, plan.suppressEnvoyHeaders);
    if (entry.forward!.autoHost && host.hostname !== '') headers.authority = host.hostname;
    const reply = this.attempt(cluster, name, host, false);
    if (reply !== null) { this.finish(); this.s.respondLocally(reply); }
  }

  countRetry(what: RequestCount): void { this.stats?.count(what); }
  onDownstreamBlocked(): void { this.under.final?.pause('downstream-full'); }
  onDownstreamDrained(): void { this.under.final?.resume('downstream-full'); }
  attemptBlocked(_a: Attempt, blocked: boolean): void { this.blocked = blocked; if (blocked) this.s.pauseRequest('upstream-full'); else this.s.resumeRequest('upstream-full'); }

  private charge(a: Attempt, status: number, headers: ResponseHeaders | null): void { a.charge(status, headers, this.s.facts.internal, this.stats); }

  private chargeHostless(cluster: Cluster, status: number): void {
    const { internal } = this.s.facts;
    cluster.onResponse(null, status, internal, false, -1);
    this.stats?.charge(status, cluster, internal, false, -1);
  }

  /** A reply of ours, with the count of attempts where answers carry it. */
  private counted(reply: LocalReply): LocalReply { return this.entry.host.plan.includeAttemptCountInResponse ? withAttempts(reply, this.attempts) : reply; }

  // ---- time ------------------------------------------------------------------------------------------------------------------
  /** The time of the whole request is up (Deadline). */
  fire(): void {
    if (this.over) return;
    for (const a of this.under.all()) {
      a.timedOut();
      this.stats?.count('upstream_rq_timeout');
      if (this.under.final === null) this.charge(a, this.limits.timeoutStatus, null);
    }
    this.timeUp('response_timeout');
  }

  private timeUp(details: string): void { this.noteBudget(); this.cut(timeoutReply(this.limits.timeoutStatus, details)); }

  /** A filter behind the router answers. Nothing is tried again, and the reply carries no count of attempts, as in Envoy. */
  attemptReplied(reply: LocalReply): void { if (!this.over) this.cut(reply, false); }

  /** Ends the request: with a reply, or, when the answer has begun, with its end. */
  private cut(reply: LocalReply, counted = true): void {
    const started = this.answered;
    this.finish();
    if (started) this.s.respondReset('local', reply.flags, reply.details); else this.s.respondLocally(counted ? this.counted(reply) : reply);
  }
  /** A clock of one attempt ran out. */
  attemptSlow(a: Attempt, why: 'per-try' | 'per-try-idle' | 'duration'): void {
    if (this.over || (why === 'per-try' && this.under.final !== null)) return;
    if (why === 'duration') { this.tooLong(a); return; }
    if (this.limits.hedge) { this.hedgeBeside(a); return; }
    a.cluster.stats.inc(why === 'per-try' ? CLUSTER.upstream_rq_per_try_timeout : CLUSTER.upstream_rq_per_try_idle_timeout);
    a.cluster.onTimeout(a.host);
    a.tellSlow();
    if (this.under.final === null) {
      this.drop(a);
      this.timeoutRetry = true;
      if (this.retry !== null && this.retryAfter(this.retry, a, LOCAL_RESET) === 'yes') return;
      this.charge(a, this.limits.timeoutStatus, null);
    }
    this.timeUp(why === 'per-try' ? 'upstream_per_try_timeout' : 'upstream_per_try_idle_timeout');
  }

  /** Leaves a slow attempt running and begins another (hedge_on_per_try_timeout). Slow is slow, whatever it may still bring. */
  private hedgeBeside(a: Attempt): void {
    a.tellSlow();
    if (this.under.final !== null || this.retry === null || a.hedged) return;
    const v = this.retry.afterSlowTry();
    if (v !== 'yes') { this.flagVerdict(v); return; }
    a.hedged = true;
    this.timeoutRetry = true;
    this.under.setAside();
  }

  private tooLong(a: Attempt): void {
    if (this.under.final === null) {
      this.drop(a);
      this.timeoutRetry = false;
      if (this.retry !== null && !a.hedged && this.retryAfter(this.retry, a, LOCAL_RESET) === 'yes') return;
    }
    this.cut(durationReply(this.requestEndMs >= 0));
  }

  private moreToCome(a: Attempt): boolean { return this.retry !== null && (this.retry.pending || this.under.othersAwaited(a)); }
  /** Lets go of an attempt, which is reset if it is not whole. */
  private drop(a: Attempt): void { this.forget(a); a.end(); }
  private forget(a: Attempt): void { this.under.remove(a); if (this.blocked) { this.blocked = false; this.s.resumeRequest('upstream-full'); } }
  get heldBytes(): number { return this.under.all().reduce((n, a) => n + a.heldBytes, (this.body?.length ?? 0) + (this.mirrors?.heldBytes ?? 0)); }
  // ---- the end ---------------------------------------------------------------------------------------------------------------
  /** Lets go of everything, once. */
  finish(): void {
    if (this.over) return;
    this.over = true;
    this.env.wheel.cancel(this);
    this.body = null;
    if (this.retry !== null) { this.retry.stop(); this.retry = null; }
    this.mirrors?.requestOver();
    this.under.end();
  }
}
