// A CEL expression over what is known of a stream (Envoy: "Attributes"), parsed and planned once. Evaluating costs microseconds: for log filters and the like, not for
// what every request takes.
import { createRequire } from 'node:module';
import type * as Cel from '@bufbuild/cel';
import type { StreamFacts } from '../stream-facts.ts';
import { Attributes } from './attributes.ts';

/** The evaluator, loaded by the first expression: a worker without any does not pay for it. */
let cel: typeof Cel | null = null;
const load = (): typeof Cel => (cel ??= createRequire(import.meta.url)('@bufbuild/cel') as typeof Cel);

/** Attributes of Envoy that are not there: an expression that names one is refused. */
const MISSING = /\b(?:request\.(?:time|duration)|response\.backend_latency|upstream\.cx_pool_ready_duration|connection\.id)\b/;

export class CelExpression {
  private readonly evaluate: (bindings: Attributes['bindings']) => unknown;
  private readonly attributes = new Attributes();

  /** Throws with the parser's words for what is no expression. */
  constructor(text: string) { const { celEnv, parse, plan } = load(); this.evaluate = plan(celEnv({}), parse(text)) as CelExpression['evaluate']; }

  /** The fault of an expression, '' for none. */
  static faultOf(text: string): string {
    const missing = MISSING.exec(text);
    if (missing !== null) return `the attribute '${missing[0]}' is not supported yet`;
    try { new CelExpression(text); return ''; } catch (e) { return (e as Error).message; }
  }

  /** undefined: it has no value, as an attribute is absent or types do not fit. */
  value(facts: StreamFacts): unknown {
    this.attributes.facts = facts;
    let v: unknown;
    try { v = this.evaluate(this.attributes.bindings); } catch { return undefined; }
    return load().isCelError(v) ? undefined : v;
  }
  /** Anything but true is no match. */
  matches(facts: StreamFacts): boolean { return this.value(facts) === true; }
}
