// Sample values for any field of the API, made of descriptors and validate.rules, so that every field can be set alone in a configuration that is valid without it.
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { fieldRules, oneofRequired, type Rules } from '../../engine/proto/registry.ts';
import { messageRequired, ruleOf } from '../../engine/proto/rules.ts';
import { MINIMAL, VALUES } from './known-samples.ts';

export type Json = Record<string, unknown>;
/** Two values of a field, or more (every value of an enum): what differs between them shows whether the field has an effect. */
export type Samples = readonly unknown[];

const WRAPPERS: Record<string, ScalarType> = { DoubleValue: ScalarType.DOUBLE, FloatValue: ScalarType.FLOAT, Int64Value: ScalarType.INT64, UInt64Value: ScalarType.UINT64, Int32Value: ScalarType.INT32, UInt32Value: ScalarType.UINT32, BoolValue: ScalarType.BOOL, StringValue: ScalarType.STRING, BytesValue: ScalarType.BYTES };
export const wellKnown = (m: DescMessage): string => (m.typeName.startsWith('google.protobuf.') ? m.typeName.slice(16) : '');

const rule = (rules: Rules | null): Rules => (rules === null ? {} : ruleOf(rules)?.r ?? {});
const number = (v: unknown): number | undefined => (v === undefined ? undefined : Number(v));

function numbers(r: Rules, whole: boolean): number[] {
  if ((r['in'] as unknown[] | undefined)?.length) return (r['in'] as unknown[]).map(Number).slice(0, 3);
  if (Object.hasOwn(r, 'const') && r['const'] !== undefined) return [Number(r['const'])];
  const at = (k: string): number | undefined => (Object.hasOwn(r, k) ? number(r[k]) : undefined), step = whole ? 1 : 0.25;
  const low = at('gte') ?? (at('gt') === undefined ? 1 : at('gt')! + step), high = at('lte') ?? (at('lt') === undefined ? Infinity : at('lt')! - step);
  return [...new Set([Math.max(low, 1), Math.max(low, 1) + step, low].filter((n) => n >= low && n <= high))].slice(0, 3);
}

function strings(r: Rules): string[] {
  if ((r['in'] as unknown[] | undefined)?.length) return r['in'] as string[];
  if (Object.hasOwn(r, 'const') && r['const'] !== undefined && r['const'] !== '') return [String(r['const'])];
  const known = (r['wellKnown'] as { case?: string } | undefined)?.case;
  if (known === 'uri') return ['http://a.example/x', 'http://b.example/y'];
  const prefix = Object.hasOwn(r, 'prefix') ? String(r['prefix'] ?? '') : '', long = 'x'.repeat(Math.max(0, Number(r['minLen'] ?? r['minBytes'] ?? 0) - 3));
  return [`${prefix}sa1${long}`, `${prefix}sb2${long}`];
}

function scalars(type: ScalarType, r: Rules): Samples {
  switch (type) {
    case ScalarType.BOOL: return Object.hasOwn(r, 'const') && r['const'] !== undefined ? [r['const']] : [true, false];
    case ScalarType.STRING: return strings(r);
    case ScalarType.BYTES: return ['YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=', 'YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI='];
    case ScalarType.DOUBLE: case ScalarType.FLOAT: return numbers(r, false);
    default: return numbers(r, true);
  }
}

function durations(r: Rules): string[] {
  const s = (k: string): number | undefined => { const d = r[k] as { seconds: bigint; nanos: number } | undefined; return d === undefined ? undefined : Number(d.seconds) + d.nanos / 1e9; };
  const low = s('gte') ?? s('gt') ?? 0, high = s('lte') ?? s('lt') ?? Infinity;
  const all = [Math.max(1, low + 1), Math.max(2, low + 2)].map((n) => Math.min(n, high));
  return [...new Set(all.map((n) => `${n}s`))];
}

/** Values of one element of a field; messages in their least form. Any is the walker's business. */
function elements(field: DescField, rules: Rules | null, depth: number): Samples {
  const kind = field.fieldKind === 'list' ? field.listKind : field.fieldKind === 'map' ? field.mapKind : field.fieldKind;
  const r = rule(rules);
  if (kind === 'scalar') return scalars(field.scalar as ScalarType, r);
  if (kind === 'enum') return field.enum!.values.filter((v) => !((r['notIn'] as number[] | undefined) ?? []).includes(v.number) && ((r['in'] as number[] | undefined)?.length ? (r['in'] as number[]).includes(v.number) : true)).map((v) => v.name);
  const m = field.message!, name = wellKnown(m);
  if (name in WRAPPERS) return scalars(WRAPPERS[name]!, r);
  switch (name) {
    case 'Duration': return durations(r);
    case 'Struct': return [{ a: 1 }, { a: 2 }];
    case 'Value': return ['a', 'b'];
    case 'ListValue': return [['a'], ['b']];
    case 'Timestamp': return ['2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z'];
    case 'FieldMask': return ['a', 'b'];
    case 'Empty': return [{}];
    case 'Any': return [{ '@type': 'type.googleapis.com/google.protobuf.Empty' }];
    default: return [least(m, depth + 1)];
  }
}

/** Sample values of a field. */
export function samples(field: DescField, depth = 0): Samples {
  const known = VALUES[`${field.parent.typeName}.${field.name}`] ?? VALUES[`*.${field.name}:${field.fieldKind}`];
  if (known !== undefined) return known;
  const rules = fieldRules(field);
  if (field.fieldKind === 'list') {
    const items = rule(rules)['items'] as Rules | undefined, of = elements(field, items ?? null, depth), count = Math.max(1, Number(rule(rules)['minItems'] ?? 1));
    return of.map((v) => new Array<unknown>(count).fill(v));
  }
  if (field.fieldKind === 'map') { const values = rule(rules)['values'] as Rules | undefined; return elements(field, values ?? null, depth).map((v) => ({ key: v })); }
  return elements(field, rules, depth);
}

/** The least valid message of a type: required fields, and one member of each required oneof. */
export function least(desc: DescMessage, depth = 0): Json {
  const known = MINIMAL[desc.typeName];
  if (known !== undefined) return structuredClone(known);
  const out: Json = {};
  if (depth > 8) return out;
  for (const oneof of desc.oneofs) if (oneofRequired(oneof)) { const f = oneof.fields.find((x) => x.proto.options?.deprecated !== true && x.message?.typeName !== desc.typeName)!; out[f.name] = samples(f, depth)[0]; }
  for (const f of desc.fields) {
    const rules = fieldRules(f);
    if (rules === null || f.oneof !== undefined) continue;
    const r = rule(rules), needs = messageRequired(rules) || Number(r['minLen'] ?? 0) > 0 || Number(r['minBytes'] ?? 0) > 0 || Number(r['minItems'] ?? 0) > 0 || Number(r['minPairs'] ?? 0) > 0
      || ((ruleOf(rules)?.kind.match(/int|fixed|double|float/) ?? null) !== null && f.fieldKind === 'scalar' && (Number(r['gte'] ?? 0) > 0 || (Object.hasOwn(r, 'gt') && r['gt'] !== undefined)));
    if (needs && r['ignoreEmpty'] !== true) out[f.name] = samples(f, depth)[0];
  }
  return out;
}
