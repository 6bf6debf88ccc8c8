// Plants single faults of many kinds in a configuration's text, without moving its lines, and tells on which line a report has to stand.
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Node, type Pair, type Scalar, type YAMLMap } from 'yaml';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { fieldRules, fieldsByName, messageType } from '../../engine/proto/registry.ts';
import { messageRequired, ruleOf } from '../../engine/proto/rules.ts';

export type FaultKind = 'typo' | 'wrong type' | 'bad enum' | 'bad duration' | 'out of range' | 'missing required' | 'dangling cluster' | 'bad regex' | 'unknown type' | 'duplicate field' | 'bad format' | 'bad indentation' | 'missing colon';
export const KINDS: readonly FaultKind[] = ['typo', 'wrong type', 'bad enum', 'bad duration', 'out of range', 'missing required', 'dangling cluster', 'bad regex', 'unknown type', 'duplicate field', 'bad format', 'bad indentation', 'missing colon'];
/** Faults of the syntax end the reading: they cannot stand beside others. */
export const SYNTAX: ReadonlySet<FaultKind> = new Set(['duplicate field', 'bad indentation', 'missing colon']);
export interface Fault { readonly kind: FaultKind; /** Text that takes the place of [from, to). */ readonly from: number; readonly to: number; readonly text: string; /** Any of these lines is right. */ readonly lines: readonly number[]; /** What the fault is about, to keep faults apart. */ readonly extent: readonly [number, number]; readonly path: string }

interface Site { readonly pair: Pair<Scalar, Node | null>; readonly field: DescField; readonly desc: DescMessage; readonly map: YAMLMap; readonly owner: number; readonly path: string }
export type Pick = <T>(list: readonly T[]) => T;

const CLUSTER_FIELDS = new Set(['envoy.config.route.v3.RouteAction.cluster', 'envoy.config.route.v3.WeightedCluster.ClusterWeight.name']);
const range = (n: Node): readonly [number, number] => [n.range![0], n.range![1]];

export class Mutator {
  readonly text: string;
  private readonly lines = new LineCounter();
  private readonly sites: Site[] = [];
  private readonly types: { readonly value: Scalar }[] = [];

  constructor(text: string) {
    this.text = text;
    const doc = parseDocument(text, { version: '1.1', lineCounter: this.lines });
    this.walk(doc.contents as Node, messageType('envoy.config.bootstrap.v3.Bootstrap')!, 0, '');
  }

  private line(at: number): number { return this.lines.linePos(at).line; }

  private walk(node: Node | null, desc: DescMessage, owner: number, path: string): void {
    if (!isMap(node)) return;
    let of = desc;
    if (desc.typeName === 'google.protobuf.Any') {
      const type = node.items.find((p) => isScalar(p.key) && p.key.value === '@type')?.value as Scalar | undefined;
      if (type === undefined) return;
      this.types.push({ value: type });
      const url = String(type.value), named = messageType(url.slice(url.lastIndexOf('/') + 1));
      if (named === undefined) return;
      of = named;
    }
    if (of.typeName.startsWith('google.protobuf.')) return;
    for (const pair of node.items as Pair<Scalar, Node | null>[]) {
      if (!isPair(pair) || !isScalar(pair.key) || pair.value === null) continue;
      const field = fieldsByName(of).get(String(pair.key.value));
      if (field === undefined || !pair.value.range) continue;
      const at = `${path}.${field.name}`;
      this.sites.push({ pair, field, desc: of, map: node, owner, path: at });
      const message = field.message;
      if (!message) continue;
      const key = pair.key.range![0];
      if (isSeq(pair.value)) (pair.value.items as Node[]).forEach((item, i) => this.walk(item, message, item.range![0], `${at}[${i}]`));
      else if (field.fieldKind === 'map' && isMap(pair.value)) { for (const e of pair.value.items as Pair<Scalar, Node>[]) this.walk(e.value, message, e.key.range![0], `${at}.${String(e.key.value)}`); } else this.walk(pair.value, message, key, at);
    }
  }

