// Values of expressions as Envoy prints them: as text (%CEL(…)%) and typed, for JSON (%TYPED_CEL(…)%); times and durations as the evaluator takes them.
import { toByteString } from '../../headers/headers.ts';

/** google.protobuf.Timestamp and Duration, as the evaluator knows them. */
export interface Moment { readonly $typeName: 'google.protobuf.Timestamp' | 'google.protobuf.Duration'; readonly seconds: bigint; readonly nanos: number }

function moment($typeName: Moment['$typeName'], ms: number, step: number): Moment {
  const whole = Math.floor(ms / 1000), nanos = Math.floor(((ms - whole * 1000) * 1e6) / step) * step;
  return { $typeName, seconds: BigInt(whole), nanos };
}
/** A point in time from ms since 1970 (to a microsecond, as Envoy's clock), and a time span from ms. */
export const timestamp = (wallMs: number): Moment => moment('google.protobuf.Timestamp', wallMs, 1000);
export const duration = (ms: number): Moment => moment('google.protobuf.Duration', ms, 1);

const fraction = (nanos: number, digits = 9): string => { const f = String(nanos).padStart(digits, '0').replace(/0+$/, ''); return f === '' ? '' : `.${f}`; };
const clockTime = (m: Moment): string => new Date(Number(m.seconds) * 1000).toISOString().slice(0, 19) + fraction(m.nanos);

/** As absl prints durations: 2.612348ms, 1m2.5s, 0. */
export function durationText(m: Moment): string {
  const ns = m.seconds * 1_000_000_000n + BigInt(m.nanos), sign = ns < 0n ? '-' : '', n = ns < 0n ? -ns : ns;
  if (n === 0n) return '0';
  if (n < 1000n) return `${sign}${n}ns`;
  if (n < 1_000_000n) return `${sign}${n / 1000n}${fraction(Number(n % 1000n), 3)}us`;
  if (n < 1_000_000_000n) return `${sign}${n / 1_000_000n}${fraction(Number(n % 1_000_000n), 6)}ms`;
  const s = n / 1_000_000_000n, h = s / 3600n, min = (s / 60n) % 60n, rest = `${s % 60n}${fraction(Number(n % 1_000_000_000n))}s`;
  return `${sign}${h > 0n ? `${h}h` : ''}${min > 0n ? `${min}m` : ''}${rest === '0s' ? '' : rest}`;
}

type Shape = { readonly $typeName?: string; readonly message?: Moment; readonly kind?: string; readonly value?: bigint; has?(key: unknown): boolean; entries?(): Iterable<[unknown, unknown]>; [Symbol.iterator]?(): Iterator<unknown> };
/** What kind of the evaluator's own objects a value is. */
function momentOf(v: Shape): Moment | null {
  const m = (v.message ?? v) as Moment;
  return m.$typeName === 'google.protobuf.Timestamp' || m.$typeName === 'google.protobuf.Duration' ? m : null;
}
const isUint = (v: Shape): boolean => typeof v.value === 'bigint';
const isType = (v: Shape): boolean => v.kind === 'scalar' || v.kind === 'list' || v.kind === 'map' || v.kind === 'object' || v.kind === 'type';

/** As %CEL(…)% prints it; undefined: no value. Bytes and text are byte strings. */
export function celText(v: unknown): string | undefined {
  if (v === undefined || v === null) return undefined;
  if (typeof v === 'string') return toByteString(v);
  if (typeof v !== 'object') return String(v);
  if (v instanceof Uint8Array) return Buffer.from(v.buffer, v.byteOffset, v.length).toString('latin1');
  const shape = v as Shape, m = momentOf(shape);
  if (m !== null) return m.$typeName === 'google.protobuf.Duration' ? durationText(m) : `${clockTime(m)}+00:00`;
  if (isUint(shape)) return String(shape.value);
  if (isType(shape)) return 'CelType value';
  return entriesOf(shape) !== null ? 'CelMap value' : 'CelList value';
}

function entriesOf(v: Shape): Iterable<[unknown, unknown]> | null { return typeof v.has === 'function' && typeof v.entries === 'function' ? v.entries() : null; }

/** As %TYPED_CEL(…)% gives it to JSON: numbers, truth values, lists and maps stay what they are. */
export function celTyped(v: unknown): string | number | boolean | object | undefined {
  if (v === undefined || v === null) return undefined;
  if (typeof v === 'bigint') return Number(v);
  if (typeof v === 'number' || typeof v === 'boolean') return v;
  if (typeof v !== 'object' || v instanceof Uint8Array) return celText(v);
  const shape = v as Shape, m = momentOf(shape);
  if (m !== null) return m.$typeName === 'google.protobuf.Duration' ? spanJson(m) : `${clockTime(m)}Z`;
  if (isUint(shape)) return Number(shape.value);
  if (isType(shape)) return undefined;
  const entries = entriesOf(shape);
  if (entries === null) return [...(v as Iterable<unknown>)].map(within);
  const pairs = [...entries].filter(([k]) => typeof k === 'string') as [string, unknown][];
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, x]) => [k, within(x)]));
}

/** A member of a list or map: JSON writes its text out. */
const within = (v: unknown): unknown => (typeof v === 'string' ? v : celTyped(v) ?? null);

/** A Duration in protobuf's JSON: 0, 3, 6 or 9 digits. */
function spanJson({ seconds, nanos }: Moment): string {
  const ns = seconds * 1_000_000_000n + BigInt(nanos), n = ns < 0n ? -ns : ns, rest = Number(n % 1_000_000_000n);
  const digits = rest === 0 ? 0 : rest % 1_000_000 === 0 ? 3 : rest % 1000 === 0 ? 6 : 9;
  return `${ns < 0n ? '-' : ''}${n / 1_000_000_000n}${digits === 0 ? '' : `.${String(rest).padStart(9, '0').slice(0, digits)}`}s`;
}
