// The adaptive_concurrency HTTP filter. Runtime keys are Envoy's fixed ones (adaptive_concurrency.gradient_controller.*), so they stand in the filter.

export interface GradientPlan {
  /** Percent. */
  readonly percentile: number;
  readonly maxLimit: number;
  /** The lower bound of the limit; 0: `minConcurrency`. */
  readonly minLimit: number;
  readonly updateIntervalMs: number;
  /** Between two measurements of the minRTT; 0 with a fixed one. */
  readonly minRttIntervalMs: number;
  /** 0: it is measured. */
  readonly fixedMinRttMs: number;
  readonly requestCount: number;
  /** Percent of the interval. */
  readonly jitter: number;
  readonly minConcurrency: number;
  /** Percent of the minRTT. */
  readonly buffer: number;
}

export interface AdaptiveConcurrencyPlan {
  /** Names the controller in the process: a changed configuration of the same filter finds the same requests outstanding. */
  readonly key: string;
  readonly enabled: { readonly key: string; readonly on: boolean };
  readonly status: number;
  readonly gradient: GradientPlan;
}
