// Formats as log lines: pieces that append to a LineBuffer. Made once where a log is installed. Operators that nearly every line has are written without making a
// string; all others give their value (operators.ts).
import { fromByteString, toByteString, type Headers } from '../../headers/headers.ts';
import type { LineBuffer } from '../accesslog/line-buffer.ts';
import type { FormatContext, FormatPlan } from './formatter.ts';
import { HeaderGather } from './header-gather.ts';
import type { JsonPlan } from './make-formatter.ts';
import { buildOperator, valueText, type OperatorEnv, type Value } from './operators.ts';

/** One piece: appends its text. */
type Piece = (out: LineBuffer, c: FormatContext) => void;
/** A value that may be absent: appends it and says so. `json`: as a JSON value. */
type Field = (out: LineBuffer, c: FormatContext, json: boolean) => boolean;

const QUOTE = 34;

/** Appends a value in text or as JSON. */
function put(out: LineBuffer, v: Value, max: number, json: boolean): boolean {
  if (v === undefined) return false;
  if (!json) { const t = valueText(v); out.text(max >= 0 && t.length > max ? t.slice(0, max) : t); return true; }
  if (typeof v === 'number') { if (Number.isFinite(v)) out.number(v); else out.text('null'); return true; }
  if (typeof v !== 'string') { out.text(toByteString(JSON.stringify(v))); return true; }
  jsonString(out, max >= 0 ? v.slice(0, max) : v);
  return true;
}

function jsonString(out: LineBuffer, s: string): void {
  const start = out.length;
  out.byte(QUOTE);
  if (out.plainJson(s)) { out.byte(QUOTE); return; }
  out.length = start;
  out.text(toByteString(JSON.stringify(fromByteString(s))));
}

/** %START_TIME% in its default form: all but the milliseconds changes once a second. */
function startTime(): Field {
  let second = NaN, prefix = '';
  return (out, c, json) => {
    const at = c.facts.startWallMs, s = Math.floor(at / 1000);
    if (s !== second) { second = s; prefix = new Date(s * 1000).toISOString().slice(0, 20); }
    if (json) out.byte(QUOTE);
    out.text(prefix);
    out.padded(Math.floor(at - s * 1000), 3);
    out.byte(90);
    if (json) out.byte(QUOTE);
    return true;
  };
}

type HeaderSource = 'request' | 'response' | 'responseTrailers';
const SOURCES: Readonly<Record<string, HeaderSource>> = { REQ: 'request', REQUEST_HEADER: 'request', RESP: 'response', RESPONSE_HEADER: 'response', TRAILER: 'responseTrailers', RESPONSE_TRAILER: 'responseTrailers' };
const NUMBERS: Readonly<Record<string, (c: FormatContext) => number>> = { RESPONSE_CODE: (c) => c.facts.status, BYTES_RECEIVED: (c) => c.facts.requestBodyBytes, BYTES_SENT: (c) => c.facts.responseBodyBytes };

/** What compiles the pieces of one line, and looks up all its headers at once. */
class LineCompiler {
  readonly gathers: Readonly<Record<HeaderSource, HeaderGather>> = { request: new HeaderGather(), response: new HeaderGather(), responseTrailers: new HeaderGather() };
  private readonly env: OperatorEnv;
  constructor(env: OperatorEnv) { this.env = env; }

  field(op: string, args: readonly string[], max: number): Field {
    const source = SOURCES[op];
    if (source !== undefined) return this.header(source, args[0] ?? '', max);
    if (op === 'START_TIME' && (args[0] ?? '') === '' && max < 0) return startTime();
    // A log is written when the answer is long out: there is no body of a local reply to tell of.
    if (op === 'LOCAL_REPLY_BODY') return (out, _c, json) => { if (json) out.text('""'); return true; };
    const number = NUMBERS[op];
    if (number !== undefined && max < 0) return (out, c) => { out.number(number(c)); return true; };
    if (op === 'RESPONSE_FLAGS' && max < 0) { const names = buildOperator(op, args, this.env); return (out, c, json) => { if (c.facts.flags === 0 && !json) { out.byte(45); return true; } return put(out, names(c), -1, json); }; }
    const get = buildOperator(op, args, this.env);
    return (out, c, json) => put(out, get(c), max, json);
  }

