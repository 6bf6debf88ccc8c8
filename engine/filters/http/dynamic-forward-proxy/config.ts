// envoy.extensions.filters.http.dynamic_forward_proxy.v3 from configuration.
import { toByteString } from '../../../headers/headers.ts';
import type { DynamicForwardPlan, HostRewritePlan } from '../../../plan/dynamic-forward-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';
import { compileDnsCache } from '../../../upstream/kinds/dns-cache-config.ts';

export function compileDynamicForwardProxy(m: ConfigMessage): DynamicForwardPlan {
  m.unsupported('sub_cluster_config');
  m.unsupported('save_upstream_address');
  const cache = m.msg('dns_cache_config');
  return { cache: cache === undefined ? '' : compileDnsCache(cache).name, fromFilterState: m.bool('allow_dynamic_host_from_filter_state') };
}

export function compileDynamicForwardPerRoute(m: ConfigMessage): HostRewritePlan { return { literal: toByteString(m.str('host_rewrite_literal')), header: m.str('host_rewrite_header').toLowerCase() }; }
