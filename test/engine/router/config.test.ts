// What is wrong with routes and what stands at them, in Envoy's words.
import assert from 'node:assert/strict';
import test from 'node:test';
import { compileJson } from '../../../scripts/fields/walk.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.filters';
type Json = { readonly [key: string]: unknown };

/** Errors of a bootstrap with these HTTP filters and fields of the one route; `host`, `table`: fields of its virtual host and route configuration. */
function faults({ filters = [], route = {}, host = {}, table = {} }: { filters?: readonly Json[]; route?: Json; host?: Json; table?: Json }): string[] {
  const hcm = {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`, stat_prefix: 's',
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 }, ...route }], ...host }], ...table },
    http_filters: [...filters, { name: 'r', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } }],
  };
  return compiled(hcm).reports.filter((r) => r.severity === 'error').map((r) => r.message);
}
/** A bootstrap with this connection manager, compiled. */
function compiled(hcm: Json): ReturnType<typeof compileJson> {
  return compileJson({ static_resources: { listeners: [{ name: 'l', address: { socket_address: { address: '127.0.0.1', port_value: 0 } }, filter_chains: [{ filters: [{ name: 'h', typed_config: hcm }] }] }] } });
}

test('rate limits of a filter: fields that only a rate limit service heeds, hits that are no number, a descriptor twice', () => {
  const local = (fields: Json): string[] => faults({ filters: [{ name: 'l', typed_config: { '@type': `${TYPE}.http.local_ratelimit.v3.LocalRateLimit`, stat_prefix: 'l', ...fields } }] });
  const policy = (fields: Json): string[] => local({ rate_limits: [{ actions: [{ generic_key: { descriptor_value: 'v' } }], ...fields }] }), hits = 'hits_addend must contain either a format or a number';
  const bucket = { entries: [{ key: 'u', value: 'v' }, { key: 'w', value: 'x' }], token_bucket: { max_tokens: 1, fill_interval: '1s' } };
  assert.deepEqual([policy({ stage: 0 }), policy({ disable_key: 'x' }), policy({ limit: { rate_limit: { requests_per_unit: 1, unit: 'HOUR' } } })].flat(), ["'stage' field and 'disable_key' field are not supported", "'stage' field and 'disable_key' field are not supported", "'limit' field is not supported"]);
  assert.deepEqual([policy({ hits_addend: {} }), policy({ hits_addend: { number: 1, format: '%REQ(x)%' } }), policy({ hits_addend: { format: '%REQ(x)%%REQ(y)%' } }), policy({ hits_addend: { number: 3 } })].flat(), [hits, hits, 'hits_addend format must contain exactly one substitution']);
  const parsed = (expr: Json): string[] => policy({ actions: [{ extension: { name: 'e', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor', descriptor_key: 'k', parsed: expr } } }] });
  const select = (of: string, field: string): Json => ({ select_expr: { operand: { ident_expr: { name: of } }, field } });
  assert.deepEqual([parsed(select('request', 'path')), parsed(select('connection', 'id')), parsed({})].map((x) => x[0]), [undefined, undefined, 'Unable to parse descriptor expression: Invalid empty expression']);
  assert.deepEqual([local({ descriptors: [bucket, bucket] }), local({ filter_enabled: { default_value: { numerator: 100 } } })].flat(), ['duplicate descriptor in the local rate descriptor: u=v, w=x']);
  assert.deepEqual(faults({ route: { typed_per_filter_config: { l: { '@type': `${TYPE}.http.local_ratelimit.v3.LocalRateLimit`, stat_prefix: 'l' } } } }), ['local rate limit token bucket must be set for per filter configs']);
});

const EXT = 'type.googleapis.com/envoy.extensions', EMPTY = { name: 'm', typed_config: { '@type': 'type.googleapis.com/google.protobuf.Empty' } };

test('URI templates and rewrites by them, in the words for each fault', () => {
  const policy = (type: string, fields: Json): Json => ({ name: 't', typed_config: { '@type': `${EXT}.path.${type}`, ...fields } });
  const of = (path: string, to?: string): string => faults({ route: { match: { path_match_policy: policy('match.uri_template.v3.UriTemplateMatchConfig', { path_template: path }) }, ...(to === undefined ? {} : { direct_response: undefined, route: { cluster_header: 'x', path_rewrite_policy: policy('rewrite.uri_template.v3.UriTemplateRewriteConfig', { path_template_rewrite: to }) } }) } }).join('; ');
  const wrong: Record<string, string> = {
    '/a//b': 'Invalid literal: ""', '/{1a}': 'Invalid variable name: "1a"', '/{a}/{a}': 'Repeated variable name: "a"', '/{a}/{b}/{c}/{d}/{e}/{f}': 'Exceeded variable count limit (5)', '/{abcdefghijklmnopq}': 'Invalid variable name length (length of "abcdefghijklmnopq" should be at least 1 and no more than 16)',
    '/**/*': 'Glob after text glob.', '/{a=**}/{b}': 'Implicit variable path glob after text glob.', '/a^b': 'Invalid literal: "a^b"', '/{a': 'Unmatched variable bracket in mixed pattern: "{a"', '/{a}-{b}': 'Invalid suffix literal: "-{b}"', '/*.x/y': 'Prefix match not supported.', a: 'Invalid pattern: "a"', '/a b': 'Invalid pattern: "/a b"', '/{a=}': 'Empty variable match', '/{a=x/}': 'Invalid variable match: "/"',
  };
  for (const [path, fault] of Object.entries(wrong)) assert.equal(of(path), `path_match_policy.path_template ${path} is invalid: ${fault}`);
  for (const path of ['/x.{ext}', '/a/x.{e}y/z', '/{a}y/z', '/{a}.y/z/{b}', '/x{a=**}y/z']) assert.equal(of(path), '', path);
  for (const to of ['x{a}', '/{a', '/^', '/{}', '/x//{a}', '/a}']) assert.equal(of('/{a}', to), `path_rewrite_policy.path_template_rewrite ${to} is invalid`);
  assert.equal(of('/{a}', '/{b}'), 'mismatch between variables in path_match_policy /{a} and path_rewrite_policy /{b}');
  assert.equal(of('/{a}/{b}', '/{a}'), '');
  assert.deepEqual(faults({ route: { direct_response: undefined, route: { cluster_header: 'x', path_rewrite_policy: policy('rewrite.uri_template.v3.UriTemplateRewriteConfig', { path_template_rewrite: '/x' }) } } }), ['unable to use envoy.path.rewrite.uri_template.uri_template_rewriter extension without envoy.path.match.uri_template.uri_template_matcher extension']);
});

test('cluster specifiers: an unknown name, an unknown type, which may be optional, one that is not there yet', () => {
  const route = (action: Json, table: Json = {}): string[] => faults({ route: { direct_response: undefined, route: action }, table });
  assert.deepEqual(route({ cluster_specifier_plugin: 'z' }), ['Unknown cluster specifier plugin name: z is used in the route']);
  assert.deepEqual(route({ inline_cluster_specifier_plugin: { extension: EMPTY } }), ["Didn't find a registered implementation for 'm' with type URL: 'google.protobuf.Empty'"]);
  assert.deepEqual(route({ cluster_specifier_plugin: 'm' }, { cluster_specifier_plugins: [{ extension: EMPTY, is_optional: true }] }), []);
  assert.equal(route({ inline_cluster_specifier_plugin: { extension: { name: 'l', typed_config: { '@type': `${EXT}.router.cluster_specifiers.lua.v3.LuaConfig`, source_code: { inline_string: 'x' } } }, is_optional: true } }).length, 1);
});

test('mirrors name a cluster or a header that does, not both', () => {
  const mirror = (fields: Json): string[] => faults({ route: { direct_response: undefined, route: { cluster_header: 'x', request_mirror_policies: [fields] } } });
  assert.deepEqual([mirror({ cluster_header: 'h' }), mirror({}), mirror({ cluster: 'a', cluster_header: 'h' })].map((x) => x.at(-1)), [undefined, 'Exactly one of cluster or cluster_header in request mirror policy need to be specified', "Only one of cluster 'a' or cluster_header 'h' in request mirror policy can be specified"]);
});

test('mutations of query parameters say what of which', () => {
  const mutate = (m: Json): string[] => faults({ filters: [{ name: 'm', typed_config: { '@type': `${TYPE}.http.header_mutation.v3.HeaderMutation`, mutations: { query_parameter_mutations: [m] } } }] });
  assert.deepEqual([{}, { remove: 'x', append: { record: { key: 'z', value: 'a' } } }, { append: { entry: { key: 'k', value: 'YQ==' } } }, { append: { record: { key: 'z', value: 5 } } }, { append: { record: { key: 'z', value: 'a' } } }].map((m) => mutate(m)[0]),
    ["One of 'append'/'remove' must be specified.", "Only one of 'append'/'remove can be specified.", 'No record specified for append mutation.', 'Only string value is allowed for record value.', undefined]);
});

test("a virtual host's matcher looks at request headers and filter state alone", () => {
  const host = (type: string, fields: Json): string[] => faults({ host: { routes: [], matcher: { matcher_tree: { input: { name: 'i', typed_config: { '@type': `type.googleapis.com/${type}`, ...fields } }, exact_match_map: { map: { a: { action: { name: 'r', typed_config: { '@type': 'type.googleapis.com/envoy.config.route.v3.Route', match: { prefix: '/' }, direct_response: { status: 200 } } } } } } } } } });
  assert.deepEqual(host('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { header_name: 'x' }), []);
  assert.deepEqual(host('envoy.extensions.matching.common_inputs.network.v3.FilterStateInput', { key: 'x' }), []);
  assert.deepEqual(host('envoy.extensions.matching.common_inputs.network.v3.SourceIPInput', {}), ['requirement violation while creating route match tree: INVALID_ARGUMENT: Route table can only match on request headers, saw type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput']);
});

test('a virtual host keeps stats under its name where a route of its matcher names some', () => {
  const counted = (statPrefix: Json): boolean => {
    const route = { '@type': 'type.googleapis.com/envoy.config.route.v3.Route', match: { prefix: '/' }, direct_response: { status: 200 }, ...statPrefix };
    const matcher = { matcher_tree: { input: { name: 'i', typed_config: { '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput', header_name: 'x' } }, exact_match_map: { map: { a: { action: { name: 'r', typed_config: route } } } } } };
    const { reports, plan } = compiled({ '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`, stat_prefix: 's', route_config: { virtual_hosts: [{ name: 'vhost', domains: ['*'], matcher }] }, http_filters: [{ name: 'r', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } }] });
    assert.deepEqual(reports.filter((r) => r.severity === 'error'), []);
    // As packed: a list of one text.
    return plan.includes('counted\x91');
  };
  assert.deepEqual([counted({}), counted({ stat_prefix: 'p' })], [false, true]);
});

