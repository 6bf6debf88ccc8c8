// Gauges of balancers (ring_hash_lb.*, maglev_lb.*, lb_subsets_active): every worker builds the same from the same hosts, so control says them once.
import type { BalancerPlan, HostPlan } from '../../plan/cluster-plan.ts';
import type { HostTable } from '../../shm/host-table.ts';
import { hashWeights } from '../../upstream/lb/hash-weights.ts';
import { maglevFacts } from '../../upstream/lb/maglev.ts';
import { ringFacts } from '../../upstream/lb/ring-hash.ts';
import { subsetsOf } from '../../upstream/lb/subset-tree.ts';
import { HostSet, type WithLocality } from '../../upstream/host-sets.ts';

type GaugeHost = HostPlan & { readonly text?: string };

/** Names (under the cluster's scope) and values; empty for a balancer without gauges. Subsets count once a thread, the main one included, as in Envoy. */
export function balancerGauges(plan: BalancerPlan, hosts: readonly GaugeHost[], table: HostTable, concurrency: number): (readonly [string, number])[] {
  const out: (readonly [string, number])[] = [];
  if (plan.subset !== null) {
    const { subsets, duplicates } = subsetsOf(hosts, plan.subset);
    out.push(['lb_subsets_active', subsets.size * (concurrency + 1)], ['lb_subsets_single_host_per_subset_duplicate', duplicates]);
  }
  if (plan.kind !== 'ring-hash' && plan.kind !== 'maglev') return out;
  // The gauges are of the last priority that was built: as Envoy's, one value for all.
  const last = hosts.reduce((n, h) => Math.max(n, h.priority), 0);
  const set = new HostSet(last, hosts.filter((h) => h.priority === last) as unknown as readonly WithLocality[], table, null);
  const weights = hashWeights(set, false, plan.byHostname, plan.localityWeighted);
  if (plan.kind === 'ring-hash') { const f = ringFacts(weights, plan); if (f !== null) out.push(['ring_hash_lb.size', f.size], ['ring_hash_lb.min_hashes_per_host', f.least], ['ring_hash_lb.max_hashes_per_host', f.most]); }
  else { const f = maglevFacts(weights, plan.tableSize); if (f !== null) out.push(['maglev_lb.min_entries_per_host', f.least], ['maglev_lb.max_entries_per_host', f.most]); }
  return out;
}

/** Subsets that the hosts form. */
export function subsetCount(plan: BalancerPlan, hosts: readonly GaugeHost[]): number { return plan.subset === null ? 0 : subsetsOf(hosts, plan.subset).subsets.size; }
