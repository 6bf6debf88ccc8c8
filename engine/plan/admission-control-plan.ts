// The admission_control HTTP filter. Numbers may be overridden by runtime keys.
import type { RuntimeNumberPlan } from './cluster-plan.ts';

export interface AdmissionControlPlan {
  readonly enabled: { readonly key: string; readonly on: boolean };
  /** Whole seconds. */
  readonly windowS: number;
  readonly aggression: RuntimeNumberPlan;
  /** Percent. */
  readonly successThreshold: RuntimeNumberPlan;
  readonly rpsThreshold: RuntimeNumberPlan;
  /** Percent. */
  readonly maxRejection: RuntimeNumberPlan;
  /** Half-open ranges of statuses that are successes; null: all below 500. */
  readonly http: readonly { readonly from: number; readonly to: number }[] | null;
  /** gRPC statuses that are successes; null: Envoy's list. */
  readonly grpc: readonly number[] | null;
}
