// ConfigMessage over plain data and a descriptor: checks its own fields when it is made (names, types, rules), gives typed reads, and remembers what was read.
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import type { ConfigMessage, Place } from './config-message.ts';
import type { ConfigTree, Keys } from './config-tree.ts';
import { fieldRules, fieldsByName, isDeprecated, messageNames, messageType, oneofRequired } from './registry.ts';
import { checkBytes, checkCount, checkDuration, checkNumber, checkString, messageRequired, ruleOf } from './rules.ts';
import { describe, parseDuration, readEnum, readScalar } from './scalars.ts';
import { meant, suggestion } from './suggest.ts';

type Json = Record<string, unknown>;
const WRAPPERS: Record<string, ScalarType> = {
  DoubleValue: ScalarType.DOUBLE, FloatValue: ScalarType.FLOAT, Int64Value: ScalarType.INT64, UInt64Value: ScalarType.UINT64, Int32Value: ScalarType.INT32, UInt32Value: ScalarType.UINT32, BoolValue: ScalarType.BOOL, StringValue: ScalarType.STRING, BytesValue: ScalarType.BYTES,
};
const short = (desc: DescMessage): string => (desc.typeName.startsWith('google.protobuf.') ? desc.typeName.slice(16) : '');
const TYPED_STRUCT = new Set(['xds.type.v3.TypedStruct', 'udpa.type.v1.TypedStruct']);

/** `reported`: it has an error already, so what follows of that is not said. */
interface Item { readonly field: DescField; readonly key: string; readonly raw: unknown; value: unknown; read: boolean; reported: boolean }

export class ConfigNode implements ConfigMessage {
  readonly typeName: string;
  readonly path: string;
  private readonly tree: ConfigTree;
  private readonly keys: Keys;
  private readonly desc: DescMessage;
  private readonly data: Json;
  private readonly items = new Map<string, Item>();
  /** Required fields whose absence was reported. */
  private readonly missing = new Set<string>();
  /** Its text is no message at all, or a message in it could not be made out: that was reported, and what the compiler finds missing because of it is not. */
  private broken = false;

  constructor(tree: ConfigTree, desc: DescMessage, data: unknown, keys: Keys, path: string) {
    this.tree = tree; this.desc = desc; this.keys = keys; this.path = path; this.typeName = desc.typeName;
    const ok = data !== null && typeof data === 'object' && !Array.isArray(data);
    this.data = ok ? (data as Json) : {};
    if (!ok && data !== null && data !== undefined) { tree.report('error', `expected a mapping, not ${describe(data)}`, keys, path); this.broken = true; return; }
    this.take();
    this.check();
  }

  // ---- making --------------------------------------------------------------------------------------------------------------

  private take(): void {
    const names = fieldsByName(this.desc);
    for (const [key, raw] of Object.entries(this.data)) {
      if (raw === null || key === '@type') continue;
      const field = names.get(key);
      if (field === undefined && this.recover(key, raw)) continue;
      if (field === undefined) { this.tree.reportUnknown(`unknown field '${key}'${suggestion(key, this.desc.fields.map((f) => f.name))}`, [...this.keys, key], this.at(key)); continue; }
      if (this.items.has(field.name)) { this.tree.report('error', `field '${field.name}' is given twice`, [...this.keys, key], this.at(key)); continue; }
      this.add(field, key, raw);
      if (isDeprecated(field) && this.tree.deprecated) this.tree.report('warning', `field '${field.name}' is deprecated`, [...this.keys, key], this.at(field.name));
    }
  }

  private add(field: DescField, key: string, raw: unknown): void {
    const item: Item = { field, key, raw, value: undefined, read: false, reported: false };
    this.items.set(field.name, item);
    item.value = this.build(item);
  }

  /** A name with a slip in it is reported, and what stands under it is read under the name that was meant, unless that is there too. */
  private recover(key: string, raw: unknown): boolean {
    if (this.tree.unknown !== 'error') return false;
    const name = meant(key, this.desc.fields.map((f) => f.name)) || meant(key, this.desc.fields.map((f) => f.jsonName)), field = fieldsByName(this.desc).get(name);
    if (field === undefined || this.items.has(field.name) || Object.hasOwn(this.data, field.name) || Object.hasOwn(this.data, field.jsonName)) return false;
    this.tree.reportUnknown(`unknown field '${key}' (did you mean '${name}'?)`, [...this.keys, key], this.at(key));
    this.add(field, key, raw);
    return true;
  }

