// ConfigMessage over plain data and a descriptor: checks its own fields when it is made (names, types, rules), gives typed reads, and remembers what was read.
// Large configurations have half a million of them: where one stands is worked out when something is said of it.
import type { DescMessage } from '@bufbuild/protobuf';
import type { ConfigMessage, Place } from './config-message.ts';
import type { ConfigTree, Keys } from './config-tree.ts';
import { shapeOf, wellKnown, type FieldShape, type MessageShape } from './message-shape.ts';
import { messageNames, messageType } from './registry.ts';
import { describe, parseDuration, readEnum, readScalar } from './scalars.ts';
import { meant, suggestion } from './suggest.ts';

type Json = Record<string, unknown>;
const TYPED_STRUCT = new Set(['xds.type.v3.TypedStruct', 'udpa.type.v1.TypedStruct']);
const isMapping = (v: unknown): v is Json => v !== null && typeof v === 'object' && !Array.isArray(v);

/** A field that is given. */
class Item {
  readonly field: FieldShape;
  readonly key: string;
  readonly raw: unknown;
  value: unknown = undefined;
  read = false;
  /** It has an error already, so what follows of that is not said. */
  reported = false;
  constructor(field: FieldShape, key: string, raw: unknown) { this.field = field; this.key = key; this.raw = raw; }
}

/** Where a message stands: under a field of another (`at`: its index or its key there; `inside`: behind that key), or at given keys. */
type Standing = { readonly parent: ConfigNode; readonly item: Item; readonly at: number | string | null; readonly inside: string } | { readonly keys: Keys; readonly path: string };

export class ConfigNode implements ConfigMessage {
  private readonly tree: ConfigTree;
  private readonly shape: MessageShape;
  private readonly data: Json;
  private readonly standing: Standing;
  /** In the order of the file. */
  private readonly items: Item[] = [];
  /** Required fields whose absence was reported. */
  private missing: Set<string> | null = null;
  /** Its text is no message at all, or a message in it could not be made out: that was reported, and what the compiler finds missing because of it is not. */
  private broken = false;

  /** A message that stands in no other. */
  static root(tree: ConfigTree, desc: DescMessage, data: unknown, keys: Keys, path: string): ConfigNode { return new ConfigNode(tree, shapeOf(desc), data, { keys, path }); }

  private constructor(tree: ConfigTree, shape: MessageShape, data: unknown, standing: Standing) {
    this.tree = tree; this.shape = shape; this.standing = standing;
    const ok = isMapping(data);
    this.data = ok ? data : {};
    if (!ok && data !== null && data !== undefined) { tree.report('error', `expected a mapping, not ${describe(data)}`, this.keys, this.path); this.broken = true; return; }
    this.take();
    this.check();
  }

  get typeName(): string { return this.shape.typeName; }
  get path(): string {
    const s = this.standing;
    return 'path' in s ? s.path : s.parent.at(s.item.field.name) + (s.at === null ? '' : typeof s.at === 'number' ? `[${s.at}]` : `['${s.at}']`);
  }
  private get keys(): Keys {
    const s = this.standing;
    if ('keys' in s) return s.keys;
    const own = s.parent.keysOf(s.item, s.at);
    return s.inside === '' ? own : [...own, s.inside];
  }

  // ---- making --------------------------------------------------------------------------------------------------------------

  private take(): void {
    const { byName } = this.shape, { data } = this;
    for (const key in data) {
      const raw = data[key];
      if (raw === null || key === '@type') continue;
      const field = byName.get(key);
      if (field === undefined) { if (!this.recover(key, raw)) this.tree.reportUnknown(`unknown field '${key}'${suggestion(key, this.fieldNames())}`, [...this.keys, key], this.at(key)); continue; }
      if (this.find(field.name) !== undefined) { this.tree.report('error', `field '${field.name}' is given twice`, [...this.keys, key], this.at(key)); continue; }
      this.add(field, key, raw);
      if (field.deprecated && this.tree.deprecated) this.tree.report('warning', `field '${field.name}' is deprecated`, [...this.keys, key], this.at(field.name));
    }
  }

  private fieldNames(): string[] { return this.shape.fields.map((f) => f.name); }
  private find(name: string): Item | undefined {
    const { items } = this;
    for (let i = 0; i < items.length; i++) if (items[i]!.field.name === name) return items[i];
    return undefined;
  }

  private add(field: FieldShape, key: string, raw: unknown): void {
    const item = new Item(field, key, raw);
    this.items.push(item);
    item.value = this.build(item);
  }

