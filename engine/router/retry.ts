// Retries of one request (Envoy: RetryStateImpl): decides after each attempt, holds the circuit breaker's retry from the decision to the next one, waits the
// back-off, remembers the hosts that were tried. Made only for requests that may be retried; ends with `stop`.
//
//   idle ──decide: yes──▶ backing off ──timer──▶ trying ──decide──▶ …          any ──stop──▶ idle
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import { Timer } from '../loop/timer-wheel.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import { CLUSTER } from '../observe/stats/schemas.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { Cluster, Host } from '../upstream/upstream.ts';
import type { RequestCount } from './request-stats.ts';
import { DEFAULT_POLICY, rejectedBy, type ResetKind, type RetryPolicy, type RetryRules } from './retry-policy.ts';

/** 'no': not wanted. 'limit': no retry is left (URX). 'overflow': the circuit breaker has none (UO). */
export type RetryVerdict = 'yes' | 'no' | 'limit' | 'overflow';

/** Who makes the attempt when the back-off is over; and counts for the virtual cluster. */
export interface RetryOwner { retryNow(): void; countRetry(what: RequestCount): void }

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Whether a whole request costs nothing if it is sent twice: no body, and a method that may be done twice (RFC 9110 section 9.2.2), as an upstream may act on it before it closes. */
export function replayable(request: RequestHeaders, facts: StreamFacts): boolean { return facts.requestBodyBytes === 0 && request.protocol === '' && IDEMPOTENT.has(request.method); }

/** Shared by all, never changed. */
const NONE: Host[] = [];

export class RetryState {
  private readonly env: WorkerEnv;
  private readonly cluster: Cluster;
  private readonly priority: 'default' | 'high';
  private readonly owner: RetryOwner;
  private readonly rules: RetryRules;
  /** Made for the first back-off: most requests have none. */
  private timer: Timer | null = null;
  /** The next back-off's upper bound, ms. */
  private backOffMs: number;
  /** A retry of the circuit breaker is held: an attempt is waited for, or under way. */
  private held = false;
  /** Retries that are left. */
  private left: number;
  private tried: Host[];

  constructor(env: WorkerEnv, rules: RetryRules, cluster: Cluster, priority: 'default' | 'high', owner: RetryOwner) {
    this.env = env; this.cluster = cluster; this.priority = priority; this.owner = owner;
    this.rules = rules;
    this.left = rules.retries;
    this.tried = NONE;
    this.backOffMs = rules.policy.plan.baseMs;
  }

  /** Of a request and its route's policy; null: nothing can make a retry, so the request need not be kept. `hedge`: slow attempts are retried whatever the policy. `asks`: it may have headers that steer retries. */
  static of(env: WorkerEnv, ofRoute: RetryPolicy | null, headers: RequestHeaders, asks: boolean, cluster: Cluster, priority: 'default' | 'high', hedge: boolean, owner: RetryOwner): RetryState | null {
    const policy = ofRoute ?? (asks && (headers.has('x-envoy-retry-on') || headers.has('x-envoy-retry-grpc-on')) ? DEFAULT_POLICY : null);
    if (policy === null || headers.protocol !== '' || headers.method === 'CONNECT') return null;
    const rules = policy.rulesFor(headers, asks);
    return rules.on !== 0 || hedge ? new RetryState(env, rules, cluster, priority, owner) : null;
  }
  /** A back-off is running. */
  get pending(): boolean { return this.timer !== null && this.timer.armed; }
  get reselects(): number { return this.rules.policy.plan.hosts.length === 0 ? 0 : this.rules.policy.plan.reselects; }
  get refreshCluster(): boolean { return this.rules.policy.plan.refreshCluster; }
  /** PickContext.avoid of a retry; null where there are no predicates. */
  get avoid(): ((host: Host) => boolean) | null { const { hosts } = this.rules.policy.plan; return hosts.length === 0 ? null : (host) => rejectedBy(hosts, host, this.tried); }

  /** Priorities to leave out (previous_priorities), as a bit set. */
  triedPriorities(): number {
    const every = this.rules.policy.plan.priorityFrequency;
    let mask = 0;
    if (every > 0) for (let i = 0; i < this.tried.length - (this.tried.length % every); i++) mask |= 1 << this.tried[i]!.priority;
    return mask;
  }
  /** Every priority was tried: from the start. */
  forgetPriorities(): void { this.tried = NONE; }
  noteHost(host: Host): void { if (this.tried === NONE) this.tried = [host]; else this.tried.push(host); }

  afterReset(kind: ResetKind, started: boolean): RetryVerdict { return this.decide(this.rules.wantsAfterReset(kind, started), -1); }
  afterHeaders(headers: ResponseHeaders): RetryVerdict {
    const wanted = this.rules.wantsAnother(headers);
    return this.decide(wanted, wanted && this.rules.policy.plan.resets.length > 0 ? this.rules.resetInterval(headers, this.env.clock.wallMs()) : -1);
  }
  /** A slow attempt is left running and another one begun, whatever retry_on says. */
  afterSlowTry(): RetryVerdict { return this.decide(true, -1); }
  wouldRetry(headers: ResponseHeaders): boolean { return this.rules.wantsAnother(headers); }

  private decide(wanted: boolean, waitMs: number): RetryVerdict {
    const { stats } = this.cluster;
    if (this.held && !wanted) { stats.inc(CLUSTER.upstream_rq_retry_success); this.owner.countRetry('upstream_rq_retry_success'); }
    this.release();
    if (!wanted) return 'no';
    if (this.left === 0) { stats.inc(CLUSTER.upstream_rq_retry_limit_exceeded); this.owner.countRetry('upstream_rq_retry_limit_exceeded'); return 'limit'; }
    this.left--;
    if (!this.cluster.beginRetry(this.priority)) { this.owner.countRetry('upstream_rq_retry_overflow'); return 'overflow'; }
    this.held = true;
    stats.inc(CLUSTER.upstream_rq_retry);
    this.owner.countRetry('upstream_rq_retry');
    this.env.wheel.arm(this.timer ??= new Timer(() => this.owner.retryNow()), waitMs > 1 ? this.rateLimited(waitMs) : this.exponential());
    return 'yes';
  }

  private exponential(): number {
    this.cluster.stats.inc(CLUSTER.upstream_rq_retry_backoff_exponential);
    const { plan } = this.rules.policy, bound = this.backOffMs;
    this.backOffMs = Math.min(bound * 2, plan.maxMs);
    return Math.min(Math.floor(this.env.random.unit() * bound), plan.maxMs);
  }
  /** At least what was asked for, at most half as much again, so that those who wait do not come back at once. */
  private rateLimited(ms: number): number {
    this.cluster.stats.inc(CLUSTER.upstream_rq_retry_backoff_ratelimited);
    return ms + Math.floor(this.env.random.unit() * Math.floor((ms + 1) / 2));
  }

  private release(): void { if (this.held) { this.held = false; this.cluster.endRetry(this.priority); } }
  /** No further retry: the answer goes downstream, or the request is over. */
  stop(): void { if (this.timer !== null) this.env.wheel.cancel(this.timer); this.release(); }
}
