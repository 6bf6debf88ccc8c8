// A cluster as workers install it; its endpoints come apart, as they change on their own.
import type { Address } from '../net/address.ts';
import type { SocketOption, TcpKeepalive } from '../net/transport/transport.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { MetadataMatchPlan } from './match-plan.ts';
import type { OutlierVotingPlan } from './health-plan.ts';
import type { ExtensionPlan } from './extension-plan.ts';
import type { HttpFilterPlan } from './hcm-plan.ts';
import type { HashPolicyPlan, MirrorPlan, RetryPlan } from './route-plan.ts';
import type { Http1OptionsPlan } from './http1-options-plan.ts';
import type { Http2OptionsPlan } from './http2-options-plan.ts';

/** A value that a runtime key may override. */
export interface RuntimeNumberPlan { readonly value: number; readonly key: string }

/** SlowStartConfig: a host that has just become healthy takes a growing share. `minPercent` of its weight at least. */
export interface SlowStartPlan { readonly windowMs: number; readonly aggression: RuntimeNumberPlan; readonly minPercent: number }

/** ZoneAwareLbConfig. `minLocal`: all traffic stays in the own zone while it has that many healthy hosts (force_local_zone), 0: off. */
export interface ZonePlan { readonly enabledPercent: number; readonly minClusterSize: number; readonly minLocal: number; readonly byWeight: boolean }

export interface SubsetSelectorPlan { readonly keys: readonly string[]; readonly singleHost: boolean; readonly fallback: 'NOT_DEFINED' | 'NO_FALLBACK' | 'ANY_ENDPOINT' | 'DEFAULT_SUBSET' | 'KEYS_SUBSET'; readonly fallbackKeys: readonly string[] }
/** LbSubsetConfig, and the subset policy. `keys` are sorted. */
export interface SubsetPlan {
  readonly fallback: 'NO_FALLBACK' | 'ANY_ENDPOINT' | 'DEFAULT_SUBSET';
  readonly defaultSubset: { readonly [key: string]: MetadataValue };
  readonly selectors: readonly SubsetSelectorPlan[];
  readonly localityAware: boolean; readonly scaleLocality: boolean; readonly panicAny: boolean; readonly listAsAny: boolean; readonly metadataFallback: boolean; readonly redundantKeys: boolean;
}

/** The override_host policy: hosts named by a header or by dynamic metadata, before the policy itself. */
export interface OverridePlan { readonly sources: readonly { readonly header: string; readonly metadata: { readonly filter: string; readonly path: readonly string[] } | null }[]; readonly selected: { readonly filter: string; readonly path: readonly string[] } | null }

/** client_side_weighted_round_robin: weights from the load that hosts report (ORCA). */
export interface OrcaPlan { readonly blackoutMs: number; readonly expirationMs: number; readonly updateMs: number; readonly errorPenalty: number; readonly metrics: readonly string[]; readonly oob: OobPlan | null }

/** Out-of-band reports: each host is asked for one a period, by a stream of control's. `port` 0 and `authority` '': the host's own. `socketMatch`: in place of the host's metadata, null for that. */
export interface OobPlan { readonly periodMs: number; readonly port: number; readonly authority: string; readonly socketMatch: { readonly [key: string]: MetadataValue } | null }

export interface BalancerPlan {
  readonly kind: 'round-robin' | 'least-request' | 'random' | 'ring-hash' | 'maglev' | 'pick-first' | 'provided';
  /** pick_first: in an order of each worker's own, not that of the endpoints. */
  readonly shuffle: boolean;
  readonly choices: number;
  readonly fullScan: boolean;
  readonly activeBias: RuntimeNumberPlan;
  readonly minRing: number; readonly maxRing: number; readonly murmur: boolean;
  readonly tableSize: number;
  readonly byHostname: boolean;
  /** Percent, 0: off. */
  readonly balanceFactor: number;
  /** Of consistent_hashing_lb_config, in place of the cluster's and the route's, where there are any. */
  readonly hashPolicies: readonly HashPolicyPlan[];
  readonly localityWeighted: boolean;
  readonly failOnPanic: boolean;
  readonly slowStart: SlowStartPlan | null;
  readonly zone: ZonePlan;
  readonly subset: SubsetPlan | null;
  readonly override: OverridePlan | null;
  readonly orca: OrcaPlan | null;
}

/** Local addresses that connections go from, one for each IP version. */
export interface BindSource { readonly address: Address; /** In place of the cluster's; null: those. */ readonly options: readonly SocketOption[] | null }
export interface BindPlan { readonly sources: readonly BindSource[]; readonly freebind: boolean }

/** OriginalDstLbConfig. `header` '': none is looked at; `port` 0: as it was asked for. */
export interface OriginalDstPlan { readonly kind: 'original-dst'; readonly header: string; readonly metadata: { readonly filter: string; readonly path: readonly string[] } | null; readonly port: number; readonly cleanupMs: number }
/** How a cluster finds hosts in a way of its own. */
export type KindPlan = { readonly kind: 'aggregate'; readonly clusters: readonly string[] } | OriginalDstPlan | { readonly kind: 'dynamic-forward'; readonly cache: string; readonly hostTtlMs: number; /** cluster_type has the extension's own name. */ readonly ownName: boolean };

