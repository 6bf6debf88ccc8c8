// Compiles header and string matchers (envoy.type.matcher.v3.StringMatcher, envoy.config.route.v3.HeaderMatcher). Control thread only.
import type { ConfigMessage } from '../proto/config-message.ts';
import type { HeaderMatcherPlan } from './header-matcher.ts';
import { compileRegex, type StringMatcherPlan } from './string-matcher.ts';

function regex(config: ConfigMessage | undefined, at: ConfigMessage): string {
  const text = config?.str('regex') ?? '';
  config?.noop('google_re2', 'RE2 is the only engine');
  try { compileRegex(text); } catch (e) { (config ?? at).error('regex', `Invalid regex '${text}': ${(e as Error).message}`); return ''; }
  return text;
}

export function compileStringMatcher(config: ConfigMessage): StringMatcherPlan {
  const ignoreCase = config.bool('ignore_case');
  const kind = config.oneof('match_pattern');
  switch (kind) {
    case 'exact': case 'prefix': case 'suffix': case 'contains': return { kind, text: config.str(kind), ignoreCase };
    case 'safe_regex': {
      if (ignoreCase) config.error('ignore_case', 'ignore_case has no effect for safe_regex.');
      return { kind: 'regex', text: regex(config.msg('safe_regex'), config), ignoreCase: false };
    }
    default: config.error('', kind === '' ? 'match_pattern is required' : `${kind} is not supported`); return { kind: 'exact', text: '', ignoreCase: false };
  }
}

export function compileHeaderMatcher(config: ConfigMessage): HeaderMatcherPlan {
  const plan = { name: config.str('name').toLowerCase(), invert: config.bool('invert_match'), missingAsEmpty: config.bool('treat_missing_header_as_empty') };
  const text = (kind: StringMatcherPlan['kind'], field: string): HeaderMatcherPlan => ({ ...plan, match: { kind: 'string', string: { kind, text: config.str(field), ignoreCase: false } } });
  switch (config.oneof('header_match_specifier')) {
    case 'exact_match': return text('exact', 'exact_match');
    case 'prefix_match': return text('prefix', 'prefix_match');
    case 'suffix_match': return text('suffix', 'suffix_match');
    case 'contains_match': return text('contains', 'contains_match');
    case 'safe_regex_match': return { ...plan, match: { kind: 'string', string: { kind: 'regex', text: regex(config.msg('safe_regex_match'), config), ignoreCase: false } } };
    case 'string_match': return { ...plan, match: { kind: 'string', string: compileStringMatcher(config.msg('string_match')!) } };
    case 'range_match': { const r = config.msg('range_match')!; return { ...plan, match: { kind: 'range', from: r.num('start'), to: r.num('end') } }; }
    case 'present_match': return { ...plan, match: { kind: 'present', present: config.bool('present_match') } };
    default: return { ...plan, match: { kind: 'present', present: true } };
  }
}
