// Scalar values as files write them, with Envoy's leniency: numbers as strings, enum names in any case or by number, durations as text.
import { ScalarType, type DescEnum } from '@bufbuild/protobuf';

/** '1.5s' in ms, or null. */
export function parseDuration(text: unknown): number | null {
  if (typeof text !== 'string') return null;
  const m = /^(-?)(\d{1,12})?(?:\.(\d{1,9}))?s$/.exec(text);
  if (m === null || (m[2] === undefined && m[3] === undefined)) return null;
  const ms = Number(m[2] ?? 0) * 1000 + (m[3] === undefined ? 0 : Number(m[3].padEnd(9, '0')) / 1e6);
  return m[1] === '-' ? -ms : ms;
}

const RANGES: Partial<Record<ScalarType, readonly [number, number]>> = {
  [ScalarType.INT32]: [-2147483648, 2147483647], [ScalarType.SINT32]: [-2147483648, 2147483647], [ScalarType.SFIXED32]: [-2147483648, 2147483647],
  [ScalarType.UINT32]: [0, 4294967295], [ScalarType.FIXED32]: [0, 4294967295],
  [ScalarType.UINT64]: [0, 18446744073709551615], [ScalarType.FIXED64]: [0, 18446744073709551615], [ScalarType.INT64]: [-9223372036854775808, 9223372036854775807], [ScalarType.SINT64]: [-9223372036854775808, 9223372036854775807], [ScalarType.SFIXED64]: [-9223372036854775808, 9223372036854775807],
};

/** The value in its type, or an Error that says what was expected. 64-bit numbers are doubles here. */
export function readScalar(type: ScalarType, v: unknown): string | number | boolean | Uint8Array | Error {
  switch (type) {
    case ScalarType.STRING:
      return typeof v === 'string' ? v : new Error(`expected a string, not ${describe(v)}${typeof v === 'boolean' ? ' (YAML reads y, n, yes, no, on and off as booleans: quote it)' : ''}`);
    case ScalarType.BOOL:
      if (typeof v === 'boolean') return v;
      return v === 'true' || v === 'false' ? v === 'true' : new Error(`expected true or false, not ${describe(v)}`);
    case ScalarType.BYTES:
      if (typeof v !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(v.replace(/\s/g, ''))) return new Error(`expected base64 bytes, not ${describe(v)}`);
      return new Uint8Array(Buffer.from(v.replace(/\s/g, ''), 'base64'));
    default: {
      const n = typeof v === 'string' && /^\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+|Infinity|NaN)\s*$/.test(v) ? Number(v) : v;
      if (typeof n !== 'number') return new Error(`expected a number, not ${describe(v)}`);
      if (type === ScalarType.DOUBLE || type === ScalarType.FLOAT) return n;
      const range = RANGES[type]!;
      if (!Number.isInteger(n)) return new Error(`expected a whole number, not ${n}`);
      if (n < range[0] || n > range[1]) return new Error(`${n} is out of range (${range[0]} to ${range[1]})`);
      return n;
    }
  }
}

export function describe(v: unknown): string {
  if (v === null) return 'null';
  if (Array.isArray(v)) return 'a list';
  if (typeof v === 'object') return 'a mapping';
  if (typeof v === 'string') return `the text '${v.length > 40 ? `${v.slice(0, 40)}…` : v}'`;
  return `${typeof v === 'boolean' ? 'the boolean' : 'the number'} ${String(v)}`;
}

/** Name of an enum value given by name (any case) or number; null for none. */
export function readEnum(desc: DescEnum, v: unknown): string | null {
  if (typeof v === 'number' || (typeof v === 'string' && /^-?\d+$/.test(v))) return desc.values.find((e) => e.number === Number(v))?.name ?? null;
  if (typeof v !== 'string') return null;
  const upper = v.toUpperCase();
  return desc.values.find((e) => e.name === v || e.name.toUpperCase() === upper)?.name ?? null;
}
