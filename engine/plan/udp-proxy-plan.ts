// udp_proxy as workers install it.
import type { ExtensionPlan } from './extension-plan.ts';
import type { MatchTreePlan } from './match-plan.ts';

export interface UdpProxyPlan {
  readonly statPrefix: string;
  /** Actions are names of clusters. */
  readonly tree: MatchTreePlan;
  readonly idleTimeoutMs: number;
  readonly hashPolicies: readonly ({ readonly kind: 'source-ip' } | { readonly kind: 'key'; readonly key: string })[];
  readonly perPacket: boolean;
  readonly accessLogs: readonly ExtensionPlan[];
}
