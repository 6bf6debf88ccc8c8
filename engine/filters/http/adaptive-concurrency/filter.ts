// The adaptive_concurrency filter (Envoy: AdaptiveConcurrencyFilter): lets in as many requests at once as its controller allows in the whole process, refuses the others
// before they reach an upstream, and tells the controller how long each answer took.
import type { Headers, RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { runtimeFlag, type RuntimeCell } from '../../../loop/runtime.ts';
import { hashed, xxHash64 } from '../../../base/xxhash64.ts';
import type { ProcessLimits, ProcessRecords } from '../../../net/shared-limits.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { LIMIT_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { StatBlock } from '../../../observe/stats/stat-block.ts';
import type { AdaptiveConcurrencyPlan } from '../../../plan/adaptive-concurrency-plan.ts';
import { GradientController } from './gradient-controller.ts';

export class AdaptiveConcurrencyFactory implements HttpFilterFactory {
  readonly name: string;
  readonly env: WorkerEnv;
  readonly controller: GradientController;
  readonly refusal: LocalReply;
  private readonly plan: AdaptiveConcurrencyPlan;
  private readonly limits: ProcessLimits;
  private readonly enabled: RuntimeCell;
  /** The count of outstanding requests; -1: no room in the table, this worker counts its own. */
  private readonly held: number;
  private outstanding = 0;
  /** What this worker holds: given back if it dies. */
  private readonly own: StatBlock;
  private readonly blocked: number;

  constructor(name: string, plan: AdaptiveConcurrencyPlan, env: WorkerEnv, shared: { readonly limits: ProcessLimits; readonly records: ProcessRecords }, statPrefix: string) {
    this.name = name; this.plan = plan; this.env = env; this.limits = shared.limits;
    const prefix = `http.${statPrefix}.adaptive_concurrency.gradient_controller.`, key = `adaptive_concurrency ${plan.key}`;
    this.blocked = env.stats.claimOne(`${prefix}rq_blocked`, 'counter');
    this.held = this.limits.claim(key);
    this.own = new StatBlock(env.stats, LIMIT_SCHEMA, `limit.${this.held}`);
    xxHash64(JSON.stringify(plan.gradient));
    this.controller = new GradientController(plan.gradient, hashed.low | 0, env, shared.records.claim(key), prefix);
    this.enabled = plan.enabled.key === '' ? { value: undefined } : env.runtime.cell(plan.enabled.key);
    this.refusal = new LocalReply(plan.status, 'reached concurrency limit', 'reached_concurrency_limit');
  }

  create(): HttpFilter { return new AdaptiveConcurrencyFilter(this); }

  get on(): boolean { return runtimeFlag(this.enabled, this.plan.enabled.on); }

  admit(): boolean {
    const { limit } = this.controller;
    const room = this.held < 0 ? this.outstanding < limit : this.limits.tryHold(this.held, limit);
    if (!room) { this.env.stats.column[this.blocked]!++; return false; }
    if (this.held < 0) this.outstanding++; else this.own.inc(0);
    return true;
  }
  leave(): void { if (this.held < 0) this.outstanding--; else { this.limits.release(this.held); this.own.dec(0); } }
}

class AdaptiveConcurrencyFilter implements HttpFilter {
  private readonly factory: AdaptiveConcurrencyFactory;
  /** Monotonic ms at which it was let in; -1: it does not count (any more). */
  private sinceMs = -1;
  constructor(factory: AdaptiveConcurrencyFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, _headers: RequestHeaders): Verdict {
    const { factory } = this;
    if (!factory.on || s.facts.healthCheck) return 'next';
    if (!factory.admit()) return factory.refusal;
    this.sinceMs = factory.env.clock.nowMs();
    return 'next';
  }

  onResponseHeaders(_s: StreamView, _headers: ResponseHeaders, end: boolean): Verdict { if (end) this.answered(); return 'next'; }
  onResponseData(_s: StreamView, _data: Uint8Array, _start: number, _end: number, last: boolean): Verdict { if (last) this.answered(); return 'next'; }
  onResponseTrailers(_s: StreamView, _trailers: Headers): Verdict { this.answered(); return 'next'; }
  /** An answer that broke off says nothing about latency. */
  onEnd(): void { if (this.sinceMs >= 0) { this.sinceMs = -1; this.factory.leave(); } }

  private answered(): void {
    if (this.sinceMs < 0) return;
    const since = this.sinceMs;
    this.sinceMs = -1;
    this.factory.leave();
    this.factory.controller.sample(since);
  }
}
