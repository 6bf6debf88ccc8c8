// Every stat schema of Weir, with its number. Envoy's names and kinds (docs: "Statistics" of each component). Both sides of the threads read this list.
// Numbers are never reused within a version; a new component takes the next one.
import { defineSchema, type StatSchema } from './stat-block.ts';

const clusterStats = defineSchema(1, {
  // traffic (envoy: all_clusters.h ALL_CLUSTER_TRAFFIC_STATS)
  bind_errors: 'counter', original_dst_host_invalid: 'counter', retry_or_shadow_abandoned: 'counter',
  upstream_cx_close_notify: 'counter', upstream_cx_connect_attempts_exceeded: 'counter', upstream_cx_connect_fail: 'counter', upstream_cx_connect_timeout: 'counter',
  upstream_cx_connect_with_0_rtt: 'counter', upstream_cx_destroy: 'counter', upstream_cx_destroy_local: 'counter', upstream_cx_destroy_local_with_active_rq: 'counter',
  upstream_cx_destroy_remote: 'counter', upstream_cx_destroy_remote_with_active_rq: 'counter', upstream_cx_destroy_with_active_rq: 'counter',
  upstream_cx_http1_total: 'counter', upstream_cx_http2_total: 'counter', upstream_cx_http3_total: 'counter', upstream_cx_idle_timeout: 'counter',
  upstream_cx_max_duration_reached: 'counter', upstream_cx_max_requests: 'counter', upstream_cx_none_healthy: 'counter', upstream_cx_overflow: 'counter',
  upstream_cx_pool_overflow: 'counter', upstream_cx_protocol_error: 'counter', upstream_cx_rx_bytes_total: 'counter', upstream_cx_total: 'counter', upstream_cx_tx_bytes_total: 'counter',
  upstream_flow_control_backed_up_total: 'counter', upstream_flow_control_drained_total: 'counter', upstream_flow_control_paused_reading_total: 'counter', upstream_flow_control_resumed_reading_total: 'counter',
  upstream_internal_redirect_failed_total: 'counter', upstream_internal_redirect_succeeded_total: 'counter',
  upstream_rq_cancelled: 'counter', upstream_rq_completed: 'counter', upstream_rq_maintenance_mode: 'counter', upstream_rq_max_duration_reached: 'counter',
  upstream_rq_pending_failure_eject: 'counter', upstream_rq_pending_overflow: 'counter', upstream_rq_active_overflow: 'counter', upstream_rq_pending_total: 'counter', upstream_rq_0rtt: 'counter',
  upstream_rq_per_try_timeout: 'counter', upstream_rq_per_try_idle_timeout: 'counter', upstream_rq_retry: 'counter', upstream_rq_retry_backoff_exponential: 'counter', upstream_rq_retry_backoff_ratelimited: 'counter',
  upstream_rq_retry_limit_exceeded: 'counter', upstream_rq_retry_overflow: 'counter', upstream_rq_retry_success: 'counter', upstream_rq_rx_reset: 'counter', upstream_rq_timeout: 'counter',
  upstream_rq_total: 'counter', upstream_rq_tx_reset: 'counter', upstream_http3_broken: 'counter', upstream_cx_preconnect_skipped: 'counter', upstream_rq_rx_reset_no_error: 'counter',
  upstream_cx_active: 'gauge', upstream_cx_rx_bytes_buffered: 'gauge', upstream_cx_tx_bytes_buffered: 'gauge', upstream_rq_active: 'gauge', upstream_rq_pending_active: 'gauge', upstream_queue_overloaded: 'gauge',
  upstream_cx_connect_ms: 'histogram', upstream_cx_length_ms: 'histogram', upstream_rq_per_cx: 'histogram', upstream_rq_time: 'histogram',
});
export const CLUSTER_SCHEMA = clusterStats.schema;
/** Indexes of cluster.NAME.* */
export const CLUSTER = clusterStats.index;

/** Beside them where track_cluster_stats asks for it: request_response_sizes, timeout_budgets (percent of the time that there was). */
const sizeStats = defineSchema(56, { upstream_rq_body_size: 'histogram', upstream_rq_headers_count: 'histogram', upstream_rq_headers_size: 'histogram', upstream_rs_body_size: 'histogram', upstream_rs_headers_count: 'histogram', upstream_rs_headers_size: 'histogram' });
export const CLUSTER_SIZES_SCHEMA = sizeStats.schema;
export const SIZES = sizeStats.index;
const budgetStats = defineSchema(57, { upstream_rq_timeout_budget_per_try_percent_used: 'histogram', upstream_rq_timeout_budget_percent_used: 'histogram' });
export const CLUSTER_BUDGETS_SCHEMA = budgetStats.schema;
export const BUDGETS = budgetStats.index;

