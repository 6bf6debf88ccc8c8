// The hosts of a cluster by priority and health, and which priority takes how much (Envoy: LoadBalancerBase). Rebuilt when endpoints change or a health flag moved.
import { DEGRADED, EXCLUDED, UNHEALTHY, type HostTable } from '../shm/host-table.ts';
import type { Host } from './upstream.ts';

export class HostSet<H extends Host = Host> {
  readonly priority: number;
  readonly all: readonly H[];
  readonly healthy: H[] = [];
  readonly degraded: H[] = [];
  private excluded = 0;
  constructor(priority: number, all: readonly H[], table: HostTable) {
    this.priority = priority;
    this.all = all;
    for (const h of all) {
      const flags = table.flags(h.index);
      if (flags & EXCLUDED) this.excluded++;
      if (flags & UNHEALTHY) continue;
      if (flags & DEGRADED) this.degraded.push(h); else this.healthy.push(h);
    }
  }
  /** Hosts that count for availability. */
  get considered(): number { return this.all.length - this.excluded; }
}

/** Percent of the load of each priority, healthy and degraded, as Envoy's recalculatePerPriorityState. */
export class PriorityLoads {
  readonly healthy: number[] = [];
  readonly degraded: number[] = [];
  /** Priorities whose hosts are all used whatever their health. */
  readonly panic: boolean[] = [];
  /** Availability of each priority in percent, healthy and degraded together. */
  private readonly available: number[];

  constructor(sets: readonly HostSet[], overprovisioning: number, panicPercent: number) {
    const share = (n: number, of: number): number => (of === 0 ? 0 : Math.min(100, (overprovisioning * n) / of));
    const h = sets.map((s) => share(s.healthy.length, s.considered)), d = sets.map((s) => share(s.degraded.length, s.considered));
    this.available = h.map((n, i) => n + d[i]!);
    const total = Math.min(100, [...h, ...d].reduce((a, b) => a + b, 0));
    let left = 100;
    const give = (n: number): number => { const take = total === 0 ? 0 : Math.min(left, Math.floor((n * 100) / total)); left -= take; return take; };
    for (const n of h) this.healthy.push(give(n));
    for (const n of d) this.degraded.push(give(n));
    if (left > 0 && total > 0) { const i = this.healthy.findIndex((n) => n > 0), j = this.degraded.findIndex((n) => n > 0); if (i >= 0) this.healthy[i]! += left; else if (j >= 0) this.degraded[j]! += left; }
    sets.forEach((s, i) => {
      const percent = s.considered === 0 ? 0 : (100 * (s.healthy.length + s.degraded.length)) / s.considered;
      // Normally a priority panics only when the whole cluster cannot take all of the load.
      this.panic[i] = panicPercent > 0 && total < 100 && percent < panicPercent && s.all.length > 0;
    });
    if (total === 0) { const first = sets.findIndex((s) => s.all.length > 0); if (first >= 0 && panicPercent > 0) { this.healthy[first] = 100; this.panic[first] = true; } }
    else if (this.panic.some((p) => p)) this.spreadPanic(sets);
  }

  /** In total panic load goes by the number of hosts. */
  private spreadPanic(sets: readonly HostSet[]): void {
    if (!this.panic.every((p, i) => p || sets[i]!.all.length === 0)) return;
    const hosts = sets.reduce((n, s) => n + s.all.length, 0);
    let left = 100;
    sets.forEach((s, i) => { this.degraded[i] = 0; this.healthy[i] = hosts === 0 ? 0 : Math.floor((100 * s.all.length) / hosts); left -= this.healthy[i]!; });
    const first = sets.findIndex((s) => s.all.length > 0);
    if (first >= 0) this.healthy[first]! += left;
  }

  /** Percent of the load of each priority when those of `mask` take none; null: no other can take any. */
  without(mask: number): number[] | null {
    const left = this.available.map((n, i) => (mask & (1 << i) ? 0 : n)), total = Math.min(100, left.reduce((a, b) => a + b, 0));
    if (total === 0) return null;
    let rest = 100;
    const load = left.map((n) => { const take = Math.min(rest, Math.floor((n * 100) / total)); rest -= take; return take; });
    load[load.findIndex((n) => n > 0)]! += rest;
    return load;
  }

  /** Priority for a number 0..99; bit 16 set: its degraded hosts. */
  choose(percent: number): number {
    let sum = 0;
    for (let i = 0; i < this.healthy.length; i++) { sum += this.healthy[i]!; if (percent < sum) return i; }
    for (let i = 0; i < this.degraded.length; i++) { sum += this.degraded[i]!; if (percent < sum) return i | 0x10000; }
    return -1;
  }
}
