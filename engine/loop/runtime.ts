// Runtime values (Envoy's layered runtime) as cells: resolved once when an object is built, read per request without a lookup, updated in place.

export interface RuntimeCell { /** undefined: the key is not set, the default of the configuration holds. */ value: string | number | boolean | undefined }

/** Cells from which on those that nobody holds are looked for. */
const SWEEP_FROM = 1024;

export class Runtime {
  private values: { readonly [key: string]: string | number | boolean } = {};
  /** Held by who reads them: keys bear names of clusters, which come and go, and even names that requests bring. */
  private readonly cells = new Map<string, WeakRef<RuntimeCell>>();
  private sweepAt = SWEEP_FROM;
  /** The cell of a key; the same object for all that hold it. */
  cell(key: string): RuntimeCell {
    const known = this.cells.get(key)?.deref();
    if (known !== undefined) return known;
    const cell = { value: this.valueOf(key) };
    if (this.cells.size >= this.sweepAt) this.sweep();
    this.cells.set(key, new WeakRef(cell));
    return cell;
  }
  /** Keys that have a cell, or had one not long ago. */
  get size(): number { return this.cells.size; }
  /** Installs a new snapshot: all keys that are not in it become unset. */
  install(values: { readonly [key: string]: string | number | boolean }): void {
    this.values = values;
    for (const [key, ref] of this.cells) { const cell = ref.deref(); if (cell !== undefined) cell.value = this.valueOf(key); }
  }
  private valueOf(key: string): RuntimeCell['value'] { return Object.hasOwn(this.values, key) ? this.values[key] : undefined; }
  /** Cells that nobody holds any more go; looked at again when there are twice as many. */
  private sweep(): void {
    for (const [key, ref] of this.cells) if (ref.deref() === undefined) this.cells.delete(key);
    this.sweepAt = Math.max(SWEEP_FROM, 2 * this.cells.size);
  }
}

/** A cell read as a number, else `fallback`. */
export function runtimeNumber(cell: RuntimeCell, fallback: number): number {
  const v = cell.value;
  if (typeof v === 'number') return v;
  if (typeof v === 'boolean') return v ? 1 : 0;
  if (typeof v === 'string' && v !== '' && Number.isFinite(Number(v))) return Number(v);
  return fallback;
}

/** A number that a runtime key may replace (Envoy: RuntimeDouble, RuntimeUInt32, RuntimePercent); key '': none. */
export class RuntimeNumber {
  private readonly cell: RuntimeCell;
  private readonly value: number;
  constructor(plan: { readonly key: string; readonly value: number }, runtime: Runtime) { this.value = plan.value; this.cell = plan.key === '' ? { value: undefined } : runtime.cell(plan.key); }
  get now(): number { return runtimeNumber(this.cell, this.value); }
}

export interface Fraction { readonly key: string; readonly numerator: number; readonly denominator: number }

/** Whether a thing of this random number is of a share. A runtime value is in percent, whatever the share's own denominator (Envoy: FractionalPercent, or an integer as one of a hundred). */
export function ofShare(cell: RuntimeCell, share: { readonly numerator: number; readonly denominator: number }, random: number): boolean {
  const percent = runtimeNumber(cell, -1);
  if (percent < 0) return random % share.denominator < share.numerator;
  return Number.isInteger(percent) ? random % 100 < percent : random % 1_000_000 < percent * 10_000;
}

/** A share of all, which a runtime key may replace (Envoy: RuntimeFractionalPercent); key '': none. */
export class RuntimeFraction {
  private readonly cell: RuntimeCell;
  private readonly plan: Fraction;
  constructor(plan: Fraction, runtime: Runtime) { this.plan = plan; this.cell = plan.key === '' ? { value: undefined } : runtime.cell(plan.key); }
  /** Whether a thing of this random number is of the share. */
  has(random: number): boolean { return ofShare(this.cell, this.plan, random); }
}

/** A cell read as a feature flag, else `fallback` (Envoy: true/false, or a number). */
export function runtimeFlag(cell: RuntimeCell, fallback: boolean): boolean {
  const v = cell.value;
  if (typeof v === 'boolean') return v;
  if (v === 'true' || v === 'false') return v === 'true';
  return fallback;
}
