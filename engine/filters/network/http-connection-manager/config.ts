// HttpConnectionManager from configuration.
import { compileScopedRoutes } from './scoped-routes-config.ts';
import { compileHttp1Options, underscores } from '../../../codec/h1/config.ts';
import { compileHttp2Options } from '../../../codec/h2/config.ts';
import { compileHeaderAdd, compileMutations, compileSubstitution } from '../../../observe/format/config.ts';
import { compileLogFilter } from '../../../observe/accesslog/config.ts';
import { compileCidr } from '../../../net/config.ts';
import { compileMatchTree } from '../../../net/match/config.ts';
import type { MatchTreePlan } from '../../../plan/match-plan.ts';
import { toByteString } from '../../../headers/headers.ts';
import type { BodyFormatPlan, HcmPlan, HttpFilterPlan, IpDetectionPlan, ProxyStatusPlan, ReplyMapperPlan } from '../../../plan/hcm-plan.ts';
import type { HeaderMutationPlan } from '../../../plan/header-mutation-plan.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

const ESCAPED: Record<string, HcmPlan['escapedSlashes']> = { REJECT_REQUEST: 'reject', UNESCAPE_AND_REDIRECT: 'redirect', UNESCAPE_AND_FORWARD: 'forward' };

function compileDetection(m: ConfigMessage): IpDetectionPlan[] {
  if (m.list('original_ip_detection_extensions').length > 0) {
    if (m.bool('use_remote_address')) m.error('use_remote_address', 'Original IP detection extension and use_remote_address may not be mixed');
    if (m.num('xff_num_trusted_hops') > 0) m.error('xff_num_trusted_hops', 'Original IP detection extension and xff_num_trusted_hops may not be mixed');
  }
  return m.list('original_ip_detection_extensions').flatMap((e): IpDetectionPlan[] => {
    e.str('name');
    const c = e.any('typed_config');
    if (c?.typeName.endsWith('.xff.v3.XffConfig')) { const t = c.msg('xff_trusted_cidrs'); if (t !== undefined && c.num('xff_num_trusted_hops') > 0) c.error('xff_num_trusted_hops', 'Cannot set both xff_num_trusted_hops and xff_trusted_cidrs'); return [{ kind: 'xff', hops: c.num('xff_num_trusted_hops'), trusted: t === undefined ? null : t.list('cidrs').map(compileCidr), skipAppend: c.bool('skip_xff_append', true) }]; }
    if (c?.typeName.endsWith('.custom_header.v3.CustomHeaderConfig')) {
      const s = c.msg('reject_with_status');
      const codes: Record<string, number> = { Unauthorized: 401, Forbidden: 403, BadRequest: 400, NotFound: 404, ServiceUnavailable: 503, TooManyRequests: 429, InternalServerError: 500 };
      const code = s?.enum('code') ?? '';
      return [{ kind: 'header', header: c.str('header_name').toLowerCase(), trust: c.bool('allow_extension_to_set_address_as_trusted'), rejectStatus: s === undefined ? 0 : codes[code] ?? 403 }];
    }
    e.unsupported('typed_config', c?.typeName ?? '');
    return [];
  });
}

function compileEarly(m: ConfigMessage): HeaderMutationPlan[] {
  return m.list('early_header_mutation_extensions').flatMap((e): HeaderMutationPlan[] => {
    e.str('name');
    const c = e.any('typed_config');
    if (!c?.typeName.endsWith('.header_mutation.v3.HeaderMutation')) { e.unsupported('typed_config', c?.typeName ?? ''); return []; }
    return compileMutations(c.list('mutations'));
  });
}

function compileMappers(m: ConfigMessage, ctx: CompileContext): { mappers: ReplyMapperPlan[]; format: BodyFormatPlan | null } {
  const c = m.msg('local_reply_config');
  if (c === undefined) return { mappers: [], format: null };
  const mappers = c.list('mappers').map((x): ReplyMapperPlan => {
    const body = x.msg('body'), bytes = body === undefined ? undefined : ctx.dataSource(body), format = x.msg('body_format_override'), filter = x.msg('filter');
    return { filter: filter === undefined ? { kind: 'always' } : compileLogFilter(filter), status: x.num('status_code', 0), body: bytes === undefined ? null : Buffer.from(bytes).toString('latin1'), format: format === undefined ? null : compileSubstitution(format, ctx), headers: { add: x.list('headers_to_add').map(compileHeaderAdd), remove: [] } };
  });
  const f = c.msg('body_format');
  return { mappers, format: f === undefined ? null : compileSubstitution(f, ctx) };
}

