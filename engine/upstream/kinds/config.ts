// How a cluster finds its hosts, from configuration: `type`, or `cluster_type` with an extension.
import type { KindPlan, OriginalDstPlan } from '../../plan/cluster-plan.ts';
import { compileDnsCache, type DnsCachePlan } from './dns-cache-config.ts';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';

export interface CompiledKind { readonly discovery: 'static' | 'strict-dns' | 'logical-dns' | 'eds'; /** The message with the DNS options, null: the cluster itself. */ readonly dns: ConfigMessage | null; readonly kind: KindPlan | null; readonly dnsCache: DnsCachePlan | null }

const PLAIN: CompiledKind = { discovery: 'static', dns: null, kind: null, dnsCache: null };

function originalDst(m: ConfigMessage): OriginalDstPlan {
  const c = m.msg('original_dst_lb_config'), used = c?.bool('use_http_header') ?? false, name = (c?.str('http_header_name') ?? '').toLowerCase(), key = c?.msg('metadata_key');
  if (name !== '' && !used) c!.error('http_header_name', 'ORIGINAL_DST cluster: invalid config http_header_name and use_http_header is false.');
  if (m.msg('load_assignment') !== undefined) m.error('load_assignment', 'ORIGINAL_DST clusters must have no load assignment configured');
  return {
    kind: 'original-dst', header: used ? name || 'x-envoy-original-dst-host' : '', metadata: key === undefined ? null : { filter: key.str('key'), path: key.list('path').map((p) => { p.unsupported('index'); return p.str('key'); }) },
    port: c?.num('upstream_port_override', 0) ?? 0, cleanupMs: m.ms('cleanup_interval', 5000),
  };
}

/** Hosts that requests name must be asked for, and prove, their names (Envoy: allow_insecure_cluster_options). */
function checkNames(m: ConfigMessage): void {
  for (const [, c] of m.map('typed_extension_protocol_options')) {
    const names = c.typeName.endsWith('.HttpProtocolOptions') ? c.msg('upstream_http_protocol_options') : undefined;
    if (names !== undefined && !(names.bool('auto_sni') && names.bool('auto_san_validation'))) m.error('typed_extension_protocol_options', 'dynamic_forward_proxy cluster must have auto_sni and auto_san_validation true when configured with upstream_http_protocol_options');
  }
}

function ofExtension(m: ConfigMessage, custom: ConfigMessage, ctx: CompileContext): CompiledKind {
  const c = custom.any('typed_config'), name = custom.str('name');
  switch (c?.typeName) {
    case 'envoy.extensions.clusters.dns.v3.DnsCluster': return { discovery: c.bool('all_addresses_in_single_endpoint') ? 'logical-dns' : 'strict-dns', dns: c, kind: null, dnsCache: null };
    case 'envoy.extensions.clusters.aggregate.v3.ClusterConfig': {
      const clusters = c.strings('clusters');
      for (const member of clusters) ctx.needsCluster(member, c, 'clusters');
      return { ...PLAIN, kind: { kind: 'aggregate', clusters } };
    }
    case 'envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig': {
      c.unsupported('sub_clusters_config'); c.unsupported('allow_coalesced_connections');
      const cache = c.msg('dns_cache_config'), dnsCache = cache === undefined ? null : compileDnsCache(cache);
      if (!c.bool('allow_insecure_cluster_options')) checkNames(m);
      return dnsCache === null ? PLAIN : { ...PLAIN, kind: { kind: 'dynamic-forward', cache: dnsCache.name, hostTtlMs: dnsCache.hostTtlMs, ownName: name === 'envoy.clusters.dynamic_forward_proxy' }, dnsCache };
    }
    case undefined: if (name === 'envoy.cluster.static') return PLAIN; if (name === 'envoy.cluster.original_dst') return { ...PLAIN, kind: originalDst(m) }; break;
  }
  custom.unsupported('typed_config', c?.typeName ?? '');
  if (c === undefined) custom.error('name', `'${name}' is not supported yet`);
  return PLAIN;
}

export function compileKind(m: ConfigMessage, ctx: CompileContext): CompiledKind {
  const custom = m.msg('cluster_type'), out = custom !== undefined ? ofExtension(m, custom, ctx) : ofType(m);
  if (out.kind?.kind !== 'original-dst') { m.noop('cleanup_interval', 'only ORIGINAL_DST clusters are cleaned'); m.noop('original_dst_lb_config', 'the type is another'); }
  return out;
}

function ofType(m: ConfigMessage): CompiledKind {
  switch (m.enum('type')) {
    case 'STATIC': return PLAIN;
    case 'STRICT_DNS': return { ...PLAIN, discovery: 'strict-dns' };
    case 'LOGICAL_DNS': return { ...PLAIN, discovery: 'logical-dns' };
    case 'EDS': return { ...PLAIN, discovery: 'eds' };
    case 'ORIGINAL_DST': return { ...PLAIN, kind: originalDst(m) };
    default: m.error('type', `cluster type ${m.enum('type')} is not supported yet`); return PLAIN;
  }
}