const clusterLbStats = defineSchema(2, {
  lb_healthy_panic: 'counter', lb_local_cluster_not_ok: 'counter', lb_recalculate_zone_structures: 'counter', lb_subsets_created: 'counter', lb_subsets_fallback: 'counter', lb_subsets_fallback_panic: 'counter',
  lb_subsets_removed: 'counter', lb_subsets_selected: 'counter', lb_zone_cluster_too_small: 'counter', lb_zone_no_capacity_left: 'counter', lb_zone_routing_all_directly: 'counter',
  lb_zone_routing_cross_zone: 'counter', lb_zone_routing_sampled: 'counter', lb_subsets_active: 'gauge',
});
export const CLUSTER_LB_SCHEMA = clusterLbStats.schema;
export const CLUSTER_LB = clusterLbStats.index;

/** One block per upstream host, prefix 'host.<host index>': not in /stats, but in /clusters. */
const hostStats = defineSchema(3, { cx_connect_fail: 'counter', cx_total: 'counter', rq_error: 'counter', rq_success: 'counter', rq_timeout: 'counter', rq_total: 'counter', cx_active: 'gauge', rq_active: 'gauge', rq_pending_active: 'gauge' });
export const HOST_SCHEMA = hostStats.schema;
export const HOST = hostStats.index;
/** Its counters come first: so many. */
export const HOST_COUNTERS = HOST_SCHEMA.kinds.lastIndexOf('counter') + 1;
/** Prefix 'cluster.NAME.endpoint.ADDRESS' (track_cluster_stats.per_endpoint_stats): the host's, in that order, and whether it is healthy. Found when they are asked for. */
export const ENDPOINT_SCHEMA: StatSchema = { id: 58, names: [...HOST_SCHEMA.names, 'healthy'], kinds: [...HOST_SCHEMA.kinds, 'gauge'] };

const hcmStats = defineSchema(4, {
  downstream_cx_delayed_close_timeout: 'counter', downstream_cx_destroy: 'counter', downstream_cx_destroy_active_rq: 'counter', downstream_cx_destroy_local: 'counter', downstream_cx_destroy_local_active_rq: 'counter',
  downstream_cx_destroy_remote: 'counter', downstream_cx_destroy_remote_active_rq: 'counter', downstream_cx_drain_close: 'counter', downstream_cx_http1_total: 'counter', downstream_cx_http2_total: 'counter',
  downstream_cx_http3_total: 'counter', downstream_cx_idle_timeout: 'counter', downstream_cx_max_duration_reached: 'counter', downstream_cx_max_requests_reached: 'counter', downstream_cx_overload_disable_keepalive: 'counter',
  downstream_cx_protocol_error: 'counter', downstream_cx_rx_bytes_total: 'counter', downstream_cx_ssl_total: 'counter', downstream_cx_total: 'counter', downstream_cx_tx_bytes_total: 'counter',
  downstream_cx_upgrades_total: 'counter', downstream_flow_control_paused_reading_total: 'counter', downstream_flow_control_resumed_reading_total: 'counter',
  downstream_rq_1xx: 'counter', downstream_rq_2xx: 'counter', downstream_rq_3xx: 'counter', downstream_rq_4xx: 'counter', downstream_rq_5xx: 'counter', downstream_rq_completed: 'counter', downstream_rq_failed_path_normalization: 'counter',
  downstream_rq_header_timeout: 'counter', downstream_rq_http1_total: 'counter', downstream_rq_http2_total: 'counter', downstream_rq_http3_total: 'counter', downstream_rq_idle_timeout: 'counter',
  downstream_rq_max_duration_reached: 'counter', downstream_rq_non_relative_path: 'counter', downstream_rq_overload_close: 'counter', downstream_rq_redirected_with_normalized_path: 'counter',
  downstream_rq_rejected_via_ip_detection: 'counter', downstream_rq_response_before_rq_complete: 'counter', downstream_rq_rx_reset: 'counter', downstream_rq_timeout: 'counter', downstream_rq_too_large: 'counter',
  downstream_rq_too_many_premature_resets: 'counter', downstream_rq_total: 'counter', downstream_rq_tx_reset: 'counter', downstream_rq_ws_on_non_ws_route: 'counter', rs_too_large: 'counter',
  // router stats share the http.PREFIX. scope
  no_cluster: 'counter', no_route: 'counter', passthrough_internal_redirect_bad_location: 'counter', passthrough_internal_redirect_no_route: 'counter', passthrough_internal_redirect_predicate: 'counter',
  passthrough_internal_redirect_too_many_redirects: 'counter', passthrough_internal_redirect_unsafe_scheme: 'counter', rq_direct_response: 'counter', rq_overload_local_reply: 'counter', rq_redirect: 'counter',
  rq_reset_after_downstream_response_started: 'counter', rq_total: 'counter',
  'tracing.client_enabled': 'counter', 'tracing.health_check': 'counter', 'tracing.not_traceable': 'counter', 'tracing.random_sampling': 'counter', 'tracing.service_forced': 'counter',
  downstream_cx_active: 'gauge', downstream_cx_http1_active: 'gauge', downstream_cx_http1_soft_drain: 'gauge', downstream_cx_http2_active: 'gauge', downstream_cx_http3_active: 'gauge', downstream_cx_rx_bytes_buffered: 'gauge',
  downstream_cx_ssl_active: 'gauge', downstream_cx_tx_bytes_buffered: 'gauge', downstream_cx_upgrades_active: 'gauge', downstream_rq_active: 'gauge',
  downstream_cx_length_ms: 'histogram', downstream_rq_time: 'histogram',
});
/** Prefix 'http.STAT_PREFIX'. */
export const HCM_SCHEMA = hcmStats.schema;
export const HCM = hcmStats.index;

