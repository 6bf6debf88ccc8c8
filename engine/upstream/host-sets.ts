// The hosts of one priority, sorted by health and by locality (Envoy: HostSetImpl). Immutable; made anew when endpoints change or a health flag moved.
import { DEGRADED, EXCLUDED, UNHEALTHY, type HostTable } from '../shm/host-table.ts';
import type { Host, Locality } from './upstream.ts';

/** The hosts of one locality. `weight` is that of its endpoints in the configuration, 0: none given. */
export class LocalityHosts<H extends Host = Host> {
  readonly locality: Locality;
  readonly weight: number;
  readonly all: H[] = [];
  readonly healthy: H[] = [];
  readonly degraded: H[] = [];
  excluded = 0;
  constructor(locality: Locality, weight: number) { this.locality = locality; this.weight = weight; }

  /** What of its weight counts: less than all of it when too few of its hosts are eligible (HostSetImpl::effectiveLocalityWeight). */
  effectiveWeight(eligible: number, overprovisioning: number): number {
    const count = this.all.length - this.excluded;
    return count === 0 ? 0 : this.weight * Math.min(1, (overprovisioning / 100) * (eligible / count));
  }
}

export function sameLocality(a: Locality, b: Locality): boolean { return a.region === b.region && a.zone === b.zone && a.subZone === b.subZone; }
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Weight of a host's locality. */
export interface WithLocality extends Host { readonly localityWeight: number }

export class HostSet<H extends WithLocality = WithLocality> {
  readonly priority: number;
  readonly all: readonly H[];
  readonly healthy: H[] = [];
  readonly degraded: H[] = [];
  excluded = 0;
  excludedWeight = 0;
  private readonly table: HostTable;
  private readonly own: Locality | null;
  /** Localities have weights (else consistent hashing takes all hosts alike). */
  readonly weighted: boolean;
  private readonly weightOf: (h: H) => number;
  private groups: LocalityHosts<H>[] | null = null;
  private local = false;

  /** `own`: where this proxy runs, null when it does not know. `weightOf`: a host's locality weight, null: localities have none. */
  constructor(priority: number, all: readonly H[], table: HostTable, own: Locality | null, weightOf: ((h: H) => number) | null = (h) => h.localityWeight) {
    this.weighted = weightOf !== null; this.weightOf = weightOf ?? (() => 0);
    this.priority = priority; this.all = all; this.table = table; this.own = own;
    for (const h of all) {
      const flags = table.flags(h.index);
      if (flags & EXCLUDED) { this.excluded++; this.excludedWeight += h.weight; }
      if (flags & UNHEALTHY) continue;
      if (flags & DEGRADED) this.degraded.push(h); else this.healthy.push(h);
    }
  }
  /** Hosts that count for availability. */
  get considered(): number { return this.all.length - this.excluded; }

  /** By locality: the own one first, the others in the order of their names. Made when asked for. */
  get localities(): readonly LocalityHosts<H>[] { return this.groups ??= this.group(); }
  /** The first of `localities` is this proxy's own. */
  get hasLocal(): boolean { void this.localities; return this.local; }

  private group(): LocalityHosts<H>[] {
    const groups = new Map<string, LocalityHosts<H>>();
    for (const h of this.all) {
      const { locality } = h, key = `${locality.region}\0${locality.zone}\0${locality.subZone}`;
      let g = groups.get(key);
      if (g === undefined) { g = new LocalityHosts<H>(locality, this.weightOf(h)); groups.set(key, g); }
      g.all.push(h);
      const flags = this.table.flags(h.index);
      if (flags & EXCLUDED) g.excluded++;
      if (flags & UNHEALTHY) continue;
      (flags & DEGRADED ? g.degraded : g.healthy).push(h);
    }
    const { own } = this;
    const is = (g: LocalityHosts<H>): number => (own !== null && sameLocality(g.locality, own) ? 0 : 1);
    const out = [...groups.values()].sort((a, b) => is(a) - is(b) || order(a.locality.region, b.locality.region) || order(a.locality.zone, b.locality.zone) || order(a.locality.subZone, b.locality.subZone));
    this.local = out.length > 0 && is(out[0]!) === 0;
    return out;
  }
}

/** The hosts of each priority up to the highest one in use; at least one set. */
export function hostSetsOf<H extends WithLocality>(hosts: readonly H[], table: HostTable, own: Locality | null, weightOf?: ((h: H) => number) | null): HostSet<H>[] {
  const byPriority: H[][] = [[]];
  for (const h of hosts) { while (byPriority.length <= h.priority) byPriority.push([]); byPriority[h.priority]!.push(h); }
  return byPriority.map((list, p) => new HostSet(p, list, table, own, weightOf));
}
