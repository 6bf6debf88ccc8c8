// envoy.config.route.v3.RateLimit from configuration.
import { compileHeaderMatcher, compileStringMatcher } from '../../headers/config.ts';
import { toByteString } from '../../headers/headers.ts';
import { compileCidr } from '../../net/config.ts';
import { compileHttpInput } from '../../net/match/config.ts';
import { compileExpression } from '../../observe/cel/config.ts';
import { compileFormat } from '../../observe/format/config.ts';
import type { RateLimitActionPlan, RateLimitPlan, RateLimitValuePlan } from '../../plan/rate-limit-plan.ts';
import type { QueryMatcherPlan } from '../../plan/route-plan.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';

const GENERIC: RateLimitActionPlan = { kind: 'generic', key: 'generic_key', value: { text: '', format: null, always: false, fallback: '' } };

function queryMatcher(q: ConfigMessage): QueryMatcherPlan {
  const string = q.msg('string_match');
  return { name: toByteString(q.str('name')), string: string === undefined ? null : compileStringMatcher(string), present: q.bool('present_match', true) };
}

/** Envoy takes all but those of remote_address_match (`always`) for plain text, unless the runtime says otherwise (rate-limits.ts). */
function value(m: ConfigMessage, always = false): RateLimitValuePlan {
  const text = m.str('descriptor_value');
  return { text: toByteString(text), format: text.includes('%') ? compileFormat(text, m, 'descriptor_value') : null, always, fallback: toByteString(m.str('default_value')) };
}

/** A descriptor extension, or an input of matcher trees under the extension's name. */
function compileExtension(m: ConfigMessage): RateLimitActionPlan {
  const name = m.str('name'), c = m.any('typed_config');
  if (c === undefined) { m.error('typed_config', 'value is required'); return GENERIC; }
  if (c.typeName !== 'envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor') return { kind: 'input', key: toByteString(name), input: compileHttpInput(c, m) };
  const key = toByteString(c.str('descriptor_key')), skip = c.bool('skip_if_error');
  if (c.oneof('expr_specifier') === '') c.error('', 'Rate limit descriptor extension failed: expression specifier is not set');
  return { kind: 'expression', key, skip, text: compileExpression(c, 'text', 'parsed', 'Unable to parse descriptor expression') };
}

function compileAction(m: ConfigMessage): RateLimitActionPlan {
  const kind = m.oneof('action_specifier'), a = kind === '' ? undefined : m.msg(kind);
  if (a === undefined) return GENERIC;
  switch (kind) {
    case 'generic_key': return { kind: 'generic', key: toByteString(a.str('descriptor_key') || 'generic_key'), value: value(a) };
    case 'source_cluster': return { kind: 'source-cluster' };
    case 'destination_cluster': return { kind: 'destination-cluster' };
    case 'remote_address_match': { const r = a.msg('address_matcher'); return { kind: 'remote-address-match', key: toByteString(a.str('descriptor_key') || 'remote_address_match'), value: value(a, true), ranges: (r?.list('ranges') ?? []).map(compileCidr), invert: r?.bool('invert_match') ?? false }; }
    case 'remote_address': return { kind: 'remote-address', bits4: -1, bits6: -1, masked: false };
    case 'masked_remote_address': return { kind: 'remote-address', bits4: a.num('v4_prefix_mask_len', 32), bits6: a.num('v6_prefix_mask_len', 128), masked: true };
    case 'request_headers': return { kind: 'header', header: a.str('header_name').toLowerCase(), key: toByteString(a.str('descriptor_key')), skip: a.bool('skip_if_absent') };
    case 'query_parameters': return { kind: 'query', parameter: toByteString(a.str('query_parameter_name')), key: toByteString(a.str('descriptor_key')), skip: a.bool('skip_if_absent') };
    case 'header_value_match': return { kind: 'header-match', key: toByteString(a.str('descriptor_key') || 'header_match'), value: value(a), expect: a.bool('expect_match', true), headers: a.list('headers').map(compileHeaderMatcher) };
    case 'query_parameter_value_match': return { kind: 'query-match', key: toByteString(a.str('descriptor_key') || 'query_match'), value: value(a), expect: a.bool('expect_match', true), query: a.list('query_parameters').map(queryMatcher) };
    case 'metadata': case 'dynamic_metadata': {
      const source = kind === 'metadata' ? a.enum('source') : 'DYNAMIC', k = a.msg('metadata_key');
      if (source !== 'DYNAMIC' && source !== 'ROUTE_ENTRY') a.unsupported('source', source);
      const path = (k?.list('path') ?? []).map((p) => { p.unsupported('index'); return p.str('key'); });
      return { kind: 'metadata', key: toByteString(a.str('descriptor_key')), source: source === 'ROUTE_ENTRY' ? 'route' : 'dynamic', filter: k?.str('key') ?? '', path, fallback: toByteString(a.str('default_value')), skip: kind === 'metadata' && a.bool('skip_if_absent') };
    }
    case 'extension': return compileExtension(a);
    default: m.unsupported(kind); return GENERIC;
  }
}

/** hits_addend of a filter's own policy; null: one. */
function compileHits(m: ConfigMessage | undefined): RateLimitPlan['hits'] {
  if (m === undefined) return null;
  const format = m.str('format'), refill = m.bool('is_negative_hits');
  if ((format !== '') === m.has('number')) m.error('', 'hits_addend must contain either a format or a number');
  const parts = format === '' ? null : compileFormat(format, m, 'format');
  if (parts !== null && parts.length > 1) m.error('format', 'hits_addend format must contain exactly one substitution');
  return { number: m.num('number', 1), format: parts, refill };
}

const TELLS: Readonly<Record<string, boolean>> = { OFF: false, DRAFT_VERSION_03: true };
const tellsOf = (m: ConfigMessage): boolean | null => TELLS[m.enum('x_ratelimit_option')] ?? null;

/** rate_limits of a route or a virtual host. Those with a disable_key are for a rate limit service, local limits pass them over, as in Envoy. */
export function compileRateLimits(list: readonly ConfigMessage[]): RateLimitPlan[] {
  return list.flatMap((m) => {
    m.noop('limit', 'only a rate limit service heeds it');
    m.noop('hits_addend', "only a filter's own rate_limits heed it");
    m.noop('apply_on_stream_done', "only a filter's own rate_limits heed it");
    const plan = { stage: m.num('stage', 0), actions: m.list('actions').map(compileAction), hits: null, tells: tellsOf(m) };
    return m.str('disable_key') === '' ? [plan] : [];
  });
}

/** rate_limits of a filter. Local limits are never applied when a stream is done, as in Envoy, so policies that ask for it fall away. */
export function compileOwnRateLimits(list: readonly ConfigMessage[]): RateLimitPlan[] {
  return list.flatMap((m) => {
    if (m.has('stage') || m.str('disable_key') !== '') m.error('', "'stage' field and 'disable_key' field are not supported");
    if (m.json('limit') !== undefined) m.error('limit', "'limit' field is not supported");
    const plan = { stage: 0, actions: m.list('actions').map(compileAction), hits: compileHits(m.msg('hits_addend')), tells: tellsOf(m) };
    return m.bool('apply_on_stream_done') ? [] : [plan];
  });
}
