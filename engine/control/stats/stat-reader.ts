// The reading side of stats: knows where each worker's values stand from their claims, sums the columns, and remembers what dead workers had counted.
// Control's own stats come in through `set`. Names of declared scopes read 0 before any worker touches them. Control thread only.
import { addBuckets, histogramBucket, HISTOGRAM_SLOTS, type StatSchema } from '../../observe/stats/stat-block.ts';
import type { StatClaim } from '../../observe/stats/thread-stat-store.ts';
import { bucketsOf, difference, EMPTY, type Buckets } from './buckets.ts';
import type { KeptCounters } from '../../shm/kept-counters.ts';
import { StatScope, type LayoutEntry } from './stat-scope.ts';
import { StatWalk } from './stat-walk.ts';

export type ScalarKind = 'counter' | 'gauge';
interface Place { readonly column: Float64Array; readonly slot: number }

/** A stat outside of any scope, such as a response code's counter. */
class Single {
  readonly kind: ScalarKind;
  places: Place[] = [];
  kept = 0;
  reset = 0;
  /** What it belonged to is gone; it is shown again once it counts again. */
  retired = false;
  constructor(kind: ScalarKind) { this.kind = kind; }
  raw(): number { let sum = this.kept; for (const p of this.places) sum += p.column[p.slot]!; return sum; }
  get shown(): boolean { return !this.retired || this.raw() !== this.reset; }
}

export interface HistogramView { /** As of the last flush. */ readonly cumulative: Buckets; /** What came between the last two flushes. */ readonly interval: Buckets }
const NOTHING: HistogramView = { cumulative: EMPTY, interval: EMPTY };

class Histogram implements HistogramView {
  places: Place[] = [];
  /** Counts of threads that are gone. */
  kept: Float64Array | null = null;
  cumulative: Buckets = EMPTY;
  interval: Buckets = EMPTY;
  /** Counted before what it belonged to went away. */
  base: Buckets = EMPTY;
  retired = false;
  merged(into: Float64Array): Buckets {
    if (this.kept === null) into.fill(0); else into.set(this.kept);
    for (const p of this.places) addBuckets(p.column, p.slot, into);
    return bucketsOf(into);
  }
  get shown(): boolean { return !this.retired || this.cumulative.at.length > 0; }
}

function foldHistogram(h: Histogram, which: (p: Place) => boolean): void {
  h.places = h.places.filter((p) => { if (!which(p)) return true; addBuckets(p.column, p.slot, h.kept ??= new Float64Array(HISTOGRAM_SLOTS)); return false; });
}

/** Envoy's sanitizing of stat names: ':' and NUL are not allowed in them. */
export function sanitizeName(name: string): string { return /[:\0]/.test(name) ? name.replaceAll('://', '_').replaceAll(':/', '_').replace(/[:\0]/g, '_') : name; }
const scopePrefix = (prefix: string): string => (prefix === '' ? '' : `${sanitizeName(prefix)}.`);
const endpointPrefix = (cluster: string, address: string): string => `${cluster}.endpoint.${address}`;

/** A sorted list made again when what it is made of has changed. */
class Sorted<T> { private list: readonly T[] | null = null; get(make: () => T[]): readonly T[] { return this.list ??= make(); } stale(): void { this.list = null; } }

export class StatReader {
  private readonly scopes = new Map<string, StatScope>();
  private readonly singles = new Map<string, Single>();
  private readonly histograms = new Map<string, Histogram>();
  private readonly texts = new Map<string, string>();
  private readonly sortedScopes = new Sorted<StatScope>();
  private readonly sortedSingles = new Sorted<string>();
  private readonly sortedHistograms = new Sorted<string>();
  private readonly schemas: ReadonlyMap<number, StatSchema>;
  /** Schemas that are not shown (hosts, circuit tables). */
  private readonly hidden: ReadonlySet<number>;
  private readonly columns = new Map<number, Float64Array>();
  private readonly scratch = new Float64Array(HISTOGRAM_SLOTS);

  /** Where counters live on when this thread dies; null: nowhere. */
  private readonly kept: KeptCounters | null;
  /** What a control thread before this one left and nothing has asked for yet. */
  private readonly left: Map<string, number>;

