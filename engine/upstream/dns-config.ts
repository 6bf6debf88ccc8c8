// How names are resolved, from configuration: of clusters, and of DNS caches.
import { compileAddress } from '../net/config.ts';
import type { ConfigMessage } from '../proto/config-message.ts';

export interface DnsPlan { readonly family: 'AUTO' | 'V4_ONLY' | 'V6_ONLY' | 'V4_PREFERRED' | 'ALL'; readonly refreshMs: number; readonly respectTtl: boolean; readonly jitterMs: number; /** Null: as often as a success. */ readonly failure: { readonly baseMs: number; readonly maxMs: number } | null; readonly servers: DnsServersPlan }

/** Who is asked by DNS, and how (CaresDnsResolverConfig). */
export interface DnsServersPlan {
  /** ADDRESS:PORT; none: the system's. */
  readonly named: readonly string[];
  /** `named` only where the system names none. */
  readonly asFallback: boolean;
  /** Of one query to one server, -1: the resolver's own; how often it is sent. */
  readonly timeoutMs: number; readonly tries: number;
  /** Each query begins at the next server. */
  readonly rotate: boolean;
  /** Sockets are made anew after a query that timed out; when they are older than this, 0: never. */
  readonly renewOnTimeout: boolean; readonly maxAgeMs: number;
  /** Addresses of a family that no interface of the machine has are left out. */
  readonly routableOnly: boolean;
}
export const SYSTEM_SERVERS: DnsServersPlan = { named: [], asFallback: false, timeoutMs: -1, tries: -1, rotate: false, renewOnTimeout: false, maxAgeMs: 0, routableOnly: false };

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
  let servers = SYSTEM_SERVERS;
  if (type?.typeName.endsWith('.cares.v3.CaresDnsResolverConfig')) servers = compileServers(type); else if (type?.typeName.endsWith('.GetAddrInfoDnsResolverConfig')) { type.noop('num_retries', 'a name is resolved anew when its time comes'); type.noop('num_resolver_threads', 'lookups share Node\'s threads'); } else if (type !== undefined) resolver!.unsupported('typed_config', type.typeName);
  const base = failure?.ms('base_interval', 0) ?? 0, longest = failure?.ms('max_interval', base * 10) ?? 0, refreshMs = of.ms('dns_refresh_rate', refreshDefaultMs);
  if (failure !== undefined && (base < 1 || longest < base)) failure.error('max_interval', 'dns_failure_refresh_rate must have max_interval greater than or equal to the base_interval');
  return { family: families[of.enum('dns_lookup_family')] ?? 'AUTO', refreshMs, respectTtl: cached || of.bool('respect_dns_ttl'), jitterMs: cached ? 0 : Math.max(0, of.ms('dns_jitter', 0)), failure: failure === undefined ? null : { baseMs: base, maxMs: longest }, servers };
}

function compileServers(m: ConfigMessage): DnsServersPlan {
  const options = m.msg('dns_resolver_options');
  options?.unsupported('use_tcp_for_dns_lookups');
  options?.noop('no_default_search_domain', 'queries never try search domains');
  m.noop('udp_max_queries', 'the resolver chooses its ports'); m.noop('edns0_max_payload_size', 'the resolver has a size of its own'); m.noop('qcache_max_ttl', 'answers are kept as long as the refresh says, nowhere else');
  return {
    named: m.list('resolvers').map((r) => { const a = compileAddress(r); return a.kind === 'ip' ? `${a.family === 6 ? `[${a.ip}]` : a.ip}:${a.port || 53}` : ''; }), asFallback: m.bool('use_resolvers_as_fallback'),
    timeoutMs: m.has('query_timeout_seconds') ? 1000 * m.num('query_timeout_seconds') : -1, tries: m.has('query_tries') ? m.num('query_tries') : -1, rotate: m.bool('rotate_nameservers'),
    renewOnTimeout: m.bool('reinit_channel_on_timeout'), maxAgeMs: m.ms('max_udp_channel_duration', 0), routableOnly: m.bool('filter_unroutable_families'),
  };
}
