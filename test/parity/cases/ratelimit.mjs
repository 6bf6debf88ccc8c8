// Descriptors of requests for local rate limits: what becomes of each field of a policy. The headers x-ratelimit-* tell which bucket a request took from and what is left.
import { cluster, httpFilter, httpProxy, perRoute } from '../lib/config.mjs';

const SLOW = 'fill_interval: 100000s', ON = '{default_value: {numerator: 100}}';
const EXPR = '"@type": type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor';
const local = (name, fields) => perRoute('local_ratelimit', 'local_ratelimit.v3.LocalRateLimit', `stat_prefix: ${name}, filter_enabled: ${ON}, filter_enforced: ${ON}, token_bucket: {max_tokens: 1000, ${SLOW}}, enable_x_ratelimit_headers: DRAFT_VERSION_03, always_consume_default_token_bucket: false, ${fields}`);
/** A bucket of `size` tokens for the descriptor of these [key, value]. */
const bucket = (size, ...entries) => `{entries: [${entries.map(([k, v]) => `{key: "${k}", value: "${v}"}`).join(', ')}], token_bucket: {max_tokens: ${size}, ${SLOW}}}`;
/** A route whose policy stands in the filter's configuration (own), or in the route's rate_limits. */
const own = (path, policies, buckets, more = '') => `- {match: {path: "/${path}"}, route: {cluster: a}, ${local(path, `descriptors: [${buckets.join(', ')}], rate_limits: [${policies}]${more}`)}}`;
const ofRoute = (path, policies, buckets) => `- {match: {path: "/${path}"}, route: {cluster: a, rate_limits: [${policies}]}, ${local(path, `descriptors: [${buckets.join(', ')}]`)}}`;
const both = (path, policies, buckets) => [own(path, policies, buckets), ofRoute(`r-${path}`, policies, buckets)];
const proxy = (w, routes, top = '') => httpProxy(w, { top, filters: httpFilter('local_ratelimit', 'local_ratelimit.v3.LocalRateLimit', 'stat_prefix: l'), routes: [...routes, '- {match: {prefix: "/"}, route: {cluster: a}}'] });
const KEY = 'actions: [{generic_key: {descriptor_value: v}}]', ONE = bucket(10, ['generic_key', 'v']);
const USER = 'actions: [{request_headers: {header_name: x-user, descriptor_key: u}}]', anyUser = (size) => `{entries: [{key: u}], token_bucket: {max_tokens: ${size}, ${SLOW}}}`;
const extension = (config) => `{actions: [{generic_key: {descriptor_value: v}}, {extension: {name: ext, typed_config: {${config}}}}]}`;
async function see(t, path, headers = {}) {
  const r = await t.quiet.http({ path, headers: { 'x-test-plain': '', ...headers } });
  return [r.status, ...['limit', 'remaining', 'reset'].map((n) => r.headers?.[`x-ratelimit-${n}`] ?? '-'), r.headers?.['retry-after'] ?? '-'].join(' ');
}

const VALUES = [
  ...both('text', '{actions: [{generic_key: {descriptor_value: "x-%REQ(x-user)%"}}]}', [bucket(10, ['generic_key', 'x-bob']), bucket(11, ['generic_key', 'x-']), bucket(12, ['generic_key', 'x-%REQ(x-user)%'])]),
  ...both('fallback', '{actions: [{generic_key: {descriptor_value: "%REQ(x-user)%", default_value: none}}]}', [bucket(10, ['generic_key', 'bob']), bucket(11, ['generic_key', 'none'])]),
  ...both('nothing', '{actions: [{generic_key: {descriptor_value: "%REQ(x-user)%"}}]}', [bucket(10, ['generic_key', 'bob']), bucket(11, ['generic_key', '-'])]),
  ...both('header', '{actions: [{header_value_match: {descriptor_value: "%REQ(x-user)%", default_value: none, headers: [{name: x-match, present_match: true}]}}]}', [bucket(10, ['header_match', 'bob']), bucket(11, ['header_match', 'none'])]),
  ...both('query', '{actions: [{query_parameter_value_match: {descriptor_value: "%REQ(x-user)%", default_value: none, query_parameters: [{name: q, present_match: true}]}}]}', [bucket(10, ['query_match', 'bob']), bucket(11, ['query_match', 'none'])]),
  ...both('address', '{actions: [{remote_address_match: {descriptor_value: "%REQ(x-user)%", default_value: none, address_matcher: {ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}]}}}]}', [bucket(10, ['remote_address_match', 'bob']), bucket(11, ['remote_address_match', 'none'])]),
  ...both('percent', '{actions: [{generic_key: {descriptor_value: "100%%"}}]}', [bucket(10, ['generic_key', '100%']), bucket(11, ['generic_key', '100%%'])]),
];
async function values(t) {
  for (const name of ['text', 'fallback', 'nothing', 'header', 'query', 'address', 'percent']) {
    for (const path of [`/${name}?q`, `/r-${name}`]) t.note(path, [await see(t, path, { 'x-user': 'bob', 'x-match': '1' }), await see(t, path, { 'x-match': '1' }), await see(t, path, { 'x-user': '', 'x-match': '1' }), await see(t, path)]);
  }
}

