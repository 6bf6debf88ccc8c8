// A scope as the reader keeps it: a prefix with the schemas under it. Ten thousand idle clusters cost one small object each: their names are made when they are
// shown, and values of a schema take room once a worker (or control) has touched it.
import { ENDPOINT_SCHEMA } from '../../observe/stats/schemas.ts';
import type { StatKind, StatSchema } from '../../observe/stats/stat-block.ts';

/** Histograms that Envoy makes at their first sample: not shown before. */
const MADE_WHEN_USED = new Set(['upstream_rq_time']);

export interface LayoutEntry { readonly name: string; readonly kind: StatKind; /** Index of the schema in the layout, and of the stat in the schema. */ readonly part: number; readonly index: number; /** Its value may be found when asked for (StatScope.live). */ readonly asked: boolean }

/** Names below this are looked at in the circuit table, as are those of endpoints in the host table's records. */
const ASKED = 'circuit_breakers.';

/** The sorted names of a set of schemas, shared by all scopes that have the same ones. */
export class ScopeLayout {
  static readonly none = new ScopeLayout([]);
  readonly schemas: readonly StatSchema[];
  /** Counters and gauges, sorted by name. */
  readonly scalars: readonly LayoutEntry[];
  readonly histograms: readonly string[];
  private readonly byName: ReadonlyMap<string, LayoutEntry>;
  private readonly extended = new Map<number, ScopeLayout>();

  private constructor(schemas: readonly StatSchema[]) {
    this.schemas = schemas;
    const all = schemas.flatMap((s, part) => s.names.map((name, index): LayoutEntry => ({ name, kind: s.kinds[index]!, part, index, asked: name.startsWith(ASKED) || s === ENDPOINT_SCHEMA })));
    this.scalars = all.filter((e) => e.kind !== 'histogram').sort((a, b) => (a.name < b.name ? -1 : 1));
    this.histograms = all.filter((e) => e.kind === 'histogram' && !MADE_WHEN_USED.has(e.name)).map((e) => e.name).sort();
    this.byName = new Map(this.scalars.map((e) => [e.name, e]));
  }

  entry(name: string): LayoutEntry | undefined { return this.byName.get(name); }
  part(schema: StatSchema): number { return this.schemas.indexOf(schema); }
  with(schema: StatSchema): ScopeLayout {
    if (this.schemas.includes(schema)) return this;
    let l = this.extended.get(schema.id);
    if (l === undefined) { l = new ScopeLayout([...this.schemas, schema]); this.extended.set(schema.id, l); }
    return l;
  }
}

/** One schema's values in one scope. */
class Part {
  /** Where the living threads write. */
  rows: { readonly column: Float64Array; readonly base: number }[] = [];
  /** Control's own values, and counts of threads that are gone. */
  own: Float64Array | null = null;
  /** What /reset_counters takes away: workers' columns have one writer, so they are not touched. */
  reset: Float64Array | null = null;
}

export class StatScope {
  /** Sanitized, with its last dot; '' for the root. */
  readonly prefix: string;
  layout: ScopeLayout = ScopeLayout.none;
  /** What it belonged to is gone: not shown. */
  retired = false;
  private parts: (Part | undefined)[] = [];
  /** It is an endpoint's: its tags are told, not read from its name (`cluster`: the prefix of the scope that it stands in). */
  endpoint: { readonly cluster: string; readonly tags: readonly (readonly [tag: string, value: string])[] } | null = null;
  /** Values that are found when asked for: of names below 'circuit_breakers.', and of endpoints. */
  live: ((name: string) => number | undefined) | null = null;
  constructor(prefix: string) { this.prefix = prefix; }

  declare(schema: StatSchema): void { this.layout = this.layout.with(schema); }
  claim(schema: StatSchema, column: Float64Array, base: number): void {
    this.declare(schema);
    const part = this.parts[this.layout.part(schema)] ??= new Part();
    if (!part.rows.some((r) => r.column === column && r.base === base)) part.rows.push({ column, base });
  }
  /** A thread has let go of a row; what it counted is kept, as its gauges are at rest. */
  gone(schema: StatSchema, column: Float64Array, base: number, tell: (name: string, own: number) => void): void { this.fold(this.layout.part(schema), (r) => r.column === column && r.base === base, tell); }
  /** Whether any thread writes into it. */
  get written(): boolean { return this.parts.some((p) => p !== undefined && p.rows.length > 0); }

  /** Sum over all threads since the start, whatever was reset. */
  raw(e: LayoutEntry): number {
    if (e.asked && this.live !== null) { const found = this.live(e.name); if (found !== undefined) return found; }
    const part = this.parts[e.part];
    if (part === undefined) return 0;
    let n = part.own === null ? 0 : part.own[e.index]!;
    for (const r of part.rows) n += r.column[r.base + e.index]!;
    return n;
  }
  /** What one thread has counted that is at work still. */
  ofThread(e: LayoutEntry, column: Float64Array): number {
    let n = 0;
    for (const r of this.parts[e.part]?.rows ?? []) if (r.column === column) n += r.column[r.base + e.index]!;
    return n;
  }
  value(e: LayoutEntry): number { return this.raw(e) - (this.parts[e.part]?.reset?.[e.index] ?? 0); }
  /** Whether it was ever written: a counter by its value, a gauge by its block's being in use. */
  used(e: LayoutEntry): boolean { if (this.endpoint !== null) return true; return e.kind === 'counter' ? this.raw(e) !== 0 : this.parts[e.part] !== undefined; }

  /** Control's own value (counters: the total so far). */
  set(e: LayoutEntry, value: number): void { const part = this.parts[e.part] ??= new Part(); (part.own ??= new Float64Array(this.layout.schemas[e.part]!.names.length))[e.index] = value; }
  own(e: LayoutEntry): number { return this.parts[e.part]?.own?.[e.index] ?? 0; }

  /** A thread is gone: its counts are kept (`tell` is given them), its gauges fall away. */
  detach(column: Float64Array, tell: (name: string, own: number) => void = () => undefined): void {
    this.parts.forEach((_, p) => this.fold(p, (r) => r.column === column, tell));
  }
  private fold(p: number, which: (row: { readonly column: Float64Array; readonly base: number }) => boolean, tell: (name: string, own: number) => void): void {
    const part = this.parts[p], schema = this.layout.schemas[p];
    if (part === undefined || schema === undefined) return;
    const rows = part.rows.filter(which);
    if (rows.length === 0) return;
    part.rows = part.rows.filter((r) => !which(r));
    const own = part.own ??= new Float64Array(schema.names.length);
    for (const { column, base } of rows) schema.kinds.forEach((kind, i) => { if (kind === 'counter' && column[base + i] !== 0) { own[i]! += column[base + i]!; tell(this.prefix + schema.names[i]!, own[i]!); } });
  }

  /** Counters start from 0 again and control's own gauges fall away. */
  forget(): void {
    this.resetCounters();
    this.parts.forEach((part, p) => { const own = part?.own ?? null; if (own !== null) this.layout.schemas[p]!.kinds.forEach((k, i) => { if (k === 'gauge') own[i] = 0; }); });
  }

  resetCounters(): void {
    this.parts.forEach((part, p) => {
      if (part === undefined) return;
      const reset = part.reset ??= new Float64Array(this.layout.schemas[p]!.names.length);
      for (const e of this.layout.scalars) if (e.part === p && e.kind === 'counter') reset[e.index] = this.raw(e);
    });
  }
}
