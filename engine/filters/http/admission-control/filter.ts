// The admission_control filter (Envoy: AdmissionControlFilter): while too few answers are successes, requests are refused by chance, so that an upstream that is
// overloaded gets less. Each worker judges by what it has seen itself, as in Envoy.
import type { Headers, RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { runtimeFlag, RuntimeNumber, type RuntimeCell } from '../../../loop/runtime.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import type { AdmissionControlPlan } from '../../../plan/admission-control-plan.ts';
import { SuccessWindow } from './success-window.ts';

const DENIED = new LocalReply(503, '', 'denied_by_admission_control');
/** Aborted, DataLoss, DeadlineExceeded, Internal, ResourceExhausted, Unavailable. */
const GRPC_FAILURES: ReadonlySet<number> = new Set([10, 15, 4, 13, 8, 14]);
const NO_CELL: RuntimeCell = { value: undefined };

export class AdmissionControlFactory implements HttpFilterFactory {
  readonly name: string;
  private readonly plan: AdmissionControlPlan;
  private readonly env: WorkerEnv;
  private readonly window: SuccessWindow;
  private readonly enabled: RuntimeCell;
  private readonly aggression: RuntimeNumber; private readonly threshold: RuntimeNumber; private readonly rps: RuntimeNumber; private readonly most: RuntimeNumber;
  private readonly rejected: number; private readonly succeeded: number; private readonly failed: number;

  constructor(name: string, plan: AdmissionControlPlan, env: WorkerEnv, scope: string) {
    this.name = name; this.plan = plan; this.env = env;
    this.window = new SuccessWindow(plan.windowS);
    this.enabled = plan.enabled.key === '' ? NO_CELL : env.runtime.cell(plan.enabled.key);
    this.aggression = new RuntimeNumber(plan.aggression, env.runtime); this.threshold = new RuntimeNumber(plan.successThreshold, env.runtime); this.rps = new RuntimeNumber(plan.rpsThreshold, env.runtime); this.most = new RuntimeNumber(plan.maxRejection, env.runtime);
    const slot = (what: string): number => env.stats.claimOne(`${scope}.admission_control.${what}`, 'counter');
    this.rejected = slot('rq_rejected'); this.succeeded = slot('rq_success'); this.failed = slot('rq_failure');
  }

  create(): HttpFilter { return new AdmissionControlFilter(this); }

  get on(): boolean { return runtimeFlag(this.enabled, this.plan.enabled.on); }

  /** Refuses by chance, the likelier the more answers are missing to the wanted success rate. */
  refuses(): boolean {
    const { window, env } = this;
    window.advance(env.clock.nowMs());
    if (window.rps < this.rps.now) return false;
    let probability = (window.total - window.good / (this.threshold.now / 100)) / (window.total + 1);
    const aggression = Math.max(1, this.aggression.now);
    if (aggression !== 1 && probability > 0) probability **= 1 / aggression;
    if (env.random.unit() >= Math.min(probability, this.most.now / 100)) return false;
    env.stats.column[this.rejected]!++;
    return true;
  }

  record(success: boolean): void {
    const { env } = this;
    env.stats.column[success ? this.succeeded : this.failed]!++;
    this.window.record(env.clock.nowMs(), success);
  }

  httpSuccess(status: number): boolean { const { http } = this.plan; return http === null ? status < 500 : http.some((r) => status >= r.from && status < r.to); }
  grpcSuccess(status: string): boolean { const n = Number(status), { grpc } = this.plan; return grpc === null ? !GRPC_FAILURES.has(n) : grpc.includes(n); }
}

class AdmissionControlFilter implements HttpFilter {
  private readonly factory: AdmissionControlFactory;
  private pending = false;
  constructor(factory: AdmissionControlFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, _headers: RequestHeaders): Verdict {
    const { factory } = this;
    if (!factory.on || s.facts.healthCheck) return 'next';
    if (factory.refuses()) return DENIED;
    this.pending = true;
    return 'next';
  }

  onResponseHeaders(_s: StreamView, headers: ResponseHeaders): Verdict {
    if (!this.pending) return 'next';
    const status = headers.get('grpc-status');
    if (status !== undefined) this.settle(this.factory.grpcSuccess(status));
    // The status of a gRPC answer stands in its trailers.
    else if (!(headers.get('content-type') ?? '').startsWith('application/grpc')) this.settle(this.factory.httpSuccess(headers.status));
    return 'next';
  }

  onResponseTrailers(_s: StreamView, trailers: Headers): Verdict {
    if (this.pending) { const status = trailers.get('grpc-status'); if (status !== undefined) this.settle(this.factory.grpcSuccess(status)); }
    return 'next';
  }

  /** An answer that never came, or broke off before its status, is a failure. */
  onEnd(): void { if (this.pending) this.settle(false); }

  private settle(success: boolean): void { this.pending = false; this.factory.record(success); }
}
