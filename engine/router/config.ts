// Route configurations from configuration.
import { PlainPlan } from '../plan/defaults.ts';
import { HOST_DEFAULTS, MATCH_DEFAULTS, packVirtualHost, ROUTE_DEFAULTS } from '../plan/route-wire.ts';
import { toByteString } from '../headers/headers.ts';
import { compileHeaderMatcher, compileRegexMatcher, compileStringMatcher } from '../headers/config.ts';
import { compileMetadata } from '../net/config.ts';
import { compileMatchTree } from '../net/match/config.ts';
import { compileFraction, compileMetadataMatch } from '../observe/match/config.ts';
import { compileFormat, compileMutation, compileSubstitution } from '../observe/format/config.ts';
import type { StringMatcherPlan } from '../headers/string-matcher.ts';
import type { FormatPlan } from '../observe/format/formatter.ts';
import type { MatchInputPlan } from '../plan/match-plan.ts';
import type { CountedHost, DirectPlan, FilterConfigPlan, LevelPlan, PathMatchPlan, RewritePlan, RouteMatchPlan, RoutePlan, RouteTablePlan, VirtualHostPlan } from '../plan/route-plan.ts';
import type { CompileContext, ConfigMessage } from '../proto/config-message.ts';
import { NOWHERE, compileForward } from './forward-config.ts';
import { compileSpecifiers } from './cluster-specifier-config.ts';
import { compileMirrors } from '../http/mirror-config.ts';
import { compileRateLimits } from '../http/rate-limit/config.ts';
import { PathTemplate, TemplateError } from './match/path-template.ts';
import { compileHedge, compileRetry } from '../http/retry-config.ts';

export function compileLevel(m: ConfigMessage): LevelPlan {
  return { request: compileMutation(m, 'request_headers_to_add', 'request_headers_to_remove'), response: compileMutation(m, 'response_headers_to_add', 'response_headers_to_remove') };
}

/** typed_per_filter_config; a FilterConfig wraps one with switches. */
export function compileFilterConfigs(m: ConfigMessage, ctx: CompileContext): FilterConfigPlan[] {
  return m.map('typed_per_filter_config').map(([name, config]) => {
    if (config.typeName !== 'envoy.config.route.v3.FilterConfig') return { name, body: ctx.extension('envoy.filters.http.per_route', config)?.body ?? null, disabled: false };
    config.noop('is_optional', 'a type that is not supported is refused');
    const inner = config.any('config');
    return { name, body: inner === undefined || inner.typeName === 'google.protobuf.Empty' ? null : ctx.extension('envoy.filters.http.per_route', inner)?.body ?? null, disabled: config.bool('disabled') };
  });
}

/** A format; null: the field is not set. */
export function formatOf(m: ConfigMessage, field: string): FormatPlan | null { const text = m.str(field); return text === '' ? null : compileFormat(text, m, field); }

export function compileRewrite(m: ConfigMessage): RewritePlan {
  const pattern = m.msg('pattern');
  return { regex: pattern === undefined ? '' : compileRegexMatcher(pattern), substitution: toByteString(m.str('substitution')) };
}

function compilePath(m: ConfigMessage): PathMatchPlan {
  const ignoreCase = !m.bool('case_sensitive', true), kind = m.oneof('path_specifier');
  switch (kind) {
    case 'prefix': return { kind: 'prefix', text: toByteString(m.str('prefix')), ignoreCase };
    case 'path': return { kind: 'path', text: toByteString(m.str('path')), ignoreCase };
    case 'path_separated_prefix': return { kind: 'separated', text: toByteString(m.str('path_separated_prefix')), ignoreCase };
    case 'safe_regex': return { kind: 'regex', regex: compileRegexMatcher(m.msg('safe_regex')!) };
    case 'connect_matcher': m.has('connect_matcher'); return { kind: 'connect' };
    case 'path_match_policy': {
      const p = m.msg('path_match_policy')!, c = p.any('typed_config');
      p.str('name');
      if (c === undefined) return { kind: 'connect' };
      if (!c.typeName.endsWith('.uri_template.v3.UriTemplateMatchConfig')) { p.unregistered('typed_config', p.str('name'), c.typeName); return { kind: 'connect' }; }
      const template = c.str('path_template');
      try { new PathTemplate(template); } catch (e) { if (!(e instanceof TemplateError)) throw e; c.error('path_template', `path_match_policy.path_template ${template} is invalid: ${e.message}`); return { kind: 'connect' }; }
      return { kind: 'template', template };
    }
    default: return { kind: 'connect' };
  }
}

