// Formatters from plans, made once where they are installed.
import type { FormatContext, FormatPlan, Formatter } from './formatter.ts';
import { buildOperator, valueText, type OperatorEnv, type Value } from './operators.ts';
import { fromByteString, toByteString } from '../../headers/headers.ts';

class OnlyText implements Formatter {
  private readonly text: string;
  constructor(text: string) { this.text = text; }
  format(): string { return this.text; }
}

class Pieces implements Formatter {
  private readonly pieces: readonly (string | { readonly get: (c: FormatContext) => Value; readonly max: number })[];
  constructor(pieces: Pieces['pieces']) { this.pieces = pieces; }
  format(c: FormatContext, empty: string): string {
    let out = '';
    for (const p of this.pieces) {
      if (typeof p === 'string') { out += p; continue; }
      const v = p.get(c);
      const text = v === undefined ? empty : valueText(v);
      out += p.max >= 0 && text.length > p.max ? text.slice(0, p.max) : text;
    }
    return out;
  }
}

export function makeFormatter(plan: FormatPlan, env: OperatorEnv): Formatter {
  if (plan.length === 0) return new OnlyText('');
  if (plan.length === 1 && 'text' in plan[0]!) return new OnlyText(plan[0]!.text);
  return new Pieces(plan.map((p) => ('text' in p ? p.text : { get: buildOperator(p.op, p.args, env), max: p.max })));
}

/** A JSON format compiled: strings are formats, objects and lists as they are. */
export type JsonPlan = { readonly format: FormatPlan } | { readonly list: readonly JsonPlan[] } | { readonly object: readonly (readonly [string, JsonPlan])[] } | { readonly literal: unknown };

type JsonMaker = (c: FormatContext) => unknown;

/** Makes a function that gives the JSON text as a byte string. A format that is one operator keeps its type; an absent value is null, or left out. */
export function makeJsonFormatter(plan: JsonPlan, env: OperatorEnv, omitEmpty: boolean): (c: FormatContext) => string {
  const make = (p: JsonPlan): JsonMaker => {
    if ('literal' in p) return () => p.literal;
    if ('list' in p) { const parts = p.list.map(make); return (c) => parts.map((f) => f(c)); }
    if ('object' in p) {
      const parts = p.object.map(([k, v]) => [k, make(v)] as const);
      return (c) => {
        const out: Record<string, unknown> = {};
        for (const [k, f] of parts) { const v = f(c); if (omitEmpty && v === null) continue; Object.defineProperty(out, k, { value: v, enumerable: true, configurable: true, writable: true }); }
        return out;
      };
    }
    const only = p.format.length === 1 ? p.format[0]! : null;
    if (only !== null && 'op' in only) {
      const get = buildOperator(only.op, only.args, env), { max } = only;
      return (c) => {
        const v = get(c);
        if (v === undefined) return null;
        if (typeof v !== 'string') return v;
        return fromByteString(max >= 0 ? v.slice(0, max) : v);
      };
    }
    const formatter = makeFormatter(p.format, env);
    return (c) => fromByteString(formatter.format(c, omitEmpty ? '' : '-'));
  };
  const root = make(plan);
  return (c) => toByteString(JSON.stringify(root(c)));
}