  constructor(schemas: readonly StatSchema[], hidden: readonly number[] = [], kept: KeptCounters | null = null) {
    this.schemas = new Map(schemas.map((s) => [s.id, s])); this.hidden = new Set(hidden); this.kept = kept;
    this.left = new Map(kept?.entries());
  }

  /** A worker (or control, under an id of its own) starts to write into `memory`. */
  attach(thread: number, memory: SharedArrayBuffer): void { this.columns.set(thread, new Float64Array(memory)); }

  /** What a thread's stat store reported. Claims of unknown threads and schemas are ignored. */
  claim(thread: number, claim: StatClaim): void {
    const column = this.columns.get(thread);
    if (column === undefined) return;
    switch (claim.kind) {
      case 'stat': if (claim.statKind !== 'histogram') this.singleOf(sanitizeName(claim.name), claim.statKind).places.push({ column, slot: claim.slot }); break;
      case 'histogram': this.histogram(sanitizeName(claim.name)).places.push({ column, slot: claim.base }); break;
      case 'stat-block': { const schema = this.schemas.get(claim.schema); if (schema === undefined || this.hidden.has(schema.id)) break; const scope = this.scope(claim.prefix); scope.claim(schema, column, claim.base); this.inherit(scope, schema); }
    }
  }

  /** A scope exists by configuration: all its names read 0 from now on. */
  declare(schemas: StatSchema | readonly StatSchema[], prefix: string): void {
    const s = this.scope(prefix);
    for (const schema of Array.isArray(schemas) ? (schemas as readonly StatSchema[]) : [schemas as StatSchema]) { s.declare(schema); this.inherit(s, schema); }
    if (s.retired) { s.retired = false; this.sortedScopes.stale(); }
  }

  /** What a thread has let go of: its counts are kept, its slots are not read any more. */
  gone(thread: number, claim: StatClaim): void {
    const column = this.columns.get(thread);
    if (column === undefined) return;
    switch (claim.kind) {
      case 'stat': { const name = sanitizeName(claim.name), s = this.singles.get(name); if (s !== undefined) this.foldSingle(name, s, (p) => p.column === column && p.slot === claim.slot); break; }
      case 'histogram': { const h = this.histograms.get(sanitizeName(claim.name)); if (h !== undefined) foldHistogram(h, (p) => p.column === column && p.slot === claim.base); break; }
      case 'stat-block': { const schema = this.schemas.get(claim.schema); if (schema !== undefined) this.scopes.get(scopePrefix(claim.prefix))?.gone(schema, column, claim.base, this.keep); }
    }
  }
  private readonly keep = (name: string, value: number): void => this.kept?.set(name, value);
  private foldSingle(name: string, s: Single, which: (p: Place) => boolean): void {
    s.places = s.places.filter((p) => { if (!which(p)) return true; if (s.kind === 'counter') { s.kept += p.column[p.slot]!; this.keep(name, s.kept); } return false; });
  }

  /** Names whose thing is gone, such as a removed cluster, are shown no more. What a thread still writes into stays known, hidden until it counts again. */
  drop(goes: (name: string) => boolean): void {
    this.last = null;
    for (const [name, s] of this.scopes) if (goes(s.prefix)) { if (!s.written) this.scopes.delete(name); else { s.retired = true; s.forget(); } }
    for (const [name, s] of this.singles) if (goes(name)) { if (s.places.length === 0) this.singles.delete(name); else { s.retired = this.anyRetired = true; s.reset = s.raw(); } }
    for (const [name, h] of this.histograms) if (goes(name)) { if (h.places.length === 0) this.histograms.delete(name); else { h.retired = this.anyRetired = true; h.base = h.merged(this.scratch); h.cumulative = h.interval = EMPTY; } }
    for (const name of this.texts.keys()) if (goes(name)) this.texts.delete(name);
    this.kept?.drop(goes);
    this.sortedScopes.stale(); this.sortedSingles.stale(); this.sortedHistograms.stale();
  }
  /** A single or a histogram may be shown again without a claim: their lists are made anew each time. */
  private anyRetired = false;

