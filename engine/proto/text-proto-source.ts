// Text protobuf (.pb_text) into the plain data that YAML would have been read into, with the place of every field. Messages are read by their descriptors, as the
// format does not say of itself what is a list, a map or a wrapper.
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { decodePlain, durationText } from './binary-source.ts';
import type { Place } from './config-message.ts';
import type { ConfigSource } from './config-source.ts';
import { fieldsByName, messageType } from './registry.ts';
import { SyntaxFault } from './source-text.ts';

type Json = Record<string, unknown>;
/** Where values stand: mirrors the data's keys. */
interface Spot { at: number; readonly inner: Map<string | number, Spot> }
const TOKEN = /\s+|#[^\n]*|([A-Za-z_][\w]*)|([-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?f?))|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([[\]{}<>:;,/.-])/y;
const MAX_DEPTH = 100;

export class TextProtoSource implements ConfigSource {
  readonly file: string;
  private readonly text: string;
  private readonly desc: DescMessage;
  private root: Spot = { at: 0, inner: new Map() };
  private at = 0;
  /** The token ahead: its text and where it begins. */
  private token = '';
  private begin = 0;
  constructor(file: string, text: string, desc: DescMessage) { this.file = file; this.text = text; this.desc = desc; }

  data(): unknown {
    this.at = 0;
    this.root = { at: 0, inner: new Map() };
    this.next();
    return this.message(this.desc, '', this.root, 0);
  }

  place(keys: readonly (string | number)[], path: string): Place & { readonly found: number } {
    let spot = this.root, found = 0;
    for (const k of keys) { const inner = spot.inner.get(k); if (inner === undefined) break; spot = inner; found++; }
    return { file: this.file, ...this.lineOf(spot.at), path, found };
  }

  private lineOf(at: number): { line: number; column: number } { const before = this.text.slice(0, at).split('\n'); return { line: before.length, column: before.at(-1)!.length + 1 }; }
  private fail(message: string): never { const p = this.lineOf(this.begin); throw new SyntaxFault(message, p.line, p.column); }

  private next(): void {
    for (;;) {
      if (this.at >= this.text.length) { this.begin = this.text.length; this.token = ''; return; }
      TOKEN.lastIndex = this.begin = this.at;
      const m = TOKEN.exec(this.text);
      if (m === null) this.fail(`unexpected character '${this.text[this.at]}'`);
      this.at = TOKEN.lastIndex;
      if (m[1] ?? m[2] ?? m[3] ?? m[4]) { this.token = m[0]; return; }
    }
  }
  private take(token: string): boolean { if (this.token !== token) return false; this.next(); return true; }
  private expect(token: string): void { if (!this.take(token)) this.fail(`expected '${token}', not ${this.token === '' ? 'the end' : `'${this.token}'`}`); }

  /** Fields up to `close` ('': the end of the text), in JSON's form. */
  private message(desc: DescMessage | undefined, close: string, spot: Spot, depth: number): unknown {
    if (depth > MAX_DEPTH) this.fail('messages are nested too deeply');
    const out: Json = {}, names = desc === undefined ? undefined : fieldsByName(desc);
    while (!(close === '' ? this.token === '' : this.take(close))) {
      const at = this.begin;
      if (this.token === '[' && desc?.typeName === 'google.protobuf.Any') { Object.assign(out, this.expandedAny(spot, depth)); continue; }
      if (!/^[A-Za-z_]/.test(this.token)) this.fail(`expected a field name, not ${this.token === '' ? 'the end' : `'${this.token}'`}`);
      const name = this.token, field = names?.get(name);
      this.next();
      this.take(':');
      this.field(out, name, field, spot, at, depth);
      if (!this.take(',')) this.take(';');
    }
    return desc === undefined ? out : this.json(desc, out, spot);
  }

  private expandedAny(spot: Spot, depth: number): Json {
    this.next();
    let url = '';
    while (!this.take(']')) { if (this.token === '') this.fail("expected ']'"); url += this.token; this.next(); }
    this.take(':');
    const angle = this.take('<'), close = angle ? '>' : '}', desc = messageType(url.slice(url.lastIndexOf('/') + 1));
    if (!angle) this.expect('{');
    const inner = this.message(desc, close, spot, depth + 1);
    if (!this.take(',')) this.take(';');
    return inner !== null && typeof inner === 'object' && !Array.isArray(inner) ? { '@type': url, ...inner } : { '@type': url, value: inner };
  }