  /** A name with a slip in it is reported, and what stands under it is read under the name that was meant, unless that is there too. */
  private recover(key: string, raw: unknown): boolean {
    if (this.tree.unknown !== 'error') return false;
    const name = meant(key, this.fieldNames()) || meant(key, this.shape.fields.map((f) => f.desc.jsonName)), field = this.shape.byName.get(name);
    if (field === undefined || this.find(field.name) !== undefined || Object.hasOwn(this.data, field.name) || Object.hasOwn(this.data, field.desc.jsonName)) return false;
    this.tree.reportUnknown(`unknown field '${key}' (did you mean '${name}'?)`, [...this.keys, key], this.at(key));
    this.add(field, key, raw);
    return true;
  }

  private at(field: string): string { const { path } = this; return path === '' ? field : `${path}.${field}`; }
  /** Keys of a field, or of one of its values. One value in place of a list has no index of its own. */
  private keysOf(item: Item, at: number | string | null = null): Keys { return at === null || (typeof at === 'number' && !Array.isArray(item.raw)) ? [...this.keys, item.key] : [...this.keys, item.key, at]; }
  private bad(item: Item, message: string, more: Keys = []): undefined {
    item.reported = true;
    this.tree.report('error', message, [...this.keysOf(item), ...more], this.at(item.field.name) + more.map((m) => (typeof m === 'number' ? `[${m}]` : `['${m}']`)).join(''));
    return undefined;
  }

  /** A message of this one cannot be made out. */
  private unmade(item: Item, message: string, more: Keys): undefined { this.broken = true; return this.bad(item, message, more); }

  private build(item: Item): unknown {
    const { field, raw } = item;
    if (field.many === 'one') return this.element(item, raw, null);
    if (field.many === 'list') return Array.isArray(raw) ? raw.map((v, i) => this.element(item, v, i)) : [this.element(item, raw, 0)]; // one value in place of a list, as Envoy takes it
    if (!isMapping(raw)) return this.bad(item, `expected a mapping, not ${describe(raw)}`);
    return Object.entries(raw).map(([k, v]) => [k, this.element(item, v, k)] as const);
  }

  private element(item: Item, v: unknown, at: number | string | null): unknown {
    const { field } = item;
    switch (field.reading) {
      case 'message': return new ConfigNode(this.tree, field.message, v, { parent: this, item, at, inside: '' });
      case 'scalar': { const s = readScalar(field.scalar, v); return s instanceof Error ? this.bad(item, s.message, this.more(item, at)) : s; }
      case 'enum': return this.enumOf(item, v, at);
      case 'duration': return parseDuration(v) === null ? this.bad(item, `expected a duration such as '1.5s', not ${describe(v)}`, this.more(item, at)) : v;
      case 'any': return this.anyOf(item, v, at);
      case 'struct': return isMapping(v) ? v : this.bad(item, `expected a mapping, not ${describe(v)}`, this.more(item, at));
      case 'plain': return v;
    }
  }
  private more(item: Item, at: number | string | null): Keys { return at === null || (typeof at === 'number' && !Array.isArray(item.raw)) ? [] : [at]; }

  private enumOf(item: Item, v: unknown, at: number | string | null): string | undefined {
    const desc = item.field.enum!, name = readEnum(desc, v);
    if (name !== null) return name;
    const names = desc.values.map((e) => e.name);
    this.bad(item, `${describe(v)} is not a value of ${desc.name}${typeof v === 'string' ? suggestion(v, names) : ''}`, this.more(item, at));
    return typeof v === 'string' ? meant(v, names) || undefined : undefined;
  }

