// A listener as workers install it. Plain data.
import type { Address } from '../net/address.ts';
import type { SocketOption, TcpKeepalive } from '../net/transport/transport.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { MatchTreePlan } from './match-plan.ts';
import type { ExtensionPlan } from './extension-plan.ts';

export interface CidrPlan { readonly ip: string; readonly bits: number }

/** Envoy's FilterChainMatch; empty lists and -1 match anything. */
export interface FilterChainMatchPlan {
  readonly destinationPort: number;
  readonly prefixRanges: readonly CidrPlan[];
  readonly serverNames: readonly string[];
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly directSourceRanges: readonly CidrPlan[];
  readonly sourceType: 'ANY' | 'SAME_IP_OR_LOOPBACK' | 'EXTERNAL';
  readonly sourceRanges: readonly CidrPlan[];
  readonly sourcePorts: readonly number[];
}

export interface FilterChainPlan { readonly name: string; readonly match: FilterChainMatchPlan | null; readonly filters: readonly ExtensionPlan[]; /** null: cleartext. */ readonly transportSocket: ExtensionPlan | null; /** Time for its handshake, ms; 0: none. */ readonly connectTimeoutMs: number; readonly metadata: { readonly [key: string]: MetadataValue } | null }

/** When a listener filter is passed over (ListenerFilterChainMatchPredicate); ports are [from, to). */
export type FilterDisabledPlan =
  | { readonly kind: 'any' } | { readonly kind: 'or' | 'and'; readonly rules: readonly FilterDisabledPlan[] } | { readonly kind: 'not'; readonly rule: FilterDisabledPlan }
  | { readonly kind: 'port'; readonly from: number; readonly to: number };

export interface ListenerFilterPlan { readonly filter: ExtensionPlan; readonly disabled: FilterDisabledPlan | null }

/** An address beside the first, with what is set on its sockets: its own, or the listener's. */
export interface AdditionalAddressPlan { readonly address: Address; readonly options: readonly SocketOption[]; readonly keepalive: TcpKeepalive | null }

export interface ListenerPlan {
  readonly name: string;
  readonly address: Address;
  readonly additional: readonly AdditionalAddressPlan[];
  /** Connections come from this process (internal_listener); `address` bears its name. */
  readonly internal: boolean;
  /** A connection whose destination was restored goes to the listener of that address. */
  readonly useOriginalDst: boolean;
  /** exact_balance. */
  readonly exactBalance: boolean;
  readonly mptcp: boolean;
  readonly statPrefix: string;
  readonly bindToPort: boolean;
  readonly reusePort: boolean;
  readonly backlog: number;
  readonly bufferLimit: number;
  readonly acceptsPerTurn: number;
  readonly transparent: boolean;
  readonly freebind: boolean;
  readonly ipv6Only: boolean;
  readonly options: readonly SocketOption[];
  readonly keepalive: TcpKeepalive | null;
  readonly ignoreGlobalLimit: boolean;
  readonly bypassOverload: boolean;
  readonly direction: 'UNSPECIFIED' | 'INBOUND' | 'OUTBOUND';
  readonly drainType: 'DEFAULT' | 'MODIFY_ONLY';
  readonly chains: readonly FilterChainPlan[];
  /** filter_chain_matcher: actions are indexes of `chains`, -1 where no chain has the name. null: chains match by their own criteria. */
  readonly matcher: MatchTreePlan | null;
  readonly defaultChain: FilterChainPlan | null;
  readonly listenerFilters: readonly ListenerFilterPlan[];
  /** 0: no limit. */
  readonly listenerFiltersTimeoutMs: number;
  readonly continueOnTimeout: boolean;
  readonly accessLogs: readonly ExtensionPlan[];
  /** The filter of a UDP listener, which has no chains; null: TCP. */
  readonly udp: ExtensionPlan | null;
  readonly metadata: { readonly [key: string]: MetadataValue } | null;
}
