// ValueMatcher and fractions from configuration.
import { compileStringMatcher } from '../../headers/config.ts';
import type { FractionPlan, MetadataMatchPlan, ValueMatchPlan } from '../../plan/match-plan.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';

/** envoy.type.matcher.v3.MetadataMatcher; `at` is the message that has it, for faults. */
export function compileMetadataMatch(m: ConfigMessage, at = m): MetadataMatchPlan {
  return { filter: m.str('filter'), path: m.list('path').map((p) => p.str('key')), value: compileValueMatch(m.msg('value'), at), invert: m.bool('invert') };
}

const NEVER: ValueMatchPlan = { kind: 'or', of: [] };

/** A ValueMatcher; `at` is the message that has it, for faults. */
export function compileValueMatch(v: ConfigMessage | undefined, at: ConfigMessage): ValueMatchPlan {
  switch (v?.oneof('match_pattern')) {
    case 'string_match': return { kind: 'string', string: compileStringMatcher(v.msg('string_match')!) };
    case 'bool_match': return { kind: 'bool', value: v.bool('bool_match') };
    case 'present_match': return { kind: 'present', present: v.bool('present_match') };
    case 'null_match': v.has('null_match'); return { kind: 'null' };
    case 'double_match': { const d = v.msg('double_match')!, r = d.msg('range'); return r === undefined ? { kind: 'exact', value: d.num('exact') } : { kind: 'range', from: r.num('start'), to: r.num('end') }; }
    case 'list_match': { const l = v.msg('list_match')!; return { kind: 'list', one: compileValueMatch(l.msg('one_of'), l) }; }
    case 'or_match': return { kind: 'or', of: v.msg('or_match')!.list('value_matchers').map((m) => compileValueMatch(m, m)) };
    default: at.unsupported('value'); return NEVER;
  }
}

const DENOMINATORS: Readonly<Record<string, number>> = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };

/** FractionalPercent. */
export function compilePercent(m: ConfigMessage | undefined, key = ''): FractionPlan { return { key, numerator: m?.num('numerator') ?? 0, denominator: DENOMINATORS[m?.enum('denominator') ?? 'HUNDRED'] ?? 100 }; }
/** RuntimeFractionalPercent; null where it is not there. */
export function compileFraction(m: ConfigMessage | undefined): FractionPlan | null { return m === undefined ? null : compilePercent(m.msg('default_value'), m.str('runtime_key')); }
