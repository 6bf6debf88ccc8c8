// How long a host is ejected or degraded (Envoy: min(base × back-off, max) + jitter): the back-off grows by one with each time, up to the maximum, and falls by one in each
// interval that the host spends in good standing.
import type { Random } from '../../loop/random.ts';
import type { OutlierPlan } from '../../plan/health-plan.ts';

export class Term {
  /** When it began last, ms; -1: never did. */
  beganMs = -1;
  private backoff = 0;
  private jitterMs = 0;

  begin(plan: OutlierPlan, nowMs: number, random: Random): void {
    this.beganMs = nowMs;
    this.jitterMs = plan.jitterMs > 0 ? Math.floor(random.unit() * (plan.jitterMs + 1)) : 0;
    if (this.backoff * plan.baseEjectionMs < plan.maxEjectionMs + plan.baseEjectionMs) this.backoff++;
  }
  /** Its time has passed. */
  over(plan: OutlierPlan, nowMs: number): boolean { return Math.min(plan.baseEjectionMs * this.backoff, plan.maxEjectionMs) + this.jitterMs <= nowMs - this.beganMs; }
  /** An interval in good standing. */
  relax(): void { if (this.backoff > 0) this.backoff--; }
}