const listenerStats = defineSchema(5, {
  downstream_cx_destroy: 'counter', downstream_cx_overflow: 'counter', downstream_cx_overload_reject: 'counter', downstream_cx_total: 'counter', downstream_cx_transport_socket_connect_timeout: 'counter', downstream_global_cx_overflow: 'counter',
  downstream_listener_filter_error: 'counter', downstream_listener_filter_remote_close: 'counter', downstream_pre_cx_timeout: 'counter', no_filter_chain_match: 'counter', extension_config_missing: 'counter', network_extension_config_missing: 'counter',
  downstream_cx_active: 'gauge', downstream_pre_cx_active: 'gauge',
  downstream_cx_length_ms: 'histogram', connections_accepted_per_socket_event: 'histogram',
});
/** Prefix 'listener.ADDRESS' (Envoy writes ':' as '_'; an IPv6 address keeps its brackets). */
export const LISTENER_SCHEMA = listenerStats.schema;
export const LISTENER = listenerStats.index;

/** Prefix 'listener.ADDRESS.http.STAT_PREFIX'. */
const listenerHttpStats = defineSchema(6, { downstream_rq_1xx: 'counter', downstream_rq_2xx: 'counter', downstream_rq_3xx: 'counter', downstream_rq_4xx: 'counter', downstream_rq_5xx: 'counter', downstream_rq_completed: 'counter' });
export const LISTENER_HTTP_SCHEMA = listenerHttpStats.schema;
export const LISTENER_HTTP = listenerHttpStats.index;

/** Prefix 'listener.ADDRESS.worker_N'. */
const listenerWorkerStats = defineSchema(7, { downstream_cx_total: 'counter', downstream_cx_active: 'gauge' });
export const LISTENER_WORKER_SCHEMA = listenerWorkerStats.schema;
export const LISTENER_WORKER = listenerWorkerStats.index;

/** HTTP/1 codec stats; prefix 'http1' for downstream, 'cluster.NAME.http1' for upstream. */
const http1Stats = defineSchema(8, { dropped_headers_with_underscores: 'counter', metadata_not_supported_error: 'counter', requests_rejected_with_underscores_in_headers: 'counter', response_flood: 'counter' });
export const HTTP1_SCHEMA = http1Stats.schema;
export const HTTP1 = http1Stats.index;