function requestId(m: ConfigMessage): void {
  const c = m.msg('request_id_extension')?.any('typed_config');
  if (c === undefined) return;
  if (!c.typeName.endsWith('.uuid.v3.UuidRequestIdConfig')) { m.unsupported('request_id_extension', c.typeName); return; }
  for (const f of ['pack_trace_reason', 'use_request_id_for_trace_sampling']) c.noop(f, 'nothing is traced');
}

/** Fields that change nothing while what they belong to is not there. */
function harmless(m: ConfigMessage): void {
  m.noop('http3_protocol_options', 'HTTP/3 is not served yet');
  m.noop('represent_ipv4_remote_address_as_ipv4_mapped_ipv6', 'Envoy has no effect for it either');
  for (const f of ['typed_header_validation_config', 'path_normalization_options', 'tracing']) m.unsupported(f);
}

function accessLogOptions(m: ConfigMessage): { logOnStart: boolean; logOnTunnel: boolean; logIntervalMs: number } {
  const o = m.msg('access_log_options');
  if (o !== undefined) for (const f of ['flush_access_log_on_new_request', 'access_log_flush_interval']) if (m.has(f)) m.error(f, `only one of access_log_options or ${f} can be specified`);
  const from = o ?? m;
  return { logOnStart: from.bool('flush_access_log_on_new_request'), logIntervalMs: from.ms('access_log_flush_interval', 0), logOnTunnel: o?.bool('flush_log_on_tunnel_successfully_established') ?? false };
}

function compileProxyStatus(m: ConfigMessage): ProxyStatusPlan | null {
  const c = m.msg('proxy_status_config');
  if (c === undefined) return null;
  const byNode = c.bool('use_node_id'), literal = c.str('literal_proxy_name');
  return { name: byNode ? '' : toByteString(literal || m.str('server_name') || 'envoy'), recommendedCode: c.bool('set_recommended_response_code'), details: !c.bool('remove_details'), terminationDetails: !c.bool('remove_connection_termination_details'), responseFlags: !c.bool('remove_response_flags') };
}

function compileUpgrades(m: ConfigMessage, ctx: CompileContext): HcmPlan['upgrades'] {
  const seen = new Set<string>();
  return m.list('upgrade_configs').map((u) => {
    const type = u.str('upgrade_type').toLowerCase();
    if (seen.has(type)) u.error('upgrade_type', `Error: multiple upgrade configs with the same name: '${type}'`);
    seen.add(type);
    const filters = u.list('filters');
    return { type, enabled: u.bool('enabled', true), filters: filters.length === 0 ? null : ctx.httpFilters(filters, 'http upgrade') };
  });
}

/** Of the manager, or an action of its forward_client_cert_matcher: their fields have the same names. */
function compileClientCert(m: ConfigMessage): HcmPlan['clientCert'] {
  const d = m.msg('set_current_client_cert_details');
  return { json: d?.enum('format') === 'JSON', mode: m.enum('forward_client_cert_details').toLowerCase().replaceAll('_', '-') as HcmPlan['clientCert']['mode'], subject: d?.bool('subject', false) ?? false, issuer: d?.bool('issuer') ?? false, cert: d?.bool('cert') ?? false, chain: d?.bool('chain') ?? false, dns: d?.bool('dns') ?? false, uri: d?.bool('uri') ?? false };
}

const CLIENT_CERT_ACTION = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ForwardClientCertConfig';
function compileClientCertTree(m: ConfigMessage | undefined): MatchTreePlan | null {
  return m === undefined ? null : compileMatchTree(m, { stream: true, action: (c, at) => { if (c.typeName === CLIENT_CERT_ACTION) return compileClientCert(c); at.unsupported('action', c.typeName); return null; } });
}

/** rds: the key of a table that is asked for by name. */
function discovered(m: ConfigMessage, ctx: CompileContext, filters: readonly HttpFilterPlan[]): string {
  const rds = m.msg('rds'), source = ctx.source(rds?.msg('config_source')), name = rds?.str('route_config_name') ?? '';
  if (rds !== undefined && !rds.has('config_source')) rds.error('', "An RDS config must have either a 'config_source' or an xDS-TP based 'route_config_name'");
  return source === null ? '' : ctx.discoveredRoutes(name, source, m.str('stat_prefix'), filters.map((f) => f.name));
}