  private at(field: string): string { return this.path === '' ? field : `${this.path}.${field}`; }
  private keysOf(item: Item): Keys { return [...this.keys, item.key]; }
  private bad(item: Item, message: string, more: Keys = []): undefined {
    item.reported = true;
    this.tree.report('error', message, [...this.keysOf(item), ...more], this.at(item.field.name) + more.map((m) => (typeof m === 'number' ? `[${m}]` : `['${m}']`)).join(''));
    return undefined;
  }

  /** A message of this one cannot be made out. */
  private unmade(item: Item, message: string, more: Keys): undefined { this.broken = true; return this.bad(item, message, more); }

  private build(item: Item): unknown {
    const { field, raw } = item;
    if (field.fieldKind === 'list') {
      const list = Array.isArray(raw) ? (raw as unknown[]) : [raw]; // one value in place of a list, as Envoy takes it
      return list.map((v, i) => this.element(item, v, Array.isArray(raw) ? [i] : [], `[${i}]`));
    }
    if (field.fieldKind === 'map') {
      if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) return this.bad(item, `expected a mapping, not ${describe(raw)}`);
      return Object.entries(raw as Json).map(([k, v]) => [k, this.element(item, v, [k], `['${k}']`)] as const);
    }
    return this.element(item, raw, [], '');
  }

  private element(item: Item, v: unknown, more: Keys, suffix: string): unknown {
    const { field } = item;
    const kind = field.fieldKind === 'list' ? field.listKind : field.fieldKind === 'map' ? field.mapKind : field.fieldKind;
    if (kind === 'scalar') {
      const s = readScalar(field.scalar as ScalarType, v);
      return s instanceof Error ? this.bad(item, s.message, more) : s;
    }
    if (kind === 'enum') {
      const name = readEnum(field.enum!, v), names = field.enum!.values.map((e) => e.name);
      if (name !== null) return name;
      this.bad(item, `${describe(v)} is not a value of ${field.enum!.name}${typeof v === 'string' ? suggestion(v, names) : ''}`, more);
      return typeof v === 'string' ? meant(v, names) || undefined : undefined;
    }
    return this.message(item, field.message!, v, more, suffix);
  }

  private message(item: Item, desc: DescMessage, v: unknown, more: Keys, suffix: string): unknown {
    const name = short(desc);
    if (name === '') return new ConfigNode(this.tree, desc, v, [...this.keysOf(item), ...more], this.at(item.field.name) + suffix);
    if (name in WRAPPERS) { const s = readScalar(WRAPPERS[name]!, v); return s instanceof Error ? this.bad(item, s.message, more) : s; }
    if (name === 'Duration') return parseDuration(v) === null ? this.bad(item, `expected a duration such as '1.5s', not ${describe(v)}`, more) : v;
    if (name === 'Any') return this.anyOf(item, v, more, suffix);
    if (name === 'Struct' && (v === null || typeof v !== 'object' || Array.isArray(v))) return this.bad(item, `expected a mapping, not ${describe(v)}`, more);
    return v; // Struct, Value, ListValue, Timestamp, FieldMask, Empty
  }

  private anyOf(item: Item, v: unknown, more: Keys, suffix: string): unknown {
    if (v === null || typeof v !== 'object' || Array.isArray(v)) return this.unmade(item, `expected a mapping with "@type", not ${describe(v)}`, more);
    const { '@type': url, ...rest } = v as Json;
    if (url === undefined && item.field.name === 'config' && Object.keys(v).length === 0) return undefined; // FilterConfig's `config: {}` only switches
    if (typeof url !== 'string') return this.unmade(item, 'an Any needs "@type", the type of its configuration', more);
    const name = url.slice(url.lastIndexOf('/') + 1), keys = [...this.keysOf(item), ...more], path = this.at(item.field.name) + suffix;
    let desc = messageType(name);
    if (desc === undefined) {
      this.bad(item, `unknown type '${name}'${suggestion(name, typeNames())}`, [...more, '@type']);
      desc = messageType(meant(name, typeNames()));
      if (desc === undefined) { this.broken = true; return undefined; }
    }
    if (TYPED_STRUCT.has(name)) {
      const inner = String(rest['type_url'] ?? rest['typeUrl'] ?? '');
      const innerName = inner.slice(inner.lastIndexOf('/') + 1), of = messageType(innerName);
      if (of === undefined) return this.unmade(item, `unknown type '${innerName}'${suggestion(innerName, typeNames())}`, [...more, 'type_url']);
      return new ConfigNode(this.tree, of, rest['value'] ?? {}, [...keys, 'value'], path);
    }
    const known = short(desc); // proto JSON puts what these mean under `value`, but an Empty needs none
    return new ConfigNode(this.tree, desc, known === '' ? rest : known === 'Empty' ? rest['value'] ?? rest : { value: rest['value'] }, keys, path);
  }

  // ---- rules ---------------------------------------------------------------------------------------------------------------

  private check(): void {
    for (const oneof of this.desc.oneofs) {
      const set = oneof.fields.filter((f) => this.items.has(f.name));
      if (set.length > 1) for (const f of set.slice(1)) this.bad(this.items.get(f.name)!, `only one of ${oneof.fields.map((x) => x.name).join(', ')} may be given`);
      if (set.length === 0 && oneofRequired(oneof)) { for (const f of oneof.fields) this.missing.add(f.name); this.tree.report('error', `one of ${oneof.fields.map((x) => x.name).join(', ')} is required`, this.keys, this.path); }
    }
    for (const field of this.desc.fields) {
      const rules = fieldRules(field);
      if (rules === null) continue;
      const item = this.items.get(field.name);
      if (item === undefined) { this.checkAbsent(field, rules); continue; }
      if (item.value === undefined) continue; // was reported
      const message = this.checkItem(item, rules);
      if (message !== '') this.bad(item, message);
    }
  }

  private checkAbsent(field: DescField, rules: NonNullable<ReturnType<typeof fieldRules>>): void {
    const say = (m: string): void => { this.missing.add(field.name); this.tree.report('error', `${field.name}: ${m}`, this.keys, this.path); };
    if (field.oneof !== undefined) return;
    if (messageRequired(rules)) { say('value is required'); return; }
    if (field.fieldKind === 'message') return;
    const rule = ruleOf(rules);
    if (rule === null) return;
    let m = '';
    if (rule.kind === 'string') m = checkString('', rule.r); else if (rule.kind === 'bytes') m = checkBytes(new Uint8Array(0), rule.r);
    else if (rule.kind === 'repeated') m = checkCount(0, rule.r, 'Items'); else if (rule.kind === 'map') m = checkCount(0, rule.r, 'Pairs');
    else if (rule.kind === 'enum') { if (((rule.r['notIn'] as number[] | undefined) ?? []).includes(0)) m = 'value is required'; } else if (rule.kind !== 'bool' && rule.kind !== 'duration' && rule.kind !== 'any' && rule.kind !== 'timestamp') m = checkNumber(0, rule.r);
    if (m !== '') say(m);
  }

  private checkItem(item: Item, rules: NonNullable<ReturnType<typeof fieldRules>>): string {
    const rule = ruleOf(rules);
    if (rule === null) return '';
    if (rule.kind === 'repeated') {
      const list = item.value as unknown[];
      const inner = rule.r['items'] === undefined ? null : ruleOf(rule.r['items'] as NonNullable<ReturnType<typeof fieldRules>>);
      if (inner !== null) list.forEach((v, i) => { const m = v === undefined ? '' : this.one(v, inner); if (m !== '') this.bad(item, m, Array.isArray(item.raw) ? [i] : []); });
      if (rule.r['unique'] === true && new Set(list.map((v) => JSON.stringify(v))).size !== list.length) return 'repeated value must contain unique items';
      return checkCount(list.length, rule.r, 'Items');
    }
    if (rule.kind === 'map') return checkCount((item.value as unknown[]).length, rule.r, 'Pairs');
    return this.one(item.value, rule, item);
  }

  private one(v: unknown, rule: NonNullable<ReturnType<typeof ruleOf>>, item?: Item): string {
    switch (rule.kind) {
      case 'string': return typeof v === 'string' ? checkString(v, rule.r) : '';
      case 'bytes': return v instanceof Uint8Array ? checkBytes(v, rule.r) : '';
      case 'duration': return typeof v === 'string' ? checkDuration(v, rule.r) : '';
      case 'bool': return rule.r['const'] !== undefined && Object.hasOwn(rule.r, 'const') && v !== rule.r['const'] ? `value must equal ${String(rule.r['const'])}` : '';
      case 'enum': {
        const number = item?.field.enum?.values.find((e) => e.name === v)?.number;
        return number !== undefined && ((rule.r['notIn'] as number[] | undefined) ?? []).includes(number) ? 'value must not be in list' : '';
      }
      default: return typeof v === 'number' ? checkNumber(v, rule.r) : '';
    }
  }

  // ---- reading -------------------------------------------------------------------------------------------------------------

  private get(field: string): Item | undefined {
    const item = this.items.get(field);
    if (item !== undefined) item.read = true; else if (!fieldsByName(this.desc).has(field)) throw new Error(`${this.typeName} has no field '${field}'`);
    return item;
  }
  private absent(field: string): DescField { const f = fieldsByName(this.desc).get(field); if (f === undefined) throw new Error(`${this.typeName} has no field '${field}'`); return f; }

  has(field: string): boolean { const i = this.get(field); return i !== undefined && (i.field.fieldKind !== 'list' || (i.value as unknown[]).length > 0); }
  oneof(name: string): string {
    const oneof = this.desc.oneofs.find((o) => o.name === name);
    if (oneof === undefined) throw new Error(`${this.typeName} has no oneof '${name}'`);
    for (const f of oneof.fields) if (this.items.has(f.name)) return f.name;
    return '';
  }
  readable(field: string): boolean { const i = this.items.get(field); return !this.broken && (i === undefined || i.value !== undefined); }
  str(field: string, absent = ''): string { const v = this.get(field)?.value; return typeof v === 'string' ? v : absent; }
  num(field: string, absent = 0): number { const v = this.get(field)?.value; return typeof v === 'number' ? v : absent; }
  bool(field: string, absent = false): boolean { const v = this.get(field)?.value; return typeof v === 'boolean' ? v : absent; }
  enum(field: string): string { const v = this.get(field)?.value; return typeof v === 'string' ? v : this.absent(field).enum!.values.find((e) => e.number === 0)?.name ?? ''; }
  enumNumber(field: string): number { const name = this.enum(field); return this.absent(field).enum!.values.find((e) => e.name === name)?.number ?? 0; }
  ms(field: string, absent = -1): number {
    const ms = parseDuration(this.get(field)?.value);
    if (typeof ms === 'number' && ms < 0) this.error(field, `Invalid duration: Expected positive duration: seconds: ${Math.trunc(ms / 1000)}`);
    return ms ?? absent;
  }
  bytes(field: string): Uint8Array | undefined { const v = this.get(field)?.value; return v instanceof Uint8Array ? v : undefined; }
  msg(field: string): ConfigMessage | undefined { const v = this.get(field)?.value; return v instanceof ConfigNode ? v : undefined; }
  any(field: string): ConfigMessage | undefined { return this.msg(field); }
  list(field: string): readonly ConfigMessage[] { return this.values(field).filter((v): v is ConfigNode => v instanceof ConfigNode); }
  strings(field: string): readonly string[] { return this.values(field).filter((v): v is string => typeof v === 'string'); }
  nums(field: string): readonly number[] { return this.values(field).filter((v): v is number => typeof v === 'number'); }
  enums(field: string): readonly string[] { return this.strings(field); }
  private values(field: string): readonly unknown[] { const v = this.get(field)?.value; return Array.isArray(v) ? (v as unknown[]) : []; }
  map(field: string): readonly (readonly [string, ConfigMessage])[] { return (this.values(field) as (readonly [string, unknown])[]).filter((e): e is readonly [string, ConfigNode] => e[1] instanceof ConfigNode); }
  stringMap(field: string): readonly (readonly [string, string])[] { return (this.values(field) as (readonly [string, unknown])[]).filter((e): e is readonly [string, string] => typeof e[1] === 'string'); }
  json(field: string): unknown { const i = this.get(field); this.skip(field); return i === undefined ? undefined : Array.isArray(i.value) && i.field.fieldKind === 'map' ? Object.fromEntries(i.value as [string, unknown][]) : i.raw; }

  toJson(): unknown {
    const plain = (v: unknown, raw: unknown): unknown => (v instanceof ConfigNode ? (raw !== null && typeof raw === 'object' && '@type' in raw ? { '@type': (raw as Json)['@type'], ...(v.toJson() as Json) } : v.toJson()) : v instanceof Uint8Array ? Buffer.from(v).toString('base64') : v);
    const out: Json = {};
    for (const i of this.items.values()) {
      if (i.value === undefined) continue;
      if (i.field.fieldKind === 'list') out[i.field.name] = (i.value as unknown[]).map((v, n) => plain(v, Array.isArray(i.raw) ? i.raw[n] : i.raw));
      else if (i.field.fieldKind === 'map') out[i.field.name] = Object.fromEntries((i.value as [string, unknown][]).map(([k, v]) => [k, plain(v, (i.raw as Json)[k])]));
      else out[i.field.name] = plain(i.value, i.raw);
    }
    return out;
  }

  noop(field: string, why: string): void { if (this.known(field) && this.get(field) !== undefined) { this.skip(field); this.warn(field, `has no effect: ${why}`); } }
  /** A name that this version of the API does not have is passed over: the same list serves several messages. */
  private known(field: string): boolean { return fieldsByName(this.desc).has(field); }
  unsupported(field: string, why = ''): void { if (this.known(field) && this.get(field) !== undefined) { this.skip(field); this.error(field, `'${field}' is not supported yet${why === '' ? '' : ` (${why})`}`); } }
  /** What is inside needs no reader either. */
  private skip(field: string): void { const v = this.items.get(field)?.value; for (const x of Array.isArray(v) ? (v as unknown[]).flat() : [v]) if (x instanceof ConfigNode) x.readAll(); }
  readAll(): void { for (const i of this.items.values()) { i.read = true; for (const x of Array.isArray(i.value) ? (i.value as unknown[]).flat() : [i.value]) if (x instanceof ConfigNode) x.readAll(); } }
  error(field: string, message: string): void { this.say('error', field, message); }
  warn(field: string, message: string): void { this.say('warning', field, message); }
  private say(severity: 'error' | 'warning', field: string, message: string): void {
    const item = this.items.get(field);
    if (severity === 'error' && (item === undefined ? this.broken || this.missing.has(field) : item.reported)) return;
    this.tree.report(severity, message, item === undefined ? this.keys : this.keysOf(item), field === '' ? this.path : this.at(field));
  }
  place(field = ''): Place { const item = this.items.get(field); return this.tree.place(item === undefined ? this.keys : this.keysOf(item), field === '' ? this.path : this.at(field)); }

  /** Refuses what was set and read by nobody: reading a field is the claim to implement it. */
  refuseUnread(): void {
    if (this.broken) return;
    // A field that says what others mean may be what could not be made out.
    const unsure = [...this.items.values()].some((i) => i.value === undefined && i.field.fieldKind === 'enum');
    for (const [name, i] of this.items) {
      if (i.value === undefined) continue;
      if (!i.read && unsure) continue;
      if (!i.read) { this.error(name, `'${name}' is not supported yet`); continue; }
      for (const x of Array.isArray(i.value) ? (i.value as unknown[]).flat() : [i.value]) if (x instanceof ConfigNode) x.refuseUnread();
    }
  }
}

let names: readonly string[] | null = null;
function typeNames(): readonly string[] { return names ??= messageNames().filter((n) => n.startsWith('envoy.')); }