/** HTTP/2 codec stats; prefix 'http2' for downstream, 'cluster.NAME.http2' for upstream. The histograms, and what is of its other codec (oghttp2), stay empty as in an Envoy whose runtime does not ask for them. */
const http2Stats = defineSchema(52, {
  cookies_total_bytes_too_large: 'counter', dropped_headers_with_underscores: 'counter', goaway_sent: 'counter', header_list_size_too_large: 'counter', header_overflow: 'counter', headers_cb_no_stream: 'counter', inbound_empty_frames_flood: 'counter', inbound_priority_frames_flood: 'counter',
  inbound_window_update_frames_flood: 'counter', keepalive_timeout: 'counter', metadata_empty_frames: 'counter', nghttp2_downstream_connections: 'counter', nghttp2_upstream_connections: 'counter', oghttp2_downstream_connections: 'counter', oghttp2_upstream_connections: 'counter', outbound_control_flood: 'counter', outbound_flood: 'counter',
  requests_rejected_with_underscores_in_headers: 'counter', rx_messaging_error: 'counter', rx_reset: 'counter', stream_refused_errors: 'counter', trailers: 'counter', tx_flush_timeout: 'counter', tx_reset: 'counter',
  deferred_stream_close: 'gauge', outbound_control_frames_active: 'gauge', outbound_frames_active: 'gauge', pending_send_bytes: 'gauge', streams_active: 'gauge',
  cookie_count: 'histogram', cookie_size: 'histogram', header_count: 'histogram', header_list_size: 'histogram',
});
export const HTTP2_SCHEMA = http2Stats.schema;
export const HTTP2 = http2Stats.index;

/** What a virtual cluster and a route with a stat_prefix count beside codes: prefixes 'vhost.NAME.vcluster.NAME' and 'vhost.NAME.route.PREFIX'. */
const requestScope = defineSchema(60, { upstream_rq_retry: 'counter', upstream_rq_retry_limit_exceeded: 'counter', upstream_rq_retry_overflow: 'counter', upstream_rq_retry_success: 'counter', upstream_rq_timeout: 'counter', upstream_rq_total: 'counter' });
export const REQUEST_SCOPE_SCHEMA = requestScope.schema;
export const REQUEST_SCOPE = requestScope.index;

/** Of the health_check filter, prefix 'http.STAT_PREFIX.health_check'. */
const healthCheckFilter = defineSchema(59, {
  cached_response: 'counter', degraded: 'counter', failed: 'counter', failed_cluster_empty: 'counter', failed_cluster_not_found: 'counter', failed_cluster_unhealthy: 'counter', ok: 'counter', request_total: 'counter',
});
export const HEALTH_CHECK_FILTER_SCHEMA = healthCheckFilter.schema;
export const HEALTH_CHECK_FILTER = healthCheckFilter.index;

/** Prefix 'filesystem'. */
const filesystemStats = defineSchema(9, { flushed_by_timer: 'counter', reopen_failed: 'counter', write_buffered: 'counter', write_completed: 'counter', write_failed: 'counter', write_total_buffered: 'gauge' });
export const FILESYSTEM_SCHEMA = filesystemStats.schema;
export const FILESYSTEM = filesystemStats.index;

/** Circuit table contributions of one worker, one block per cluster and priority, prefix 'circuit.<index>': taken back from the table when a worker dies. Not in /stats. */
const circuitStats = defineSchema(11, { cx: 'gauge', pending: 'gauge', rq: 'gauge', retry: 'gauge', pool: 'gauge' });
export const CIRCUIT_SCHEMA = circuitStats.schema;

/** Control's part of 'cluster.NAME': membership, discovery, breakers. */
const clusterControlStats = defineSchema(40, {
  assignment_stale: 'counter', assignment_timeout_received: 'counter', assignment_use_cached: 'counter', 'default.total_match_count': 'counter', membership_change: 'counter',
  update_attempt: 'counter', update_empty: 'counter', update_failure: 'counter', update_no_rebuild: 'counter', update_success: 'counter',
  'circuit_breakers.default.cx_open': 'gauge', 'circuit_breakers.default.cx_pool_open': 'gauge', 'circuit_breakers.default.rq_open': 'gauge', 'circuit_breakers.default.rq_pending_open': 'gauge', 'circuit_breakers.default.rq_retry_open': 'gauge',
  'circuit_breakers.high.cx_open': 'gauge', 'circuit_breakers.high.cx_pool_open': 'gauge', 'circuit_breakers.high.rq_open': 'gauge', 'circuit_breakers.high.rq_pending_open': 'gauge', 'circuit_breakers.high.rq_retry_open': 'gauge',
  max_host_weight: 'gauge', membership_degraded: 'gauge', membership_excluded: 'gauge', membership_healthy: 'gauge', membership_total: 'gauge', version: 'gauge', warming_state: 'gauge',
});
export const CLUSTER_CONTROL_SCHEMA = clusterControlStats.schema;
/** What circuit breakers leave (track_remaining), by priority: default, high. */
export const REMAINING_SCHEMAS = (['default', 'high'] as const).map((p, i) => defineSchema(53 + i, Object.fromEntries(['cx', 'cx_pools', 'pending', 'retries', 'rq'].map((what) => [`circuit_breakers.${p}.remaining_${what}`, 'gauge' as const]))).schema);

