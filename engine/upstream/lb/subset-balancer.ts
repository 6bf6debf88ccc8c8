// Subset load balancing: a request goes only to hosts with the metadata that its route asks for, each subset with a balancer of its own (Envoy: lb_subset_config and
// the subset policy). Immutable but for what it remembers: the subset found for a route's criteria, and balancers made at first use.
import { CLUSTER_LB } from '../../observe/stats/schemas.ts';
import type { StatBlock } from '../../observe/stats/stat-block.ts';
import type { MetadataValue } from '../../observe/stream-facts.ts';
import type { SubsetPlan, SubsetSelectorPlan } from '../../plan/cluster-plan.ts';
import type { WithLocality } from '../host-sets.ts';
import { MetadataCriteria } from '../metadata-criteria.ts';
import type { Host, PickContext } from '../upstream.ts';
import { hasMetadata, selectorFallbacks, subsetsOf, type SubsetHosts } from './subset-tree.ts';
import type { Picker } from './pickers.ts';

const FALLBACK_LIST = 'fallback_list';

/** `localityWeight` of a host within one subset. */
export type LocalityWeightOf = (host: WithLocality) => number;

class Subset {
  private picker: Picker | null = null;
  private readonly make: (hosts: readonly WithLocality[]) => Picker;
  readonly hosts: readonly WithLocality[];
  readonly single: boolean;
  constructor(hosts: readonly WithLocality[], single: boolean, make: (hosts: readonly WithLocality[]) => Picker) { this.hosts = hosts; this.single = single; this.make = make; }
  pick(ctx: PickContext, attempt: number): Host | null { return this.single ? this.hosts[0] ?? null : (this.picker ??= this.make(this.hosts)).pick(ctx, attempt); }
}

export class SubsetBalancer implements Picker {
  private readonly plan: SubsetPlan;
  private readonly stats: StatBlock;
  private readonly subsets = new Map<string, Subset>();
  private readonly fallbacks: ReadonlyMap<string, SubsetSelectorPlan | null>;
  private readonly any: Subset;
  private readonly standard: Subset;
  private readonly known = new WeakMap<MetadataCriteria, Subset | null>();

  /** `make` builds the policy's balancer over some of the hosts, their localities weighted as `weightOf` says (null: not at all). */
  constructor(plan: SubsetPlan, hosts: readonly WithLocality[], stats: StatBlock, make: (hosts: readonly WithLocality[], weightOf: LocalityWeightOf | null) => Picker) {
    this.plan = plan; this.stats = stats;
    this.fallbacks = selectorFallbacks(plan);
    const build = (list: readonly WithLocality[]): Picker => make(list, plan.localityAware ? (plan.scaleLocality ? scaled(hosts, list) : (h) => h.localityWeight) : null);
    for (const [key, s] of subsetsOf(hosts, plan).subsets as Map<string, SubsetHosts<WithLocality>>) this.subsets.set(key, new Subset(s.hosts, s.single, build));
    this.any = new Subset(hosts, false, build);
    this.standard = new Subset(hosts.filter((h) => hasMetadata(h, plan.defaultSubset, plan.listAsAny)), false, build);
  }

  pick(ctx: PickContext, attempt: number): Host | null {
    const criteria = ctx.metadataMatch;
    if (criteria === null || !this.plan.metadataFallback) return this.choose(ctx, criteria, attempt);
    const list = criteria.get(FALLBACK_LIST);
    if (list === undefined) return this.choose(ctx, criteria, attempt);
    // FALLBACK_LIST: one set of overrides after the other until a host is found.
    const base = criteria.only(criteria.names.filter((n) => n !== FALLBACK_LIST));
    if (!Array.isArray(list) || list.length === 0) return this.choose(ctx, base, attempt);
    for (const more of list as readonly MetadataValue[]) {
      const fields = more !== null && typeof more === 'object' && !Array.isArray(more) ? (more as { readonly [key: string]: MetadataValue }) : {};
      const host = this.choose(ctx, base === null ? MetadataCriteria.of(fields) : base.merged(fields), attempt);
      if (host !== null) return host;
    }
    return null;
  }

  private choose(ctx: PickContext, criteria: MetadataCriteria | null, attempt: number): Host | null {
    if (criteria !== null) {
      const used = this.plan.redundantKeys ? this.reduced(criteria) : criteria;
      const subset = this.find(used);
      if (subset !== null) { this.stats.inc(CLUSTER_LB.lb_subsets_selected); return subset.pick(ctx, attempt); }
      const selector = this.fallbacks.get(used.namesKey) ?? null;
      if (selector !== null && selector.fallback !== 'NOT_DEFINED') return this.bySelector(ctx, selector, used, attempt);
    }
    if (this.plan.fallback === 'NO_FALLBACK') return null;
    const host = (this.plan.fallback === 'ANY_ENDPOINT' ? this.any : this.standard).pick(ctx, attempt);
    if (host !== null) { this.stats.inc(CLUSTER_LB.lb_subsets_fallback); return host; }
    if (!this.plan.panicAny) return null;
    const last = this.any.pick(ctx, attempt);
    if (last !== null) this.stats.inc(CLUSTER_LB.lb_subsets_fallback_panic);
    return last;
  }

  private find(criteria: MetadataCriteria): Subset | null {
    let found = this.known.get(criteria);
    if (found === undefined) { found = this.subsets.get(criteria.key) ?? null; this.known.set(criteria, found); }
    return found;
  }

  private bySelector(ctx: PickContext, selector: SubsetSelectorPlan, criteria: MetadataCriteria, attempt: number): Host | null {
    switch (selector.fallback) {
      case 'ANY_ENDPOINT': return this.any.pick(ctx, attempt);
      case 'DEFAULT_SUBSET': return this.standard.pick(ctx, attempt);
      case 'KEYS_SUBSET': return this.choose(ctx, criteria.only(selector.fallbackKeys), attempt);
      default: return null;
    }
  }

  /** allow_redundant_keys: only what the first selector asks for whose keys are all there. */
  private readonly reductions = new WeakMap<MetadataCriteria, MetadataCriteria>();
  private reduced(criteria: MetadataCriteria): MetadataCriteria {
    let out = this.reductions.get(criteria);
    if (out !== undefined) return out;
    const selector = this.plan.selectors.find((s) => s.keys.every((k) => criteria.names.includes(k)));
    out = selector === undefined ? criteria : criteria.only(selector.keys) ?? criteria;
    this.reductions.set(criteria, out);
    return out;
  }
}

/** scale_locality_weight: a locality's weight times the part of its hosts that is in the subset. */
function scaled(all: readonly WithLocality[], subset: readonly WithLocality[]): LocalityWeightOf {
  const key = (h: WithLocality): string => `${h.locality.region}\0${h.locality.zone}\0${h.locality.subZone}`;
  const count = (list: readonly WithLocality[]): Map<string, number> => { const out = new Map<string, number>(); for (const h of list) out.set(`${h.priority}\0${key(h)}`, (out.get(`${h.priority}\0${key(h)}`) ?? 0) + 1); return out; };
  const whole = count(all), part = count(subset);
  return (h) => Math.round((h.localityWeight * (part.get(`${h.priority}\0${key(h)}`) ?? 0)) / whole.get(`${h.priority}\0${key(h)}`)!);
}
