// envoy.config.route.v3.RateLimit from configuration.
import { compileHeaderMatcher, compileStringMatcher } from '../../headers/config.ts';
import { toByteString } from '../../headers/headers.ts';
import { compileCidr } from '../../net/config.ts';
import type { RateLimitActionPlan, RateLimitPlan } from '../../plan/rate-limit-plan.ts';
import type { QueryMatcherPlan } from '../../plan/route-plan.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';

const GENERIC: RateLimitActionPlan = { kind: 'generic', key: 'generic_key', value: '' };

function queryMatcher(q: ConfigMessage): QueryMatcherPlan {
  const string = q.msg('string_match');
  return { name: toByteString(q.str('name')), string: string === undefined ? null : compileStringMatcher(string), present: q.bool('present_match', true) };
}

/** A value that would be a format in Envoy is refused: it is taken as it stands. */
function value(m: ConfigMessage): string {
  const v = m.str('descriptor_value');
  if (v.includes('%')) m.unsupported('descriptor_value', 'with format commands');
  m.unsupported('default_value');
  return toByteString(v);
}

function compileAction(m: ConfigMessage): RateLimitActionPlan {
  const kind = m.oneof('action_specifier'), a = kind === '' ? undefined : m.msg(kind);
  if (a === undefined) return GENERIC;
  switch (kind) {
    case 'generic_key': return { kind: 'generic', key: toByteString(a.str('descriptor_key') || 'generic_key'), value: value(a) };
    case 'source_cluster': return { kind: 'source-cluster' };
    case 'destination_cluster': return { kind: 'destination-cluster' };
    case 'remote_address_match': { const r = a.msg('address_matcher'); return { kind: 'remote-address-match', key: toByteString(a.str('descriptor_key') || 'remote_address_match'), value: value(a), ranges: (r?.list('ranges') ?? []).map(compileCidr), invert: r?.bool('invert_match') ?? false }; }
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
    default: m.unsupported(kind); return GENERIC;
  }
}

/** A list of RateLimit messages. */
export function compileRateLimits(list: readonly ConfigMessage[]): RateLimitPlan[] {
  return list.map((m) => {
    for (const f of ['disable_key', 'limit', 'hits_addend', 'apply_on_stream_done', 'x_ratelimit_option']) m.unsupported(f);
    return { stage: m.num('stage', 0), actions: m.list('actions').map(compileAction) };
  });
}