  /** A thread is gone: its counts are kept, its gauges fall away. */
  detach(thread: number): void {
    const column = this.columns.get(thread);
    if (column === undefined) return;
    this.columns.delete(thread);
    for (const s of this.scopes.values()) s.detach(column, this.keep);
    for (const [name, s] of this.singles) this.foldSingle(name, s, (p) => p.column === column);
    for (const h of this.histograms.values()) foldHistogram(h, (p) => p.column === column);
  }

  /** Control's own value. Counters: the total so far. A name of a declared scope goes there. */
  set(name: string, kind: ScalarKind, value: number): void {
    const found = this.locate(name);
    if (found !== null) found.scope.set(found.entry, value); else this.singleOf(name, kind).kept = value;
    if (kind === 'counter') this.kept?.set(name, value);
  }
  /** Everything is declared: what was left outside of scopes is shown, what was left of things that are gone is not. */
  endInheritance(): void {
    for (const name of [...this.left.keys()]) if (!/^(cluster|listener|http|tcp|udp)\./.test(name)) this.singleOf(name, 'counter');
    this.left.clear();
  }
  /** What was left for a scope's counters becomes theirs. */
  private inherit(scope: StatScope, schema: StatSchema): void {
    if (this.left.size === 0) return;
    for (const name of schema.names) {
      const full = scope.prefix + name, value = this.left.get(full), entry = value === undefined ? undefined : scope.layout.entry(name);
      if (value === undefined || entry === undefined) continue;
      this.left.delete(full);
      scope.set(entry, scope.own(entry) + value);
    }
  }
  /** A histogram of control's own is known before its first sample. */
  declareHistogram(name: string): void { this.histogram(name); }
  /** A sample of a histogram of control's own. */
  record(name: string, value: number): void { (this.histogram(name).kept ??= new Float64Array(HISTOGRAM_SLOTS))[histogramBucket(value)]!++; }
  /** Control's own value as last set, 0 where it never was. */
  own(name: string): number { const found = this.locate(name); return found !== null ? found.scope.own(found.entry) : this.singles.get(name)?.kept ?? this.left.get(name) ?? 0; }
  setText(name: string, text: string): void { this.texts.set(name, text); }
  /** Text readouts, sorted. */
  textReadouts(): readonly (readonly [string, string])[] { return [...this.texts].sort(([a], [b]) => (a < b ? -1 : 1)); }

  value(name: string): number | undefined {
    const found = this.locate(name);
    if (found !== null) return found.scope.retired ? undefined : found.scope.value(found.entry);
    const s = this.singles.get(name);
    return s === undefined || !s.shown ? undefined : s.raw() - s.reset;
  }
  kind(name: string): ScalarKind | undefined { const found = this.locate(name); return found !== null ? (found.entry.kind as ScalarKind) : this.singles.get(name)?.kind; }
  /** Values of a declared scope that are found when asked for: `value` gives undefined for the others. */
  live(prefix: string, value: (name: string) => number | undefined): void { this.scope(prefix).live = value; }
  /** The scope of an endpoint of a cluster. */
  declareEndpoint(schema: StatSchema, cluster: string, address: string, hostname: string, value: (name: string) => number | undefined): void {
    const prefix = endpointPrefix(cluster, address), scope = this.scope(prefix);
    this.declare(schema, prefix);
    scope.live = value;
    scope.endpoint = { cluster: scopePrefix(cluster), tags: [['envoy.endpoint_address', address], ...(hostname === '' ? [] : [['envoy.endpoint_hostname', hostname] as const])] };
  }
  /** It has left the cluster. Its scope is all that there is of it: no thread claims anything there. */
  dropEndpoint(cluster: string, address: string): void { this.last = null; if (this.scopes.delete(scopePrefix(endpointPrefix(cluster, address)))) this.sortedScopes.stale(); }
  /** Sum of one stat over all scopes that have it; of what one living thread counts alone where `thread` is given. */
  total(schema: StatSchema, index: number, thread: number | null = null): number {
    const column = thread === null ? undefined : this.columns.get(thread);
    let n = 0;
    if (thread !== null && column === undefined) return n;
    for (const s of this.scopes.values()) {
      const part = s.layout.part(schema);
      if (part < 0) continue;
      const entry = { name: '', kind: schema.kinds[index]!, part, index, asked: false };
      n += column === undefined ? s.raw(entry) : s.ofThread(entry, column);
    }
    return n;
  }

