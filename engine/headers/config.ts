// String and header matchers from configuration.
import type { ConfigMessage } from '../proto/config-message.ts';
import { toByteString } from './headers.ts';
import type { HeaderMatcherPlan } from './header-matcher.ts';
import { compileRegex, type StringMatcherPlan } from './string-matcher.ts';

const NOTHING: StringMatcherPlan = { kind: 'exact', text: '', ignoreCase: false };

/** RegexMatcher: the regex's text, checked; '' after an error was reported. */
export function compileRegexMatcher(m: ConfigMessage): string {
  if (m.has('google_re2')) { const g = m.msg('google_re2'); if (g?.typeName === 'envoy.type.matcher.v3.RegexMatcher.GoogleRE2') g.noop('max_program_size', 'the program size is not limited here'); }
  const regex = m.str('regex');
  try { compileRegex(regex); } catch (e) { m.error('regex', `invalid regex '${regex}': ${(e as Error).message}`); return ''; }
  return toByteString(regex);
}

/** envoy.type.matcher.v3.StringMatcher and xds.type.matcher.v3.StringMatcher. */
export function compileStringMatcher(m: ConfigMessage): StringMatcherPlan {
  const ignoreCase = m.bool('ignore_case');
  const kind = m.oneof('match_pattern');
  switch (kind) {
    case 'exact': case 'prefix': case 'suffix': case 'contains': return { kind, text: toByteString(m.str(kind)), ignoreCase };
    case 'safe_regex': return { kind: 'regex', text: compileRegexMatcher(m.msg('safe_regex')!), ignoreCase: false };
    case '': return NOTHING;
    default: m.unsupported(kind); return NOTHING;
  }
}

export function compileHeaderMatcher(m: ConfigMessage): HeaderMatcherPlan {
  const base = { name: m.str('name').toLowerCase() === 'host' ? ':authority' : m.str('name').toLowerCase(), invert: m.bool('invert_match'), missingAsEmpty: m.bool('treat_missing_header_as_empty') };
  const string = (kind: StringMatcherPlan['kind'], text: string): HeaderMatcherPlan => ({ ...base, match: { kind: 'string', string: { kind, text: toByteString(text), ignoreCase: false } } });
  switch (m.oneof('header_match_specifier')) {
    case 'string_match': return { ...base, match: { kind: 'string', string: compileStringMatcher(m.msg('string_match')!) } };
    case 'exact_match': return string('exact', m.str('exact_match'));
    case 'prefix_match': return string('prefix', m.str('prefix_match'));
    case 'suffix_match': return string('suffix', m.str('suffix_match'));
    case 'contains_match': return string('contains', m.str('contains_match'));
    case 'safe_regex_match': return { ...base, match: { kind: 'string', string: { kind: 'regex', text: compileRegexMatcher(m.msg('safe_regex_match')!), ignoreCase: false } } };
    case 'range_match': { const r = m.msg('range_match')!; return { ...base, match: { kind: 'range', from: r.num('start'), to: r.num('end') } }; }
    case 'present_match': return { ...base, match: { kind: 'present', present: m.bool('present_match') } };
    default: return { ...base, match: { kind: 'present', present: true } };
  }
}
