// Which subsets the hosts of a cluster form under its selectors, and what happens where a request asks for none of them (Envoy: SubsetLoadBalancer).
import type { MetadataValue } from '../../observe/stream-facts.ts';
import type { SubsetPlan, SubsetSelectorPlan } from '../../plan/cluster-plan.ts';
import { valueKey } from '../metadata-criteria.ts';

type Fields = { readonly [key: string]: MetadataValue };
interface WithMetadata { readonly metadata: { readonly [key: string]: MetadataValue } | null }

function lbFields(host: WithMetadata): Fields | null {
  const v = host.metadata?.['envoy.lb'];
  return v !== null && v !== undefined && typeof v === 'object' && !Array.isArray(v) ? (v as Fields) : null;
}

/** Keys of the subsets that a host belongs to under one selector; a list value stands for each of its items where `listAsAny`. */
function keysOf(fields: Fields, selector: SubsetSelectorPlan, listAsAny: boolean): string[] {
  let out: string[] = [];
  for (const [i, name] of selector.keys.entries()) {
    const v = fields[name];
    if (v === undefined) return [];
    const values = listAsAny && Array.isArray(v) ? (v as readonly MetadataValue[]) : [v], texts = values.map((x) => `${name}=${valueKey(x)}`);
    out = i === 0 ? texts : out.flatMap((o) => texts.map((t) => `${o}\0${t}`));
  }
  return out;
}

export interface SubsetHosts<H> { readonly hosts: H[]; readonly single: boolean }

/** All subsets by their key (see MetadataCriteria.key); `duplicates` counts what a single_host_per_subset selector left out. */
export function subsetsOf<H extends WithMetadata>(hosts: readonly H[], plan: SubsetPlan): { readonly subsets: Map<string, SubsetHosts<H>>; readonly duplicates: number } {
  const subsets = new Map<string, SubsetHosts<H>>();
  let duplicates = 0;
  for (const host of hosts) {
    const fields = lbFields(host);
    if (fields === null) continue;
    for (const selector of plan.selectors) {
      for (const key of keysOf(fields, selector, plan.listAsAny)) {
        let entry = subsets.get(key);
        if (entry === undefined) { entry = { hosts: [], single: selector.singleHost }; subsets.set(key, entry); }
        if (entry.single && entry.hosts.length > 0) { duplicates++; continue; }
        if (!entry.hosts.includes(host)) entry.hosts.push(host);
      }
    }
  }
  return { subsets, duplicates };
}

/** Whether a host has all of `wanted`. */
export function hasMetadata(host: WithMetadata, wanted: Fields, listAsAny: boolean): boolean {
  const fields = lbFields(host), names = Object.keys(wanted);
  if (names.length === 0) return true;
  if (fields === null) return false;
  return names.every((n) => {
    const v = fields[n], want = valueKey(wanted[n]!);
    if (v === undefined) return false;
    return listAsAny && Array.isArray(v) ? (v as readonly MetadataValue[]).some((x) => valueKey(x) === want) : valueKey(v) === want;
  });
}

/** The selector whose fallback holds for a set of names (MetadataCriteria.namesKey). A selector that a longer one before it begins with has none: so Envoy's tree is built. */
export function selectorFallbacks(plan: SubsetPlan): ReadonlyMap<string, SubsetSelectorPlan | null> {
  const out = new Map<string, SubsetSelectorPlan | null>();
  for (const s of plan.selectors) {
    for (let n = 1; n <= s.keys.length; n++) {
      const key = s.keys.slice(0, n).join('\0');
      if (!out.has(key)) out.set(key, n === s.keys.length ? s : null);
    }
  }
  return out;
}
