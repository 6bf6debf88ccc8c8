// An aggregate cluster (Envoy: envoy.clusters.aggregate): the priorities of its members in a row, the first member's first. How much each takes is decided over all of
// them; the host is then the member's choice. Requests, connections and their breakers count with the member, answers with the aggregate.
import type { ClusterEntry, Surroundings } from '../cluster.ts';
import type { HostSet } from '../host-sets.ts';
import { DEGRADED_CHOICE, PriorityLoads } from '../priority-loads.ts';
import type { Host, PickContext } from '../upstream.ts';
import type { HostChooser } from './chooser.ts';

interface Level { readonly member: ClusterEntry; readonly priority: number; readonly set: HostSet }

/** The context of a request with its priority chosen; one for all, as a choice is made on one stack. */
class MemberContext implements PickContext {
  inner!: PickContext;
  onlyPriority = 0;
  triedPriorities = 0;
  readonly overrideHost = null;
  get hasHash(): boolean { return this.inner.hasHash; }
  get hashHigh(): number { return this.inner.hashHigh; }
  get hashLow(): number { return this.inner.hashLow; }
  get request(): PickContext['request'] { return this.inner.request; }
  get facts(): PickContext['facts'] { return this.inner.facts; }
  get metadataMatch(): PickContext['metadataMatch'] { return this.inner.metadataMatch; }
  get avoid(): PickContext['avoid'] { return this.inner.avoid; }
  get maxReselect(): number { return this.inner.maxReselect; }
  get overridesUsed(): number { return this.inner.overridesUsed; }
  set overridesUsed(n: number) { this.inner.overridesUsed = n; }
}

export class AggregateChooser implements HostChooser {
  private readonly entry: ClusterEntry;
  private readonly names: readonly string[];
  private readonly around: Surroundings;
  private levels: readonly Level[] = [];
  private loads: PriorityLoads | null = null;
  private generation = -1;
  private epoch = -1;
  private readonly context = new MemberContext();
  /** Guards against members that lead back here. */
  private listing = false;

  constructor(entry: ClusterEntry, names: readonly string[], around: Surroundings) { this.entry = entry; this.names = names; this.around = around; }

  choose(ctx: PickContext): Host | null {
    const { entry, context } = this, epoch = entry.shared.words.healthEpoch();
    if (this.loads === null || epoch !== this.epoch || this.around.generation !== this.generation) this.build(epoch);
    const tried = ctx.triedPriorities > 0 ? new PriorityLoads(this.levels.map((l) => l.set), entry.priorityOptions, ctx.triedPriorities) : null;
    if (tried !== null && tried.none) ctx.triedPriorities = -1;
    if (this.levels.length === 0) return null;
    const choice = (tried === null || tried.none ? this.loads! : tried).choose(entry.env.random.u32() % 100), level = this.levels[choice & ~DEGRADED_CHOICE]!;
    context.inner = ctx;
    context.onlyPriority = level.priority | (choice & DEGRADED_CHOICE);
    return level.member.choose(context);
  }

  /** All priorities of all members, in order. */
  list(): Level[] {
    if (this.listing) return [];
    this.listing = true;
    const out = this.names.flatMap((name): Level[] => {
      const member = this.around.member(name);
      if (member === null) return [];
      const { chooser } = member;
      return chooser instanceof AggregateChooser ? chooser.list() : member.hostSets().map((set, priority) => ({ member, priority, set }));
    });
    this.listing = false;
    return out;
  }

  private build(epoch: number): void {
    this.epoch = epoch;
    this.generation = this.around.generation;
    this.levels = this.list();
    this.loads = new PriorityLoads(this.levels.map((l) => l.set), this.entry.priorityOptions);
  }

  drain(): void { /* the members have the connections */ }
}
