// ProxyProtocol (listener filter) from configuration.
import type { ProxyProtocolPlan } from '../../../plan/listener-filter-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

const NAMESPACE = 'envoy.filters.listener.proxy_protocol';

export function compileProxyProtocol(m: ConfigMessage): ProxyProtocolPlan {
  const pass = m.msg('pass_through_tlvs'), types = (pass?.nums('tlv_type') ?? []).map((t) => t & 255);
  return {
    statPrefix: m.str('stat_prefix'), allowWithout: m.bool('allow_requests_without_proxy_protocol'), disallowed: m.enums('disallowed_versions').map((v) => (v === 'V1' ? 1 : 2)),
    rules: m.list('rules').map((r) => { const p = r.msg('on_tlv_present'); return { type: r.num('tlv_type') & 255, namespace: p?.str('metadata_namespace') || NAMESPACE, key: p?.str('key') ?? '', base64: p?.enum('value_string_encoding') === 'BASE64' }; }),
    passThrough: pass === undefined ? null : pass.enum('match_type') === 'INCLUDE_ALL' ? 'all' : types,
    toFilterState: m.enum('tlv_location') === 'FILTER_STATE',
  };
}
