// Which priority takes how much of the load (Envoy: LoadBalancerBase, recalculatePerPriorityState and -Panic). Immutable.
import type { HostSet, WithLocality } from './host-sets.ts';

/** Bit of a choice: the degraded hosts of the priority. */
export const DEGRADED_CHOICE = 0x10000;

export interface PriorityOptions { readonly overprovisioning: number; /** Percent; below it a priority panics. */ readonly panicPercent: number; readonly weightedHealth: boolean }

export function inPanic(set: HostSet, panicPercent: number): boolean {
  const count = set.considered;
  return (count === 0 ? 0 : (100 * set.healthy.length) / count + (100 * set.degraded.length) / count) < panicPercent;
}

const tried = (mask: number, i: number): boolean => i < 31 && (mask & (1 << i)) !== 0;
const weightOf = (hosts: readonly WithLocality[]): number => hosts.reduce((n, h) => n + h.weight, 0);

function availability(set: HostSet, eligible: readonly WithLocality[], o: PriorityOptions): number {
  if (set.considered <= 0) return 0;
  const of = o.weightedHealth ? weightOf(set.all) - set.excludedWeight : set.considered;
  return of === 0 ? 0 : Math.min(100, Math.floor((o.overprovisioning * (o.weightedHealth ? weightOf(eligible) : eligible.length)) / of));
}

export class PriorityLoads {
  /** Percent of the load of each priority's healthy and degraded hosts; all together 100. */
  readonly healthy: number[];
  readonly degraded: number[];
  /** Priorities whose hosts are all used whatever their health. */
  readonly panic: boolean[];

  /** `without`: bit set of priorities that get nothing (already tried), unless nothing else is there. */
  constructor(sets: readonly HostSet[], options: PriorityOptions, without = 0) {
    const available = (eligible: (s: HostSet) => readonly WithLocality[]): number[] => sets.map((s, i) => (tried(without, i) ? 0 : availability(s, eligible(s), options)));
    const healthy = available((s) => s.healthy), degraded = available((s) => s.degraded);
    const total = Math.min(100, [...healthy, ...degraded].reduce((a, b) => a + b, 0));
    this.healthy = sets.map(() => 0); this.degraded = sets.map(() => 0); this.panic = sets.map(() => false);
    if (total > 0) this.distribute(healthy, degraded, total);
    if (total === 0 && options.panicPercent === 0) { if (without === 0) this.healthy[0] = 100; return; }
    // A priority panics only when the whole cluster cannot take all of the load.
    sets.forEach((s, i) => { this.panic[i] = total < 100 && inPanic(s, options.panicPercent); });
    if (this.panic.every((p) => p)) this.spreadPanic(sets, without);
  }

  /** Nothing can be given at all. */
  get none(): boolean { return this.healthy.every((n) => n === 0) && this.degraded.every((n) => n === 0); }

  private distribute(healthy: readonly number[], degraded: readonly number[], total: number): void {
    let left = 100;
    const give = (n: number): number => { const take = Math.min(left, Math.floor((n * 100) / total)); left -= take; return take; };
    healthy.forEach((n, i) => { this.healthy[i] = give(n); });
    degraded.forEach((n, i) => { this.degraded[i] = give(n); });
    if (left === 0) return;
    const first = healthy.findIndex((n) => n > 0);
    if (first >= 0) this.healthy[first]! += left; else this.degraded[degraded.findIndex((n) => n > 0)]! += left;
  }

  /** In total panic load goes by the number of hosts. */
  private spreadPanic(sets: readonly HostSet[], without: number): void {
    const of = (s: HostSet, i: number): number => (tried(without, i) ? 0 : s.all.length);
    const hosts = sets.reduce((n, s, i) => n + of(s, i), 0);
    if (hosts === 0) { if (without === 0) this.healthy[0] = 100; return; }
    let left = 100;
    sets.forEach((s, i) => { this.degraded[i] = 0; this.healthy[i] = Math.floor((100 * of(s, i)) / hosts); left -= this.healthy[i]!; });
    this.healthy[sets.findIndex((s, i) => of(s, i) > 0)]! += left;
  }

  /** Priority for a number 0..99, with DEGRADED_CHOICE for its degraded hosts. */
  choose(percent: number): number {
    let sum = 0;
    for (let i = 0; i < this.healthy.length; i++) { sum += this.healthy[i]!; if (percent < sum) return i; }
    for (let i = 0; i < this.degraded.length; i++) { sum += this.degraded[i]!; if (percent < sum) return i | DEGRADED_CHOICE; }
    return 0;
  }
}