  private anyOf(item: Item, v: unknown, at: number | string | null): unknown {
    const more = this.more(item, at);
    if (!isMapping(v)) return this.unmade(item, `expected a mapping with "@type", not ${describe(v)}`, more);
    const { '@type': url, ...rest } = v;
    if (url === undefined && item.field.name === 'config' && Object.keys(v).length === 0) return undefined; // FilterConfig's `config: {}` only switches
    if (typeof url !== 'string') return this.unmade(item, 'an Any needs "@type", the type of its configuration', more);
    const name = url.slice(url.lastIndexOf('/') + 1);
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
      return new ConfigNode(this.tree, shapeOf(of), rest['value'] ?? {}, { parent: this, item, at, inside: 'value' });
    }
    const known = wellKnown(desc); // proto JSON puts what these mean under `value`, but an Empty needs none
    return new ConfigNode(this.tree, shapeOf(desc), known === '' ? rest : known === 'Empty' ? rest['value'] ?? rest : { value: rest['value'] }, { parent: this, item, at, inside: '' });
  }

  // ---- rules ---------------------------------------------------------------------------------------------------------------

  private check(): void {
    const { oneofs, checked } = this.shape;
    for (let i = 0; i < oneofs.length; i++) this.checkOneof(oneofs[i]!);
    for (let i = 0; i < checked.length; i++) {
      const field = checked[i]!, item = this.find(field.name), { absent } = field.checks!;
      if (item !== undefined) { if (item.value !== undefined) this.checkItem(item); } else if (absent !== '') this.lacks([field], `${field.name}: ${absent}`);
    }
  }

  private lacks(fields: readonly { readonly name: string }[], message: string): void {
    this.missing ??= new Set();
    for (const f of fields) this.missing.add(f.name);
    this.tree.report('error', message, this.keys, this.path);
  }

  private checkOneof(oneof: MessageShape['oneofs'][number]): void {
    const { items } = this, { desc } = oneof;
    let set = 0;
    for (let i = 0; i < items.length; i++) if (items[i]!.field.oneof === desc) set++;
    const names = (): string => desc.fields.map((x) => x.name).join(', ');
    if (set > 1) for (const f of desc.fields.filter((x) => this.find(x.name) !== undefined).slice(1)) this.bad(this.find(f.name)!, `only one of ${names()} may be given`);
    if (set === 0 && oneof.required) this.lacks(desc.fields, `one of ${names()} is required`);
  }

  private checkItem(item: Item): void {
    const { item: one, count, unique } = item.field.checks!;
    let fault = '';
    if (item.field.many === 'one') fault = one?.(item.value) ?? ''; else {
      const list = item.value as unknown[];
      if (one !== null) list.forEach((v, i) => { const m = v === undefined ? '' : one(v); if (m !== '') this.bad(item, m, this.more(item, i)); });
      fault = unique && repeats(list) ? 'repeated value must contain unique items' : count?.(list.length) ?? '';
    }
    if (fault !== '') this.bad(item, fault);
  }

  // ---- reading -------------------------------------------------------------------------------------------------------------

  private get(field: string): Item | undefined {
    const item = this.find(field);
    if (item !== undefined) item.read = true; else if (!this.shape.byName.has(field)) throw new Error(`${this.typeName} has no field '${field}'`);
    return item;
  }
  private absent(field: string): FieldShape { const f = this.shape.byName.get(field); if (f === undefined) throw new Error(`${this.typeName} has no field '${field}'`); return f; }

  has(field: string): boolean { const i = this.get(field); return i !== undefined && (i.field.many !== 'list' || (i.value as unknown[]).length > 0); }
  only(fields: readonly string[]): boolean { return this.items.length <= fields.length && !this.broken && this.missing === null && this.items.every((i) => !i.reported && fields.includes(i.field.name)); }
  oneof(name: string): string {
    const oneof = this.shape.oneofs.find((o) => o.desc.name === name);
    if (oneof === undefined) throw new Error(`${this.typeName} has no oneof '${name}'`);
    // Of several, which was reported, the one that the message declares first.
    const given = this.items.filter((i) => i.field.oneof === oneof.desc);
    return given.length < 2 ? given[0]?.field.name ?? '' : oneof.desc.fields.find((f) => given.some((i) => i.field.name === f.name))!.name;
  }
  readable(field: string): boolean { const i = this.find(field); return !this.broken && (i === undefined || i.value !== undefined); }
  str(field: string, absent = ''): string { const v = this.get(field)?.value; return typeof v === 'string' ? v : absent; }
  num(field: string, absent = 0): number { const v = this.get(field)?.value; return typeof v === 'number' ? v : absent; }
  bool(field: string, absent = false): boolean { const v = this.get(field)?.value; return typeof v === 'boolean' ? v : absent; }
  enum(field: string): string { const v = this.get(field)?.value; return typeof v === 'string' ? v : this.absent(field).zero; }
  enumNumber(field: string): number { const name = this.enum(field); return this.absent(field).enum!.values.find((e) => e.name === name)?.number ?? 0; }
  ms(field: string, absent = -1): number {
    const ms = parseDuration(this.get(field)?.value);
    if (typeof ms === 'number' && ms < 0) this.error(field, `Invalid duration: Expected positive duration: seconds: ${Math.trunc(ms / 1000)}`);
    return ms ?? absent;
  }
  bytes(field: string): Uint8Array | undefined { const v = this.get(field)?.value; return v instanceof Uint8Array ? v : undefined; }
  msg(field: string): ConfigMessage | undefined { const v = this.get(field)?.value; return v instanceof ConfigNode ? v : undefined; }
  any(field: string): ConfigMessage | undefined { return this.msg(field); }
  list(field: string): readonly ConfigMessage[] { return every(this.values(field), (v): v is ConfigNode => v instanceof ConfigNode); }
  strings(field: string): readonly string[] { return every(this.values(field), (v): v is string => typeof v === 'string'); }
  nums(field: string): readonly number[] { return this.values(field).filter((v): v is number => typeof v === 'number'); }
  enums(field: string): readonly string[] { return this.strings(field); }
  private values(field: string): readonly unknown[] { const v = this.get(field)?.value; return Array.isArray(v) ? (v as unknown[]) : NONE; }
  map(field: string): readonly (readonly [string, ConfigMessage])[] { return (this.values(field) as (readonly [string, unknown])[]).filter((e): e is readonly [string, ConfigNode] => e[1] instanceof ConfigNode); }
  stringMap(field: string): readonly (readonly [string, string])[] { return (this.values(field) as (readonly [string, unknown])[]).filter((e): e is readonly [string, string] => typeof e[1] === 'string'); }
  json(field: string): unknown { const i = this.get(field); this.skip(field); return i === undefined ? undefined : Array.isArray(i.value) && i.field.many === 'map' ? Object.fromEntries(i.value as [string, unknown][]) : i.raw; }

  toJson(): unknown {
    const plain = (v: unknown, raw: unknown): unknown => (v instanceof ConfigNode ? (raw !== null && typeof raw === 'object' && '@type' in raw ? { '@type': (raw as Json)['@type'], ...(v.toJson() as Json) } : v.toJson()) : v instanceof Uint8Array ? Buffer.from(v).toString('base64') : v);
    const out: Json = {};
    for (const i of this.items) {
      if (i.value === undefined) continue;
      if (i.field.many === 'list') out[i.field.name] = (i.value as unknown[]).map((v, n) => plain(v, Array.isArray(i.raw) ? i.raw[n] : i.raw));
      else if (i.field.many === 'map') out[i.field.name] = Object.fromEntries((i.value as [string, unknown][]).map(([k, v]) => [k, plain(v, (i.raw as Json)[k])]));
      else out[i.field.name] = plain(i.value, i.raw);
    }
    return out;
  }

  noop(field: string, why: string): void { if (this.known(field) && this.get(field) !== undefined) { this.skip(field); this.warn(field, `has no effect: ${why}`); } }
  /** A name that this version of the API does not have is passed over: the same list serves several messages. */
  private known(field: string): boolean { return this.shape.byName.has(field); }
  unsupported(field: string, why = ''): void { if (this.known(field) && this.get(field) !== undefined) { this.skip(field); this.error(field, `'${field}' is not supported yet${why === '' ? '' : ` (${why})`}`); } }
  /** What is inside needs no reader either. */
  private skip(field: string): void { const item = this.find(field); if (item !== undefined) for (const m of messagesOf(item)) m.readAll(); }
  readAll(): void { for (const i of this.items) { i.read = true; for (const m of messagesOf(i)) m.readAll(); } }
  error(field: string, message: string): void { this.say('error', field, message); }
  unregistered(field: string, name: string, type: string | undefined): void { this.error(field, `Didn't find a registered implementation for ${type === undefined ? `name: '${name}'` : `'${name}' with type URL: '${type}'`}`); }
  warn(field: string, message: string): void { this.say('warning', field, message); }
  private say(severity: 'error' | 'warning', field: string, message: string): void {
    const item = this.find(field);
    if (severity === 'error' && (item === undefined ? this.broken || this.missing?.has(field) === true : item.reported)) return;
    this.tree.report(severity, message, item === undefined ? this.keys : this.keysOf(item), field === '' ? this.path : this.at(field));
  }
  place(field = ''): Place { const item = this.find(field); return this.tree.place(item === undefined ? this.keys : this.keysOf(item), field === '' ? this.path : this.at(field)); }

  /** Refuses what was set and read by nobody: reading a field is the claim to implement it. */
  refuseUnread(): void {
    if (this.broken) return;
    // A field that says what others mean may be what could not be made out.
    const unsure = this.items.some((i) => i.value === undefined && i.field.reading === 'enum' && i.field.many === 'one');
    for (const i of this.items) {
      if (i.value === undefined) continue;
      if (!i.read && unsure) continue;
      if (!i.read) { this.error(i.field.name, `'${i.field.name}' is not supported yet`); continue; }
      for (const m of messagesOf(i)) m.refuseUnread();
    }
  }
}

const NONE: readonly unknown[] = [];
const NO_MESSAGES: readonly ConfigNode[] = [];
/** What a field has of messages: itself, the items of a list, the values of a map. */
function messagesOf({ value }: Item): readonly ConfigNode[] {
  if (value instanceof ConfigNode) return [value];
  return Array.isArray(value) ? (value as unknown[]).flat().filter((x) => x instanceof ConfigNode) : NO_MESSAGES;
}
/** The list itself where all of it is of one kind, else what is. */
function every<T>(list: readonly unknown[], is: (v: unknown) => v is T): readonly T[] { return list.every(is) ? list : list.filter(is); }
/** Whether plain values of a list are the same. */
function repeats(list: readonly unknown[]): boolean {
  const plain = list.filter((v) => !(v instanceof ConfigNode)).map((v) => (typeof v === 'string' ? v : JSON.stringify(v)));
  return new Set(plain).size !== plain.length;
}

let names: readonly string[] | null = null;
function typeNames(): readonly string[] { return names ??= messageNames().filter((n) => n.startsWith('envoy.')); }
