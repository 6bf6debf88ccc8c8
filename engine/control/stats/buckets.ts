// What a histogram has counted, sparse: bucket numbers (stat-block.ts) in order with their counts. The figures that Envoy's circllhist gives of them.
import { histogramBounds } from '../../observe/stats/stat-block.ts';

export interface Buckets { /** Bucket numbers, ascending. */ readonly at: readonly number[]; readonly count: readonly number[] }
export const EMPTY: Buckets = { at: [], count: [] };

export const QUANTILES = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100] as const;

/** Upper bounds that Envoy shows where the configuration names none. */
export const DEFAULT_BOUNDS: readonly number[] = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000];

/** The non-zero ones of a whole run of slots. */
export function bucketsOf(slots: Float64Array): Buckets {
  const at: number[] = [], count: number[] = [];
  for (let i = 0; i < slots.length; i++) if (slots[i]! > 0) { at.push(i); count.push(slots[i]!); }
  return at.length === 0 ? EMPTY : { at, count };
}

/** What `now` counted beyond `before`. */
export function difference(now: Buckets, before: Buckets): Buckets {
  const at: number[] = [], count: number[] = [];
  for (let i = 0, j = 0; i < now.at.length; i++) {
    while (j < before.at.length && before.at[j]! < now.at[i]!) j++;
    const more = now.count[i]! - (before.at[j] === now.at[i] ? before.count[j]! : 0);
    if (more > 0) { at.push(now.at[i]!); count.push(more); }
  }
  return at.length === 0 ? EMPTY : { at, count };
}

export function total(b: Buckets): number { let n = 0; for (const c of b.count) n += c; return n; }

/** An approximate sum: each sample stands at its bucket's harmonic middle, as circllhist has it. */
export function sum(b: Buckets): number {
  let s = 0;
  for (let i = 0; i < b.at.length; i++) {
    const { from, width } = histogramBounds(b.at[i]!);
    if (from > 0) s += b.count[i]! * (2 / (1 / from + 1 / (from + width)));
  }
  return s;
}

/** Values at QUANTILES: the samples of a bucket are thought of as spread evenly within it. NaN each when nothing was counted. */
export function quantiles(b: Buckets): number[] {
  const all = total(b);
  if (all === 0) return QUANTILES.map(() => NaN);
  let i = 0, seen = 0;
  return QUANTILES.map((q) => {
    const wanted = Math.max(1, Math.ceil((q * all) / 100));
    while (i < b.at.length - 1 && seen + b.count[i]! < wanted) { seen += b.count[i]!; i++; }
    const { from, width } = histogramBounds(b.at[i]!);
    return width === 0 ? from : from + (width * (wanted - seen)) / (b.count[i]! + 1);
  });
}

/** How many samples lie at or below each bound; the bucket that a bound falls into counts whole. */
export function cumulativeCounts(b: Buckets, bounds: readonly number[]): number[] {
  let i = 0, n = 0;
  return bounds.map((bound) => {
    while (i < b.at.length && histogramBounds(b.at[i]!).from <= bound) n += b.count[i++]!;
    return n;
  });
}

/** Counts between each bound and the one before it. */
export function disjointCounts(b: Buckets, bounds: readonly number[]): number[] { return cumulativeCounts(b, bounds).map((n, i, all) => n - (i === 0 ? 0 : all[i - 1]!)); }
