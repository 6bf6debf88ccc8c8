// The text of a configuration: parsed fast into plain data, and again with positions only when something has to be reported. JSON is read as YAML too.
import { LineCounter, parseDocument, isMap, isPair, isScalar, isSeq, isAlias, type Document, type Node, type ParsedNode } from 'yaml';
import { readFastYaml } from './fast-yaml.ts';
import { isOddBoolean, SEEN, yamlScalar } from './yaml-scalar.ts';
import type { Place } from './config-message.ts';
import type { ConfigSource } from './config-source.ts';

/** A syntax error with its place. */
export class SyntaxFault extends Error { readonly line: number; readonly column: number; constructor(message: string, line: number, column: number) { super(message); this.line = line; this.column = column; } }

/** Turns the document into data as Envoy's YAML reader does: keys are their text, whole numbers are numbers, other numbers stay text (1.5 in a Struct is "1.5"). */
class Reader {
  private readonly doc: Document.Parsed<ParsedNode>;
  private aliases = 0;
  constructor(doc: Document.Parsed<ParsedNode>) { this.doc = doc; }

  read(node: Node | null): unknown {
    if (node === null) return null;
    if (isAlias(node)) {
      if (++this.aliases > 10_000) throw new SyntaxFault('too many aliases', 1, 1);
      return this.read(node.resolve(this.doc) ?? null);
    }
    if (isScalar(node)) return node.type === 'PLAIN' ? yamlScalar(node.source ?? '') : node.value;
    if (isSeq(node)) return node.items.map((n) => this.read(n as Node | null));
    if (!isMap(node)) return null;
    const out: Record<string, unknown> = {};
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? key.source ?? String(key.value) : String(key);
      if (name === '<<') { for (const from of [this.read(value as Node | null)].flat()) if (from !== null && typeof from === 'object') for (const [k, v] of Object.entries(from)) if (!Object.hasOwn(out, k)) put(out, k, v); } else put(out, name, this.read(value as Node | null));
    }
    return out;
  }
}

/** Whether an object of a JSON text has a key twice, which JSON.parse lets pass. The text is valid JSON. */
function repeatsKeys(text: string): boolean {
  const open: (Set<string> | null)[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\]]/g;
  for (let m = token.exec(text); m !== null; m = token.exec(text)) {
    const t = m[0];
    if (t === '{') open.push(new Set()); else if (t === '[') open.push(null); else if (t === '}' || t === ']') open.pop(); else {
      const keys = open.at(-1);
      if (keys === null || keys === undefined || !/^\s*:/.test(text.slice(token.lastIndex, token.lastIndex + 200))) continue;
      if (keys.has(t)) return true;
      keys.add(t);
    }
  }
  return false;
}

/** No `__proto__` of a file ever becomes one. */
function put(out: Record<string, unknown>, key: string, value: unknown): void { Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true }); }

/** As deep as Envoy's own readers go; whatever handles the data later may recurse. */
const MAX_DEPTH = 100, TOO_DEEP = `values are nested more than ${MAX_DEPTH} deep`;
function tooDeep(v: unknown, left: number): boolean {
  if (v === null || typeof v !== 'object') return false;
  if (left === 0) return true;
  for (const k in v) { const x = (v as Record<string, unknown>)[k]; if (x !== null && typeof x === 'object' && tooDeep(x, left - 1)) return true; }
  return false;
}

function shallow(value: unknown): unknown { if (tooDeep(value, MAX_DEPTH)) throw new SyntaxFault(TOO_DEEP, 1, 1); return value; }

const OPTIONS = { version: '1.1', schema: 'yaml-1.1', merge: true, uniqueKeys: true, prettyErrors: false, strict: true } as const;

export class SourceText implements ConfigSource {
  readonly file: string;
  private readonly text: string;
  private document: Document.Parsed<ParsedNode> | null = null;
  private lines: LineCounter | null = null;
  constructor(file: string, text: string) { this.file = file; this.text = text; }

