// TcpProxy from configuration.
import { compileMetadata } from '../../../net/config.ts';
import { compileBackoff } from '../../../net/limit-config.ts';
import type { SubsetPlan, TcpProxyPlan, TlvPlan, TunnelPlan } from '../../../plan/tcp-proxy-plan.ts';
import { toByteString } from '../../../headers/headers.ts';
import { checkFormatters, compileFormat, compileHeaderAdd, compileSubstitution } from '../../../observe/format/config.ts';
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
  checkFormatters(m);
  const usePost = m.bool('use_post'), postPath = m.str('post_path');
  if (postPath !== '' && !usePost) m.error('post_path', "Can't set a post path when POST method isn't used");
  return { hostname: compileFormat(m.str('hostname'), m, 'hostname'), usePost, postPath: toByteString(postPath || '/'), headers: { add: m.list('headers_to_add').map(compileHeaderAdd), remove: [] },
    keepHeaders: m.bool('propagate_response_headers'), keepTrailers: m.bool('propagate_response_trailers'), requestId: compileRequestId(m) };
}

function compileRequestId(m: ConfigMessage): TunnelPlan['requestId'] {
  const c = m.msg('request_id_extension')?.any('typed_config');
  if (c === undefined) { for (const f of ['request_id_header', 'request_id_metadata_key']) m.noop(f, 'without request_id_extension no id is made'); return null; }
  if (!c.typeName.endsWith('.uuid.v3.UuidRequestIdConfig')) { m.unsupported('request_id_extension', c.typeName); return null; }
  for (const f of ['pack_trace_reason', 'use_request_id_for_trace_sampling']) c.noop(f, 'nothing is traced');
  return { header: toByteString(m.str('request_id_header').toLowerCase()) || 'x-request-id', metadataKey: m.str('request_id_metadata_key') || 'tunnel_request_id' };
}

function compileTlv(m: ConfigMessage, ctx: CompileContext): TlvPlan {
  const type = m.num('type'), value = m.bytes('value') ?? new Uint8Array(0), format = m.msg('format_string');
  if (value.length > 0 && format !== undefined) m.error('value', "Invalid TLV configuration: only one of 'value' or 'format_string' may be set.");
  if (format === undefined) {
    if (value.length === 0) m.error('value', "Invalid TLV configuration: one of 'value' or 'format_string' must be set.");
    return { type, value };
  }
  const plan = compileSubstitution(format, ctx);
  if (plan.kind !== 'text') format.unsupported('json_format');
  return { type, format: plan.kind === 'text' ? plan.format : [], empty: plan.omitEmpty ? '' : '-' };
}

const MERGES = { OVERWRITE_BY_TYPE_IF_EXISTS_OR_ADD: 'overwrite', APPEND_IF_EXISTS_OR_ADD: 'append' } as const;
const MODES = { ON_DOWNSTREAM_DATA: 'on-data', ON_DOWNSTREAM_TLS_HANDSHAKE: 'on-tls-handshake' } as const;

/** access_log_options, or the two fields that were before them. */
function compileLogOptions(m: ConfigMessage): Pick<TcpProxyPlan, 'logOnStart' | 'logOnConnected' | 'logIntervalMs'> {
  const options = m.msg('access_log_options'), onConnected = m.bool('flush_access_log_on_connected'), intervalMs = m.ms('access_log_flush_interval', 0);
  if (options === undefined) return { logOnStart: false, logOnConnected: onConnected, logIntervalMs: intervalMs };
  if (onConnected) m.error('flush_access_log_on_connected', 'Only one of flush_access_log_on_connected or access_log_options can be specified.');
  if (m.has('access_log_flush_interval')) m.error('access_log_flush_interval', 'Only one of access_log_flush_interval or access_log_options can be specified.');
  return { logOnStart: options.bool('flush_access_log_on_start'), logOnConnected: options.bool('flush_access_log_on_connected'), logIntervalMs: Math.max(0, options.ms('access_log_flush_interval', 0)) };
}

export function compileTcpProxy(m: ConfigMessage, ctx: CompileContext): TcpProxyPlan {
  m.unsupported('deprecated_v1');
  m.msg('on_demand')?.unsupported('odcds_config');
  for (const f of ['downstream_idle_timeout', 'upstream_idle_timeout']) m.noop(f, 'Envoy has no effect for it either');
  const jitter = m.msg('max_downstream_connection_duration_jitter_percentage');
  const mode = m.enum('upstream_connect_mode'), early = m.has('max_early_data_bytes');
  if (mode !== 'IMMEDIATE' && !early) m.error('max_early_data_bytes', 'max_early_data_bytes must be set when upstream_connect_mode is not IMMEDIATE');
  return {
    statPrefix: m.str('stat_prefix'), ...compileTargets(m, ctx), tunnel: compileTunnel(m.msg('tunneling_config')),
    idleTimeoutMs: Math.max(0, m.ms('idle_timeout', 3_600_000)), maxDurationMs: Math.max(0, m.ms('max_downstream_connection_duration', 0)), maxDurationJitterPercent: jitter?.num('value') ?? 0,
    maxConnectAttempts: m.num('max_connect_attempts', 1), backoff: compileBackoff(m),
    hashPolicies: m.list('hash_policy').map((p) => {
      if (p.oneof('policy_specifier') !== 'filter_state') { p.msg('source_ip'); return { kind: 'source-ip' } as const; }
      return { kind: 'filter-state', key: p.msg('filter_state')!.str('key') } as const;
    }),
    connectMode: MODES[mode as keyof typeof MODES] ?? 'immediate', maxEarlyDataBytes: m.num('max_early_data_bytes', -1), drainClose: m.bool('check_drain_close'),
    tlvs: m.list('proxy_protocol_tlvs').map((t) => compileTlv(t, ctx)), tlvMerge: MERGES[m.enum('proxy_protocol_tlv_merge_policy') as keyof typeof MERGES] ?? 'add-if-absent',
    accessLogs: ctx.accessLogs(m.list('access_log')),
    ...compileLogOptions(m),
  };
}
