// udp_proxy as workers install it.
import type { ExtensionPlan } from './extension-plan.ts';
import type { FormatPlan } from '../observe/format/formatter.ts';
import type { HeaderMutationPlan } from './header-mutation-plan.ts';
import type { MatchTreePlan } from './match-plan.ts';

/** tunneling_config: each session is an HTTP exchange, CONNECT-UDP or POST. */
export interface UdpTunnelPlan {
  readonly proxyHost: FormatPlan; readonly proxyPort: number; readonly targetHost: FormatPlan; readonly targetPort: number;
  readonly usePost: boolean; readonly postPath: string; readonly headers: HeaderMutationPlan;
  readonly maxAttempts: number;
  /** null: the next attempt is made at once. Times in ms. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number } | null;
  /** Datagrams that wait for the exchange, at most; -1: none do. */
  readonly bufferDatagrams: number; readonly bufferBytes: number;
  /** Whether the answer's headers and trailers become filter state of the session. */
  readonly keepHeaders: boolean; readonly keepTrailers: boolean;
}

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
  /** null: sessions go out as datagrams. */
  readonly tunnel: UdpTunnelPlan | null;
  /** In the exchange datagrams are capsules (http_capsule). */
  readonly capsules: boolean;
  readonly logOnTunnel: boolean;
  /** Of the filter: as it ends. */
  readonly proxyLogs: readonly ExtensionPlan[];
}
