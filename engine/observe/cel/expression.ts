// A CEL expression over what is known of a stream (Envoy: "Attributes"), parsed and planned once. Evaluating costs microseconds: for log filters and the like, not for
// what every request takes.
import { createRequire } from 'node:module';
import type * as Cel from '@bufbuild/cel';
import type { StreamFacts } from '../stream-facts.ts';
import { Attributes } from './attributes.ts';

/** The evaluator, loaded by the first expression: a worker without any does not pay for it. */
let cel: typeof Cel | null = null;
const load = (): typeof Cel => (cel ??= createRequire(import.meta.url)('@bufbuild/cel') as typeof Cel);

/** What expressions may do beyond Envoy's default (CelExpressionConfig). */
export interface CelFeatures { /** string(…). */ readonly conversion: boolean; /** Strings and bytes may be added. */ readonly concat: boolean; /** lowerAscii and the like. */ readonly functions: boolean }

function environment(features: CelFeatures | null): Cel.CelEnv {
  const { celEnv, celFunc, CelScalar, listType } = load();
  if (features === null) return celEnv({});
  const off = (type: Cel.CelType): Cel.CelFunc => celFunc('_+_', [type, type], type, () => { throw new Error('no matching overload'); });
  const strings = features.functions ? (createRequire(import.meta.url)('@bufbuild/cel/ext') as { strings: Cel.CelFunc[] }).strings : [];
  return celEnv({ funcs: [...strings, off(listType(CelScalar.DYN)), ...(features.concat ? [] : [off(CelScalar.STRING), off(CelScalar.BYTES)])] });
}

export class CelExpression {
  private readonly evaluate: (bindings: Attributes['bindings']) => unknown;
  private readonly attributes: Attributes;

  /** Throws with the parser's words for what is no expression. */
  constructor(text: string, features: CelFeatures | null = null) { const { parse, plan, celUint } = load(); this.attributes = new Attributes(celUint); this.evaluate = plan(environment(features), parse(text)) as CelExpression['evaluate']; }

  /** The fault of an expression, '' for none. */
  static faultOf(text: string, features: CelFeatures | null = null): string {
    try { new CelExpression(text, features); return ''; } catch (e) { return (e as Error).message; }
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
