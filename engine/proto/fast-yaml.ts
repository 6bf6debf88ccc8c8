// A fast reader for the YAML that configurations are mostly made of: block and flow collections, plain and quoted scalars, comments. It gives plain data without
// positions, or `undefined` for anything it is not sure of (anchors, tags, block scalars, multi-line scalars, several documents, faults of any kind): then the full
// parser reads the text. So it is never the judge of what is valid; a test compares the two on everything that it accepts.
import { yamlScalar } from './yaml-scalar.ts';

class NotSure extends Error {}

const MAX_DEPTH = 100;

const WORDS = 4096, OWN_CHARACTERS = 13;
/** Words that come again and again (keys, addresses, names): each is read once, however often it stands there. A word that falls on another's place takes it. */
class Words<T> {
  private readonly texts = new Array<string>(WORDS).fill('');
  private readonly values: T[];
  private readonly meaning: (text: string) => T;
  constructor(meaning: (text: string) => T) { this.meaning = meaning; this.values = new Array<T>(WORDS).fill(meaning('')); }
  /** What the text from `from` to `to` means; `hash` is of its characters. */
  of(text: string, from: number, to: number, hash: number): T {
    const at = (hash ^ (hash >>> 12)) & (WORDS - 1), known = this.texts[at]!;
    if (known.length === to - from && text.startsWith(known, from)) return this.values[at]!;
    const word = cut(text, from, to), value = this.meaning(word);
    // Odd booleans are counted each time that they are read.
    if (typeof value !== 'boolean') { this.texts[at] = word; this.values[at] = value; }
    return value;
  }
}
/** A piece of a text that does not keep all of it. */
function cut(text: string, from: number, to: number): string { const piece = text.slice(from, to); return to - from < OWN_CHARACTERS ? piece : Buffer.from(piece).toString(); }

/** Characters that are nothing else in plain keys and values: letters, digits, '_', '.', '/', and '-' where it does not come first. */
const PLAIN = Uint8Array.from({ length: 128 }, (_, c) => (/[A-Za-z0-9_./-]/.test(String.fromCharCode(c)) ? 1 : 0));

class FastYaml {
  private readonly text: string;
  private at = 0;
  private readonly keys = new Words((word) => word);
  private readonly scalars = new Words(yamlScalar);
  private readonly texts = new Words((word) => word);
  constructor(text: string) { this.text = text; }

  read(): unknown {
    const { text } = this;
    if (/^(---|\.\.\.|%)/m.test(text) || text.includes('\t') || text.includes('\r')) throw new NotSure();
    this.skip();
    const value = this.block(this.column());
    this.skip();
    if (this.at < text.length) throw new NotSure();
    return value;
  }

  /** Over blank lines and comments to the next content. */
  private skip(): void {
    const { text } = this;
    for (;;) {
      const c = text.charCodeAt(this.at);
      if (c === 32 || c === 10) this.at++;
      else if (c === 35 && (this.at === 0 || text.charCodeAt(this.at - 1) <= 32)) { const end = text.indexOf('\n', this.at); this.at = end < 0 ? text.length : end; } else return;
    }
  }

  private column(): number { return this.at - (this.text.lastIndexOf('\n', this.at - 1) + 1); }

  /** A block node whose content begins here, at column `indent`. */
  private block(indent: number): unknown {
    if (indent > 1000) throw new NotSure();
    const c = this.text.charCodeAt(this.at);
    if (c === 45 && this.isSpace(this.at + 1)) return this.sequence(indent);
    if (c === 123 || c === 91) { const v = this.flow(); this.lineEnd(); return v; }
    return this.mapping(indent);
  }

  private isSpace(at: number): boolean { const c = this.text.charCodeAt(at); return c === 32 || c === 10 || Number.isNaN(c); }

  private sequence(indent: number): unknown[] {
    const out: unknown[] = [];
    this.enter();
    for (;;) {
      this.at++; // '-'
      out.push(this.afterIndicator(indent));
      this.skip();
      if (this.at >= this.text.length || this.column() !== indent || this.text.charCodeAt(this.at) !== 45 || !this.isSpace(this.at + 1)) break;
    }
    if (this.at < this.text.length && this.column() > indent) throw new NotSure();
    this.depth--;
    return out;
  }