/** The admin interface's own: prefixes 'http.admin' and 'listener.admin'. */
export const ADMIN_HTTP_SCHEMA = { id: 41, ...pickNames(HCM_SCHEMA, (n) => n.startsWith('downstream_') || n === 'rs_too_large') };
export const ADMIN_LISTENER_SCHEMA = { id: 42, ...pickNames(LISTENER_SCHEMA, (n) => !n.endsWith('extension_config_missing')) };

/** Prefixes 'listener_manager' and 'cluster_manager': what control decides and counts. */
export const LISTENER_MANAGER_SCHEMA = defineSchema(43, {
  listener_added: 'counter', listener_create_failure: 'counter', listener_create_success: 'counter', listener_in_place_updated: 'counter', listener_modified: 'counter', listener_removed: 'counter', listener_stopped: 'counter',
  total_filter_chains_draining: 'gauge', total_listeners_active: 'gauge', total_listeners_draining: 'gauge', total_listeners_warming: 'gauge', workers_pinned: 'gauge', workers_started: 'gauge',
}).schema;
export const CLUSTER_MANAGER_SCHEMA = defineSchema(44, {
  cluster_added: 'counter', cluster_modified: 'counter', cluster_removed: 'counter', cluster_updated: 'counter', cluster_updated_via_merge: 'counter', update_merge_cancelled: 'counter', update_out_of_merge_window: 'counter',
  active_clusters: 'gauge', warming_clusters: 'gauge',
}).schema;
/** Prefix 'server'. Ours (worker_restarts, control_restarts, config_reload_success, config_reload_rejected) come beside these at the first of their kind. */
export const SERVER_SCHEMA = defineSchema(45, {
  debug_assertion_failures: 'counter', dropped_stat_flushes: 'counter', dynamic_unknown_fields: 'counter', envoy_bug_failures: 'counter', envoy_notifications: 'counter', static_unknown_fields: 'counter', wip_protos: 'counter',
  'compilation_settings.fips_mode': 'gauge', concurrency: 'gauge', days_until_first_cert_expiring: 'gauge', hot_restart_epoch: 'gauge', live: 'gauge', memory_allocated: 'gauge', memory_heap_size: 'gauge', memory_physical_size: 'gauge',
  parent_connections: 'gauge', seconds_until_first_ocsp_response_expiring: 'gauge', state: 'gauge', stats_recent_lookups: 'gauge', total_connections: 'gauge', uptime: 'gauge', version: 'gauge',
  initialization_time_ms: 'histogram',
}).schema;
/** Under 'overload': how long after the last look at the resource monitors the next one came, ms. */
export const OVERLOAD_SCHEMA = defineSchema(142, { refresh_interval_delay: 'histogram' }).schema;
/** Prefixes 'main_thread', 'workers', 'server.main_thread', 'server.worker_N'. */
export const WATCHDOG_SCHEMA = defineSchema(46, { watchdog_mega_miss: 'counter', watchdog_miss: 'counter' }).schema;
/** Prefix 'http.async-client': the router's stats of side calls. */
export const ASYNC_CLIENT_SCHEMA = { id: 47, ...pickNames(HCM_SCHEMA, (n) => /^(no_|passthrough_|rq_)/.test(n)) };
export const ASYNC_CLIENT_RQ_TOTAL = ASYNC_CLIENT_SCHEMA.names.indexOf('rq_total');
/** Prefix 'thread_local_cluster_manager.THREAD'. */
export const THREAD_CLUSTERS_SCHEMA = defineSchema(48, { clusters_inflated: 'gauge' }).schema;

function pickNames(from: StatSchema, test: (name: string) => boolean): Omit<StatSchema, 'id'> {
  const at = from.names.map((_, i) => i).filter((i) => test(from.names[i]!));
  return { names: at.map((i) => from.names[i]!), kinds: at.map((i) => from.kinds[i]!) };
}