  private header(source: HeaderSource, argument: string, max: number): Field {
    const [main = '', other = ''] = argument.toLowerCase().split('?');
    const first = this.lookup(source, main), second = other === '' ? null : this.lookup(source, other);
    return (out, c, json) => put(out, first(c) ?? second?.(c), max, json);
  }

  private lookup(source: HeaderSource, name: string): (c: FormatContext) => string | undefined {
    const { values } = this.gathers[source], slot = name.startsWith(':') || name === 'host' ? -1 : this.gathers[source].slot(name);
    if (slot < 0) return (c) => (c.facts[source] as Headers | null)?.get(name);
    return () => values[slot];
  }

  /** Headers that the line needs are found before its pieces run. */
  line(write: Piece): Piece {
    const { request, response, responseTrailers } = this.gathers, wants = [request, response, responseTrailers].map((g) => !g.empty);
    return (out, c) => {
      if (wants[0]) request.collect(c.facts.request);
      if (wants[1]) response.collect(c.facts.response);
      if (wants[2]) responseTrailers.collect(c.facts.responseTrailers);
      write(out, c);
    };
  }
}

function sequence(pieces: readonly Piece[]): Piece { return (out, c) => { for (let i = 0; i < pieces.length; i++) pieces[i]!(out, c); }; }

function textPieces(plan: FormatPlan, compiler: LineCompiler, empty: string): Piece[] {
  return plan.map((p): Piece => {
    if ('text' in p) { const { text } = p; return (out) => out.text(text); }
    const field = compiler.field(p.op, p.args, p.max);
    return (out, c) => { if (!field(out, c, false)) out.text(empty); };
  });
}

/** A text format; `empty` stands for an absent value. */
export function textLine(plan: FormatPlan, env: OperatorEnv, empty: string): Piece {
  const compiler = new LineCompiler(env);
  return compiler.line(sequence(textPieces(plan, compiler, empty)));
}

/** A JSON format and the line's end. A format that is one operator keeps its type; an absent value is null, or left out with its key. */
export function jsonLine(plan: JsonPlan, env: OperatorEnv, omitEmpty: boolean): Piece {
  const compiler = new LineCompiler(env);
  const value = (p: JsonPlan): Field => {
    if ('literal' in p) { const text = toByteString(JSON.stringify(p.literal)); return (out) => { out.text(text); return true; }; }
    if ('list' in p) return list(p.list.map(value));
    if ('object' in p) return object(p.object.map(([k, v]) => [`${toByteString(JSON.stringify(k))}:`, value(v)] as const), omitEmpty);
    const [only] = p.format;
    if (p.format.length === 1 && only !== undefined && 'op' in only) return compiler.field(only.op, only.args, only.max);
    return mixed(textPieces(p.format, compiler, omitEmpty ? '' : '-'));
  };
  const root = value(plan);
  return compiler.line((out, c) => { if (!root(out, c, true)) out.text('null'); out.byte(10); });
}

function list(items: readonly Field[]): Field {
  return (out, c) => {
    out.byte(91);
    for (let i = 0; i < items.length; i++) { if (i > 0) out.byte(44); if (!items[i]!(out, c, true)) out.text('null'); }
    out.byte(93);
    return true;
  };
}

function object(entries: readonly (readonly [key: string, value: Field])[], omitEmpty: boolean): Field {
  return (out, c) => {
    out.byte(123);
    const first = out.length;
    for (let i = 0; i < entries.length; i++) {
      const before = out.length, [key, field] = entries[i]!;
      if (before > first) out.byte(44);
      out.text(key);
      if (!field(out, c, true)) { if (omitEmpty) out.length = before; else out.text('null'); }
    }
    out.byte(125);
    return true;
  };
}

/** Text and operators mixed: a JSON string of them all. */
function mixed(pieces: readonly Piece[]): Field {
  const write = sequence(pieces);
  return (out, c) => {
    const start = out.length;
    write(out, c);
    const text = out.bytes.latin1Slice(start, out.length);
    out.length = start;
    jsonString(out, text);
    return true;
  };
}
