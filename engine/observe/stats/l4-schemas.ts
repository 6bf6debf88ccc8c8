// Stat schemas of layer 4: network filters, listener filters, UDP. Numbers from 100 on (see schemas.ts).
import { defineSchema, type StatSchema } from './stat-block.ts';

/** Prefix 'tcp.STAT_PREFIX'. */
const tcpProxy = defineSchema(100, {
  downstream_cx_drain_close: 'counter', downstream_cx_no_route: 'counter', downstream_cx_overload_close: 'counter', downstream_cx_rx_bytes_total: 'counter', downstream_cx_total: 'counter', downstream_cx_tx_bytes_total: 'counter',
  downstream_flow_control_paused_reading_total: 'counter', downstream_flow_control_resumed_reading_total: 'counter', early_data_received_count_total: 'counter', idle_timeout: 'counter', max_downstream_connection_duration: 'counter',
  route_delayed_total: 'counter', upstream_flush_total: 'counter', downstream_cx_rx_bytes_buffered: 'gauge', downstream_cx_tx_bytes_buffered: 'gauge', upstream_flush_active: 'gauge',
});
export const TCP_PROXY_SCHEMA = tcpProxy.schema;
export const TCP_PROXY = tcpProxy.index;

/** Prefix 'cluster.NAME.internal_upstream'. */
const internalUpstream = defineSchema(140, { no_metadata: 'counter' });
export const INTERNAL_UPSTREAM_SCHEMA = internalUpstream.schema;
export const INTERNAL_UPSTREAM = internalUpstream.index;

/** Prefix 'tls_inspector'. */
const tlsInspector = defineSchema(101, {
  alpn_found: 'counter', alpn_not_found: 'counter', client_hello_too_large: 'counter', sni_found: 'counter', sni_not_found: 'counter', tls_found: 'counter', tls_not_found: 'counter', bytes_processed: 'histogram',
});
export const TLS_INSPECTOR_SCHEMA = tlsInspector.schema;
export const TLS_INSPECTOR = tlsInspector.index;

/** Prefix 'proxy_proto', or 'proxy_proto.STAT_PREFIX'. */
const proxyProto = defineSchema(102, {
  not_found_allowed: 'counter', not_found_disallowed: 'counter', 'versions.v1.disallowed': 'counter', 'versions.v1.error': 'counter', 'versions.v1.found': 'counter', 'versions.v2.disallowed': 'counter', 'versions.v2.error': 'counter', 'versions.v2.found': 'counter',
});
export const PROXY_PROTO_SCHEMA = proxyProto.schema;
export const PROXY_PROTO = proxyProto.index;

/** Without a prefix, as in Envoy. */
export const PROXY_PROTO_ERROR_SCHEMA = defineSchema(103, { downstream_cx_proxy_proto_error: 'counter' }).schema;

/** Prefix 'http_inspector'. */
const httpInspector = defineSchema(104, { http10_found: 'counter', http11_found: 'counter', http2_found: 'counter', http_not_found: 'counter', read_error: 'counter' });
export const HTTP_INSPECTOR_SCHEMA = httpInspector.schema;
export const HTTP_INSPECTOR = httpInspector.index;

/** Prefix 'STAT_PREFIX.rbac' of the network filter, 'http.HCM.rbac' of the HTTP filter, then rules_stat_prefix. */
const rbac = defineSchema(105, { allowed: 'counter', denied: 'counter' });
export const RBAC_SCHEMA = rbac.schema;
export const RBAC = rbac.index;

/** The same, then shadow_rules_stat_prefix. */
const rbacShadow = defineSchema(106, { shadow_allowed: 'counter', shadow_denied: 'counter' });
export const RBAC_SHADOW_SCHEMA = rbacShadow.schema;
export const RBAC_SHADOW = rbacShadow.index;

/** Prefix '….rbac.policy.POLICY' with track_per_rule_stats. */
const rbacPolicy = defineSchema(107, { allowed: 'counter', denied: 'counter', shadow_allowed: 'counter', shadow_denied: 'counter' });
export const RBAC_POLICY_SCHEMA = rbacPolicy.schema;
export const RBAC_POLICY = rbacPolicy.index;

/** What one worker holds of a limit of the process, prefix 'limit.<record>': given back if it dies. Not in /stats. */
export const LIMIT_SCHEMA = defineSchema(108, { held: 'gauge' }).schema;

/** Prefix 'connection_limit.STAT_PREFIX'. */
const connectionLimit = defineSchema(109, { limited_connections: 'counter', active_connections: 'gauge' });
export const CONNECTION_LIMIT_SCHEMA = connectionLimit.schema;
export const CONNECTION_LIMIT = connectionLimit.index;

/** Prefix 'local_rate_limit.STAT_PREFIX' of the network filter, 'listener_local_ratelimit.STAT_PREFIX' of the listener filter. */
export const RATE_LIMITED_SCHEMA = defineSchema(110, { rate_limited: 'counter' }).schema;