/** The string_match of a message, which its rules ask for. */
function stringOf(m: ConfigMessage): StringMatcherPlan { const s = m.msg('string_match'); return s === undefined ? { kind: 'exact', text: '', ignoreCase: false } : compileStringMatcher(s); }

const PLAIN_MATCH = ['prefix', 'path', 'path_separated_prefix', 'safe_regex', 'case_sensitive'];
const plainMatch = new PlainPlan<Omit<RouteMatchPlan, 'path'>>(MATCH_DEFAULTS);

function compileMatch(m: ConfigMessage): RouteMatchPlan {
  const path = compilePath(m);
  return { path, ...plainMatch.of(m.only(PLAIN_MATCH), () => compileConditions(m)) };
}

/** What is asked for beside the path. */
function compileConditions(m: ConfigMessage): Omit<RouteMatchPlan, 'path'> {
  const tls = m.msg('tls_context');
  m.has('grpc');
  return {
    headers: m.list('headers').map(compileHeaderMatcher),
    query: m.list('query_parameters').map((q) => ({ name: toByteString(q.str('name')), string: q.oneof('query_parameter_match_specifier') === 'string_match' ? compileStringMatcher(q.msg('string_match')!) : null, present: q.bool('present_match', true) || !q.has('present_match') })),
    grpc: m.has('grpc'), fraction: compileFraction(m.msg('runtime_fraction')), tls: tls === undefined ? null : { presented: tls.has('presented') ? tls.bool('presented') : null, validated: tls.has('validated') ? tls.bool('validated') : null },
    metadata: m.list('dynamic_metadata').map((d) => compileMetadataMatch(d)),
    cookies: m.list('cookies').map((c) => ({ name: toByteString(c.str('name')), string: stringOf(c), invert: c.bool('invert_match') })),
    filterState: m.list('filter_state').map((f) => { if (f.oneof('matcher') !== 'string_match') f.unsupported(f.oneof('matcher')); return { key: f.str('key'), string: stringOf(f) }; }),
  };
}

const REDIRECT_CODES: Record<string, number> = { MOVED_PERMANENTLY: 301, FOUND: 302, SEE_OTHER: 303, TEMPORARY_REDIRECT: 307, PERMANENT_REDIRECT: 308 };

/** null: the route is passed over. */
function compileAction(m: ConfigMessage, ctx: CompileContext, pattern: PathMatchPlan): RoutePlan['action'] | null {
  const kind = m.oneof('action');
  if (kind === 'route') return compileForward(m.msg('route')!, ctx, pattern);
  if (kind === 'redirect') {
    const r = m.msg('redirect')!, regex = r.msg('regex_rewrite');
    return {
      kind: 'redirect', https: r.bool('https_redirect'), scheme: r.str('scheme_redirect'), host: toByteString(r.str('host_redirect')), port: r.num('port_redirect'), path: toByteString(r.str('path_redirect')), prefix: r.oneof('path_rewrite_specifier') === 'prefix_rewrite' ? toByteString(r.str('prefix_rewrite')) : null,
      regex: regex === undefined ? null : compileRewrite(regex), pathFormat: formatOf(r, 'path_rewrite'), status: REDIRECT_CODES[r.enum('response_code')] ?? 301, stripQuery: r.bool('strip_query'),
    };
  }
  if (kind === 'direct_response') return compileDirect(m.msg('direct_response')!, ctx);
  // Envoy takes these for routes to no cluster.
  if (kind === 'filter_action' || kind === 'non_forwarding_action') { if (kind === 'filter_action') m.msg(kind)?.noop('action', 'Envoy heeds nothing of it'); else m.has(kind); return NOWHERE; }
  if (kind !== '') m.unsupported(kind);
  return { kind: 'direct', status: 500, body: '', format: null };
}

