// Role-based access control (envoy.config.rbac.v3) as workers install it: for the network filter and the HTTP filter alike.
import type { HeaderMatcherPlan } from '../headers/header-matcher.ts';
import type { StringMatcherPlan } from '../headers/string-matcher.ts';
import type { CelPlan } from '../observe/cel/config.ts';
import type { CidrPlan } from './listener-plan.ts';
import type { MatchTreePlan, ValueMatchPlan } from './match-plan.ts';

/** A permission or a principal. Ports are [from, to). */
export type RbacRulePlan =
  | { readonly kind: 'and' | 'or'; readonly of: readonly RbacRulePlan[] } | { readonly kind: 'not'; readonly of: RbacRulePlan } | { readonly kind: 'any' }
  | { readonly kind: 'header'; readonly header: HeaderMatcherPlan } | { readonly kind: 'path'; readonly path: StringMatcherPlan } | { readonly kind: 'server-name'; readonly name: StringMatcherPlan }
  | { readonly kind: 'ip'; readonly of: 'destination' | 'source' | 'direct-remote' | 'remote'; readonly range: CidrPlan } | { readonly kind: 'port'; readonly from: number; readonly to: number }
  | { readonly kind: 'metadata'; readonly source: 'dynamic' | 'route'; readonly filter: string; readonly path: readonly string[]; readonly value: ValueMatchPlan; readonly invert: boolean }
  | { readonly kind: 'filter-state'; readonly key: string; readonly string: StringMatcherPlan }
  /** A client certificate; `name` of its URI SANs, DNS SANs or subject, null: any. */
  | { readonly kind: 'authenticated'; readonly name: StringMatcherPlan | null };

export type RbacAction = 'ALLOW' | 'DENY' | 'LOG';

export type RbacEnginePlan =
  | { readonly kind: 'policies'; readonly action: RbacAction; /** In the order of their names. */ readonly policies: readonly { readonly name: string; readonly permissions: readonly RbacRulePlan[]; readonly principals: readonly RbacRulePlan[]; /** Must be true too. */ readonly condition?: CelPlan }[] }
  | { readonly kind: 'tree'; /** Actions are {name, action}. */ readonly tree: MatchTreePlan };

export interface RbacPlan {
  readonly rules: RbacEnginePlan | null;
  readonly shadow: RbacEnginePlan | null;
  readonly rulesPrefix: string;
  readonly shadowPrefix: string;
  readonly perRuleStats: boolean;
}

export interface NetworkRbacPlan extends RbacPlan { readonly statPrefix: string; readonly continuous: boolean; readonly delayDenyMs: number }
