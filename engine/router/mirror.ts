// Mirrored requests (Envoy: request_mirror_policies, "shadowing"): a copy of a request goes to another cluster while the request is under way, its answer is dropped.
// A mirror never touches its request: it has one attempt, a time limit and a bound of its own, and outlives the request only when all of it was copied.
import type { PeerFault } from '../base/fault.ts';
import type { HttpProtocol, RequestWriter, ResetReason } from '../codec/codec.ts';
import type { FilterList } from '../http/filter-list.ts';
import type { StreamView } from '../http/filter.ts';
import { portIndex } from '../headers/authority.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../headers/headers.ts';
import { RuntimeFraction } from '../loop/runtime.ts';
import type { Timer } from '../loop/timer-wheel.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import { HeaderMutations } from '../observe/format/header-mutation.ts';
import { ASYNC_CLIENT_RQ_TOTAL, BUDGETS, CLUSTER } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { MirrorPlan } from '../plan/route-plan.ts';
import type { Cluster, PickContext } from '../upstream/upstream.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { Failure } from './failure.ts';
import type { RouteEnv } from './level.ts';
import { countRefusal } from './refusal.ts';
import { RequestBody } from './request-body.ts';
import type { RouterParts } from './router-factory.ts';
import { noteBudget, Timeouts } from './timeouts.ts';
import type { RequestView } from './upstream-exchange.ts';

/** One policy of a route, resolved. */
export class MirrorPolicy {
  readonly plan: MirrorPlan;
  readonly mutations: readonly HeaderMutations[];
  private readonly fraction: RuntimeFraction | null;
  constructor(plan: MirrorPlan, env: RouteEnv) {
    this.plan = plan;
    this.mutations = plan.mutations.map((m) => new HeaderMutations(m, env.operators, env.clock));
    this.fraction = plan.fraction === null ? null : new RuntimeFraction(plan.fraction, env.runtime);
  }
  /** Whether a request of this random number is mirrored. */
  takes(random: number): boolean { return this.fraction === null || this.fraction.has(random); }
}

/** foo:80 → foo-shadow:80. */
export function shadowHost(authority: string): string {
  const at = portIndex(authority);
  return at < 0 ? `${authority}-shadow` : `${authority.slice(0, at)}-shadow${authority.slice(at)}`;
}

function copyOf(from: RequestHeaders): RequestHeaders {
  const to = new RequestHeaders();
  to.method = from.method; to.path = from.path; to.authority = from.authority; to.scheme = from.scheme;
  for (const x of from.flat) to.flat.push(x);
  return to;
}

const NO_LIMITS = new Timeouts();

export class Mirror implements AttemptOwner, PickContext, RequestView {
  readonly upstreamLog = null;
  readonly env: WorkerEnv;
  readonly priority = 'default';
  readonly downstreamProtocol: HttpProtocol;
  readonly limits = NO_LIMITS;
  readonly raw = false;
  readonly request: RequestHeaders;
  readonly facts: StreamFacts;
  private readonly limit: number;
  private readonly parts: RouterParts;
  private attempt: Attempt | null = null;
  private body: RequestBody | null = null;
  private ended = false;
  private blocked = false;
  /** Bytes given while the upstream could take no more. */
  private behind = 0;
  private timer: Timer | null = null;
  private readonly timeoutMs: number;
  private endedMs = 0;
  // PickContext
  readonly hasHash = false; readonly hashHigh = 0; readonly hashLow = 0; readonly metadataMatch = null; readonly avoid = null; readonly maxReselect = 0; triedPriorities = 0; readonly overrideHost = null; overridesUsed = 0;

  /** Begins at once. `limitBytes` bounds what waits for a connection; a mirror that falls behind further is given up. */
  constructor(parts: RouterParts, policy: MirrorPolicy, cluster: Cluster, request: RequestHeaders, facts: StreamFacts, end: boolean, timeoutMs: number, limitBytes: number) {
    const { env } = parts;
    this.parts = parts; this.env = env; this.facts = facts; this.limit = limitBytes; this.ended = end;
    this.downstreamProtocol = facts.protocol as HttpProtocol;
    const { plan } = policy, headers = this.request = copyOf(request);
    for (const m of policy.mutations) m.apply(headers, facts);
    if (plan.host !== '') headers.authority = plan.host; else if (plan.suffix) headers.authority = shadowHost(headers.authority);
    headers.append('x-forwarded-for', parts.machineAddress);
    headers.set('x-envoy-internal', 'true');
    this.timeoutMs = timeoutMs;
    if (end) this.complete();
    const refused = cluster.refusal();
    if (refused !== null) { countRefusal(refused, cluster, true); this.over(0); return; }
    const host = cluster.choose(this);
    if (host === null) { cluster.stats.inc(CLUSTER.upstream_cx_none_healthy); cluster.onResponse(null, 503, true, false, -1); this.over(0); return; }
    const a = this.attempt = new Attempt(this, cluster, cluster.name, host, 1, false);
    const failure = a.begin();
    if (failure !== null) { if (failure.kind === 'connect') cluster.onAttemptFailure(host, 'connect', 'connection-failure', null); this.over(failure.status); }
  }

