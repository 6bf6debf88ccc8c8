// Hosts, a context and a balancer for tests of balancing: no sockets, a chosen clock and chance.
import { ManualClock } from '../../../../engine/loop/clock.ts';
import { SeededRandom } from '../../../../engine/loop/random.ts';
import { Runtime } from '../../../../engine/loop/runtime.ts';
import { CLUSTER_LB, CLUSTER_LB_SCHEMA } from '../../../../engine/observe/stats/schemas.ts';
import { StatBlock, type StatStore } from '../../../../engine/observe/stats/stat-block.ts';
import type { BalancerPlan } from '../../../../engine/plan/cluster-plan.ts';
import { HostTable } from '../../../../engine/shm/host-table.ts';
import { ClusterBalancer, type BalancerParts } from '../../../../engine/upstream/balancer.ts';
import { BALANCER } from '../../../../engine/upstream/balancer-config.ts';
import type { HostSet, WithLocality } from '../../../../engine/upstream/host-sets.ts';
import { SubsetBalancer } from '../../../../engine/upstream/lb/subset-balancer.ts';
import type { MetadataCriteria } from '../../../../engine/upstream/metadata-criteria.ts';
import type { Host, Locality, PickContext } from '../../../../engine/upstream/upstream.ts';

const NOWHERE: Locality = { region: '', zone: '', subZone: '' };

class Store implements StatStore {
  readonly column = new Float64Array(4096);
  private next = 0;
  claim(schema: { readonly names: readonly string[] }): number { const at = this.next; this.next += schema.names.length; return at; }
  claimOne(): number { return this.next++; }
  claimHistogram(): number { return 0; }
  extend(): number { return 0; }
  readonly released = false;
  owned(): this { return this; }
}

export const zone = (name: string): Locality => ({ region: '', zone: name, subZone: '' });

export class World {
  readonly table = new HostTable(new SharedArrayBuffer(HostTable.bytes(256)));
  readonly clock = new ManualClock();
  readonly random = new SeededRandom(7);
  readonly runtime = new Runtime();
  readonly stats = new StatBlock(new Store(), CLUSTER_LB_SCHEMA, 'cluster.x');
  readonly hosts: WithLocality[] = [];
  readonly ctx: PickContext = { hasHash: false, hashHigh: 0, hashLow: 0, request: null, facts: null, metadataMatch: null, avoid: null, maxReselect: 0, triedPriorities: 0, overrideHost: null, overridesUsed: 0 };

  add(name: string, more: Partial<{ weight: number; priority: number; locality: Locality; localityWeight: number; lb: Record<string, never>; flags: number }> | { lb?: unknown; [k: string]: unknown } = {}): WithLocality {
    const o = more as { weight?: number; priority?: number; locality?: Locality; localityWeight?: number; lb?: never; flags?: number };
    const host = { index: this.hosts.length, address: { kind: 'ip', family: 4, ip: '10.0.0.1', port: this.hosts.length } as const, text: name, hostname: '', cluster: null as never, priority: o.priority ?? 0, locality: o.locality ?? NOWHERE, localityWeight: o.localityWeight ?? 0, metadata: o.lb === undefined ? null : { 'envoy.lb': o.lb }, weight: o.weight ?? 1 };
    this.hosts.push(host);
    if (o.flags !== undefined) this.table.setFlags(host.index, o.flags);
    return host;
  }

  parts(more: Partial<BalancerParts> = {}): BalancerParts { return { table: this.table, random: this.random, clock: this.clock, runtime: this.runtime, stats: this.stats, overprovisioning: 140, panicPercent: 50, weightedHealth: false, own: null, localHosts: null as HostSet | null, ...more }; }
  balancer(plan: Partial<BalancerPlan> = {}, parts: Partial<BalancerParts> = {}): { pick(ctx: PickContext, attempt: number): Host | null } {
    const whole: BalancerPlan = { ...BALANCER, ...plan }, all = this.parts(parts);
    return whole.subset === null ? new ClusterBalancer(whole, this.hosts, all) : new SubsetBalancer(whole.subset, this.hosts, this.stats, (some, weightOf) => new ClusterBalancer(whole, some, all, weightOf));
  }

  /** How often each host was taken over `n` choices. */
  tally(b: { pick(ctx: PickContext, attempt: number): Host | null }, n: number, criteria: MetadataCriteria | null = null, onPick?: (h: Host) => void): Record<string, number> {
    const out: Record<string, number> = {};
    const ctx = criteria === null ? this.ctx : { ...this.ctx, metadataMatch: criteria };
    for (let i = 0; i < n; i++) { const h = b.pick(ctx, 0), k = h?.text ?? 'none'; out[k] = (out[k] ?? 0) + 1; if (h !== null) onPick?.(h); }
    return out;
  }
  count(name: keyof typeof CLUSTER_LB): number { return this.stats.own(CLUSTER_LB[name]); }
}

/** Pearson's statistic of counts against shares; compare with the 99.9 % point for its degrees of freedom. */
export function chiSquare(counts: readonly number[], shares: readonly number[]): number {
  const n = counts.reduce((a, b) => a + b, 0), all = shares.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, c, i) => { const e = (n * shares[i]!) / all; return sum + (c - e) ** 2 / e; }, 0);
}
