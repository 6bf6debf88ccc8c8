// The health_check HTTP filter.
import type { HeaderMatcherPlan } from '../headers/header-matcher.ts';

export interface HealthCheckFilterPlan {
  /** Which requests are health checks. */
  readonly headers: readonly HeaderMatcherPlan[];
  readonly passThrough: boolean;
  /** How long the answer of a check that was passed through stands for others, ms; 0: each is passed through. */
  readonly cacheMs: number;
  /** Percent of the hosts of a cluster that must be available. */
  readonly minimums: readonly { readonly cluster: string; readonly percent: number }[];
}