function compileDirect(d: ConfigMessage, ctx: CompileContext): DirectPlan {
  const body = d.msg('body'), bytes = body === undefined ? undefined : ctx.dataSource(body), format = d.msg('body_format');
  if (bytes !== undefined && bytes.length > ctx.maxDirectBody) d.error('body', `response body size is ${bytes.length} bytes; maximum is ${ctx.maxDirectBody}`);
  // Bodies are kept as they are: their bytes go out unchanged.
  return { kind: 'direct', status: d.num('status'), body: bytes === undefined ? '' : Buffer.from(bytes).toString('utf8'), format: format === undefined ? null : compileSubstitution(format, ctx) };
}

const NO_MATCH: RouteMatchPlan = { path: { kind: 'connect' }, headers: [], query: [], grpc: false, fraction: null, tls: null, metadata: [], cookies: [], filterState: [] };
const PLAIN_ROUTE = ['match', 'route'];
const plainRoute = new PlainPlan<Omit<RoutePlan, 'match' | 'action'>>(ROUTE_DEFAULTS);

/** null: an optional extension that it needs is not known. */
function compileRoute(m: ConfigMessage, ctx: CompileContext): RoutePlan | null {
  const match = m.msg('match'), matches = match === undefined ? NO_MATCH : compileMatch(match), rest = plainRoute.of(m.only(PLAIN_ROUTE), () => compileRest(m, ctx));
  const action = compileAction(m, ctx, matches.path);
  return action === null ? null : { ...rest, match: matches, action };
}

/** What of a route is neither its match nor its action. */
function compileRest(m: ConfigMessage, ctx: CompileContext): Omit<RoutePlan, 'match' | 'action'> {
  const decorator = m.msg('decorator');
  if (decorator !== undefined) { decorator.str('operation'); decorator.bool('propagate'); m.noop('decorator', 'nothing is traced yet'); }
  m.unsupported('tracing'); m.unsupported('route_specifiers');
  return {
    name: m.str('name'), level: compileLevel(m), metadata: compileMetadata(m.msg('metadata')),
    filterConfigs: compileFilterConfigs(m, ctx), bufferLimit: m.num('request_body_buffer_limit', m.num('per_request_buffer_limit_bytes', -1)), statPrefix: m.str('stat_prefix'),
  };
}

function compileRoutes(list: readonly ConfigMessage[], ctx: CompileContext): RoutePlan[] { return list.map((r) => compileRoute(r, ctx)).filter((r) => r !== null); }

/** A virtual host's tree may look at less than others, as in Envoy; its words. */
function routeInputFault(kind: MatchInputPlan['kind'], type: string): string {
  return kind === 'request-header' || kind === 'filter-state' ? '' : `requirement violation while creating route match tree: INVALID_ARGUMENT: Route table can only match on request headers, saw type.googleapis.com/${type}`;
}

/** An action of a virtual host's matcher tree: a Route, or a RouteList. */
function compileRouteAction(c: ConfigMessage, at: ConfigMessage, ctx: CompileContext): RoutePlan[] {
  if (c.typeName === 'envoy.config.route.v3.Route') return compileRoutes([c], ctx);
  if (c.typeName === 'envoy.config.route.v3.RouteList') return compileRoutes(c.list('routes'), ctx);
  at.unsupported('action', c.typeName);
  return [];
}

interface CompiledHost { readonly plan: VirtualHostPlan; /** Scopes of its stats (CountedHost). */ readonly counted: readonly string[] }
const PLAIN_HOST = ['name', 'domains', 'routes'];
const plainHost = new PlainPlan<Omit<VirtualHostPlan, 'name' | 'routes'>>(HOST_DEFAULTS);

function compileVirtualHost(m: ConfigMessage, ctx: CompileContext): CompiledHost {
  const inTree: RoutePlan[] = [], policy = plainHost.of(m.only(PLAIN_HOST), () => compileHostPolicy(m, ctx, inTree)), routes = compileRoutes(m.list('routes'), ctx);
  return { plan: { name: m.str('name'), ...policy, routes }, counted: countedOf(policy.virtualClusters, [...routes, ...inTree]) };
}

