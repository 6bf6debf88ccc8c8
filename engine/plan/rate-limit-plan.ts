// rate_limits of routes and virtual hosts, and the local rate limit filter, as workers install them.
import type { HeaderMatcherPlan } from '../headers/header-matcher.ts';
import type { TokenBucketPlan } from '../net/shared-limits.ts';
import type { FractionPlan } from './match-plan.ts';
import type { HeaderMutationPlan } from './header-mutation-plan.ts';
import type { FormatPlan } from '../observe/format/formatter.ts';
import type { CidrPlan } from './listener-plan.ts';
import type { MatchInputPlan } from './match-plan.ts';
import type { QueryMatcherPlan } from './route-plan.ts';

/** A descriptor_value. `format` null: the text as it stands. `always`: the format holds; else only where Envoy's runtime guard of it is on. `fallback`: of a format that gives nothing, '' for none. */
export interface RateLimitValuePlan { readonly text: string; readonly format: FormatPlan | null; readonly always: boolean; readonly fallback: string }

/** What one action adds to a descriptor. `skip`: without a value the entry is left out, else the whole descriptor. Addresses are masked to so many bits; -1: whole. */
export type RateLimitActionPlan =
  | { readonly kind: 'generic'; readonly key: string; readonly value: RateLimitValuePlan } | { readonly kind: 'source-cluster' } | { readonly kind: 'destination-cluster' }
  | { readonly kind: 'input'; readonly key: string; readonly input: MatchInputPlan } | { readonly kind: 'expression'; readonly key: string; readonly text: string; readonly skip: boolean }
  | { readonly kind: 'remote-address-match'; readonly key: string; readonly value: RateLimitValuePlan; readonly ranges: readonly CidrPlan[]; readonly invert: boolean } | { readonly kind: 'remote-address'; readonly bits4: number; readonly bits6: number; readonly masked: boolean }
  | { readonly kind: 'header'; readonly header: string; readonly key: string; readonly skip: boolean } | { readonly kind: 'query'; readonly parameter: string; readonly key: string; readonly skip: boolean }
  | { readonly kind: 'header-match'; readonly key: string; readonly value: RateLimitValuePlan; readonly expect: boolean; readonly headers: readonly HeaderMatcherPlan[] }
  | { readonly kind: 'query-match'; readonly key: string; readonly value: RateLimitValuePlan; readonly expect: boolean; readonly query: readonly QueryMatcherPlan[] }
  | { readonly kind: 'metadata'; readonly key: string; readonly source: 'dynamic' | 'route'; readonly filter: string; readonly path: readonly string[]; readonly fallback: string; readonly skip: boolean };

export interface RateLimitPlan {
  readonly stage: number;
  readonly actions: readonly RateLimitActionPlan[];
  /** How many tokens a request takes. `format` gives the number, where it is not null. `refill`: they are put back instead. null: one. */
  readonly hits: { readonly number: number; readonly format: FormatPlan | null; readonly refill: boolean } | null;
  /** Whether answers tell of the limit (x-ratelimit-*); null: as the filter says. */
  readonly tells: boolean | null;
}

export interface LocalRateLimitPlan {
  readonly statPrefix: string;
  /** Unique to this piece of configuration, the same in every worker: its buckets are shared under it. */
  readonly key: string;
  /** null: no requests are limited but by descriptors. */
  readonly bucket: TokenBucketPlan | null;
  /** An entry whose value is '' is of any value: each has a bucket of its own, `maxDynamic` of them at a time. */
  readonly descriptors: readonly { readonly entries: readonly (readonly [string, string])[]; readonly bucket: TokenBucketPlan; readonly shadow: boolean }[];
  readonly maxDynamic: number;
  /** What the buckets give is for all members of the local cluster. */
  readonly ofLocalCluster: boolean;
  readonly enabled: FractionPlan;
  readonly enforced: FractionPlan;
  readonly status: number;
  readonly responseHeaders: HeaderMutationPlan;
  readonly requestHeaders: HeaderMutationPlan;
  readonly stage: number;
  readonly perConnection: boolean;
  readonly rateLimitHeaders: boolean;
  readonly retryAfter: boolean;
  readonly hostLimits: 'override' | 'include' | 'ignore';
  readonly alwaysDefault: boolean;
  readonly resourceExhausted: boolean;
  /** In place of the route's; null: the route's. */
  readonly rateLimits: readonly RateLimitPlan[] | null;
}
