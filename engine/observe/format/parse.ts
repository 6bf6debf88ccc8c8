// The grammar of substitution formats (Envoy: "Format strings"): literals, '%%', %NAME%, %NAME(args)%, %NAME(args):length%. Pure; used when configurations are compiled.
import { toByteString } from '../../headers/headers.ts';
import type { FormatPiece, FormatPlan } from './formatter.ts';
import { knownOperator } from './operators.ts';

export class FormatError extends Error {}

/** Operators whose argument is one text, not a list of ':'-separated parts. */
const WHOLE_ARGUMENT = new Set(['START_TIME', 'EMIT_TIME', 'DOWNSTREAM_PEER_CERT_V_START', 'DOWNSTREAM_PEER_CERT_V_END', 'UPSTREAM_PEER_CERT_V_START', 'UPSTREAM_PEER_CERT_V_END', 'REQUEST_HEADER', 'RESPONSE_HEADER', 'RESPONSE_TRAILER', 'REQ', 'RESP', 'TRAILER', 'REQ_WITHOUT_QUERY', 'ENVIRONMENT', 'QUERY_PARAM']);

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
    if (literal !== '') { out.push({ text: toByteString(literal) }); literal = ''; }
    out.push({ op: op!, args: argument === undefined ? [] : WHOLE_ARGUMENT.has(op!) ? [argument] : argument.split(':'), max: max === undefined ? -1 : Number(max) });
    at += all.length;
  }
  if (literal !== '') out.push({ text: toByteString(literal) });
  return out;
}