  private field(out: Json, name: string, field: DescField | undefined, spot: Spot, at: number, depth: number): void {
    const here = spot.inner.get(name) ?? { at, inner: new Map<string | number, Spot>() };
    spot.inner.set(name, here);
    const many = field?.fieldKind === 'list' || field?.fieldKind === 'map', values: unknown[] = [];
    const one = (): void => {
      const inner: Spot = many ? { at: this.begin, inner: new Map() } : here;
      if (field?.fieldKind === 'list') here.inner.set(((out[name] as unknown[] | undefined)?.length ?? 0) + values.length, inner);
      values.push(this.value(field, inner, depth));
      if (field?.fieldKind === 'map') { const e = values.pop() as Json, k = String(e['key'] ?? ''); here.inner.set(k, inner.inner.get('value') ?? inner); const map = (out[name] ??= {}) as Json; Object.defineProperty(map, k, { value: e['value'] ?? (field.mapKind === 'message' ? {} : ''), enumerable: true, configurable: true, writable: true }); }
    };
    if (this.take('[')) { while (!this.take(']')) { one(); if (!this.take(',') && this.token !== ']') this.fail("expected ',' or ']'"); } } else one();
    if (field?.fieldKind === 'map') return;
    if (many) { out[name] = [...((out[name] as unknown[] | undefined) ?? []), ...values]; return; }
    if (Object.hasOwn(out, name)) { this.begin = at; this.fail(`field '${name}' is given twice`); }
    Object.defineProperty(out, name, { value: values[0], enumerable: true, configurable: true, writable: true });
  }

  private value(field: DescField | undefined, spot: Spot, depth: number): unknown {
    if (this.token === '{' || this.token === '<') {
      const close = this.token === '{' ? '}' : '>';
      this.next();
      // A map entry is a message of key and value.
      if (field?.fieldKind === 'map') return this.entry(field, close, spot, depth);
      return this.message(field?.message ?? undefined, close, spot, depth + 1);
    }
    return this.scalar(field);
  }

  private entry(field: DescField & { fieldKind: 'map' }, close: string, spot: Spot, depth: number): Json {
    const out: Json = {};
    while (!this.take(close)) {
      const name = this.token, inner: Spot = { at: this.begin, inner: new Map() };
      this.next();
      this.take(':');
      if (name !== 'key' && name !== 'value') this.fail('a map entry has key and value');
      spot.inner.set(name, inner);
      const message = name === 'value' && (this.token === '{' || this.token === '<');
      if (message) { const end = this.token === '{' ? '}' : '>'; this.next(); out[name] = this.message(field.mapKind === 'message' ? field.message : undefined, end, inner, depth + 1); } else out[name] = this.scalar(undefined);
      if (!this.take(',')) this.take(';');
    }
    return out;
  }

  private scalar(field: DescField | undefined): unknown {
    const t = this.token;
    if (/^["']/.test(t)) {
      const parts: Buffer[] = [];
      while (/^["']/.test(this.token)) { parts.push(unescape(this.token.slice(1, -1))); this.next(); }
      const bytes = Buffer.concat(parts);
      return field?.scalar === 12 /* BYTES */ ? bytes.toString('base64') : bytes.toString('utf8');
    }
    if (t === '-') { this.next(); const n = this.scalar(field); return typeof n === 'number' ? -n : this.fail('expected a number'); }
    if (!/^[-+\w.]/.test(t)) this.fail(`expected a value, not ${t === '' ? 'the end' : `'${t}'`}`);
    this.next();
    if (/^[-+.\d]/.test(t)) return Number(t.replace(/f$/, ''));
    return t === 'true' || t === 'True' || t === 't' ? true : t === 'false' || t === 'False' || t === 'f' ? false : t;
  }

  /** google.protobuf's own types in their JSON form. */
  private json(desc: DescMessage, out: Json, spot: Spot): unknown {
    const name = desc.typeName.startsWith('google.protobuf.') ? desc.typeName.slice(16) : '';
    if (name === '') return out;
    if (name.endsWith('Value') && desc.fields.length === 1 && desc.fields[0]!.fieldKind === 'scalar') return out['value'] ?? (name === 'BoolValue' ? false : name === 'StringValue' || name === 'BytesValue' ? '' : 0);
    if (name === 'Duration') return durationText(Number(out['seconds'] ?? 0), Number(out['nanos'] ?? 0));
    if (name === 'Any' && typeof out['type_url'] === 'string') {
      const url = out['type_url'], of = messageType(url.slice(url.lastIndexOf('/') + 1));
      spot.inner.clear();
      return { '@type': url, ...(of === undefined ? {} : (decodePlain(of, Buffer.from(String(out['value'] ?? ''), 'base64')) as object)) };
    }
    if (name === 'Struct') return out['fields'] ?? {};
    if (name === 'ListValue') return out['values'] ?? [];
    if (name === 'Value') return Object.entries(out).find(([k]) => k !== 'null_value')?.[1] ?? null;
    return out;
  }
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };
function unescape(text: string): Buffer {
  const parts: Buffer[] = [];
  for (const m of text.matchAll(/\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|(.))|[^\\]+/gs)) {
    if (m[1] !== undefined || m[2] !== undefined) parts.push(Buffer.from([m[1] !== undefined ? parseInt(m[1], 16) : parseInt(m[2]!, 8) & 255]));
    else parts.push(Buffer.from(m[3] !== undefined ? String.fromCharCode(parseInt(m[3], 16)) : m[4] !== undefined ? ESCAPES[m[4]] ?? m[4] : m[0]));
  }
  return Buffer.concat(parts);
}
