// One thread's stat store: a column of Float64 in shared memory, written with plain adds by this thread alone. Each claim is reported once, so that control can read
// the column by name. Slots belong to an owner ('cluster.NAME', 'host.RECORD', 'listener.ADDRESS', 'http.PREFIX' …; the store itself owns what is never taken back) and go back with it:
//
//   control: stats-leave ──▶ worker: nothing of the owner is active any more → it is let go (what still holds it writes into a column that nobody reads)
//   worker:  stat-gone for each claim, then stats-left ──▶ control: reads these slots no more ──▶ stats-free ──▶ worker: the slots are zeroed and may be used again
//
// Both rings keep order, so control has seen every claim of the owner before it hears that they are gone, and slots get a new meaning after it stopped reading them.
import { HISTOGRAM_DECADES, HISTOGRAM_DIRECTORY, HISTOGRAM_RUN, type StatKind, type StatSchema, type StatStore } from './stat-block.ts';
import { ColumnSpace } from './stat-column.ts';

/** What control is told of a claim. */
export type StatClaim =
  | { readonly kind: 'stat-block'; readonly schema: number; readonly prefix: string; readonly base: number }
  | { readonly kind: 'stat'; readonly name: string; readonly statKind: StatKind; readonly slot: number }
  | { readonly kind: 'histogram'; readonly name: string; readonly base: number };

/** What a worker's engine does with its store. */
export interface OwnedStatStore extends StatStore {
  /** Lets go of all that an owner has claimed: null: something of it is still active; else the claims, to be freed by the number that comes with them. */
  letGo(owner: string): { readonly number: number; readonly claims: readonly StatClaim[] } | null;
  /** How often it was asked for: whoever does so wants it, asked to be let go of or not. */
  wants(owner: string): number;
  /** Control reads these slots no more. */
  free(number: number): void;
}

/** Gauges that say that something is at work: they are counted up and down by it. */
const ACTIVE = /(^|_)(active|active_connections|cx|pending|rq|retry|pool|held)$/;
const isActive = (name: string): boolean => ACTIVE.test(name) && name !== 'lb_subsets_active';
const activeOf = new WeakMap<StatSchema, readonly number[]>();
function activeIndexes(schema: StatSchema): readonly number[] {
  let list = activeOf.get(schema);
  if (list === undefined) { list = schema.names.flatMap((n, i) => (schema.kinds[i] === 'gauge' && isActive(n) ? [i] : [])); activeOf.set(schema, list); }
  return list;
}

interface Run { readonly base: number; readonly size: number }
/** Thousands of hosts may never be asked for anything. */
const NO_RUNS: Map<string, Run> = new Map();
interface Root { readonly own: Float64Array; readonly space: ColumnSpace; report(claim: StatClaim): void; owned(name: string): OwnedStats }

/** What one owner has claimed. */
class OwnedStats implements StatStore {
  column: Float64Array;
  released = false;
  wanted = 0;
  private readonly root: Root;
  /** First slot by key: '+NAME' counter, '=NAME' gauge, '~NAME' histogram, 'SCHEMA:PREFIX' block. */
  private runs = NO_RUNS;
  private active: number[] | null = null;
  /** Owners that this one stays as long as they are busy. */
  private holders: readonly OwnedStats[] = [];
  constructor(root: Root) { this.root = root; this.column = root.own; }

  claim(schema: StatSchema, prefix: string): number {
    const key = `${schema.id}:${prefix}`, known = this.runs.get(key);
    if (known !== undefined) return known.base;
    const base = this.take(key, schema.names.length);
    if (base > 0) for (const i of activeIndexes(schema)) (this.active ??= []).push(base + i);
    return base;
  }
  claimOne(name: string, kind: 'counter' | 'gauge'): number {
    const key = kind === 'counter' ? `+${name}` : `=${name}`, known = this.runs.get(key);
    if (known !== undefined) return known.base;
    const slot = this.take(key, 1);
    if (slot > 0 && kind === 'gauge' && isActive(name)) (this.active ??= []).push(slot);
    return slot;
  }
  claimHistogram(name: string): number { return this.runs.get(`~${name}`)?.base ?? this.take(`~${name}`, HISTOGRAM_DIRECTORY); }
  extend(slots: number): number { return this.released ? 0 : this.root.space.take(slots); }
  owned(name: string, holds = false): StatStore {
    const o = this.root.owned(name);
    if (holds && !this.holders.includes(o)) this.holders = [...this.holders, o];
    return o;
  }

