// envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3 from configuration.
import type { SniForwardPlan } from '../../../plan/dynamic-forward-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';
import { compileDnsCache } from '../../../upstream/kinds/dns-cache-config.ts';

export function compileSniDynamicForwardProxy(m: ConfigMessage): SniForwardPlan {
  if (m.bool('save_upstream_address')) m.unsupported('save_upstream_address');
  const config = m.msg('dns_cache_config'), cache = config === undefined ? null : compileDnsCache(config);
  return { cache: cache?.name ?? '', port: m.num('port_value', 443), waitMs: cache?.queryTimeoutMs ?? 5000 };
}
