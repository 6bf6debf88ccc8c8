// Runtime values (Envoy's layered runtime) as cells: resolved once when an object is built, read per request without a lookup, updated in place.

export interface RuntimeCell { /** undefined: the key is not set, the default of the configuration holds. */ value: string | number | boolean | undefined }

export class Runtime {
  private readonly cells = new Map<string, RuntimeCell>();
  /** The cell of a key; the same object for the life of the worker. */
  cell(key: string): RuntimeCell {
    let cell = this.cells.get(key);
    if (cell === undefined) { cell = { value: undefined }; this.cells.set(key, cell); }
    return cell;
  }
  /** Installs a new snapshot: all keys that are not in it become unset. */
  install(values: { readonly [key: string]: string | number | boolean }): void {
    for (const [key, cell] of this.cells) cell.value = Object.hasOwn(values, key) ? values[key] : undefined;
    for (const key of Object.keys(values)) this.cell(key).value = values[key];
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