export const cases = [
  {
    name: 'fields of a policy: hits, what is put back, stream end, disable key, x-ratelimit headers, retry-after, order of entries, values of many, inputs and expressions',
    config: (w) => proxy(w, [
      ...both('hits', `{${KEY}, hits_addend: {number: 3}}`, [ONE]), ...both('done', `{${KEY}, apply_on_stream_done: true}`, [ONE]), ...both('quiet', `{${KEY}, x_ratelimit_option: 'OFF'}`, [ONE]),
      own('none', `{${KEY}, hits_addend: {number: 0}}`, [ONE]), own('back', `{actions: [{request_headers: {header_name: x-back, descriptor_key: k}}], hits_addend: {format: "%REQ(x-hits)%", is_negative_hits: true}}, {actions: [{request_headers: {header_name: x-take, descriptor_key: k}}], hits_addend: {format: "%REQ(x-hits)%"}}`, [bucket(10, ['k', '1'])]),
      own('format', `{${KEY}, hits_addend: {format: "%REQ(x-hits)%"}}`, [ONE]), ofRoute('disable', `{${KEY}, disable_key: x}`, [ONE]),
      own('order', '{actions: [{generic_key: {descriptor_key: a, descriptor_value: v}}, {generic_key: {descriptor_key: b, descriptor_value: v}}]}', [bucket(10, ['b', 'v'], ['a', 'v'])]),
      own('two', '{actions: [{generic_key: {descriptor_key: a, descriptor_value: v}}]}, {actions: [{generic_key: {descriptor_key: b, descriptor_value: v}}]}', [bucket(5, ['a', 'v']), `{entries: [{key: b, value: v}], token_bucket: {max_tokens: 9, tokens_per_fill: 5, ${SLOW}}}`]),
      own('retry', `{${KEY}}`, [bucket(1, ['generic_key', 'v'])], ', enable_retry_after_header: true'), own('retry-hits', `{${KEY}, hits_addend: {number: 2}}`, [bucket(3, ['generic_key', 'v'])], ', enable_retry_after_header: true'),
      ...both('first', '{actions: [{request_headers: {header_name: x-user, descriptor_key: u}}]}', [bucket(10, ['u', 'bob']), bucket(11, ['u', 'bob,eve'])]), ...both('query', '{actions: [{query_parameters: {query_parameter_name: q, descriptor_key: u}}]}', [bucket(10, ['u', 'b b']), bucket(11, ['u', '1'])]),
      ...both('input', extension('"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x-user'), [bucket(10, ['generic_key', 'v'], ['ext', 'bob'])]), own('response', extension('"@type": type.googleapis.com/envoy.type.matcher.v3.HttpResponseHeaderMatchInput, header_name: x-user'), [ONE]),
      ...both('expression', extension(`${EXPR}, descriptor_key: u, text: "request.headers['x-user']"`), [bucket(10, ['generic_key', 'v'], ['u', 'bob']), bucket(11, ['generic_key', 'v'])]), ...both('skipped', extension(`${EXPR}, descriptor_key: u, skip_if_error: true, text: "request.headers['x-user']"`), [bucket(10, ['generic_key', 'v'], ['u', 'bob']), bucket(11, ['generic_key', 'v'])]),
      own('number', extension(`${EXPR}, descriptor_key: u, text: "size(request.path) * 2"`), [bucket(10, ['generic_key', 'v'], ['u', '14'])]), own('boolean', extension(`${EXPR}, descriptor_key: u, text: "request.path == '/boolean'"`), [bucket(10, ['generic_key', 'v'], ['u', 'true'])]),
    ]),
    steps: async (t) => {
      for (const path of ['hits', 'r-hits', 'done', 'r-done', 'quiet', 'r-quiet', 'none', 'disable', 'order', 'two', 'retry', 'retry-hits']) t.note(path, [await see(t, `/${path}`), await see(t, `/${path}`), await see(t, `/${path}`), await see(t, `/${path}`)].map((x) => x.replace(/ 9999\d /, ' 100000 ').replace(/ 9999\d$/, ' 100000')));
      for (const hits of ['2', '1.7', '-1', 'abc', '', '9', '2000000000']) t.note(`hits '${hits}'`, await see(t, '/format', { 'x-hits': hits }));
      for (const [what, hits] of [['take', '6'], ['take', '6'], ['back', '3'], ['take', '6'], ['back', '90'], ['take', '1']]) t.note(`${what} ${hits}`, await see(t, '/back', { 'x-hits': hits, [`x-${what}`]: '1' }));
      for (const path of ['first', 'input', 'response', 'expression', 'skipped', 'number', 'boolean'].flatMap((p) => [p, `r-${p}`])) t.note(path, [await see(t, `/${path}`, { 'x-user': 'bob' }), await see(t, `/${path}`), await see(t, `/${path}`, { 'x-user': '' }), await see(t, `/${path}`, { 'x-user': ['bob', 'eve'] })]);
      for (const path of ['query', 'r-query']) t.note(path, [await see(t, `/${path}?q=b%20b`), await see(t, `/${path}?q=`), await see(t, `/${path}?q=1&q=2`), await see(t, `/${path}`)]);
    },
  },
  {
    name: 'descriptors of any value, as many as max_dynamic_descriptors, the least recent goes; a share of the local cluster',
    backends: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    config: (w) => httpProxy(w, {
      top: 'cluster_manager: {local_cluster_name: near}', clusters: [cluster(w, 'a'), cluster(w, 'near', { backends: ['a', 'b', 'c'] })], filters: httpFilter('local_ratelimit', 'local_ratelimit.v3.LocalRateLimit', 'stat_prefix: l'),
      routes: [
        own('any', `{${USER}}`, [anyUser(2)], ', max_dynamic_descriptors: 2'), ofRoute('r-any', `{${USER}}`, [anyUser(2)]), own('usual', `{${USER}}`, [anyUser(1)]), own('named', `{${USER}}`, [bucket(5, ['u', 'bob']), anyUser(2)]),
        own('keys', '{actions: [{request_headers: {header_name: x-user, descriptor_key: u}}, {generic_key: {descriptor_value: v}}]}', [`{entries: [{key: generic_key}, {key: u}], token_bucket: {max_tokens: 3, ${SLOW}}}`, `{entries: [{key: u}, {key: generic_key, value: w}], token_bucket: {max_tokens: 3, ${SLOW}}}`, `{entries: [{key: u}, {key: generic_key, value: v}], token_bucket: {max_tokens: 4, ${SLOW}}}`]),
        own('shared', `{${USER}}`, [bucket(10, ['u', 'bob']), bucket(2, ['u', 'amy'])], ', local_cluster_rate_limit: {}'), own('back', `{${USER}, hits_addend: {format: "%REQ(x-hits)%"}}, {actions: [{request_headers: {header_name: x-back, descriptor_key: u}}], hits_addend: {number: 4, is_negative_hits: true}}`, [bucket(10, ['u', 'bob'])], ', local_cluster_rate_limit: {}'),
        `- {match: {path: "/limit"}, route: {cluster: a, rate_limits: [{${USER}, limit: {dynamic_metadata: {metadata_key: {key: a, path: [{key: b}]}}}}]}, ${local('limit', `descriptors: [${bucket(3, ['u', 'bob'])}]`)}}`, '- {match: {prefix: "/"}, route: {cluster: a}}',
      ],
    }),
    steps: async (t) => {
      const ask = async (path, users) => { const out = []; for (const u of users.split(' ')) out.push(`${u} ${(await see(t, path, { 'x-user': u })).replace(/ 9999\d /, ' 100000 ')}`); t.note(`${path} ${users}`, out); };
      await ask('/any', 'bob bob bob amy bob eve amy bob');
      await ask('/r-any', 'bob bob bob amy bob eve amy bob');
      await ask('/usual', `${Array.from({ length: 20 }, (_, i) => `u${i}`).join(' ')} u0 u1 u20 u2 u3`);
      await ask('/named', 'bob bob bob amy amy amy');
      await ask('/keys', 'bob bob bob bob amy');
      await ask('/shared', 'bob bob bob bob amy');
      for (const [u, hits, back] of [['bob', '2', ''], ['bob', '2', ''], ['bob', '1', 'bob'], ['bob', '1', '']]) t.note(`/back ${u} ${hits} ${back}`, await see(t, '/back', { 'x-user': u, 'x-hits': hits, ...(back ? { 'x-back': back } : {}) }));
      await ask('/limit', 'bob bob bob bob');
    },
  },
  { name: 'a format as descriptor_value is plain text, of a remote address a format', config: (w) => proxy(w, VALUES), steps: values },
  { name: 'a format as descriptor_value where the runtime says so', config: (w) => proxy(w, VALUES, 'layered_runtime: {layers: [{name: s, static_layer: {envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value: true}}]}'), steps: values },
];
