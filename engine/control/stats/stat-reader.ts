// The reading side of stats: knows where each worker's values stand from their claims, sums the columns, and remembers what dead workers had counted.
// Control's own stats come in through `set`. Names of declared scopes read 0 before any worker touches them. Control thread only.
import { compileRegex } from '../../headers/string-matcher.ts';
import { histogramBounds, HISTOGRAM_SLOTS, type StatSchema } from '../../observe/stats/stat-block.ts';
import type { StatClaim } from '../../observe/stats/thread-stat-store.ts';

export type ScalarKind = 'counter' | 'gauge';
interface Place { readonly column: Float64Array; readonly slot: number }

class Scalar {
  readonly kind: ScalarKind;
  places: Place[] = [];
  /** Counts of workers that are gone, and control's own value. */
  kept = 0;
  /** What /reset_counters takes away: workers' columns have one writer, so they are not touched. */
  reset = 0;
  constructor(kind: ScalarKind) { this.kind = kind; }
  raw(): number { let sum = this.kept; for (const p of this.places) sum += p.column[p.slot]!; return sum; }
}

class HistogramEntry {
  places: Place[] = [];
  readonly kept = new Float64Array(HISTOGRAM_SLOTS);
  /** Buckets at the last flush, and those of the interval before it. */
  cumulative: Float64Array = new Float64Array(HISTOGRAM_SLOTS);
  interval: Float64Array = new Float64Array(HISTOGRAM_SLOTS);
  flushed = false;
  merged(): Float64Array {
    const sum = this.kept.slice();
    for (const p of this.places) for (let i = 0; i < HISTOGRAM_SLOTS; i++) sum[i]! += p.column[p.slot + i]!;
    return sum;
  }
}

export interface HistogramView { /** Counts by bucket (see histogramBounds), as of the last flush. */ readonly cumulative: Float64Array; readonly interval: Float64Array; readonly flushed: boolean }

/** Envoy's sanitizing of stat names: ':' and NUL are not allowed in them. */
export function sanitizeName(name: string): string { return name.replaceAll('://', '_').replaceAll(':/', '_').replace(/[:\0]/g, '_'); }

export class StatReader {
  private readonly scalars = new Map<string, Scalar>();
  private readonly histograms = new Map<string, HistogramEntry>();
  private readonly schemas: ReadonlyMap<number, StatSchema>;
  /** Schemas that are not shown (hosts, circuit tables). */
  private readonly hidden: ReadonlySet<number>;
  private readonly columns = new Map<number, Float64Array>();

  constructor(schemas: readonly StatSchema[], hidden: readonly number[] = []) { this.schemas = new Map(schemas.map((s) => [s.id, s])); this.hidden = new Set(hidden); }

  /** A worker (or control, under an id of its own) starts to write into `memory`. */
  attach(thread: number, memory: SharedArrayBuffer): void { this.columns.set(thread, new Float64Array(memory)); }

  /** What a thread's stat store reported. Claims of unknown threads and schemas are ignored. */
  claim(thread: number, claim: StatClaim): void {
    const column = this.columns.get(thread);
    if (column === undefined) return;
    if (claim.kind === 'stat') { if (claim.statKind !== 'histogram') this.scalar(sanitizeName(claim.name), claim.statKind).places.push({ column, slot: claim.slot }); return; }
    if (claim.kind === 'histogram') { this.histogram(sanitizeName(claim.name)).places.push({ column, slot: claim.base }); return; }
    const schema = this.schemas.get(claim.schema);
    if (schema === undefined || this.hidden.has(schema.id)) return;
    this.eachName(schema, claim.prefix, (name, kind, i) => { if (kind !== 'histogram') this.scalar(name, kind).places.push({ column, slot: claim.base + i }); else this.histogram(name); });
  }

  /** A scope exists by configuration: all its names read 0 from now on. */
  declare(schema: StatSchema, prefix: string): void {
    this.eachName(schema, prefix, (name, kind) => { if (kind === 'histogram') this.histogram(name); else this.scalar(name, kind); });
  }

  /** Forgets a scope, such as a removed cluster's: `prefix` and all names below it. */
  retireScope(prefix: string): void {
    const start = `${sanitizeName(prefix)}.`;
    for (const map of [this.scalars, this.histograms] as const) for (const name of map.keys()) if (name.startsWith(start)) map.delete(name);
  }

  /** A thread is gone: its counts are kept, its gauges fall away. */
  detach(thread: number): void {
    const column = this.columns.get(thread);
    if (column === undefined) return;
    this.columns.delete(thread);
    for (const s of this.scalars.values()) s.places = s.places.filter((p) => { if (p.column !== column) return true; if (s.kind === 'counter') s.kept += column[p.slot]!; return false; });
    for (const h of this.histograms.values()) h.places = h.places.filter((p) => { if (p.column !== column) return true; for (let i = 0; i < HISTOGRAM_SLOTS; i++) h.kept[i]! += column[p.slot + i]!; return false; });
  }

  /** Control's own value. Counters: the total so far. */
  set(name: string, kind: ScalarKind, value: number): void { this.scalar(name, kind).kept = value; }

  value(name: string): number | undefined { const s = this.scalars.get(name); return s === undefined ? undefined : s.raw() - s.reset; }
  kind(name: string): ScalarKind | undefined { return this.scalars.get(name)?.kind; }
  scalarNames(): string[] { return [...this.scalars.keys()].sort(); }
  histogramNames(): string[] { return [...this.histograms.keys()].sort(); }
  histogramView(name: string): HistogramView | undefined { return this.histograms.get(name); }

  /** Called every stats flush interval: moves the histograms' interval on. */
  flush(): void {
    for (const h of this.histograms.values()) {
      const now = h.merged();
      h.interval = now.map((n, i) => Math.max(0, n - h.cumulative[i]!));
      h.cumulative = now;
      h.flushed = true;
    }
  }

  resetCounters(): void { for (const s of this.scalars.values()) if (s.kind === 'counter') s.reset = s.raw(); }

  private eachName(schema: StatSchema, prefix: string, each: (name: string, kind: StatSchema['kinds'][number], index: number) => void): void {
    const start = prefix === '' ? '' : `${sanitizeName(prefix)}.`;
    for (let i = 0; i < schema.names.length; i++) each(start + schema.names[i]!, schema.kinds[i]!, i);
  }
  private scalar(name: string, kind: ScalarKind): Scalar { let s = this.scalars.get(name); if (s === undefined) { s = new Scalar(kind); this.scalars.set(name, s); } return s; }
  private histogram(name: string): HistogramEntry { let h = this.histograms.get(name); if (h === undefined) { h = new HistogramEntry(); this.histograms.set(name, h); } return h; }
}

export const QUANTILES = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100] as const;

/** Values at QUANTILES, linear within a bucket; NaN each when nothing was counted. */
export function quantiles(buckets: Float64Array): number[] {
  const total = buckets.reduce((a, b) => a + b, 0);
  if (total === 0) return QUANTILES.map(() => NaN);
  return QUANTILES.map((q) => {
    const wanted = (q / 100) * total;
    let seen = 0;
    for (let i = 0; i < buckets.length; i++) {
      const n = buckets[i]!;
      if (n === 0) continue;
      if (seen + n >= wanted) { const { from, width } = histogramBounds(i); return from + width * ((wanted - seen) / n); }
      seen += n;
    }
    return NaN;
  });
}

/** A test for names by an RE2 pattern found anywhere in them; null when the pattern is none. */
export function nameFilter(pattern: string): ((name: string) => boolean) | null {
  try { const re = compileRegex(pattern); return (name) => re.matcher(name).find(); } catch { return null; }
}
