// A cluster's balancer: priority, then (where weighted) locality, then the policy's picker. Immutable; the cluster makes a new one when anything it stands on moved.
import type { Random } from '../loop/random.ts';
import type { BalancerPlan } from '../plan/cluster-plan.ts';
import type { HostTable } from '../shm/host-table.ts';
import { EdfSchedule } from './lb/edf.ts';
import { Maglev, RingHash } from './lb/hash-rings.ts';
import { LeastRequest, RandomPick, RoundRobin, type Picker } from './lb/pickers.ts';
import { HostSet, PriorityLoads } from './host-sets.ts';
import type { Host, PickContext } from './upstream.ts';

export interface BalancerParts { readonly table: HostTable; readonly random: Random; readonly overprovisioning: number; readonly panicPercent: number; readonly failOnPanic: boolean; /** Told of each choice made in panic. */ onPanic(): void }
/** Weight of a host's locality. */
export interface WithLocality extends Host { readonly localityWeight: number }

class Localities implements Picker {
  private readonly schedule = new EdfSchedule<Picker>();
  constructor(groups: readonly { readonly weight: number; readonly picker: Picker }[]) { for (const g of groups) if (g.weight > 0) this.schedule.add(g.picker, g.weight); }
  pick(ctx: PickContext): Host | null { return this.schedule.next()?.pick(ctx) ?? null; }
}

export class ClusterBalancer {
  private readonly loads: PriorityLoads;
  private readonly healthy: Picker[];
  private readonly degraded: Picker[];
  private readonly parts: BalancerParts;
  private readonly plan: BalancerPlan;
  private readonly all: boolean;

  constructor(plan: BalancerPlan, hosts: readonly WithLocality[], parts: BalancerParts) {
    this.plan = plan;
    this.parts = parts;
    const priorities = hosts.reduce((n, h) => Math.max(n, h.priority + 1), 1);
    const sets = Array.from({ length: priorities }, (_, p) => new HostSet(p, hosts.filter((h) => h.priority === p), parts.table));
    this.loads = new PriorityLoads(sets, parts.overprovisioning, parts.panicPercent);
    this.healthy = sets.map((s, i) => this.picker(this.loads.panic[i] ? s.all : s.healthy));
    this.degraded = sets.map((s) => this.picker(s.degraded));
    this.all = priorities === 1 && this.loads.healthy[0] === 100 && !this.loads.panic[0];
  }

  pick(ctx: PickContext): Host | null {
    if (this.all) return this.healthy[0]!.pick(ctx);
    if (ctx.triedPriorities > 0) { const picked = this.elsewhere(ctx); if (picked !== null) return picked; }
    const choice = this.loads.choose(ctx.hasHash ? (ctx.hashLow >>> 0) % 100 : this.parts.random.u32() % 100);
    if (choice < 0) return null;
    const priority = choice & 0xffff;
    if (choice & 0x10000) return this.degraded[priority]!.pick(ctx);
    if (this.loads.panic[priority]) { this.parts.onPanic(); if (this.parts.failOnPanic) return null; }
    return this.healthy[priority]!.pick(ctx);
  }

  /** A host of the priorities that were not tried; null, and `triedPriorities` -1, where there is none (Envoy: previous_priorities). */
  private elsewhere(ctx: PickContext): Host | null {
    const load = this.loads.without(ctx.triedPriorities);
    if (load === null) { ctx.triedPriorities = -1; return null; }
    let percent = this.parts.random.u32() % 100;
    for (let i = 0; i < load.length; i++) { percent -= load[i]!; if (percent < 0) return this.healthy[i]!.pick(ctx); }
    return null;
  }

  private picker(hosts: readonly WithLocality[]): Picker {
    if (!this.plan.localityWeighted) return this.policy(hosts);
    const groups = new Map<string, WithLocality[]>();
    for (const h of hosts) { const key = `${h.locality.region}\0${h.locality.zone}\0${h.locality.subZone}`; const g = groups.get(key); if (g === undefined) groups.set(key, [h]); else g.push(h); }
    return new Localities([...groups.values()].map((g) => ({ weight: g[0]!.localityWeight, picker: this.policy(g) })));
  }

  private policy(hosts: readonly Host[]): Picker {
    const { table, random } = this.parts, { plan } = this;
    switch (plan.kind) {
      case 'round-robin': return new RoundRobin(hosts, random);
      case 'least-request': return new LeastRequest(hosts, table, random, plan.choices, plan.activeBias);
      case 'random': return new RandomPick(hosts, random);
      case 'ring-hash': return new RingHash(hosts, random, table, plan);
      case 'maglev': return new Maglev(hosts, random, table, plan);
    }
  }
}