  get busy(): boolean {
    for (const h of this.holders) if (h.busy) return true;
    if (this.active !== null) for (const slot of this.active) if (this.column[slot] !== 0) return true;
    return false;
  }
  claims(): StatClaim[] { return [...this.runs].map(([key, { base }]) => claimOf(key, base)); }

  /** From now on what is counted here goes nowhere. The runs that it had, those of its histograms' decades too. */
  release(nowhere: Float64Array): Run[] {
    const out: Run[] = [], { own } = this.root;
    for (const [key, run] of this.runs) {
      out.push(run);
      if (key.startsWith('~')) for (let d = 0; d < HISTOGRAM_DECADES; d++) { const base = own[run.base + 1 + d]!; if (base > 0) out.push({ base, size: HISTOGRAM_RUN }); }
    }
    this.released = true;
    this.column = nowhere;
    this.runs = NO_RUNS;
    return out;
  }

  private take(key: string, size: number): number {
    // One that was let go claims nothing; its column is none that anybody reads.
    if (this.released) return 0;
    const base = this.root.space.take(size);
    if (base === 0) return 0;
    if (this.runs === NO_RUNS) this.runs = new Map();
    this.runs.set(key, { base, size });
    this.root.report(claimOf(key, base));
    return base;
  }
}

export class ThreadStatStore implements OwnedStatStore {
  readonly column: Float64Array;
  readonly released = false;
  private readonly root: Root;
  private readonly unowned: OwnedStats;
  private readonly owners = new Map<string, OwnedStats>();
  private readonly waiting = new Map<number, readonly Run[]>();
  private numbers = 0;
  /** Where owners write that were let go: address space alone, but for what they touch. */
  private nowhere: Float64Array | null = null;

  /** `onFull`: told once when there is no room for a claim; what is counted for it is lost. */
  constructor(memory: SharedArrayBuffer, report: (claim: StatClaim) => void, onFull: () => void = () => undefined) {
    this.column = new Float64Array(memory);
    this.root = { own: this.column, space: new ColumnSpace(this.column.length, onFull), report, owned: (name) => this.owned(name) };
    this.unowned = new OwnedStats(this.root);
  }

  /** Slots that were ever handed out. */
  get used(): number { return this.root.space.used; }

  claim(schema: StatSchema, prefix: string): number { return this.unowned.claim(schema, prefix); }
  claimOne(name: string, kind: 'counter' | 'gauge'): number { return this.unowned.claimOne(name, kind); }
  claimHistogram(name: string): number { return this.unowned.claimHistogram(name); }
  extend(slots: number): number { return this.unowned.extend(slots); }
  owned(name: string): OwnedStats {
    let o = this.owners.get(name);
    if (o === undefined) { o = new OwnedStats(this.root); this.owners.set(name, o); }
    o.wanted++;
    return o;
  }
  wants(owner: string): number { return this.owners.get(owner)?.wanted ?? 0; }

  letGo(owner: string): { readonly number: number; readonly claims: readonly StatClaim[] } | null {
    const o = this.owners.get(owner);
    if (o === undefined) return { number: 0, claims: [] };
    if (o.busy) return null;
    this.owners.delete(owner);
    const claims = o.claims();
    this.nowhere ??= new Float64Array(new SharedArrayBuffer(this.column.byteLength));
    this.waiting.set(++this.numbers, o.release(this.nowhere));
    return { number: this.numbers, claims };
  }

  free(number: number): void {
    for (const { base, size } of this.waiting.get(number) ?? []) { this.column.fill(0, base, base + size); this.root.space.giveBack(base, size); }
    this.waiting.delete(number);
  }

  /** All owners that there are. */
  ownerNames(): Iterable<string> { return this.owners.keys(); }

  /** Reports every claim again, for a reader that knows of none: whatever the one before it was to say is free. */
  replay(): void {
    for (const number of [...this.waiting.keys()]) this.free(number);
    for (const o of [this.unowned, ...this.owners.values()]) for (const c of o.claims()) this.root.report(c);
  }
}

function claimOf(key: string, base: number): StatClaim {
  const name = key.slice(1);
  switch (key[0]) {
    case '+': return { kind: 'stat', name, statKind: 'counter', slot: base };
    case '=': return { kind: 'stat', name, statKind: 'gauge', slot: base };
    case '~': return { kind: 'histogram', name, base };
    default: { const colon = key.indexOf(':'); return { kind: 'stat-block', schema: Number(key.slice(0, colon)), prefix: key.slice(colon + 1), base }; }
  }
}
