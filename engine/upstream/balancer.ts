// A cluster's balancer: priority, then (where wanted) locality, then the policy's picker over the hosts that are left (Envoy: hostSourceToUse and chooseHostOnce).
// Immutable; the cluster makes a new one when anything it stands on moved. Pickers are made at first use.
import type { Clock } from '../loop/clock.ts';
import type { Random } from '../loop/random.ts';
import type { Runtime } from '../loop/runtime.ts';
import { runtimeNumber } from '../loop/runtime.ts';
import { CLUSTER_LB } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';
import type { BalancerPlan } from '../plan/cluster-plan.ts';
import type { HostTable } from '../shm/host-table.ts';
import { BoundedLoad } from './lb/bounded-load.ts';
import { EdfSchedule } from './lb/edf.ts';
import { HashPicker } from './lb/hash-picker.ts';
import { hashWeights } from './lb/hash-weights.ts';
import { Maglev } from './lb/maglev.ts';
import { LeastRequest, PickFirst, RandomPick, RoundRobin, type Picker } from './lb/pickers.ts';
import { RingHash } from './lb/ring-hash.ts';
import { SlowStart } from './lb/slow-start.ts';
import { ZoneRouting } from './lb/zone-routing.ts';
import { hostSetsOf, type HostSet, type WithLocality } from './host-sets.ts';
import { DEGRADED_CHOICE, PriorityLoads } from './priority-loads.ts';
import type { Host, Locality, PickContext } from './upstream.ts';

export interface BalancerParts {
  readonly table: HostTable; readonly random: Random; readonly clock: Clock; readonly runtime: Runtime; readonly stats: StatBlock;
  readonly overprovisioning: number; readonly panicPercent: number; readonly weightedHealth: boolean;
  /** Where this proxy runs, and the hosts of its own cluster; null: not known, so there is no routing by zone. */
  readonly own: Locality | null; readonly localHosts: HostSet | null;
}

type Health = 'all' | 'healthy' | 'degraded';

/** Localities in turn by their effective weights; null: none has any. */
function localitySchedule(set: HostSet, health: 'healthy' | 'degraded', overprovisioning: number): EdfSchedule<number> | null {
  const weights = set.localities.map((l) => l.effectiveWeight(l[health].length, overprovisioning));
  if (weights.every((w) => w === 0)) return null;
  const out = new EdfSchedule<number>((i) => weights[i]!);
  weights.forEach((w, i) => { if (w > 0) out.add(i); });
  return out;
}

/** What is made at first use for one priority. */
class Level {
  readonly set: HostSet;
  readonly plain: Partial<Record<Health, Picker>> = {};
  readonly byLocality: Record<'healthy' | 'degraded', (Picker | undefined)[]> = { healthy: [], degraded: [] };
  private readonly schedules: { healthy?: EdfSchedule<number> | null; degraded?: EdfSchedule<number> | null } = {};
  constructor(set: HostSet) { this.set = set; }
  schedule(health: 'healthy' | 'degraded', overprovisioning: number): EdfSchedule<number> | null {
    let s = this.schedules[health];
    if (s === undefined) s = this.schedules[health] = localitySchedule(this.set, health, overprovisioning);
    return s;
  }
}

export class ClusterBalancer implements Picker {
  private readonly plan: BalancerPlan;
  private readonly parts: BalancerParts;
  private readonly sets: readonly HostSet[];
  private readonly levels: readonly Level[];
  private readonly loads: PriorityLoads;
  private readonly hashing: boolean;
  private readonly slow: SlowStart | null;
  private readonly zone: ZoneRouting | null;
  private readonly panicPercent: number;
  /** Everything goes to this one picker: one priority, all of the load, nothing by locality. */
  private readonly only: Picker | null;

  /** `weightOf`: a host's locality weight, null: localities have none. */
  constructor(plan: BalancerPlan, hosts: readonly WithLocality[], parts: BalancerParts, weightOf: ((h: WithLocality) => number) | null = (h) => h.localityWeight) {
    this.plan = plan; this.parts = parts;
    this.panicPercent = Math.min(100, runtimeNumber(parts.runtime.cell('upstream.healthy_panic_threshold'), parts.panicPercent));
    this.sets = hostSetsOf(hosts, parts.table, parts.own, weightOf);
    this.levels = this.sets.map((s) => new Level(s));
    this.loads = new PriorityLoads(this.sets, this.priorityOptions);
    this.hashing = plan.kind === 'ring-hash' || plan.kind === 'maglev';
    this.slow = plan.slowStart === null ? null : new SlowStart(plan.slowStart, parts.table, parts.clock, parts.runtime);
    const zone = this.hashing || parts.localHosts === null ? null : new ZoneRouting(plan.zone, this.sets[0]!, parts.localHosts, plan.failOnPanic, { random: parts.random, runtime: parts.runtime, stats: parts.stats, panicPercent: this.panicPercent });
    this.zone = zone === null || zone.off ? null : zone;
    const simple = this.loads.healthy[0] === 100 && !this.loads.panic[0] && this.zone === null && (this.hashing || !plan.localityWeighted);
    this.only = simple ? this.picker(this.levels[0]!, 'healthy', -1) : null;
  }