/** Prefix 'udp.STAT_PREFIX'. */
const udpProxy = defineSchema(111, {
  downstream_sess_no_route: 'counter', downstream_sess_rx_bytes: 'counter', downstream_sess_rx_datagrams: 'counter', downstream_sess_rx_errors: 'counter', downstream_sess_total: 'counter', downstream_sess_tx_bytes: 'counter',
  downstream_sess_tx_datagrams: 'counter', downstream_sess_tx_errors: 'counter', idle_timeout: 'counter', session_filter_config_missing: 'counter', downstream_sess_active: 'gauge',
});
export const UDP_PROXY_SCHEMA = udpProxy.schema;
export const UDP_PROXY = udpProxy.index;

/** Prefix 'cluster.NAME'. */
const udpCluster = defineSchema(112, {
  'udp.sess_rx_datagrams': 'counter', 'udp.sess_rx_datagrams_dropped': 'counter', 'udp.sess_rx_errors': 'counter', 'udp.sess_tunnel_buffer_overflow': 'counter', 'udp.sess_tunnel_failure': 'counter', 'udp.sess_tunnel_success': 'counter',
  'udp.sess_tx_datagrams': 'counter', 'udp.sess_tx_errors': 'counter',
});
export const UDP_CLUSTER_SCHEMA = udpCluster.schema;
export const UDP_CLUSTER = udpCluster.index;

/** Prefix 'listener.ADDRESS' of UDP listeners. */
export const LISTENER_UDP_SCHEMA = defineSchema(113, { 'udp.downstream_rx_datagram_dropped': 'counter' }).schema;

/** Prefix 'STAT_PREFIX.http_local_rate_limit'. */
const httpLocalRateLimit = defineSchema(114, { enabled: 'counter', enforced: 'counter', ok: 'counter', rate_limited: 'counter', shadow_mode: 'counter' });
export const HTTP_LOCAL_RATE_LIMIT_SCHEMA = httpLocalRateLimit.schema;
export const HTTP_LOCAL_RATE_LIMIT = httpLocalRateLimit.index;

export const L4_SCHEMAS: readonly StatSchema[] = [TCP_PROXY_SCHEMA, INTERNAL_UPSTREAM_SCHEMA, TLS_INSPECTOR_SCHEMA, PROXY_PROTO_SCHEMA, PROXY_PROTO_ERROR_SCHEMA, HTTP_INSPECTOR_SCHEMA, RBAC_SCHEMA, RBAC_SHADOW_SCHEMA, RBAC_POLICY_SCHEMA, LIMIT_SCHEMA, CONNECTION_LIMIT_SCHEMA, RATE_LIMITED_SCHEMA, UDP_PROXY_SCHEMA, UDP_CLUSTER_SCHEMA, LISTENER_UDP_SCHEMA, HTTP_LOCAL_RATE_LIMIT_SCHEMA];

/** 'a', 'b' and '' as 'a.b'; prefixes may end with a dot already. */
export function rbacScope(...parts: readonly string[]): string { return parts.map((p) => p.replace(/\.+$/, '')).filter((p) => p !== '').join('.'); }

/** Scopes that a network filter's configuration brings, so that they read 0 from the start. */
export function networkFilterScopes(kind: string, body: unknown): readonly (readonly [StatSchema, string])[] {
  const { statPrefix = '', shadowPrefix = '' } = body as { readonly statPrefix?: string; readonly shadowPrefix?: string };
  switch (kind.slice('envoy.extensions.filters.network.'.length)) {
    case 'connection_limit.v3.ConnectionLimit': return [[CONNECTION_LIMIT_SCHEMA, `connection_limit.${statPrefix}`]];
    case 'local_ratelimit.v3.LocalRateLimit': return [[RATE_LIMITED_SCHEMA, `local_rate_limit.${statPrefix}`]];
    case 'rbac.v3.RBAC': return [[RBAC_SCHEMA, rbacScope(statPrefix, 'rbac')], [RBAC_SHADOW_SCHEMA, rbacScope(statPrefix, 'rbac', shadowPrefix)]];
    case 'tcp_proxy.v3.TcpProxy': return [[TCP_PROXY_SCHEMA, `tcp.${statPrefix}`]];
    default: return [];
  }
}

/** Whom the slots of a network filter belong to: its first scope; null: it has none of its own. */
export function networkFilterOwner(kind: string, body: unknown): string | null {
  if (kind.endsWith('.HttpConnectionManager')) return `http.${(body as { readonly statPrefix: string }).statPrefix}`;
  return networkFilterScopes(kind, body)[0]?.[1] ?? null;
}

/** The same of listener filters. */
export function listenerFilterScopes(kind: string, body: unknown): readonly (readonly [StatSchema, string])[] {
  const { statPrefix = '' } = body as { readonly statPrefix?: string };
  switch (kind.slice('envoy.extensions.filters.listener.'.length)) {
    case 'proxy_protocol.v3.ProxyProtocol': return [[PROXY_PROTO_SCHEMA, statPrefix === '' ? 'proxy_proto' : `proxy_proto.${statPrefix}`], [PROXY_PROTO_ERROR_SCHEMA, '']];
    case 'local_ratelimit.v3.LocalRateLimit': return [[RATE_LIMITED_SCHEMA, `listener_local_ratelimit.${statPrefix}`]];
    case 'http_inspector.v3.HttpInspector': return [[HTTP_INSPECTOR_SCHEMA, 'http_inspector']];
    case 'tls_inspector.v3.TlsInspector': return [[TLS_INSPECTOR_SCHEMA, 'tls_inspector']];
    default: return [];
  }
}