  private odd = false;
  /** Values such as `on` and `n`, which are read as booleans: their keys and text. */
  oddBooleans(): { readonly keys: readonly (string | number)[]; readonly text: string }[] {
    const out: { keys: (string | number)[]; text: string }[] = [];
    const walk = (node: Node | null, keys: (string | number)[]): void => {
      if (isScalar(node)) { if (node.type === 'PLAIN' && isOddBoolean(node.source ?? '')) out.push({ keys, text: node.source! }); } else if (isSeq(node)) node.items.forEach((n, i) => walk(n as Node | null, [...keys, i]));
      else if (isMap(node)) for (const { key, value } of node.items) if (isScalar(key)) walk(value as Node | null, [...keys, String(key.source ?? key.value)]);
    };
    if (this.odd) walk(this.parsed().contents, []);
    return out;
  }

  /** The whole as plain data. Throws SyntaxFault. */
  data(): unknown {
    const odd = SEEN.odd;
    try { return this.read(); } catch (e) { if (e instanceof RangeError) throw new SyntaxFault(TOO_DEEP, 1, 1); throw e; } finally { this.odd = SEEN.odd > odd; }
  }

  private read(): unknown {
    if (/^\s*[{[]/.test(this.text)) {
      let json: unknown;
      try { json = JSON.parse(this.text) as unknown; if (repeatsKeys(this.text)) json = undefined; } catch { /* flow YAML, or a fault that the other reader places */ }
      if (json !== undefined) return shallow(json);
    }
    const fast = readFastYaml(this.text);
    if (fast !== undefined) return fast;
    const doc = this.parsed();
    const bad = doc.errors[0];
    if (bad !== undefined) { throw this.syntaxFault(bad.code, bad.message.replace(/ at line .*/s, ''), bad.pos[0]); }
    return shallow(new Reader(doc).read(doc.contents));
  }

  /** The parser's fault, where a reader would put it. */
  private syntaxFault(code: string, message: string, pos: number): SyntaxFault {
    const at = this.lines!.linePos(pos);
    // A line that is indented too far goes on with the value above it, until its colon: the parser points at that value.
    const comments = /^(?:[ \t]*(?:#[^\n]*)?\n)+/.exec(this.text.slice(pos))?.[0].length ?? 0;
    if (comments > 0) return this.syntaxFault(code, message, pos + comments);
    const next = this.text.indexOf('\n', pos) + 1;
    if (code === 'BLOCK_AS_IMPLICIT_KEY' && next > 0) {
      const line = /^( *)\S+?:(?:\s|$)/.exec(this.text.slice(next));
      if (line !== null) return new SyntaxFault('this line is indented too far, or the value above it is not closed', at.line + 1, line[1]!.length + 1);
    }
    return new SyntaxFault(message, at.line, at.col);
  }

  private parsed(): Document.Parsed<ParsedNode> {
    if (this.document === null) {
      this.lines = new LineCounter();
      this.document = parseDocument(this.text, { ...OPTIONS, lineCounter: this.lines }) as Document.Parsed<ParsedNode>;
    }
    return this.document;
  }

  /** Where the value at `keys` stands (its key, for a member of a mapping). */
  place(keys: readonly (string | number)[], path: string): Place & { readonly found: number } {
    const doc = this.parsed();
    let node: Node | null = doc.contents, offset = node?.range?.[0] ?? 0, found = 0;
    for (const key of keys) {
      if (isAlias(node)) node = node.resolve(doc) ?? null;
      if (isMap(node)) {
        const pair = node.items.find((p) => isPair(p) && isScalar(p.key) && String(p.key.value) === String(key));
        if (pair === undefined) break;
        offset = (pair.key as Node).range?.[0] ?? offset;
        node = pair.value as Node | null;
        found++;
      } else if (isSeq(node)) {
        const item = node.items[Number(key)] as Node | undefined;
        if (item === undefined) { // one value in place of a list stands for its only entry
          break;
        }
        offset = item.range?.[0] ?? offset;
        node = item;
        found++;
      } else if (typeof key === 'number') continue; else break;
    }
    const at = this.lines!.linePos(offset);
    return { file: this.file, line: at.line, column: at.col, path, found };
  }
}