/** happy_eyeballs_config: the family that is tried first (0: that of the first address), and how many of it before one of the other. */
export interface EyeballsPlan { readonly family: 0 | 4 | 6; readonly count: number }

/** predictive_preconnect_ratio (1: off), and the hosts that get connections ahead by their metadata (null: all). */
export interface PreconnectPlan { readonly predictive: number; readonly enabled: MetadataMatchPlan | null }

export interface RetryBudgetPlan { /** Percent of active and pending requests, or of those begun in the interval. */ readonly percent: number; readonly least: number; /** A tenth of budget_interval, ms; 0: none. */ readonly slotMs: number }

export interface ClusterPlan {
  readonly name: string;
  readonly statName: string;
  readonly connectTimeoutMs: number;
  readonly balancer: BalancerPlan;
  /** null: its hosts are its endpoints, chosen by the balancer. */
  readonly kind: KindPlan | null;
  readonly panicPercent: number;
  readonly overprovisioning: number;
  /** Availability of a priority by the weights of its hosts, not by their number. */
  readonly weightedHealth: boolean;
  /** A host that a request asks for must have one of these (override_host_status). */
  readonly overrideStatus: readonly HealthStatus[];
  readonly bufferLimit: number;
  /** What is spoken: by the configuration, as the client does, or by ALPN. */
  readonly protocol: 'http1' | 'http2' | 'downstream' | 'auto';
  readonly http1: Http1OptionsPlan;
  readonly http2: Http2OptionsPlan;
  /** SNI from the request's host, or from this header; null: as the transport socket says. */
  readonly autoSni: { readonly header: string } | null;
  /** The host's certificate must bear that name. */
  readonly autoSanValidation: boolean;
  /** Any change of the endpoints closes the connections of all. */
  readonly closeOnHostSetChange: boolean;
  /** A host that is found bad loses its connections of layer 4 too. */
  readonly closeOnHealthFailure: boolean;
  /** Each downstream connection has upstream connections of its own. */
  readonly poolPerConnection: boolean;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxRequestsPerConnection: number;
  readonly maxStreamDurationMs: number;
  /** In place of the route's, where there are any. */
  readonly hashPolicies: readonly HashPolicyPlan[];
  /** In place of the route's and its virtual host's; null: theirs. */
  readonly retryPolicy: RetryPlan | null;
  /** In place of the route's and those around it, where there are any. */
  readonly mirrors: readonly MirrorPlan[];
  /** HTTP filters of each attempt at its hosts, in place of the router's; null: it has none. */
  readonly upstreamFilters: readonly HttpFilterPlan[] | null;
  readonly preconnectRatio: number;
  /** What more there is of preconnect_policy; null: nothing. */
  readonly preconnect: PreconnectPlan | null;
  readonly eyeballs: EyeballsPlan;
  readonly keepalive: TcpKeepalive | null;
  readonly bind: BindPlan | null;
  /** Of connections whose source has none of its own. */
  readonly socketOptions: readonly SocketOption[];
  readonly metadata: { readonly [key: string]: MetadataValue } | null;
  /** track_cluster_stats: sizes of heads and bodies; how much of a timeout was used. */
  readonly trackSizes: boolean; readonly trackBudgets: boolean;
  /** Retries as a share of what is under way, in place of max_retries, of default and high priority; null: max_retries holds. */
  readonly retryBudgets: readonly [RetryBudgetPlan | null, RetryBudgetPlan | null];
  /** Circuit-table records of default and high priority. */
  readonly circuits: readonly [number, number];
  /** Host-table record of hosts that come with requests; -1: it has none. */
  readonly hostRecord: number;
  readonly perHostMaxConnections: number;
  /** null: no outlier detection, nothing is counted for it. */
  readonly outlier: OutlierVotingPlan | null;
  /** Hosts are checked actively: x-envoy-immediate-health-check-fail is looked at. */
  readonly healthChecked: boolean;
  /** null: cleartext. */
  readonly transportSocket: ExtensionPlan | null;
  /** The first whose pairs are in the host's metadata (envoy.transport_socket_match). */
  readonly transportSocketMatches: readonly { readonly match: { readonly [key: string]: unknown }; readonly socket: ExtensionPlan | null }[];
}

/** envoy.config.core.v3.HealthStatus */
export type HealthStatus = 'HEALTHY' | 'UNHEALTHY' | 'DRAINING' | 'TIMEOUT' | 'DEGRADED' | 'UNKNOWN';

export interface HostPlan {
  readonly index: number;
  readonly address: Address;
  /** Further addresses of the same host; absent: it has but one. */
  readonly more?: readonly Address[];
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  readonly localityWeight: number;
  readonly metadata: { readonly [key: string]: MetadataValue } | null;
  /** As the configuration says; what probes and outlier detection find stands in the host table. */
  readonly health: HealthStatus;
}