  /** What follows '- ': on the same line, or below it, deeper. */
  private afterIndicator(indent: number): unknown {
    const line = this.lineOf(this.at);
    this.skip();
    if (this.at >= this.text.length) return null;
    const column = this.column();
    if (this.lineOf(this.at) === line) return this.inline(column);
    return column > indent ? this.block(column) : null;
  }
  private lineOf(at: number): number { return this.text.lastIndexOf('\n', at - 1); }

  /** A value on the rest of a line: a flow collection, a nested block, or a scalar. */
  private inline(column: number): unknown {
    const c = this.text.charCodeAt(this.at);
    if (c === 123 || c === 91) { const v = this.flow(); this.lineEnd(); return v; }
    if (c === 45 && this.isSpace(this.at + 1)) return this.sequence(column);
    if (this.keyAhead()) return this.mapping(column);
    const v = this.scalar(false);
    this.lineEnd();
    return v;
  }

  /** Whether 'key:' stands here on this line. */
  private keyAhead(): boolean {
    const from = this.at;
    try { this.key(false); return true; } catch (e) { if (e instanceof NotSure) return false; throw e; } finally { this.at = from; }
  }

  private mapping(indent: number): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    this.enter();
    for (;;) {
      const key = this.key(false);
      if (key === '<<' || Object.hasOwn(out, key)) throw new NotSure();
      put(out, key, this.valueBelow(indent));
      this.skip();
      if (this.at >= this.text.length || this.column() !== indent) break;
    }
    if (this.at < this.text.length && this.column() > indent) throw new NotSure();
    this.depth--;
    return out;
  }

  /** The value behind 'key:'. */
  private valueBelow(indent: number): unknown {
    const line = this.lineOf(this.at);
    this.skip();
    if (this.at >= this.text.length) return null;
    const column = this.column(), c = this.text.charCodeAt(this.at);
    if (this.lineOf(this.at) === line) {
      if (c === 123 || c === 91) { const v = this.flow(); this.lineEnd(); return v; }
      const v = this.scalar(false);
      this.lineEnd();
      return v;
    }
    if (column > indent) return this.block(column);
    if (column === indent && c === 45 && this.isSpace(this.at + 1)) return this.sequence(indent);
    return null;
  }

  private key(flow: boolean): string {
    const { text } = this, c = text.charCodeAt(this.at);
    if (c === 34 || c === 39) {
      const key = this.quoted(c);
      if (text.charCodeAt(this.at) !== 58) throw new NotSure();
      this.at++;
      return key;
    }
    const from = this.at;
    let i = from, hash = 0;
    for (let x = text.charCodeAt(i); x < 128 && PLAIN[x] === 1; x = text.charCodeAt(++i)) hash = (Math.imul(hash, 31) + x) | 0;
    if (i > from && c !== 45 && text.charCodeAt(i) === 58 && this.isSpace(i + 1)) { this.at = i + 1; return this.keys.of(text, from, i, hash); }
    for (i = from; ; i++) {
      const x = text.charCodeAt(i);
      if (x === 58 && (this.isSpace(i + 1))) {
        const key = text.slice(from, i).trimEnd();
        if (key === '' || /^[&*!|>%@`?{}[\],#"'-]/.test(key) || key.includes(' #')) throw new NotSure();
        this.at = i + 1;
        return key;
      }
      if (Number.isNaN(x) || x === 10 || (flow && (x === 44 || x === 123 || x === 125 || x === 91 || x === 93))) throw new NotSure();
    }
  }

  private scalar(flow: boolean): unknown {
    const { text } = this, c = text.charCodeAt(this.at);
    if (c === 34 || c === 39) return this.quoted(c);
    if (c === 38 || c === 42 || c === 33 || c === 124 || c === 62 || c === 37 || c === 64 || c === 96 || c === 63 || c === 93 || c === 125 || c === 44 || c === 58 || c === 35 || (c === 45 && this.isSpace(this.at + 1))) throw new NotSure();
    const from = this.at;
    let i = from, hash = 0, x = c;
    for (; x < 128 && PLAIN[x] === 1; x = text.charCodeAt(++i)) hash = (Math.imul(hash, 31) + x) | 0;
    if (i > from && (x === 10 || (flow && (x === 44 || x === 125 || x === 93)))) { this.at = i; return this.scalars.of(text, from, i, hash); }
    for (; ; i++) {
      x = text.charCodeAt(i);
      if (Number.isNaN(x) || x === 10) break;
      if (x === 35 && text.charCodeAt(i - 1) === 32) break;
      if (x === 58 && this.isSpace(i + 1)) throw new NotSure();
      if (flow && (x === 44 || x === 125 || x === 93)) break;
      if (flow && (x === 123 || x === 91)) throw new NotSure();
    }
    this.at = i;
    return yamlScalar(text.slice(from, i).trimEnd());
  }

  private quoted(quote: number): string {
    const { text } = this, from = ++this.at;
    let escaped = false, hash = 0;
    for (let i = from; ; i++) {
      const x = text.charCodeAt(i);
      hash = (Math.imul(hash, 31) + x) | 0;
      if (x === 92 && quote === 34) { escaped = true; if (!/[nt"\\/]/.test(text[i + 1] ?? '')) throw new NotSure(); i++; continue; }
      if (Number.isNaN(x) || x === 10 || (x === 39 && quote === 39 && text.charCodeAt(i + 1) === 39)) throw new NotSure();
      if (x === quote) { this.at = i + 1; return escaped ? (JSON.parse(`"${text.slice(from, i)}"`) as string) : this.texts.of(text, from, i, hash); }
    }
  }

  private depth = 0;
  private enter(): void { if (++this.depth > MAX_DEPTH) throw new NotSure(); }
  private flow(): unknown {
    this.enter();
    const v = this.flowCollection();
    this.depth--;
    return v;
  }
  private flowCollection(): unknown {
    const { text } = this, open = text.charCodeAt(this.at++);
    const list: unknown[] = [], map: Record<string, unknown> = {}, close = open === 123 ? 125 : 93;
    for (;;) {
      this.skip();
      if (text.charCodeAt(this.at) === close) { this.at++; return open === 123 ? map : list; }
      if (open === 123) {
        const key = this.key(true);
        this.skip();
        if (key === '<<' || Object.hasOwn(map, key)) throw new NotSure();
        put(map, key, this.flowValue());
      } else list.push(this.flowValue());
      this.skip();
      const c = text.charCodeAt(this.at);
      if (c === 44) this.at++; else if (c !== close) throw new NotSure();
    }
  }

  private flowValue(): unknown {
    const c = this.text.charCodeAt(this.at);
    if (c === 123 || c === 91) return this.flow();
    if (c === 44 || c === 125 || c === 93) return null;
    const v = this.scalar(true);
    // A scalar that goes on in the next line is for the full parser.
    const from = this.at;
    this.skip();
    const x = this.text.charCodeAt(this.at);
    if (x !== 44 && x !== 125 && x !== 93) { this.at = from; throw new NotSure(); }
    return v;
  }

  /** Nothing but a comment may stand on the rest of the line, and a plain scalar may not go on below. */
  private lineEnd(): void {
    const { text } = this;
    while (text.charCodeAt(this.at) === 32) this.at++;
    const c = text.charCodeAt(this.at);
    if (!(Number.isNaN(c) || c === 10 || (c === 35 && text.charCodeAt(this.at - 1) === 32))) throw new NotSure();
  }
}

function put(out: Record<string, unknown>, key: string, value: unknown): void { if (key === '__proto__') Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true }); else out[key] = value; }

/** Plain data, no deeper than MAX_DEPTH, or undefined where the full parser has to look. */
export function readFastYaml(text: string): unknown {
  try { return new FastYaml(text).read(); } catch (e) { if (e instanceof NotSure) return undefined; throw e; }
}
