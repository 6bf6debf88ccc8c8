// Zone-aware routing (Envoy: ZoneAwareLoadBalancerBase): of the requests to the first priority as many stay in this proxy's own locality as the hosts there can take,
// measured by how the proxies of the local cluster and the upstream hosts spread over the localities. Made anew with its host sets.
import type { Random } from '../../loop/random.ts';
import { runtimeFlag, runtimeNumber, type Runtime } from '../../loop/runtime.ts';
import { CLUSTER_LB } from '../../observe/stats/schemas.ts';
import type { StatBlock } from '../../observe/stats/stat-block.ts';
import type { ZonePlan } from '../../plan/cluster-plan.ts';
import { sameLocality, type HostSet, type LocalityHosts } from '../host-sets.ts';
import { inPanic } from '../priority-loads.ts';

export interface ZoneParts { readonly random: Random; readonly runtime: Runtime; readonly stats: StatBlock; readonly panicPercent: number }

/** `fail`: no host at all; -1: not by locality. */
export type ZoneChoice = number | 'fail';

export class ZoneRouting {
  private readonly parts: ZoneParts;
  private readonly plan: ZonePlan;
  private readonly local: HostSet;
  private readonly localities: readonly LocalityHosts[];
  private readonly failOnPanic: boolean;
  private state: 'none' | 'direct' | 'residual' = 'none';
  /** Of 10,000 requests, those that stay. */
  private stay = 0;
  /** Running sums of what the localities can take beyond their own. */
  private readonly residual: number[] = [];

  constructor(plan: ZonePlan, upstream: HostSet, local: HostSet, failOnPanic: boolean, parts: ZoneParts) {
    this.plan = plan; this.local = local; this.failOnPanic = failOnPanic; this.parts = parts;
    this.localities = upstream.localities;
    parts.stats.inc(CLUSTER_LB.lb_recalculate_zone_structures);
    if (this.possible(upstream)) this.divide(upstream);
  }

  /** This proxy never routes by zone with these hosts. */
  get off(): boolean { return this.state === 'none'; }

  private direct(upstream: HostSet): boolean { return this.plan.minLocal > 0 && upstream.hasLocal && upstream.localities[0]!.healthy.length >= this.plan.minLocal; }

  private possible(upstream: HostSet): boolean {
    const { stats, runtime } = this.parts, { local, plan } = this;
    if (upstream.localities.length < 2) return false;
    if (local.localities.length < 2 && plan.minLocal === 0) return false;
    if (!local.hasLocal || local.localities[0]!.all.length === 0) { stats.inc(CLUSTER_LB.lb_local_cluster_not_ok); return false; }
    if (upstream.healthy.length < runtimeNumber(runtime.cell('upstream.zone_routing.min_cluster_size'), plan.minClusterSize)) { stats.inc(CLUSTER_LB.lb_zone_cluster_too_small); return false; }
    return true;
  }

  private divide(upstream: HostSet): void {
    const size = (l: LocalityHosts): number => (this.plan.byWeight ? l.healthy.reduce((n, h) => n + h.weight, 0) : l.healthy.length);
    const share = (n: number, of: number): number => (of === 0 ? 0 : Math.floor((10_000 * n) / of));
    const there = upstream.localities, here = this.local.localities;
    const allThere = there.reduce((n, l) => n + size(l), 0), allHere = here.reduce((n, l) => n + size(l), 0);
    const can = there.map((l) => share(size(l), allThere));
    const come = there.map((l) => { const own = l.healthy.length === 0 ? undefined : here.find((x) => sameLocality(x.locality, l.locality)); return own === undefined ? 0 : share(size(own), allHere); });
    const first = upstream.hasLocal;
    if (first && ((can[0]! > 0 && can[0]! >= come[0]!) || this.direct(upstream))) { this.state = 'direct'; return; }
    this.state = 'residual';
    this.stay = first && come[0]! > 0 ? Math.floor((can[0]! * 10_000) / come[0]!) : 0;
    let sum = 0;
    there.forEach((_, i) => { if (!(i === 0 && first)) sum += Math.max(0, can[i]! - come[i]!); this.residual.push(sum); });
  }

  /** Index of the locality that takes the next request. */
  choose(): ZoneChoice {
    const { stats, random, runtime } = this.parts;
    if (this.state === 'none') return -1;
    const enabled = runtime.cell('upstream.zone_routing.enabled').value;
    const percent = typeof enabled === 'number' ? enabled : runtimeFlag({ value: enabled }, true) ? this.plan.enabledPercent : 0;
    if (percent < 100 && random.u32() % 100 >= percent) return -1;
    if (inPanic(this.local, this.parts.panicPercent)) { stats.inc(CLUSTER_LB.lb_local_cluster_not_ok); return this.failOnPanic ? 'fail' : -1; }
    if (this.state === 'direct') { stats.inc(CLUSTER_LB.lb_zone_routing_all_directly); return 0; }
    if (random.u32() % 10_000 < this.stay) { stats.inc(CLUSTER_LB.lb_zone_routing_sampled); return 0; }
    stats.inc(CLUSTER_LB.lb_zone_routing_cross_zone);
    const capacity = this.residual[this.residual.length - 1]!;
    if (capacity === 0) { stats.inc(CLUSTER_LB.lb_zone_no_capacity_left); return random.u32() % this.localities.length; }
    const at = random.u32() % capacity;
    return this.residual.findIndex((n) => at < n);
  }
}
