// Binary protobuf into the plain data that YAML would have been read into: snake_case names, enums by name, durations as text, Any with "@type".
// Unknown fields stay visible under a name that no message has, so that they are judged like unknown names of a text.
import { fromBinary, ScalarType, type DescEnum, type DescField, type DescMessage, type Message } from '@bufbuild/protobuf';
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect';
import type { Place } from './config-message.ts';
import type { ConfigSource } from './config-source.ts';
import { messageType } from './registry.ts';
import { SyntaxFault } from './source-text.ts';

type Json = Record<string, unknown>;
/** Any within Any, and trees of matchers: far beyond what is real. */
const MAX_DEPTH = 100;

export class BinarySource implements ConfigSource {
  readonly file: string;
  private readonly bytes: Uint8Array;
  private readonly desc: DescMessage;
  constructor(file: string, bytes: Uint8Array, desc: DescMessage) { this.file = file; this.bytes = bytes; this.desc = desc; }
  data(): unknown { return decodePlain(this.desc, this.bytes); }
  place(_keys: readonly (string | number)[], path: string): Place & { readonly found: number } { return { file: this.file, line: 0, column: 0, path, found: 0 }; }
}

/** A serialized message as plain data. Throws SyntaxFault. */
export function decodePlain(desc: DescMessage, bytes: Uint8Array, depth = 0): unknown {
  let message: Message;
  try { message = fromBinary(desc, bytes); } catch (e) { throw new SyntaxFault(`not a serialized ${desc.typeName}: ${(e as Error).message}`, 0, 0); }
  return plainMessage(reflect(desc, message), depth);
}

function plainMessage(m: ReflectMessage, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new SyntaxFault('messages are nested too deeply', 0, 0);
  const known = m.desc.typeName.startsWith('google.protobuf.') ? wellKnown(m, depth) : undefined;
  if (known !== undefined) return known.value;
  const out: Json = {};
  for (const u of m.message.$unknown ?? []) out[`#${u.no}`] = 'an unknown field';
  for (const f of m.desc.fields) {
    if (!m.isSet(f)) continue;
    if (f.fieldKind === 'list') out[f.name] = [...m.get(f)].map((v) => element(f, v, depth));
    else if (f.fieldKind === 'map') { const map: Json = {}; for (const [k, v] of m.get(f)) Object.defineProperty(map, String(k), { value: element(f, v, depth), enumerable: true, configurable: true, writable: true }); out[f.name] = map; } else out[f.name] = element(f, m.get(f), depth);
  }
  return out;
}

function element(f: DescField, v: unknown, depth: number): unknown {
  const kind = f.fieldKind === 'list' ? f.listKind : f.fieldKind === 'map' ? f.mapKind : f.fieldKind;
  if (kind === 'message') return plainMessage(v as ReflectMessage, depth + 1);
  if (kind === 'enum') return enumName(f.enum!, v as number);
  return plainScalar(f.scalar as ScalarType, v);
}

const enumName = (e: DescEnum, v: number): string | number => e.values.find((x) => x.number === v)?.name ?? v;
function plainScalar(type: ScalarType, v: unknown): unknown {
  if (typeof v === 'bigint') return v >= -0x1f_ffff_ffff_ffffn && v <= 0x1f_ffff_ffff_ffffn ? Number(v) : String(v);
  return type === ScalarType.BYTES ? Buffer.from(v as Uint8Array).toString('base64') : v;
}

/** '5s', '0.250s': three, six or nine digits, as protobuf's JSON has it. */
export function durationText(seconds: number, nanos: number): string {
  const negative = seconds < 0 || nanos < 0, fraction = String(Math.abs(nanos)).padStart(9, '0');
  return `${negative ? '-' : ''}${Math.abs(seconds)}${nanos === 0 ? '' : `.${fraction.endsWith('000000') ? fraction.slice(0, 3) : fraction.replace(/(000)+$/, '')}`}s`;
}

/** The JSON forms of google.protobuf's own types; undefined for a message that has none. */
function wellKnown(m: ReflectMessage, depth: number): { readonly value: unknown } | undefined {
  const name = m.desc.typeName.slice('google.protobuf.'.length), raw = m.message as unknown as Json, field = (n: string): DescField => m.desc.fields.find((f) => f.name === n)!;
  if (name.endsWith('Value') && m.desc.fields.length === 1 && m.desc.fields[0]!.fieldKind === 'scalar') return { value: plainScalar(m.desc.fields[0]!.scalar, m.get(m.desc.fields[0]!)) };
  switch (name) {
    case 'Duration': return { value: durationText(Number(raw['seconds']), Number(raw['nanos'])) };
    case 'Any': {
      const url = String(raw['typeUrl']), desc = messageType(url.slice(url.lastIndexOf('/') + 1)), bytes = raw['value'] as Uint8Array;
      if (url === '') return { value: {} };
      if (desc === undefined) return { value: { '@type': url } };
      const inner = decodePlain(desc, bytes, depth + 1);
      return { value: desc.typeName.startsWith('google.protobuf.') && desc.typeName !== 'google.protobuf.Empty' ? { '@type': url, value: inner } : { '@type': url, ...(inner as object) } };
    }
    case 'Struct': return { value: Object.fromEntries([...(m.get(field('fields')) as Iterable<[string, ReflectMessage]>)].map(([k, v]) => [k, plainMessage(v, depth + 1)])) };
    case 'ListValue': return { value: [...(m.get(field('values')) as Iterable<ReflectMessage>)].map((v) => plainMessage(v, depth + 1)) };
    case 'Value': {
      const set = m.desc.fields.find((f) => m.isSet(f));
      if (set === undefined || set.name === 'null_value') return { value: null };
      const v: unknown = m.get(set);
      return { value: set.fieldKind === 'message' ? plainMessage(v as ReflectMessage, depth + 1) : v };
    }
    default: return undefined;
  }
}