  /** All of the request is here: the time limit runs. */
  private complete(): void {
    this.ended = true;
    this.endedMs = this.env.clock.nowMs();
    if (this.timeoutMs > 0) this.timer = this.env.wheel.after(this.timeoutMs, () => this.timeUp());
  }
  private timeUp(): void {
    const a = this.attempt;
    if (a === null) return;
    a.timedOut();
    this.noteBudget(a);
    this.over(504);
  }
  private noteBudget(a: Attempt): void { if (a.cluster.budgetStats !== null && this.ended) noteBudget(a.cluster.budgetStats, BUDGETS.upstream_rq_timeout_budget_percent_used, this.env.clock.nowMs() - this.endedMs, this.timeoutMs); }

  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const a = this.attempt;
    if (a === null) return;
    if (last) this.complete();
    if (this.blocked || !a.active) this.behind += end - start;
    if (this.behind > this.limit && this.limit > 0) { this.over(0); return; }
    if (!a.active) { (this.body ??= new RequestBody()).add(bytes, start, end); return; }
    a.data(bytes, start, end, last);
    if (last) a.requestSent();
  }
  trailers(trailers: Headers): void {
    const a = this.attempt;
    if (a === null) return;
    this.complete();
    if (!a.active) { (this.body ??= new RequestBody()).trailers = trailers; return; }
    a.trailers(trailers);
    a.requestSent();
  }
  /** The request is over: what was not copied whole ends too. */
  requestOver(): void { if (!this.ended) this.over(0); }

  // RequestView: a copy has no route of its own, as in Envoy
  readonly random = 0;
  readonly route = null;
  get bufferLimit(): number { return this.limit; }
  get view(): RequestView { return this; }
  reset(): void { this.over(0); }
  pauseRequest(): void { this.blocked = true; }
  resumeRequest(): void { this.blocked = false; this.behind = 0; }
  /** Of the cluster alone: the router's are for its own requests. */
  filtersFor(cluster: Cluster): FilterList | null { return cluster.upstreamFilters === null ? null : this.parts.clusterFilters(cluster); }
  attemptReplied(): void { this.over(0); }

  // AttemptOwner: the answer is counted and dropped
  attemptOpen(a: Attempt, stream: RequestWriter): void {
    const { body } = this;
    this.body = null;
    this.behind = 0;
    stream.headers(this.request, this.ended && (body === null || body.empty));
    a.headWritten();
    if (body !== null) a.sendBody(body, stream, false, this.ended);
    if (this.ended) a.requestSent();
  }
  attemptInformational(): void { /* dropped */ }
  attemptHeaders(a: Attempt, headers: ResponseHeaders, end: boolean): void {
    a.tellAnswer(headers);
    a.charge(headers.status, headers, true, null);
    if (end) this.whole(a);
  }
  attemptData(a: Attempt, _bytes: Uint8Array, _start: number, _end: number, last: boolean): void { if (last) this.whole(a); }
  attemptMetadata(): void { /* dropped */ }
  attemptTrailers(a: Attempt): void { this.whole(a); }
  private whole(a: Attempt): void { this.noteBudget(a); this.over(0); }
  attemptFailed(a: Attempt, failure: Failure, reason: ResetReason, fault: PeerFault | null): void {
    a.tellFailure(failure, reason, fault);
    a.failServed();
    this.over(failure.status);
  }
  attemptSlow(): void { this.over(0); }
  attemptBlocked(_a: Attempt, blocked: boolean): void { this.blocked = blocked; if (!blocked) this.behind = 0; }

  get heldBytes(): number { return (this.body?.length ?? 0) + (this.attempt?.heldBytes ?? 0); }

  /** Ends once. `status`: charged for a mirror without an answer; 0: nothing. */
  private over(status: number): void {
    if (this.timer !== null) this.env.wheel.cancel(this.timer);
    const a = this.attempt;
    this.attempt = null;
    this.body = null;
    if (a === null) return;
    if (status > 0 && a.awaitingHeaders) a.charge(status, null, true, null);
    a.end();
  }
}

/** The mirrors of one request. */
export class Mirrors {
  private readonly list: Mirror[];
  constructor(list: Mirror[]) { this.list = list; }
  data(bytes: Uint8Array, start: number, end: number, last: boolean): void { for (const m of this.list) m.data(bytes, start, end, last); }
  trailers(trailers: Headers): void { for (const m of this.list) m.trailers(trailers); }
  get heldBytes(): number { return this.list.reduce((n, m) => n + m.heldBytes, 0); }
  requestOver(): void { for (const m of this.list) m.requestOver(); }
}

/** Begins the mirrors that the policies want of a request; null: none. `count`: where requests of our own are counted. */
export function startMirrors(policies: readonly MirrorPolicy[], s: StreamView, parts: RouterParts, end: boolean, timeoutMs: number, count: StatBlock): Mirrors | null {
  const list: Mirror[] = [];
  for (const p of policies) {
    if (!p.takes(s.random)) continue;
    const name = p.plan.header === '' ? p.plan.cluster : s.request.get(p.plan.header) ?? '', cluster = name === '' ? null : parts.clusters.get(name);
    if (cluster !== null) list.push(new Mirror(parts, p, cluster, s.request, s.facts, end, timeoutMs, s.bufferLimit));
  }
  if (list.length === 0) return null;
  count.add(ASYNC_CLIENT_RQ_TOTAL, list.length);
  return new Mirrors(list);
}