function countedOf(virtualClusters: VirtualHostPlan['virtualClusters'], routes: readonly RoutePlan[]): string[] {
  const clusters = virtualClusters.length === 0 ? [] : [...virtualClusters.map((c) => c.name), 'other'];
  const prefixes = new Set(routes.map((r) => r.statPrefix).filter((p) => p !== ''));
  return [...clusters.map((c) => `vcluster.${c}`), ...[...prefixes].map((p) => `route.${p}`)];
}

/** All of a virtual host but its name and its routes. `inTree`: takes the routes of its matcher. */
function compileHostPolicy(m: ConfigMessage, ctx: CompileContext, inTree: RoutePlan[]): Omit<VirtualHostPlan, 'name' | 'routes'> {
  const matcher = m.msg('matcher');
  if (matcher !== undefined && m.has('routes')) m.error('matcher', "cannot set both matcher and routes on virtual host");
  m.unsupported('cors'); m.unsupported('route_specifiers');
  m.noop('retry_policy_typed_config', 'Envoy has no effect for it either');
  return {
    level: compileLevel(m), requireTls: m.enum('require_tls') as 'NONE',
    matcher: matcher === undefined ? null : compileMatchTree(matcher, { stream: true, inputFault: routeInputFault, action: (c, at) => { const r = compileRouteAction(c, at, ctx); inTree.push(...r); return r; } }), includeAttemptCount: m.bool('include_request_attempt_count'), includeAttemptCountInResponse: m.bool('include_attempt_count_in_response'),
    metadata: compileMetadata(m.msg('metadata')), filterConfigs: compileFilterConfigs(m, ctx), virtualClusters: m.list('virtual_clusters').map((c) => ({ name: c.str('name'), headers: c.list('headers').map(compileHeaderMatcher) })), bufferLimit: m.num('request_body_buffer_limit', m.num('per_request_buffer_limit_bytes', -1)),
    includeTimeoutRetry: m.bool('include_is_timeout_retry_header'), retry: compileRetry(m.msg('retry_policy')), hedge: compileHedge(m.msg('hedge_policy')), mirrors: compileMirrors(m, ctx), rateLimits: compileRateLimits(m.list('rate_limits')),
  };
}

export function compileRouteConfiguration(m: ConfigMessage, ctx: CompileContext): RouteTablePlan {
  m.unsupported('vhds'); m.unsupported('route_specifiers');
  m.noop('metadata', 'nothing here reads it');
  const validate = m.bool('validate_clusters', ctx.validateClusters);
  const hosts = m.list('virtual_hosts');
  const inner: CompileContext = Object.create(ctx, { maxDirectBody: { value: m.num('max_direct_response_body_size_bytes', 4096) }, clusterSpecifiers: { value: compileSpecifiers(m.list('cluster_specifier_plugins')) }, ...(validate ? {} : { needsCluster: { value: () => {} } }) }) as CompileContext;
  const seen = new Set<string>();
  for (const h of hosts) {
    for (const d of h.strings('domains')) {
      const key = d.toLowerCase();
      if (seen.has(key)) h.error('domains', d === '*' ? 'Only a single wildcard domain is permitted in route' : `Only unique values for domains are permitted. Duplicate entry of domain ${d} in route`);
      seen.add(key);
    }
  }
  const counted: CountedHost[] = [];
  // Each is packed before the next is compiled: a large table is never here as a whole.
  const virtualHosts = hosts.map((h) => {
    const host = compileVirtualHost(h, inner);
    if (host.counted.length > 0) counted.push({ name: host.plan.name, scopes: host.counted });
    return { domains: h.strings('domains'), packed: packVirtualHost(host.plan) };
  });
  return {
    name: m.str('name'), level: compileLevel(m), mostSpecificWins: m.bool('most_specific_header_mutations_wins'), ignorePort: m.bool('ignore_port_in_host_matching'), hostHeader: m.str('vhost_header').toLowerCase(), ignorePathParameters: m.bool('ignore_path_parameters_in_path_matching'), internalOnly: m.strings('internal_only_headers').map((n) => n.toLowerCase()), filterConfigs: compileFilterConfigs(m, ctx), mirrors: compileMirrors(m, inner),
    counted, virtualHosts,
  };
}