test('what says only what is the default anyway is compiled as what says nothing, the second time too', () => {
  const filters = [{ name: 'r', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } }];
  const cluster = (name: string, more: Json): Json => ({ name, type: 'STATIC', load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 1, ...(more['address'] as Json | undefined) } } }, ...(more['endpoint'] as Json | undefined) }] }] }, ...(more['cluster'] as Json | undefined) });
  const plans = (more: Json): string => {
    const hosts = ['a', 'b'].map((name) => ({ name, domains: [name], routes: [{ match: { prefix: '/', ...(more['match'] as Json | undefined) }, route: { cluster: name, ...(more['action'] as Json | undefined) }, ...(more['route'] as Json | undefined) }], ...(more['host'] as Json | undefined) }));
    const hcm = { '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`, stat_prefix: 's', route_config: { virtual_hosts: hosts }, http_filters: filters };
    const { reports, plan } = compileJson({ static_resources: { clusters: [cluster('a', more), cluster('b', more)], listeners: [{ name: 'l', address: { socket_address: { address: '127.0.0.1', port_value: 0 } }, filter_chains: [{ filters: [{ name: 'h', typed_config: hcm }] }] }] } });
    assert.deepEqual(reports, []);
    return plan;
  };
  const plain = plans({});
  assert.equal(plans({ match: { headers: [] }, action: { append_x_forwarded_host: false }, route: { name: '' }, host: { require_tls: 'NONE' }, endpoint: { health_status: 'UNKNOWN' }, address: { protocol: 'TCP' }, cluster: { per_connection_buffer_limit_bytes: 1 << 20 } }), plain);
  assert.notEqual(plans({ action: { prefix_rewrite: '/x' } }), plain);
  assert.equal(plans({}), plain);
});
