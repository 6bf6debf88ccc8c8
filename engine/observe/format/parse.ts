// The grammar of substitution formats (Envoy: "Format strings"): literals, '%%', %NAME%, %NAME(args)%, %NAME(args):length%. Pure; used when configurations are compiled.
import { toByteString } from '../../headers/headers.ts';
import type { FormatPiece, FormatPlan } from './formatter.ts';
import { CelExpression } from '../cel/expression.ts';
import { argumentsOf, coalesceList, knownOperator } from './operators.ts';

export class FormatError extends Error {}

/** Parses a format; throws FormatError with a message like Envoy's. Text becomes byte strings. */
export function parseFormat(text: string): FormatPlan {
  const out: FormatPiece[] = [];
  let literal = '';
  for (let at = 0; at < text.length;) {
    if (text[at] !== '%') { literal += text[at++]; continue; }
    if (text[at + 1] === '%') { literal += '%'; at += 2; continue; }
    const m = /^%([A-Z_0-9]+)(?:\(([^)]*)\))?(?::(\d+))?%/.exec(text.slice(at));
    if (m === null) throw new FormatError(`Incorrect configuration: ${text}. Couldn't find valid command at position ${at}`);
    const [all, op, argument, max] = m;
    if (!knownOperator(op!)) throw new FormatError(`Not supported field in StreamInfo: ${op}`);
    faultOf(op!, argument);
    if (literal !== '') { out.push({ text: toByteString(literal) }); literal = ''; }
    out.push({ op: op!, args: argument === undefined ? [] : argumentsOf(op!, argument), max: max === undefined ? -1 : Number(max) });
    at += all.length;
  }
  if (literal !== '') out.push({ text: toByteString(literal) });
  return out;
}

/** Throws for an argument that an operator cannot have. */
function faultOf(op: string, argument: string | undefined): void {
  const parts = argument?.split(':') ?? [];
  switch (op) {
    case 'COALESCE':
      if (argument === undefined) throw new FormatError('COALESCE requires parameters');
      try { coalesceList(argument); } catch (e) { throw new FormatError((e as Error).message); }
      break;
    case 'CEL': case 'TYPED_CEL': { const fault = argument === undefined ? `${op} requires parameters` : CelExpression.faultOf(argument); if (fault !== '') throw new FormatError(`Not able to parse expression: ${fault}`); break; }
    case 'XFCC_VALUE': if (argument === undefined || argument === '') throw new FormatError('XFCC_VALUE command requires a subcommand'); break;
    case 'COMMON_DURATION': if (argument === undefined) throw new FormatError('COMMON_DURATION requires parameters'); if (parts.length < 2 || parts.length > 3) throw new FormatError(`Invalid common duration configuration: ${argument}.`); break;
    case 'REQUESTED_SERVER_NAME': if (parts.length > 0 && !['SNI_ONLY', 'SNI_FIRST', 'HOST_FIRST'].includes(parts[0]!)) throw new FormatError(`Invalid REQUESTED_SERVER_NAME option: '${parts[0]}', only 'SNI_ONLY'/'SNI_FIRST'/'HOST_FIRST' are allowed`); break;
    case 'REQ': case 'RESP': case 'TRAILER': case 'REQUEST_HEADER': case 'RESPONSE_HEADER': case 'RESPONSE_TRAILER': case 'ENVIRONMENT': case 'QUERY_PARAM': case 'DYNAMIC_METADATA': case 'FILTER_STATE': case 'METADATA': case 'UPSTREAM_METADATA': case 'CLUSTER_METADATA': case 'UPSTREAM_FILTER_STATE': case 'STREAM_INFO_REQ': if (argument === undefined || argument === '') throw new FormatError(`${op} requires parameters`); break;
  }
}
