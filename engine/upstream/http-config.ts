// What a cluster speaks to its hosts, from configuration: HttpProtocolOptions, or the older fields of the cluster itself.
import { shared } from '../base/shared-data.ts';
import { compileHttp1Options, underscores } from '../codec/h1/config.ts';
import { compileHttp2Options } from '../codec/h2/config.ts';
import { compileHashPolicies } from '../http/hash-policy-config.ts';
import { compileMirrors } from '../http/mirror-config.ts';
import { compileRetry } from '../http/retry-config.ts';
import type { ClusterPlan } from '../plan/cluster-plan.ts';
import type { ErrorMatcherPlan } from '../plan/health-plan.ts';
import type { CompileContext, ConfigMessage } from '../proto/config-message.ts';
import { compileErrorMatcher } from './outlier/config.ts';

export type HttpPlan = Pick<ClusterPlan, 'protocol' | 'http1' | 'http2' | 'idleTimeoutMs' | 'maxConnectionDurationMs' | 'maxRequestsPerConnection' | 'maxStreamDurationMs' | 'upstreamFilters' | 'hashPolicies' | 'retryPolicy' | 'mirrors' | 'autoSni' | 'autoSanValidation'>;

const EXTENSION = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

interface Parts { protocol: ClusterPlan['protocol']; common: ConfigMessage | undefined; http1: ConfigMessage | undefined; http2: ConfigMessage | undefined; names: ConfigMessage | undefined; filters: ClusterPlan['upstreamFilters']; hashes: ClusterPlan['hashPolicies']; retry: ClusterPlan['retryPolicy']; mirrors: ClusterPlan['mirrors']; errors: ErrorMatcherPlan | null }

/** HttpProtocolOptions: one of three ways to choose the protocol. */
function ofExtension(c: ConfigMessage, ctx: CompileContext, parts: Parts): void {
  c.unsupported('header_validation_config');
  const errors = c.msg('outlier_detection')?.msg('error_matcher');
  parts.errors = errors === undefined ? null : compileErrorMatcher(errors);
  parts.hashes = compileHashPolicies(c);
  parts.retry = compileRetry(c.msg('retry_policy'));
  parts.mirrors = compileMirrors(c, null);
  const filters = c.list('http_filters');
  if (filters.length > 0) parts.filters = ctx.httpFilters(filters, 'upstream http');
  parts.common = c.msg('common_http_protocol_options') ?? parts.common;
  parts.names = c.msg('upstream_http_protocol_options') ?? parts.names;
  const kind = c.oneof('upstream_protocol_options'), of = kind === '' ? undefined : c.msg(kind);
  if (of === undefined) return;
  parts.http1 = of.msg('http_protocol_options') ?? parts.http1;
  of.unsupported('http3_protocol_options');
  if (kind === 'explicit_http_config') { parts.protocol = of.oneof('protocol_config') === 'http2_protocol_options' ? 'http2' : 'http1'; parts.http2 = of.msg('http2_protocol_options'); return; }
  parts.http2 = of.msg('http2_protocol_options');
  parts.protocol = kind === 'auto_config' ? 'auto' : 'downstream';
  if (kind === 'auto_config') of.unsupported('alternate_protocols_cache_options');
}

/** What is spoken, and which answers outlier detection takes for errors (null: 5xx). `named`: TLS asks for the host that the request names, unless it is said otherwise. */
export function compileHttp(m: ConfigMessage, ctx: CompileContext, named: boolean): { readonly http: HttpPlan; readonly errors: ErrorMatcherPlan | null } {
  const parts: Parts = { protocol: m.has('http2_protocol_options') ? 'http2' : 'http1', common: m.msg('common_http_protocol_options'), http1: m.msg('http_protocol_options'), http2: m.msg('http2_protocol_options'), names: m.msg('upstream_http_protocol_options'), filters: null, hashes: [], retry: null, mirrors: [], errors: null };
  if (m.enum('protocol_selection') === 'USE_DOWNSTREAM_PROTOCOL') parts.protocol = 'downstream';
  for (const [name, c] of m.map('typed_extension_protocol_options')) {
    if (name === EXTENSION) ofExtension(c, ctx, parts); else m.error('typed_extension_protocol_options', `'${name}' is not supported yet`);
  }
  const { common, names } = parts, header = (names?.str('override_auto_sni_header') ?? '').toLowerCase();
  const limits = { maxHeadersKb: common?.num('max_response_headers_kb', 60) ?? 60, maxHeadersCount: common?.num('max_headers_count', 100) ?? 100, headersWithUnderscores: underscores(common) };
  const http: HttpPlan = {
    protocol: parts.protocol, autoSni: names?.bool('auto_sni') ?? named ? { header } : null, autoSanValidation: names?.bool('auto_san_validation') ?? named, http1: shared(compileHttp1Options(parts.http1, limits)), http2: shared(compileHttp2Options(parts.http2, limits, common?.has('max_response_headers_kb') === true ? 'max_response_headers_kb' : '')), idleTimeoutMs: common?.ms('idle_timeout', 3_600_000) ?? 3_600_000,
    maxConnectionDurationMs: Math.max(0, common?.ms('max_connection_duration', 0) ?? 0), maxRequestsPerConnection: m.num('max_requests_per_connection', common?.num('max_requests_per_connection', 0) ?? 0), maxStreamDurationMs: common?.ms('max_stream_duration', -1) ?? -1, upstreamFilters: parts.filters, hashPolicies: shared(parts.hashes), retryPolicy: parts.retry === null ? null : shared(parts.retry), mirrors: shared(parts.mirrors),
  };
  return { http, errors: parts.errors };
}
