// RouteAction from configuration.
import { toByteString } from '../headers/headers.ts';
import { compileHashPolicies } from '../http/hash-policy-config.ts';
import { compileRateLimits } from '../http/rate-limit/config.ts';
import { compileMetadata } from '../net/config.ts';
import type { ForwardPlan, PathMatchPlan, WeightedPlan } from '../plan/route-plan.ts';
import { PlainPlan } from '../plan/defaults.ts';
import { FORWARD_DEFAULTS } from '../plan/route-wire.ts';
import type { CompileContext, ConfigMessage } from '../proto/config-message.ts';
import { compileFilterConfigs, compileLevel, compileRewrite, formatOf } from './config.ts';
import { compileMirrors } from '../http/mirror-config.ts';
import { compileSpecifier } from './cluster-specifier-config.ts';
import { rewriteVariables, variablesOf } from './match/path-template.ts';
import { compileRedirectPolicy } from './internal-redirect-config.ts';
import { compileHedge, compileRetry } from '../http/retry-config.ts';

const NOT_FOUND: Record<string, number> = { SERVICE_UNAVAILABLE: 503, NOT_FOUND: 404, INTERNAL_SERVER_ERROR: 500 };

function compileTarget(m: ConfigMessage, ctx: CompileContext): ForwardPlan['target'] | null {
  const kind = m.oneof('cluster_specifier');
  if (kind === 'cluster') { ctx.needsCluster(m.str('cluster'), m, 'cluster'); return { kind: 'cluster', name: m.str('cluster') }; }
  if (kind === 'cluster_header') return { kind: 'header', name: m.str('cluster_header').toLowerCase() };
  if (kind === 'weighted_clusters') {
    const w = m.msg('weighted_clusters')!, prefix = w.str('runtime_key_prefix');
    w.noop('total_weight', 'the weights are summed');
    const clusters = w.list('clusters').map((c): WeightedPlan => {
      if (c.has('name')) ctx.needsCluster(c.str('name'), c, 'name');
      if (c.has('name') === c.has('cluster_header')) c.error('', 'exactly one of name and cluster_header must be given');
      return { name: c.str('name'), header: c.str('cluster_header').toLowerCase(), weight: c.num('weight', 0), runtimeKey: prefix === '' ? '' : `${prefix}.${c.str('name')}`, level: compileLevel(c), filterConfigs: compileFilterConfigs(c, ctx), hostRewrite: toByteString(c.str('host_rewrite_literal')), metadataMatch: compileMetadata(c.msg('metadata_match')) };
    });
    const total = clusters.reduce((n, c) => n + c.weight, 0);
    if (total === 0 && prefix === '') w.error('clusters', 'Sum of weights in the weighted_cluster must be greater than 0.');
    const headerName = w.oneof('random_value_specifier') === 'header_name' ? w.str('header_name').toLowerCase() : '';
    const byHash = w.oneof('random_value_specifier') === 'use_hash_policy' && w.bool('use_hash_policy');
    return { kind: 'weighted', clusters, total, headerName, byHash };
  }
  if (kind === 'inline_cluster_specifier_plugin') return compileSpecifier(m.msg('inline_cluster_specifier_plugin')!);
  if (kind === 'cluster_specifier_plugin') {
    const name = m.str('cluster_specifier_plugin'), found = ctx.clusterSpecifiers.get(name) as ForwardPlan['target'] | null | undefined;
    if (found !== undefined) return found;
    m.error('cluster_specifier_plugin', `Unknown cluster specifier plugin name: ${name} is used in the route`);
  }
  return { kind: 'cluster', name: '' };
}

/** A route whose requests have no cluster. */
export const NOWHERE: ForwardPlan = { ...FORWARD_DEFAULTS, target: { kind: 'cluster', name: '' } };

/** path_rewrite_policy; '' for none. `pattern`: the route's match, which names the variables. */
function compileRewritePolicy(m: ConfigMessage, pattern: PathMatchPlan): string {
  const p = m.msg('path_rewrite_policy'), c = p?.any('typed_config');
  if (p === undefined || c === undefined) return '';
  const name = p.str('name');
  if (!c.typeName.endsWith('.uri_template.v3.UriTemplateRewriteConfig')) { p.unregistered('typed_config', name, c.typeName); return ''; }
  const text = c.str('path_template_rewrite'), variables = rewriteVariables(text);
  if (variables === null) { c.error('path_template_rewrite', `path_rewrite_policy.path_template_rewrite ${text} is invalid`); return ''; }
  if (pattern.kind !== 'template') { p.error('', 'unable to use envoy.path.rewrite.uri_template.uri_template_rewriter extension without envoy.path.match.uri_template.uri_template_matcher extension'); return ''; }
  const known = variablesOf(pattern.template);
  if (variables.some((v) => !known.has(v))) c.error('path_template_rewrite', `mismatch between variables in path_match_policy ${pattern.template} and path_rewrite_policy ${text}`);
  return text;
}