  /** A fault of a kind somewhere in the text; null where none of that kind can be planted. */
  plant(kind: FaultKind, pick: Pick): Fault | null {
    if (kind === 'unknown type') { if (this.types.length === 0) return null; const { value } = pick(this.types); return this.make(kind, value, `"${typo(String(value.value), pick, 30)}"`, value.range![0], '@type'); }
    const sites = this.sites.filter((s) => this.fits(kind, s));
    if (sites.length === 0) return null;
    const s = pick(sites), key = s.pair.key.range![0];
    if (kind === 'missing required') return this.remove(s);
    if (kind === 'typo') { const name = String(s.pair.key.value); let bad = typo(name, pick, 0); while (fieldsByName(s.desc).has(bad)) bad = typo(name, pick, 0); return this.rename(s, kind, bad); }
    if (kind === 'duplicate field') { const others = (s.map.items as Pair<Scalar, Node>[]).filter((p) => p.key.range![0] < key); return this.rename(s, kind, String(pick(others).key.value)); }
    if (kind === 'bad indentation') return { kind, from: key, to: key, text: ' ', lines: [this.line(key)], extent: [key, s.pair.value!.range![1]], path: s.path };
    if (kind === 'missing colon') { const colon = this.text.indexOf(':', s.pair.key.range![1] - 1); return { kind, from: colon, to: colon + 1, text: ' ', lines: [this.line(key)], extent: [key, s.pair.value!.range![1]], path: s.path }; }
    return this.make(kind, s.pair.value!, this.badValue(kind, s, pick), key, s.path);
  }

  private fits(kind: FaultKind, s: Site): boolean {
    const { field } = s, scalar = isScalar(s.pair.value), numeric = this.kindOf(field) === 'number';
    switch (kind) {
      case 'typo': return s.pair.key.type !== 'QUOTE_SINGLE' && String(s.pair.key.value).length > 3;
      case 'wrong type': return this.kindOf(field) !== 'free';
      case 'bad enum': return field.fieldKind === 'enum';
      case 'bad duration': return field.message?.typeName === 'google.protobuf.Duration';
      case 'out of range': return numeric && scalar && field.fieldKind !== 'list';
      case 'missing required': return this.required(s);
      case 'dangling cluster': return CLUSTER_FIELDS.has(`${s.desc.typeName}.${field.name}`) && scalar;
      case 'bad regex': return s.desc.typeName === 'envoy.type.matcher.v3.RegexMatcher' && field.name === 'regex';
      case 'bad format': return s.desc.typeName === 'envoy.config.core.v3.HeaderValue' && field.name === 'value';
      case 'duplicate field': return (s.map.items as Pair<Scalar>[]).some((p) => isScalar(p.key) && p.key.range![0] < s.pair.key.range![0] && p.key.value !== '@type');
      case 'bad indentation': return s.map.flow !== true && s.map.items[0] !== s.pair && isScalar(s.pair.value);
      case 'missing colon': return s.map.flow !== true && isScalar(s.pair.value) && s.map.items.length > 1;
      default: return false;
    }
  }

  private required(s: Site): boolean {
    const rules = fieldRules(s.field), r = rules === null ? undefined : ruleOf(rules)?.r;
    // A member of a oneof is required only where it was chosen.
    return s.map.items.length > 1 && s.field.oneof === undefined && (messageRequired(rules) || (r !== undefined && (Number(r['minLen'] ?? 0) > 0 || Number(r['minBytes'] ?? 0) > 0 || Number(r['minItems'] ?? 0) > 0)));
  }

  private kindOf(field: DescField): 'string' | 'number' | 'bool' | 'enum' | 'duration' | 'message' | 'free' {
    if (field.fieldKind === 'map') return 'message';
    const m = field.message?.typeName ?? '';
    if (m === 'google.protobuf.Duration') return 'duration';
    if (/^google\.protobuf\.(U?Int(32|64)|Double|Float)Value$/.test(m)) return 'number';
    if (m === 'google.protobuf.BoolValue') return 'bool';
    if (m === 'google.protobuf.StringValue') return 'string';
    if (/^google\.protobuf\.(Value|ListValue)$/.test(m)) return 'free';
    if (m !== '') return 'message';
    if (field.enum) return 'enum';
    return field.scalar === 9 ? 'string' : field.scalar === 8 ? 'bool' : field.scalar === 12 ? 'free' : 'number';
  }

