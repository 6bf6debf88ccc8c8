// How names are resolved, from configuration: of clusters, and of DNS caches.
import { compileAddress } from '../net/config.ts';
import type { ConfigMessage } from '../proto/config-message.ts';

export interface DnsPlan { readonly family: 'AUTO' | 'V4_ONLY' | 'V6_ONLY' | 'V4_PREFERRED' | 'ALL'; readonly refreshMs: number; readonly respectTtl: boolean; readonly jitterMs: number; /** Null: as often as a success. */ readonly failure: { readonly baseMs: number; readonly maxMs: number } | null; readonly resolvers: readonly string[] }

/** Of a cluster: its own fields, or those of its extension `c`. */
export function compileDns(m: ConfigMessage, c: ConfigMessage | null): DnsPlan {
  if (m.has('dns_resolvers')) m.unsupported('dns_resolvers');
  m.unsupported('use_tcp_for_dns_lookups'); m.unsupported('dns_resolution_config');
  return compileDnsOptions(c ?? m, 5000);
}

/** The fields that all messages with DNS options share. */
export function compileDnsOptions(of: ConfigMessage, refreshDefaultMs: number): DnsPlan {
  const families: Record<string, DnsPlan['family']> = { AUTO: 'AUTO', V4_ONLY: 'V4_ONLY', V6_ONLY: 'V6_ONLY', V4_PREFERRED: 'V4_PREFERRED', ALL: 'ALL', UNSPECIFIED: 'AUTO' };
  const cached = of.typeName.endsWith('.DnsCacheConfig'); // its entries live as long as their TTL says
  const failure = of.msg('dns_failure_refresh_rate');
  const resolver = of.msg('typed_dns_resolver_config'), type = resolver?.any('typed_config');
  resolver?.str('name');
  let resolvers: string[] = [];
  if (type?.typeName.endsWith('.cares.v3.CaresDnsResolverConfig')) { resolvers = type.list('resolvers').map((r) => { const a = compileAddress(r); return a.kind === 'ip' ? `${a.family === 6 ? `[${a.ip}]` : a.ip}:${a.port || 53}` : ''; }); type.noop('dns_resolver_options', 'the resolver decides'); type.noop('use_resolvers_as_fallback', 'the resolver decides'); type.noop('filter_unroutable_families', 'the resolver decides'); } else if (type !== undefined && !type.typeName.endsWith('.GetAddrInfoDnsResolverConfig')) resolver!.unsupported('typed_config', type.typeName);
  const base = failure?.ms('base_interval', 0) ?? 0, longest = failure?.ms('max_interval', base * 10) ?? 0, refreshMs = of.ms('dns_refresh_rate', refreshDefaultMs);
  if (failure !== undefined && (base < 1 || longest < base)) failure.error('max_interval', 'dns_failure_refresh_rate must have max_interval greater than or equal to the base_interval');
  return { family: families[of.enum('dns_lookup_family')] ?? 'AUTO', refreshMs, respectTtl: cached || of.bool('respect_dns_ttl'), jitterMs: cached ? 0 : Math.max(0, of.ms('dns_jitter', 0)), failure: failure === undefined ? null : { baseMs: base, maxMs: longest }, resolvers };
}
