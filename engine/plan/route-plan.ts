// A route configuration as workers install it. Virtual hosts stay packed until a request first reaches them.
import type { FormatPlan } from '../observe/format/formatter.ts';
import type { HeaderMatcherPlan } from '../headers/header-matcher.ts';
import type { StringMatcherPlan } from '../headers/string-matcher.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { BodyFormatPlan } from './hcm-plan.ts';
import type { RateLimitPlan } from './rate-limit-plan.ts';
import type { HeaderMutationPlan } from './header-mutation-plan.ts';
import type { FractionPlan, MatchTreePlan, MetadataMatchPlan } from './match-plan.ts';

export interface LevelPlan { readonly request: HeaderMutationPlan; readonly response: HeaderMutationPlan }
export type Meta = { readonly [key: string]: MetadataValue } | null;
/** Compiled per-filter configuration by filter name: body null with `disabled` only switches. */
export interface FilterConfigPlan { readonly name: string; readonly body: unknown; readonly disabled: boolean | null }

export interface RouteTablePlan {
  readonly name: string;
  readonly level: LevelPlan;
  readonly mostSpecificWins: boolean;
  readonly ignorePort: boolean;
  /** The request header that names the virtual host; '': :authority. */
  readonly hostHeader: string;
  /** Paths are matched up to their first ';'. */
  readonly ignorePathParameters: boolean;
  /** Headers that only internal requests may carry. */
  readonly internalOnly: readonly string[];
  readonly filterConfigs: readonly FilterConfigPlan[];
  readonly mirrors: readonly MirrorPlan[];
  /** Virtual hosts that have stats of their own. */
  readonly counted: readonly CountedHost[];
  readonly virtualHosts: readonly { readonly domains: readonly string[]; readonly packed: Uint8Array }[];
}

/** Stats below 'vhost.NAME': `scopes` are 'vcluster.NAME' of its virtual clusters and 'route.PREFIX' of routes with a stat_prefix. */
export interface CountedHost { readonly name: string; readonly scopes: readonly string[] }

export interface VirtualHostPlan {
  readonly name: string;
  readonly level: LevelPlan;
  readonly requireTls: 'NONE' | 'EXTERNAL_ONLY' | 'ALL';
  readonly routes: readonly RoutePlan[];
  /** In place of `routes`: a tree whose actions are lists of routes, the first that matches of one. */
  readonly matcher: MatchTreePlan | null;
  readonly includeAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly metadata: Meta;
  readonly filterConfigs: readonly FilterConfigPlan[];
  readonly virtualClusters: readonly { readonly name: string; readonly headers: readonly HeaderMatcherPlan[] }[];
  readonly bufferLimit: number;
  readonly includeTimeoutRetry: boolean;
  readonly retry: RetryPlan | null;
  readonly hedge: boolean | null;
  readonly mirrors: readonly MirrorPlan[];
  readonly rateLimits: readonly RateLimitPlan[];
}

export type PathMatchPlan =
  | { readonly kind: 'prefix' | 'path' | 'separated'; readonly text: string; readonly ignoreCase: boolean }
  | { readonly kind: 'regex'; readonly regex: string }
  | { readonly kind: 'connect' }
  | { readonly kind: 'template'; readonly template: string };

export interface QueryMatcherPlan { readonly name: string; readonly string: StringMatcherPlan | null; readonly present: boolean }

export interface RouteMatchPlan {
  readonly path: PathMatchPlan;
  readonly headers: readonly HeaderMatcherPlan[];
  readonly query: readonly QueryMatcherPlan[];
  readonly grpc: boolean;
  readonly fraction: FractionPlan | null;
  readonly tls: { readonly presented: boolean | null; readonly validated: boolean | null } | null;
  readonly cookies: readonly { readonly name: string; readonly string: StringMatcherPlan; readonly invert: boolean }[];
  readonly filterState: readonly { readonly key: string; readonly string: StringMatcherPlan }[];
  readonly metadata: readonly MetadataMatchPlan[];
}

export interface RoutePlan {
  readonly name: string;
  readonly match: RouteMatchPlan;
  readonly level: LevelPlan;
  readonly metadata: Meta;
  readonly filterConfigs: readonly FilterConfigPlan[];
  readonly bufferLimit: number;
  /** Requests are counted in vhost.NAME.route.PREFIX too; '': they are not. */
  readonly statPrefix: string;
  readonly action: ForwardPlan | RedirectPlan | DirectPlan;
}

export interface DirectPlan { readonly kind: 'direct'; readonly status: number; readonly body: string; readonly format: BodyFormatPlan | null }

export interface RedirectPlan {
  readonly kind: 'redirect';
  readonly https: boolean; readonly scheme: string; readonly host: string; readonly port: number; readonly path: string; readonly prefix: string | null; readonly regex: RewritePlan | null; readonly pathFormat: FormatPlan | null;
  readonly status: number; readonly stripQuery: boolean;
}
export interface RewritePlan { readonly regex: string; readonly substitution: string }