export function compileHcm(m: ConfigMessage, ctx: CompileContext): HcmPlan {
  harmless(m);
  requestId(m);
  const codec = m.enum('codec_type');
  if (codec === 'HTTP3') m.error('codec_type', `${codec} is not supported yet`);
  const common = m.msg('common_http_protocol_options');
  common?.unsupported('max_response_headers_kb');
  const routeConfig = m.msg('route_config');
  if (routeConfig === undefined && !m.has('rds') && !m.has('scoped_routes')) m.error('', 'one of rds, route_config, scoped_routes is required');
  const filters = ctx.httpFilters(m.list('http_filters'), 'http');
  const { mappers, format } = compileMappers(m, ctx);
  const internal = m.msg('internal_address_config');
  const scheme = m.msg('scheme_header_transformation'), protos = m.msg('forward_proto_config');
  const limits = { maxHeadersKb: m.num('max_request_headers_kb', 60), maxHeadersCount: common?.num('max_headers_count', 100) ?? 100, headersWithUnderscores: underscores(common) };
  const streamErrors = m.bool('stream_error_on_invalid_http_message');
  const stripAny = m.bool('strip_any_host_port');
  const serverHeader = m.enum('server_header_transformation');
  return {
    codec: codec as 'AUTO', statPrefix: m.str('stat_prefix'), routesKey: routeConfig !== undefined ? ctx.routes(routeConfig) : m.has('rds') ? discovered(m, ctx, filters) : '', scopes: compileScopedRoutes(m.msg('scoped_routes'), ctx), filters,
    accessLogs: ctx.accessLogs(m.list('access_log')), ...accessLogOptions(m), proxyStatus: compileProxyStatus(m),
    http1: compileHttp1Options(m.msg('http_protocol_options'), limits, streamErrors), http2: compileHttp2Options(m.msg('http2_protocol_options'), limits, 'max_request_headers_kb', streamErrors),
    useRemoteAddress: m.bool('use_remote_address'), hops: m.num('xff_num_trusted_hops'), skipXffAppend: m.bool('skip_xff_append'), appendForwardedPort: m.bool('append_x_forwarded_port'),
    internal: internal === undefined ? null : { unix: internal.bool('unix_sockets'), ranges: internal.list('cidr_ranges').map(compileCidr) }, detection: compileDetection(m), schemeOverwrite: scheme?.str('scheme_to_overwrite') ?? '', schemeMatchesUpstream: scheme?.bool('match_upstream') ?? false,
    generateRequestId: m.bool('generate_request_id', true), preserveRequestId: m.bool('preserve_external_request_id'), requestIdInResponse: m.bool('always_set_request_id_in_response'),
    normalizePath: m.bool('normalize_path'), mergeSlashes: m.bool('merge_slashes'), escapedSlashes: ESCAPED[m.enum('path_with_escaped_slashes_action')] ?? 'keep', stripPort: stripAny ? 'any' : m.bool('strip_matching_host_port') ? 'matching' : 'none', stripDot: m.bool('strip_trailing_host_dot'),
    serverHeader: serverHeader === 'APPEND_IF_ABSENT' ? 'absent' : serverHeader === 'PASS_THROUGH' ? 'pass' : 'overwrite', serverName: toByteString(m.str('server_name') || 'envoy'), via: toByteString(m.str('via')), addUserAgent: m.bool('add_user_agent'), proxy100: m.bool('proxy_100_continue'),
    upgrades: compileUpgrades(m, ctx), runtimeHeadKb: !m.has('max_request_headers_kb'), runtimeHeadCount: !(common?.has('max_headers_count') ?? false), safeConnectionDuration: m.bool('http1_safe_max_connection_duration'),
    clientCert: compileClientCert(m), clientCertTree: compileClientCertTree(m.msg('forward_client_cert_matcher')), protoPorts: { https: protos?.nums('https_destination_ports') ?? [], http: protos?.nums('http_destination_ports') ?? [] }, earlyMutations: compileEarly(m), mappers, bodyFormat: format,
    appendLocalOverload: m.bool('append_local_overload'), requestTimeoutMs: m.ms('request_timeout', 0), requestHeadersTimeoutMs: m.ms('request_headers_timeout', 0), streamIdleTimeoutMs: m.ms('stream_idle_timeout', 300_000), streamFlushTimeoutMs: m.ms(m.has('stream_flush_timeout') ? 'stream_flush_timeout' : 'stream_idle_timeout', 300_000), idleTimeoutMs: common?.ms('idle_timeout', 3_600_000) ?? 3_600_000,
    maxConnectionDurationMs: Math.max(0, common?.ms('max_connection_duration', 0) ?? 0), maxStreamDurationMs: Math.max(0, common?.ms('max_stream_duration', 0) ?? 0), maxRequestsPerConnection: common?.num('max_requests_per_connection', 0) ?? 0, drainTimeoutMs: m.ms('drain_timeout', 5000), maxConnectionJitterPercent: common?.msg('max_connection_duration_jitter')?.num('value') ?? 0, drainJitterPercent: m.msg('drain_timeout_jitter')?.num('value') ?? 0, delayedCloseMs: m.ms('delayed_close_timeout', 1000),
  };
}
