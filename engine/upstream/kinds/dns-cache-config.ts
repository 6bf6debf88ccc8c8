// DnsCacheConfig of the dynamic forward proxy.
import type { ConfigMessage } from '../../proto/config-message.ts';
import { compileDnsOptions, type DnsPlan } from '../dns-config.ts';

export interface DnsCachePlan { readonly name: string; readonly dns: DnsPlan; /** A name that nobody uses is forgotten after this time. */ readonly hostTtlMs: number; readonly maxHosts: number; readonly minRefreshMs: number; readonly queryTimeoutMs: number; readonly preresolve: readonly string[] }

export function compileDnsCache(m: ConfigMessage): DnsCachePlan {
  for (const f of ['key_value_config', 'resolved_address_filter', 'use_tcp_for_dns_lookups', 'dns_resolution_config', 'dns_cache_circuit_breaker']) m.unsupported(f);
  if (m.bool('disable_dns_refresh_on_failure')) m.unsupported('disable_dns_refresh_on_failure');
  return {
    name: m.str('name'), dns: compileDnsOptions(m, 60_000), hostTtlMs: m.ms('host_ttl', 300_000), maxHosts: m.num('max_hosts', 1024), minRefreshMs: m.ms('dns_min_refresh_rate', 5000), queryTimeoutMs: m.ms('dns_query_timeout', 5000),
    preresolve: m.list('preresolve_hostnames').map((a) => { a.num('port_value'); return a.str('address').toLowerCase(); }),
  };
}
