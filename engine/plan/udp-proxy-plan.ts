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
  /** Of sessions: as they end, and every `logIntervalMs` (0: not). */
  readonly accessLogs: readonly ExtensionPlan[];
  readonly logIntervalMs: number;
  /** Of the filter: as it ends. */
  readonly proxyLogs: readonly ExtensionPlan[];
}
