// The writing side of stats: plain adds into this thread's own column of shared memory (design.md section 3).
// Stats come in blocks: a schema (a fixed list of names, known at build time on both sides) under a prefix. A block gets its run of slots at
// first use, so an idle cluster costs nothing, and control learns of it by one record {schema, prefix, base}. Name = prefix + '.' + schema name.
// The reader (control) sums the columns of all workers; zero-valued names of declared scopes are known to it from the plans.

export type StatKind = 'counter' | 'gauge' | 'histogram';

/** A fixed list of stat names. `id` is the key that travels between threads; see schemas.ts. */
export interface StatSchema {
  readonly id: number;
  readonly names: readonly string[];
  readonly kinds: readonly StatKind[];
}

/** What a thread's stat store offers to the builders of runtime objects; never called per request except for the first use of a block. */
export interface StatStore {
  /** This thread's column. Index = slot. One Float64 each, exact to 2^53. */
  readonly column: Float64Array;
  /** What it belonged to is gone and nothing that is counted here is read any more. */
  readonly released: boolean;
  /** Slots for a schema under a prefix; asking twice gives the same base. Reports it to control. */
  claim(schema: StatSchema, prefix: string): number;
  /** A single name (dynamic ones such as cluster.x.upstream_rq_404). Asking twice gives the same slot. */
  claimOne(name: string, kind: 'counter' | 'gauge'): number;
  /** First slot of a histogram's directory (HISTOGRAM_DIRECTORY of them). */
  claimHistogram(name: string): number;
  /** A run of slots for a part of what is known already; 0: no room. */
  extend(slots: number): number;
  /** The store of what goes away together, by the prefix of its names ('cluster.NAME'). Its `column` changes when it does: read it anew each time. `holds`: this one does not go away while that one is at work. */
  owned(name: string, holds?: boolean): StatStore;
}

/**
 * One scope's stats. Use: `block.inc(CLUSTER.upstream_rq_total)`, where CLUSTER maps names to indexes of the schema.
 * inc/add on counters, gaugeAdd on gauges; a claim happens at the first of them.
 */
export class StatBlock {
  private base = -1;
  private readonly store: StatStore;
  readonly schema: StatSchema;
  readonly prefix: string;
  private histograms: Int32Array | null = null;
  constructor(store: StatStore, schema: StatSchema, prefix: string) { this.store = store; this.schema = schema; this.prefix = prefix; }

  inc(index: number): void { if (this.base < 0) this.base = this.store.claim(this.schema, this.prefix); this.store.column[this.base + index]!++; }
  dec(index: number): void { if (this.base < 0) this.base = this.store.claim(this.schema, this.prefix); this.store.column[this.base + index]!--; }
  add(index: number, n: number): void { if (this.base < 0) this.base = this.store.claim(this.schema, this.prefix); this.store.column[this.base + index]! += n; }
  set(index: number, n: number): void { if (this.base < 0) this.base = this.store.claim(this.schema, this.prefix); this.store.column[this.base + index] = n; }
  /** Makes the scope's names known though nothing was counted yet. */
  touch(): void { if (this.base < 0) this.base = this.store.claim(this.schema, this.prefix); }
  /** This worker's own value. */
  own(index: number): number { return this.base < 0 ? 0 : this.store.column[this.base + index]!; }
  /** Records a value of a histogram entry of the schema. */
  record(index: number, value: number): void {
    if (this.histograms === null) this.histograms = new Int32Array(this.schema.names.length).fill(-1);
    let base = this.histograms[index]!;
    if (base < 0) { base = this.store.claimHistogram(this.prefix === '' ? this.schema.names[index]! : `${this.prefix}.${this.schema.names[index]}`); this.histograms[index] = base; }
    recordSample(this.store, base, value);
  }
}

// Histograms live in the same column, as log-linear buckets like Envoy's circllhist: two significant decimal digits, so the quantiles that control
// computes carry the same error as Envoy's. Bucket 0 counts zeros; then 90 buckets (10..99) for each decade 10^-1 to 10^9. A directory of slots
// [zeros, first slot of decade 0, 1, …] comes first: a decade's 90 slots are taken when a sample falls into it, so a usual histogram is 200 slots, not 991.
const DECADES = 11, DIGITS = 90;
/** Buckets of one histogram. */
export const HISTOGRAM_SLOTS = 1 + DIGITS * DECADES;
/** Slots of a directory. */
export const HISTOGRAM_DIRECTORY = 1 + DECADES;
/** Decades of a histogram, and slots of one. */
export const HISTOGRAM_DECADES = DECADES, HISTOGRAM_RUN = DIGITS;

/** Bucket of a value ≥ 0; negative values and NaN count as 0, larger than 9.9e10 as the last bucket. */
export function histogramBucket(value: number): number {
  if (!(value >= 0.1)) return 0;
  let decade = 0;
  let scaled = value * 100; // 0.1 → 10
  while (scaled >= 100 && decade < DECADES - 1) { scaled /= 10; decade++; }
  const digit = scaled >= 99 ? 89 : Math.floor(scaled + 1e-9) - 10;
  return 1 + decade * DIGITS + digit;
}

/** Counts one sample of the histogram whose directory is at `base`. */
export function recordSample(store: StatStore, base: number, value: number): void {
  const { column } = store, bucket = histogramBucket(value);
  if (bucket === 0) { column[base]!++; return; }
  const decade = Math.floor((bucket - 1) / DIGITS), at = base + 1 + decade;
  let run = column[at]!;
  // Without room the sample is lost, as all is that finds none.
  if (run === 0) { run = base === 0 ? 0 : store.extend(DIGITS); if (run === 0) return; column[at] = run; }
  column[run + bucket - 1 - decade * DIGITS]!++;
}

/** Adds what the histogram at `base` of a column has counted to `into`, by bucket. */
export function addBuckets(column: Float64Array, base: number, into: Float64Array): void {
  into[0]! += column[base]!;
  for (let d = 0; d < DECADES; d++) {
    const run = column[base + 1 + d]!;
    if (run > 0) for (let i = 0; i < DIGITS; i++) into[1 + d * DIGITS + i]! += column[run + i]!;
  }
}

/** Lower bound and width of a bucket, for the reader. */
export function histogramBounds(bucket: number): { readonly from: number; readonly width: number } {
  if (bucket === 0) return { from: 0, width: 0 };
  const decade = Math.floor((bucket - 1) / 90), digits = (bucket - 1) % 90 + 10;
  // Divided, not multiplied by a fraction: 12 / 10 is 1.2, 12 * 0.1 is not.
  return decade < 2 ? { from: digits / 10 ** (2 - decade), width: 1 / 10 ** (2 - decade) } : { from: digits * 10 ** (decade - 2), width: 10 ** (decade - 2) };
}

/** Builds a schema from a literal: `defineSchema(3, { rq_total: 'counter', rq_time: 'histogram' })`. */
export function defineSchema<T extends Record<string, StatKind>>(id: number, entries: T): { readonly schema: StatSchema; readonly index: { readonly [K in keyof T]: number } } {
  const names = Object.keys(entries);
  const index = Object.fromEntries(names.map((n, i) => [n, i])) as { [K in keyof T]: number };
  return { schema: { id, names, kinds: names.map((n) => entries[n]!) }, index };
}
