// --config-yaml over the file, as protobuf merges messages: set scalars replace (a default value counts as not set), messages merge, lists append, a member of a
// oneof takes the place of another, map entries replace by key. An Any is a scalar of bytes.
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { fieldsByName } from '../../proto/registry.ts';

type Json = Record<string, unknown>;
/** FeatureSet.FieldPresence: a scalar of proto3 without `optional`. */
const IMPLICIT = 2;
const isMap = (v: unknown): v is Json => v !== null && typeof v === 'object' && !Array.isArray(v);
const put = (out: Json, k: string, value: unknown): void => { Object.defineProperty(out, k, { value, enumerable: true, configurable: true, writable: true }); };
const listOf = (v: unknown): unknown[] => (Array.isArray(v) ? (v as unknown[]) : [v]);

export function mergeData(base: unknown, over: unknown, desc: DescMessage | undefined): unknown {
  if (!isMap(base) || !isMap(over)) return over ?? base;
  const names = desc === undefined ? undefined : fieldsByName(desc), out: Json = { ...base };
  for (const [k, v] of Object.entries(over)) {
    if (v === null) continue;
    const field = names?.get(k), same = Object.keys(base).find((x) => x === k || (field !== undefined && names!.get(x) === field)) ?? k;
    if (field?.oneof !== undefined) for (const x of Object.keys(out)) if (x !== same && field.oneof.fields.includes(names!.get(x)!)) delete out[x];
    if (!Object.hasOwn(base, same) || base[same] === null) { put(out, same, v); continue; }
    const merged = field === undefined ? v : mergeField(field, base[same], v);
    if (merged !== undefined) put(out, same, merged);
  }
  return out;
}

/** undefined: what is there stays. */
function mergeField(field: DescField, base: unknown, over: unknown): unknown {
  if (field.fieldKind === 'list') return [...listOf(base), ...listOf(over)];
  if (field.fieldKind === 'map') return isMap(base) && isMap(over) ? Object.assign({}, base, over) : over;
  if (field.fieldKind === 'message') return field.message.typeName.startsWith('google.protobuf.') && field.message.typeName !== 'google.protobuf.Struct' ? over : mergeStruct(field.message, base, over);
  const unset = field.presence === IMPLICIT && (over === 0 || over === false || over === '' || (field.fieldKind === 'enum' && over === field.enum.values[0]?.name));
  return unset ? undefined : over;
}
function mergeStruct(desc: DescMessage, base: unknown, over: unknown): unknown {
  if (desc.typeName !== 'google.protobuf.Struct') return mergeData(base, over, desc);
  return isMap(base) && isMap(over) ? Object.assign({}, base, over) : over;
}
