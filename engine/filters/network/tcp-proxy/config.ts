// TcpProxy from configuration.
import { compileMetadata } from '../../../net/config.ts';
import type { SubsetPlan, TcpProxyPlan, TunnelPlan } from '../../../plan/tcp-proxy-plan.ts';
import { toByteString } from '../../../headers/headers.ts';
import { compileFormat, compileHeaderAdd } from '../../../observe/format/config.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

function subset(m: ConfigMessage | undefined): SubsetPlan {
  const lb = compileMetadata(m)?.['envoy.lb'];
  return lb !== null && typeof lb === 'object' && !Array.isArray(lb) ? (lb as SubsetPlan) : null;
}

function compileTargets(m: ConfigMessage, ctx: CompileContext): Pick<TcpProxyPlan, 'clusters' | 'totalWeight'> {
  const base = subset(m.msg('metadata_match'));
  const kind = m.oneof('cluster_specifier');
  if (kind === 'weighted_clusters') {
    const clusters = m.msg('weighted_clusters')!.list('clusters').map((c) => {
      ctx.needsCluster(c.str('name'), c, 'name');
      return { name: c.str('name'), weight: c.num('weight'), metadataMatch: c.has('metadata_match') ? { ...base, ...subset(c.msg('metadata_match')) } : base };
    });
    return { clusters, totalWeight: clusters.reduce((n, c) => n + c.weight, 0) };
  }
  // Envoy accepts a cluster that is not there (sni_cluster and filter state may name another): connections then find no route.
  return { clusters: [{ name: m.str('cluster'), weight: 1, metadataMatch: base }], totalWeight: 1 };
}

function compileTunnel(m: ConfigMessage | undefined): TunnelPlan | null {
  if (m === undefined) return null;
  for (const f of ['propagate_response_headers', 'propagate_response_trailers', 'request_id_extension', 'request_id_header', 'request_id_metadata_key', 'formatters']) m.unsupported(f);
  const usePost = m.bool('use_post'), postPath = m.str('post_path');
  if (postPath !== '' && !usePost) m.error('post_path', "Can't set a post path when POST method isn't used");
  if (postPath !== '' && !postPath.startsWith('/')) m.error('post_path', "post_path must start with '/'");
  return { hostname: compileFormat(m.str('hostname'), m, 'hostname'), usePost, postPath: toByteString(postPath || '/'), headers: { add: m.list('headers_to_add').map(compileHeaderAdd), remove: [] } };
}

export function compileTcpProxy(m: ConfigMessage, ctx: CompileContext): TcpProxyPlan {
  for (const f of ['on_demand', 'proxy_protocol_tlvs', 'downstream_idle_timeout', 'upstream_idle_timeout', 'deprecated_v1']) m.unsupported(f);
  m.noop('proxy_protocol_tlv_merge_policy', 'there are no proxy_protocol_tlvs to merge');
  const options = m.msg('access_log_options'), backoff = m.msg('backoff_options'), jitter = m.msg('max_downstream_connection_duration_jitter_percentage');
  const mode = m.enum('upstream_connect_mode'), early = m.has('max_early_data_bytes');
  if (mode === 'ON_DOWNSTREAM_TLS_HANDSHAKE') m.unsupported('upstream_connect_mode', mode);
  if (mode === 'ON_DOWNSTREAM_DATA' && !early) m.error('max_early_data_bytes', 'max_early_data_bytes must be set when upstream_connect_mode is ON_DOWNSTREAM_DATA');
  m.unsupported('access_log_flush_interval'); m.unsupported('flush_access_log_on_connected');
  const base = backoff?.ms('base_interval', 0) ?? 0;
  return {
    statPrefix: m.str('stat_prefix'), ...compileTargets(m, ctx), tunnel: compileTunnel(m.msg('tunneling_config')),
    idleTimeoutMs: Math.max(0, m.ms('idle_timeout', 3_600_000)), maxDurationMs: Math.max(0, m.ms('max_downstream_connection_duration', 0)), maxDurationJitterPercent: jitter?.num('value') ?? 0,
    maxConnectAttempts: m.num('max_connect_attempts', 1), backoff: backoff === undefined ? null : { baseMs: base, maxMs: backoff.ms('max_interval', base * 10) },
    hashPolicies: m.list('hash_policy').map((p) => {
      if (p.oneof('policy_specifier') !== 'filter_state') { p.msg('source_ip'); return { kind: 'source-ip' } as const; }
      return { kind: 'filter-state', key: p.msg('filter_state')!.str('key') } as const;
    }),
    connectMode: mode === 'ON_DOWNSTREAM_DATA' ? 'on-data' : 'immediate', maxEarlyDataBytes: m.num('max_early_data_bytes', -1), drainClose: m.bool('check_drain_close'),
    accessLogs: m.list('access_log').map((l) => ctx.accessLog(l)).filter((l) => l !== null),
    logOnStart: options?.bool('flush_access_log_on_start') ?? false, logOnConnected: options?.bool('flush_access_log_on_connected') ?? false, logIntervalMs: Math.max(0, options?.ms('access_log_flush_interval', 0) ?? 0),
  };
}