  /** Counters and gauges in order of their names; read them with `at`. */
  walk(): StatWalk { return new StatWalk(this.scopeList(), this.singleNames(), (s) => s.layout.scalars); }
  /** What a walk over counters and gauges stands at. */
  at(w: StatWalk): { readonly kind: ScalarKind; readonly value: number; readonly used: boolean } {
    if (w.scope !== null && w.entry !== null) return { kind: w.entry.kind as ScalarKind, value: w.scope.value(w.entry), used: w.scope.used(w.entry) };
    return this.single(w.name);
  }
  /** A stat outside of scopes, by its name. */
  single(name: string): { readonly kind: ScalarKind; readonly value: number; readonly used: boolean } {
    const s = this.singles.get(name);
    return s === undefined ? { kind: 'counter', value: 0, used: false } : { kind: s.kind, value: s.raw() - s.reset, used: s.kind === 'gauge' || s.raw() !== 0 };
  }
  /** Histograms in order of their names; read them with `histogramView`. */
  histogramWalk(): StatWalk { return new StatWalk(this.scopeList(), this.histogramNames(), (s) => s.layout.histograms); }
  private histogramNames(): readonly string[] { if (this.anyRetired) this.sortedHistograms.stale(); return this.sortedHistograms.get(() => [...this.histograms].filter(([, h]) => h.shown).map(([n]) => n).sort()); }
  histogramView(name: string): HistogramView { return this.histograms.get(name) ?? NOTHING; }
  /** All scopes, sorted by prefix. */
  scopeList(): readonly StatScope[] { return this.sortedScopes.get(() => [...this.scopes.values()].filter((s) => !s.retired).sort((a, b) => (a.prefix < b.prefix ? -1 : 1))); }
  /** Counters and gauges outside of scopes, sorted. */
  singleNames(): readonly string[] { if (this.anyRetired) this.sortedSingles.stale(); return this.sortedSingles.get(() => [...this.singles].filter(([, s]) => s.shown).map(([n]) => n).sort()); }

  /** Called every stats flush interval: moves the histograms' interval on, a piece at a time where there are many. */
  *flush(piece = 2000): Generator<void> {
    let n = 0;
    for (const h of this.histograms.values()) {
      const now = difference(h.merged(this.scratch), h.base);
      h.interval = difference(now, h.cumulative);
      h.cumulative = now;
      if (++n % piece === 0) yield;
    }
  }

  resetCounters(): void {
    for (const s of this.scopes.values()) s.resetCounters();
    for (const s of this.singles.values()) if (s.kind === 'counter') s.reset = s.raw();
  }

  /** Where a name was found last. */
  private last: StatScope | null = null;
  /** The scope and entry that a full name means, if one of the declared ones. */
  private locate(name: string): { readonly scope: StatScope; readonly entry: LayoutEntry } | null {
    let dot = name.lastIndexOf('.');
    // Whoever sets a stat of a scope sets the next there too.
    const { last } = this;
    if (last !== null && last.prefix.length === dot + 1 && name.startsWith(last.prefix)) { const entry = last.layout.entry(name.slice(dot + 1)); if (entry !== undefined) return { scope: last, entry }; }
    for (; ; dot = name.lastIndexOf('.', dot - 1)) {
      const scope = this.scopes.get(name.slice(0, dot + 1)), entry = scope?.layout.entry(name.slice(dot + 1));
      if (scope !== undefined && entry !== undefined) { this.last = scope; return { scope, entry }; }
      if (dot <= 0) return null;
    }
  }
  private scope(prefix: string): StatScope { const key = scopePrefix(prefix); let s = this.scopes.get(key); if (s === undefined) { s = new StatScope(key); this.scopes.set(key, s); this.sortedScopes.stale(); } return s; }
  private singleOf(name: string, kind: ScalarKind): Single { let s = this.singles.get(name); if (s === undefined) { s = new Single(kind); s.kept = this.left.get(name) ?? 0; this.left.delete(name); this.singles.set(name, s); this.sortedSingles.stale(); } return s; }
  private histogram(name: string): Histogram { let h = this.histograms.get(name); if (h === undefined) { h = new Histogram(); this.histograms.set(name, h); this.sortedHistograms.stale(); } return h; }
}