const PLAIN = ['cluster'];
/** What is made of a route action of which nothing but its target is said: of most of a large table. */
const plain = new PlainPlan<Omit<ForwardPlan, 'target'>>(FORWARD_DEFAULTS);

/** null: the route is passed over. `pattern`: what the route's path is matched by. */
export function compileForward(m: ConfigMessage, ctx: CompileContext, pattern: PathMatchPlan): ForwardPlan | null {
  const target = compileTarget(m, ctx), rest = plain.of(m.only(PLAIN), () => compilePolicy(m, ctx, pattern));
  return target === null ? null : { ...rest, target };
}

/** All but the target. */
function compilePolicy(m: ConfigMessage, ctx: CompileContext, pattern: PathMatchPlan): Omit<ForwardPlan, 'target'> {
  for (const f of ['cors', 'internal_redirect_action', 'max_internal_redirects']) m.unsupported(f);
  m.noop('retry_policy_typed_config', 'Envoy has no effect for it either');
  m.noop('early_data_policy', 'no request goes upstream as early data: that is of HTTP/3');
  const duration = m.msg('max_stream_duration');
  const regex = m.msg('regex_rewrite'), hostRegex = m.msg('host_rewrite_path_regex');
  if ([m.has('prefix_rewrite'), regex !== undefined, m.has('path_rewrite_policy'), m.has('path_rewrite')].filter(Boolean).length > 1) m.error('', 'Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy');
  let terminate: ForwardPlan['connectTerminate'] = 'no', connectUdp = false;
  const upgrades = m.list('upgrade_configs').map((u) => {
    const connect = u.msg('connect_config');
    if (connect !== undefined) {
      connect.unsupported('proxy_protocol_config');
      if (u.str('upgrade_type').toLowerCase() === 'connect-udp') connectUdp = u.bool('enabled', true);
      else if (u.str('upgrade_type').toLowerCase() !== 'connect') u.error('connect_config', `Non-CONNECT upgrade type ${u.str('upgrade_type')} has ConnectConfig`);
      else if (u.bool('enabled', true)) terminate = connect.bool('allow_post') ? 'connect-or-post' : 'connect';
    }
    return { type: u.str('upgrade_type').toLowerCase(), enabled: u.bool('enabled', true) };
  });
  return {
    kind: 'forward', notFoundStatus: NOT_FOUND[m.enum('cluster_not_found_response_code')] ?? 503,
    prefixRewrite: toByteString(m.str('prefix_rewrite')), regexRewrite: regex === undefined ? null : compileRewrite(regex), templateRewrite: compileRewritePolicy(m, pattern), pathFormat: formatOf(m, 'path_rewrite'),
    hostLiteral: toByteString(m.str('host_rewrite_literal')), hostHeader: m.str('host_rewrite_header').toLowerCase(), hostRegex: hostRegex === undefined ? null : compileRewrite(hostRegex), hostFormat: formatOf(m, 'host_rewrite'), autoHost: m.bool('auto_host_rewrite'), appendForwardedHost: m.bool('append_x_forwarded_host'),
    timeoutMs: m.ms('timeout', -1), idleTimeoutMs: m.ms('idle_timeout', -1), flushTimeoutMs: m.ms('flush_timeout', -1), maxStreamDurationMs: duration?.ms('max_stream_duration', -1) ?? -1, maxGrpcTimeoutMs: m.ms('max_grpc_timeout', -1), grpcTimeoutOffsetMs: Math.max(0, m.ms('grpc_timeout_offset', 0)),
    newTimeouts: duration !== undefined, grpcHeaderMaxMs: duration?.ms('grpc_timeout_header_max', -1) ?? -1, grpcHeaderOffsetMs: Math.max(0, duration?.ms('grpc_timeout_header_offset', 0) ?? 0),
    priority: m.enum('priority') === 'HIGH' ? 'high' : 'default', hashPolicies: compileHashPolicies(m), metadataMatch: compileMetadata(m.msg('metadata_match')), upgrades, connectTerminate: terminate, connectUdp, retry: compileRetry(m.msg('retry_policy')), hedge: compileHedge(m.msg('hedge_policy')), mirrors: compileMirrors(m, ctx), redirects: compileRedirectPolicy(m),
    rateLimits: compileRateLimits(m.list('rate_limits')), includeHostRateLimits: m.bool('include_vh_rate_limits'),
  };
}