  private badValue(kind: FaultKind, s: Site, pick: Pick): string {
    switch (kind) {
      case 'bad enum': return pick(['NO_SUCH_VALUE', '99', typo(String((s.pair.value as Scalar).value), pick, 0)]);
      case 'bad duration': return pick(['5', '5m', '"5 seconds"', '1h', 'soon']);
      case 'out of range': { const r = (fieldRules(s.field) === null ? undefined : ruleOf(fieldRules(s.field)!)?.r) ?? {}, high = r['lte'] ?? r['lt']; return Object.hasOwn(r, 'lte') || Object.hasOwn(r, 'lt') ? String(Number(high) + 1) : s.field.scalar === 1 || s.field.message?.typeName.endsWith('DoubleValue') === true ? '"x"' : s.field.scalar === 3 ? '99999999999999999999' : pick(['-1', '99999999999999999999']); }
      case 'dangling cluster': return typo(String((s.pair.value as Scalar).value), pick, 0);
      case 'bad regex': return pick(['"("', '"a{2,1}"', '"[z-a]"', '"(?=x)"']);
      case 'bad format': return pick(['"%NOSUCH%"', '"50%"', '"%REQ(x%"']);
      default: return { string: '{a: b}', number: pick(['abc', '{a: b}', '1.5x']), bool: pick(['maybe', '"2"', '{a: b}']), enum: '{a: b}', duration: pick(['{seconds: 5}', '[1]']), message: pick(['12', 'text', 'true']), free: '' }[this.kindOf(s.field)];
    }
  }

  private rename(s: Site, kind: FaultKind, name: string): Fault {
    const [from, to] = range(s.pair.key), quoted = /^["']/.test(this.text.slice(from, to));
    return { kind, from, to, text: quoted ? JSON.stringify(name) : name, lines: [this.line(from)], extent: [from, s.pair.value!.range![1]], path: s.path };
  }

  /** Puts `text` where a value stands. A value below its key goes up beside it; the lines it took stay, empty. */
  private make(kind: FaultKind, value: Node, text: string, key: number, path: string): Fault {
    let [from, to] = range(value);
    const below = this.line(from) !== this.line(key);
    if (below) from = this.text.indexOf('\n', key);
    const gap = '\n'.repeat(this.text.slice(from, to).split('\n').length - 1);
    if (!below && isMap(value) && value.flow !== true) to = range(value)[1];
    return { kind, from, to, text: `${below ? ' ' : ''}${text}${gap}`, lines: [this.line(key)], extent: [key, to], path };
  }

  private remove(s: Site): Fault {
    const [from] = range(s.pair.key), inFlow = s.map.flow === true;
    let to = s.pair.value!.range![1], start = from;
    if (inFlow) { const after = /^\s*,/.exec(this.text.slice(to)); if (after !== null) to += after[0].length; else { const before = /,\s*$/.exec(this.text.slice(0, from)); if (before !== null) start = from - before[0].length; } }
    const rest = (s.map.items as Pair<Scalar>[]).filter((p) => p !== (s.pair as unknown)).map((p) => this.line(p.key.range![0]));
    return { kind: 'missing required', from: start, to, text: this.text.slice(start, to).replace(/[^\n]/g, ' '), lines: [this.line(s.owner), Math.min(...rest)], extent: [from, to], path: s.path };
  }
}

/** A word with a slip of the keyboard, in its part from `from` on. */
function typo(word: string, pick: Pick, from: number): string {
  const at = pick(Array.from({ length: Math.max(1, word.length - 1 - from) }, (_, i) => i + from)), c = word[at]!;
  const made = pick([() => word.slice(0, at) + word.slice(at + 1), () => word.slice(0, at) + c + word.slice(at), () => word.slice(0, at) + (word[at + 1] ?? 'x') + c + word.slice(at + 2), () => `${word}s`])();
  return made === word ? `${word}x` : made;
}

/** The text with all faults in it. */
export function withFaults(text: string, faults: readonly Fault[]): string {
  let out = text;
  for (const f of [...faults].sort((a, b) => b.from - a.from)) out = out.slice(0, f.from) + f.text + out.slice(f.to);
  return out;
}
