// Conditions from configuration: expressions that come parsed (google.api.expr.v1alpha1.Expr) and what they may use (CelExpressionConfig).
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { parse, unparse } from '@bufbuild/cel';
import { ExprSchema, type Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { RE2JS } from 're2js';
import type { ConfigMessage } from '../../proto/config-message.ts';
import type { CelFeatures } from './expression.ts';
import { CelExpression } from './expression.ts';

/** A condition as workers build it. */
export interface CelPlan { readonly text: string; readonly features: CelFeatures }

/** What Envoy's evaluator knows by default; text is turned into text and strings are worked on only where cel_config says so. */
const KNOWN = new Set(('_&&_ _||_ !_ -_ _+_ _-_ _*_ _/_ _%_ _==_ _!=_ _<_ _<=_ _>_ _>=_ _?_:_ _[_] @in _in_ in @not_strictly_false __not_strictly_false__ size contains startsWith endsWith matches bool bytes double duration dyn int timestamp type uint '
  + 'getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds').split(' '));
const STRINGS = new Set('charAt format indexOf join lastIndexOf lowerAscii replace split substring trim upperAscii strings.quote'.split(' '));

/** Envoy's words for what cannot be evaluated; '' for well. */
function faultOf(e: Expr | undefined, features: CelFeatures): string {
  const kind = e?.exprKind;
  const first = (...of: readonly (Expr | undefined)[]): string => { for (const x of of) { const f = faultOf(x, features); if (f !== '') return f; } return ''; };
  switch (kind?.case) {
    case 'constExpr': case 'identExpr': return '';
    case 'selectExpr': return first(kind.value.operand);
    case 'listExpr': return first(...kind.value.elements);
    case 'structExpr': return first(...kind.value.entries.flatMap((x) => [...(x.keyKind.case === 'mapKey' ? [x.keyKind.value] : []), x.value]));
    case 'comprehensionExpr': return 'Comprehension support is disabled';
    case 'callExpr': {
      const { function: name, target, args } = kind.value, pattern = args.at(-1)?.exprKind;
      if (!KNOWN.has(name) && !(features.functions && STRINGS.has(name)) && !(features.conversion && name === 'string')) return `No overload found in reference resolve step for ${name}`;
      if (name === 'matches' && pattern?.case === 'constExpr' && pattern.value.constantKind.case === 'stringValue') { try { RE2JS.compile(pattern.value.constantKind.value); } catch (fault) { return `invalid regular expression: ${(fault as Error).message}`; } }
      return first(...(target === undefined ? [] : [target]), ...args);
    }
    default: return 'Invalid empty expression';
  }
}

/** The text of a parsed expression in field `field`; throws Envoy's words for what cannot be evaluated. */
function textOf(m: ConfigMessage, field: string, features: CelFeatures): string {
  const expr = fromJson(ExprSchema, m.json(field) as JsonValue, { ignoreUnknownFields: true }), told = (fault: string): void => { if (fault !== '') throw new Error(fault); };
  told(faultOf(expr, features));
  const text = unparse(expr);
  told(CelExpression.faultOf(text, features));
  return text;
}

/** A parsed expression in field `field`; undefined: none, or a fault was reported. */
export function compileCondition(m: ConfigMessage, field: string, config: string): CelPlan | undefined {
  const expr = m.msg(field), c = m.msg(config);
  const features: CelFeatures = { conversion: c?.bool('enable_string_conversion') ?? false, concat: c?.bool('enable_string_concat') ?? false, functions: c?.bool('enable_string_functions') ?? false };
  if (expr === undefined) return undefined;
  const fail = (why: string): undefined => { m.error(field, `failed to create an expression: ${why}`); };
  try { return { text: textOf(m, field, features), features }; } catch (fault) { return fail((fault as Error).message); }
}

const PLAIN: CelFeatures = { conversion: false, concat: false, functions: false };

/** An expression as text in field `text` or parsed in field `parsed`; '' after a fault was reported (`words` before what is wrong) and where there is none. */
export function compileExpression(m: ConfigMessage, text: string, parsed: string, words: string): string {
  const given = m.msg(parsed), fail = (field: string, why: string): string => { m.error(field, `${words}: ${why}`); return ''; };
  if (given === undefined) {
    const source = m.str(text);
    if (source === '') return '';
    try { const fault = faultOf(parse(source).expr, PLAIN) || CelExpression.faultOf(source, PLAIN); return fault === '' ? source : fail(text, fault); } catch (fault) { return fail(text, (fault as Error).message); }
  }
  try { return textOf(m, parsed, PLAIN); } catch (fault) { return fail(parsed, (fault as Error).message); }
}