export interface WeightedPlan { readonly name: string; readonly header: string; readonly weight: number; readonly runtimeKey: string; readonly level: LevelPlan; readonly filterConfigs: readonly FilterConfigPlan[]; readonly hostRewrite: string; readonly metadataMatch: Meta }
export type HashPolicyPlan = { readonly terminal: boolean } & (
  | { readonly kind: 'header'; readonly name: string; readonly rewrite: RewritePlan | null }
  | { readonly kind: 'cookie'; readonly name: string; readonly ttlMs: number; readonly path: string; readonly attributes: readonly (readonly [string, string])[] }
  | { readonly kind: 'source-ip' } | { readonly kind: 'query'; readonly name: string } | { readonly kind: 'filter-state'; readonly key: string });

export interface ForwardPlan {
  readonly kind: 'forward';
  readonly target: { readonly kind: 'cluster'; readonly name: string } | /** The tree's actions are names of clusters. */ { readonly kind: 'matcher'; readonly tree: MatchTreePlan } | { readonly kind: 'header'; readonly name: string } | { readonly kind: 'weighted'; readonly clusters: readonly WeightedPlan[]; readonly total: number; readonly headerName: string; /** The route's hash policies choose. */ readonly byHash: boolean };
  readonly notFoundStatus: number;
  readonly prefixRewrite: string; readonly regexRewrite: RewritePlan | null; readonly templateRewrite: string; readonly pathFormat: FormatPlan | null;
  readonly hostLiteral: string; readonly hostHeader: string; readonly hostRegex: RewritePlan | null; readonly hostFormat: FormatPlan | null; readonly autoHost: boolean; readonly appendForwardedHost: boolean;
  /** ms; 0: off, -1: the default of 15 s. */
  readonly timeoutMs: number; readonly idleTimeoutMs: number; readonly flushTimeoutMs: number; readonly maxStreamDurationMs: number; readonly maxGrpcTimeoutMs: number; readonly grpcTimeoutOffsetMs: number;
  /** A max_stream_duration is there: `timeoutMs` has no effect, grpc-timeout bounds the stream by grpcHeaderMaxMs (-1: it does not). */
  readonly newTimeouts: boolean; readonly grpcHeaderMaxMs: number; readonly grpcHeaderOffsetMs: number;
  readonly priority: 'default' | 'high';
  readonly hashPolicies: readonly HashPolicyPlan[];
  readonly metadataMatch: Meta;
  readonly upgrades: readonly { readonly type: string; readonly enabled: boolean }[];
  /** connect_config: whose bytes go over a raw connection. */
  readonly connectTerminate: 'no' | 'connect' | 'connect-or-post';
  /** The same of CONNECT-UDP: its datagrams go out from here. */
  readonly connectUdp: boolean;
  /** null: the virtual host's. */
  readonly retry: RetryPlan | null;
  /** hedge_on_per_try_timeout; null: the virtual host's. */
  readonly hedge: boolean | null;
  readonly mirrors: readonly MirrorPlan[];
  readonly redirects: RedirectPolicyPlan | null;
  readonly rateLimits: readonly RateLimitPlan[];
  readonly includeHostRateLimits: boolean;
}

/** One of request_mirror_policies. `header`: names the cluster, '' where `cluster` does. `suffix`: '-shadow' is added to the host. */
export interface MirrorPlan { readonly cluster: string; readonly header: string; readonly fraction: FractionPlan | null; readonly suffix: boolean; readonly host: string; readonly mutations: readonly HeaderMutationPlan[] }

/** internal_redirect_policy. `copy`: response headers that go into the next pass. */
export interface RedirectPolicyPlan {
  readonly max: number; readonly codes: readonly number[]; readonly crossScheme: boolean; readonly copy: readonly string[];
  readonly predicates: readonly ({ readonly kind: 'previous' | 'safe-cross-scheme' } | { readonly kind: 'allow-listed'; readonly routes: readonly string[] })[];
}

/** retry_host_predicate of a policy; `match` is of the namespace envoy.lb. */
export type RetryHostPlan = { readonly kind: 'previous' } | { readonly kind: 'canary' } | { readonly kind: 'metadata'; readonly match: { readonly [key: string]: MetadataValue } };

/** A retry policy. Times in ms, 0: none. */
export interface RetryPlan {
  /** Bit set of http/retry-on.ts. */
  readonly on: number;
  readonly retries: number; readonly perTryTimeoutMs: number; readonly perTryIdleTimeoutMs: number;
  readonly statusCodes: readonly number[]; readonly headers: readonly HeaderMatcherPlan[]; readonly requestHeaders: readonly HeaderMatcherPlan[];
  readonly baseMs: number; readonly maxMs: number;
  readonly hosts: readonly RetryHostPlan[];
  /** host_selection_retry_max_attempts. */
  readonly reselects: number;
  /** update_frequency of previous_priorities; 0: priorities are chosen as ever. */
  readonly priorityFrequency: number;
  /** rate_limited_retry_back_off: headers that say when to come back, in seconds from now or since 1970. */
  readonly resets: readonly { readonly name: string; readonly timestamp: boolean }[];
  readonly resetMaxMs: number;
  readonly refreshCluster: boolean;
}
