// tcp_proxy as workers install it. Times in ms, 0: off.
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { FormatPlan } from '../observe/format/formatter.ts';
import type { HeaderMutationPlan } from './header-mutation-plan.ts';
import type { ExtensionPlan } from './extension-plan.ts';

/** Keys of the envoy.lb namespace that a host's metadata must have. */
export type SubsetPlan = { readonly [key: string]: MetadataValue } | null;

/** tunneling_config: the head that a connection is carried behind. */
export interface TunnelPlan {
  readonly hostname: FormatPlan; readonly usePost: boolean; readonly postPath: string; readonly headers: HeaderMutationPlan;
  /** Whether the answer's headers and trailers become filter state of the connection. */
  readonly keepHeaders: boolean; readonly keepTrailers: boolean;
  /** A request id is made: in which header it goes, and under which key of dynamic metadata it is kept. */
  readonly requestId: { readonly header: string; readonly metadataKey: string } | null;
}

/** A TLV for the upstream's PROXY header: a value, or a format of the connection. */
export type TlvPlan = { readonly type: number } & ({ readonly value: Uint8Array } | { readonly format: FormatPlan; readonly empty: string });

export interface TcpProxyPlan {
  /** null: raw bytes. */
  readonly tunnel: TunnelPlan | null;
  readonly statPrefix: string;
  readonly clusters: readonly { readonly name: string; readonly weight: number; readonly metadataMatch: SubsetPlan }[];
  readonly totalWeight: number;
  readonly idleTimeoutMs: number;
  readonly maxDurationMs: number;
  readonly maxDurationJitterPercent: number;
  readonly maxConnectAttempts: number;
  /** null: the next attempt is made at once. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number } | null;
  readonly hashPolicies: readonly ({ readonly kind: 'source-ip' } | { readonly kind: 'filter-state'; readonly key: string })[];
  /** 'on-tls-handshake': at once where there is no TLS. */
  readonly connectMode: 'immediate' | 'on-data' | 'on-tls-handshake';
  /** Bytes taken from downstream before the upstream is there; -1: none are read. */
  readonly maxEarlyDataBytes: number;
  readonly drainClose: boolean;
  readonly tlvs: readonly TlvPlan[];
  /** What becomes of `tlvs` where the client's own PROXY header is passed on. */
  readonly tlvMerge: 'add-if-absent' | 'overwrite' | 'append';
  readonly accessLogs: readonly ExtensionPlan[];
  readonly logOnStart: boolean;
  readonly logOnConnected: boolean;
  readonly logIntervalMs: number;
}