  private get priorityOptions(): { overprovisioning: number; panicPercent: number; weightedHealth: boolean } { return { overprovisioning: this.parts.overprovisioning, panicPercent: this.panicPercent, weightedHealth: this.parts.weightedHealth }; }

  pick(ctx: PickContext, attempt: number): Host | null {
    const given = ctx.onlyPriority;
    if (this.only !== null && ctx.triedPriorities <= 0 && given === undefined) return this.only.pick(ctx, attempt);
    const loads = ctx.triedPriorities <= 0 || this.hashing ? this.loads : this.without(ctx);
    const choice = given !== undefined && (given & ~DEGRADED_CHOICE) < this.levels.length ? given : loads.choose(this.hashing && ctx.hasHash ? ((ctx.hashHigh >>> 0) % 100 * 96 + (ctx.hashLow >>> 0) % 100) % 100 : this.parts.random.u32() % 100);
    const level = this.levels[choice & ~DEGRADED_CHOICE]!, panic = loads.panic[level.set.priority]!;
    if (panic) this.parts.stats.inc(CLUSTER_LB.lb_healthy_panic);
    if (this.hashing) return this.picker(level, panic ? 'all' : 'healthy', -1).pick(ctx, attempt);
    if (panic) return this.plan.failOnPanic ? null : this.picker(level, 'all', -1).pick(ctx, attempt);
    const health = choice & DEGRADED_CHOICE ? 'degraded' : 'healthy';
    const locality = this.locality(level, health);
    return locality === 'fail' ? null : this.picker(level, health, locality).pick(ctx, attempt);
  }

  /** Index of the locality that has its turn, -1: any. */
  private locality(level: Level, health: 'healthy' | 'degraded'): number | 'fail' {
    if (this.plan.localityWeighted) {
      const i = level.schedule(health, this.parts.overprovisioning)?.next();
      if (i !== undefined) return i;
    }
    return this.zone === null || level.set.priority !== 0 ? -1 : this.zone.choose();
  }

  private picker(level: Level, health: Health, locality: number): Picker {
    if (locality >= 0 && health !== 'all') return level.byLocality[health][locality] ??= this.policy(level.set, level.set.localities[locality]![health], false);
    return level.plain[health] ??= this.policy(level.set, level.set[health], health === 'all');
  }

  private policy(set: HostSet, hosts: readonly Host[], panic: boolean): Picker {
    const { table, random, runtime } = this.parts, { plan, slow } = this;
    switch (plan.kind) {
      case 'round-robin': case 'provided': return new RoundRobin(hosts, random, slow, plan.orca === null ? undefined : (h) => table.weight(h.index));
      case 'least-request': return new LeastRequest(hosts, table, random, slow, { choices: plan.choices, fullScan: plan.fullScan, bias: plan.activeBias.key === '' ? null : runtime.cell(plan.activeBias.key), defaultBias: plan.activeBias.value });
      case 'random': return new RandomPick(hosts, random);
      case 'pick-first': return new PickFirst(hosts, plan.shuffle ? random : null);
      case 'ring-hash': case 'maglev': {
        const weights = hashWeights(set, panic, plan.byHostname, plan.localityWeighted);
        const made = plan.kind === 'ring-hash' ? new RingHash(weights, plan) : new Maglev(weights, plan.tableSize);
        return new HashPicker(made, random, plan.balanceFactor === 0 ? null : new BoundedLoad(weights, table, plan.balanceFactor));
      }
    }
  }

  private readonly reduced = new Map<number, PriorityLoads>();
  /** Loads when some priorities were tried already (Envoy: previous_priorities); where no other can take any they are forgotten, and `triedPriorities` is -1. */
  private without(ctx: PickContext): PriorityLoads {
    const tried = ctx.triedPriorities;
    let loads = this.reduced.get(tried);
    if (loads === undefined) { loads = new PriorityLoads(this.sets, this.priorityOptions, tried); this.reduced.set(tried, loads); }
    if (!loads.none) return loads;
    ctx.triedPriorities = -1;
    return this.loads;
  }
}
