// The adaptive_concurrency filter (Envoy: AdaptiveConcurrencyFilter): lets in as many requests at once as its controller allows in the whole process, refuses the others
// before they reach an upstream, and tells the controller how long each answer took.
import type { Headers, RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { runtimeFlag, type RuntimeCell } from '../../../loop/runtime.ts';
import { hashed, xxHash64 } from '../../../base/xxhash64.ts';
import { SharedHold, type ProcessLimits, type ProcessRecords } from '../../../net/shared-limits.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import type { AdaptiveConcurrencyPlan } from '../../../plan/adaptive-concurrency-plan.ts';
import { GradientController } from './gradient-controller.ts';

export class AdaptiveConcurrencyFactory implements HttpFilterFactory {
  readonly name: string;
  readonly env: WorkerEnv;
  readonly controller: GradientController;
  readonly refusal: LocalReply;
  private readonly plan: AdaptiveConcurrencyPlan;
  private readonly enabled: RuntimeCell;
  private readonly hold: SharedHold;
  /** Requests that this worker has let in. */
  private outstanding = 0;
  private readonly blocked: number;

  constructor(name: string, plan: AdaptiveConcurrencyPlan, env: WorkerEnv, shared: { readonly limits: ProcessLimits; readonly records: ProcessRecords }, statPrefix: string) {
    this.name = name; this.plan = plan; this.env = env;
    const prefix = `http.${statPrefix}.adaptive_concurrency.gradient_controller.`, key = `adaptive_concurrency ${plan.key}`;
    this.blocked = env.stats.claimOne(`${prefix}rq_blocked`, 'counter');
    this.hold = new SharedHold(shared.limits, env.stats, key);
    xxHash64(JSON.stringify(plan.gradient));
    this.controller = new GradientController(plan.gradient, hashed.low | 0, env, shared.records.claim(key), prefix);
    this.enabled = plan.enabled.key === '' ? { value: undefined } : env.runtime.cell(plan.enabled.key);
    this.refusal = new LocalReply(plan.status, 'reached concurrency limit', 'reached_concurrency_limit');
  }

  create(): HttpFilter { return new AdaptiveConcurrencyFilter(this); }

  get on(): boolean { return runtimeFlag(this.enabled, this.plan.enabled.on); }

  admit(): boolean {
    if (!this.hold.tryHold(this.controller.limit, this.outstanding)) { this.env.stats.column[this.blocked]!++; return false; }
    this.outstanding++;
    return true;
  }
  leave(): void { this.outstanding--; this.hold.release(); }
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
