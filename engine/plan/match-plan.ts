// Matchers of values and trees of matchers (envoy.type.matcher.v3.ValueMatcher, xds.type.matcher.v3.Matcher) as workers install them.
import type { StringMatcherPlan } from '../headers/string-matcher.ts';
import type { CidrPlan } from './listener-plan.ts';

/** RuntimeFractionalPercent: numerator of denominator (100, 10,000, a million); '' for no runtime key. */
export interface FractionPlan { readonly key: string; readonly numerator: number; readonly denominator: number }

/** A value of metadata, below `filter` at `path`. */
export interface MetadataMatchPlan { readonly filter: string; readonly path: readonly string[]; readonly value: ValueMatchPlan; readonly invert: boolean }

/** Of metadata and filter state values. `range`: from inclusive to exclusive. `list`: an element matches. */
export type ValueMatchPlan =
  | { readonly kind: 'null' } | { readonly kind: 'present'; readonly present: boolean } | { readonly kind: 'bool'; readonly value: boolean } | { readonly kind: 'exact'; readonly value: number }
  | { readonly kind: 'range'; readonly from: number; readonly to: number } | { readonly kind: 'string'; readonly string: StringMatcherPlan } | { readonly kind: 'list'; readonly one: ValueMatchPlan } | { readonly kind: 'or'; readonly of: readonly ValueMatchPlan[] };

/** What of a connection or stream is looked at. */
export type MatchInputPlan =
  | { readonly kind: 'request-header' | 'request-trailer' | 'response-header' | 'response-trailer'; readonly name: string } | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'status' | 'status-class' | 'destination-ip' | 'destination-port' | 'source-ip' | 'source-port' | 'direct-source-ip' | 'source-type' | 'server-name' | 'transport-protocol' | 'application-protocol' | 'uri-san' | 'dns-san' | 'subject' }
  | { readonly kind: 'filter-state'; readonly key: string } | { readonly kind: 'metadata'; readonly filter: string; readonly path: readonly string[] };

export type PredicatePlan =
  | { readonly kind: 'string'; readonly input: MatchInputPlan; readonly string: StringMatcherPlan } | { readonly kind: 'ip'; readonly input: MatchInputPlan; readonly ranges: readonly CidrPlan[] }
  | { readonly kind: 'value'; readonly input: MatchInputPlan; readonly value: ValueMatchPlan; readonly invert: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly PredicatePlan[] } | { readonly kind: 'not'; readonly of: PredicatePlan };

/** What a match leads to: an action (plain data of whoever owns the tree), or another tree. `keep`: it is passed over, matching goes on. */
export interface OnMatchPlan { readonly action: unknown; readonly tree: MatchTreePlan | null; readonly keep: boolean }

export interface MatchTreePlan {
  readonly body:
    | { readonly kind: 'none' } | { readonly kind: 'list'; readonly entries: readonly { readonly predicate: PredicatePlan; readonly on: OnMatchPlan }[] }
    | { readonly kind: 'exact' | 'prefix'; readonly input: MatchInputPlan; readonly entries: readonly (readonly [string, OnMatchPlan])[] }
    | { readonly kind: 'ranges'; readonly input: MatchInputPlan; readonly entries: readonly { readonly ranges: readonly CidrPlan[]; readonly exclusive: boolean; readonly on: OnMatchPlan }[] }
    | { readonly kind: 'domains'; readonly input: MatchInputPlan; readonly entries: readonly { readonly domains: readonly string[]; readonly on: OnMatchPlan }[] };
  readonly noMatch: OnMatchPlan | null;
}
