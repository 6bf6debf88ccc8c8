// Chains of HTTP filters besides the connection manager's: behind the router, and of upgrades.
import { bootstrap, cluster, httpFilter, httpListener, httpProxy } from '../lib/config.mjs';

const TYPE = 'type.googleapis.com/envoy.extensions.';
const codec = httpFilter('upstream_codec', 'upstream_codec.v3.UpstreamCodec');
const add = (side, name, value) => `{append: {header: {key: ${name}, value: "${value}"}, append_action: APPEND_IF_EXISTS_OR_ADD}}`;
const mutation = (name, request, response = '') => `
- name: ${name}
  typed_config:
    "@type": ${TYPE}filters.http.header_mutation.v3.HeaderMutation
    mutations: {${[request && `request_mutations: [${request}]`, response && `response_mutations: [${response}]`].filter(Boolean).join(', ')}}`;
const deny = (name) => httpFilter(name, 'rbac.v3.RBAC', 'rules: {action: DENY, policies: {p: {permissions: [{any: true}], principals: [{any: true}]}}}');
const indent = (s, n) => s.split('\n').map((l) => (l ? ' '.repeat(n) + l : l)).join('\n');
const withFilters = (filters) => `
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": ${TYPE}upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http_protocol_options: {}}
    http_filters:${indent(filters, 4)}`;
const router = (filters) => `upstream_http_filters:${indent(filters, 2)}`;

export const cases = [
  {
    name: 'upstream filters change each attempt; the router judges answers as they have left them; routes configure and switch them by name',
    config: (w) => httpProxy(w, {
      clusters: ['a'],
      router: router(mutation('hm', add('request', 'x-try', 'one'), add('response', 'x-up', 'two')) + codec),
      routes: `
      - match: {prefix: "/retry"}
        route: {cluster: a, retry_policy: {retry_on: 5xx, num_retries: 1, retry_back_off: {base_interval: 0.01s}}}
      - match: {prefix: "/off"}
        route: {cluster: a}
        typed_per_filter_config: {hm: {"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true, config: {}}}
      - match: {prefix: "/more"}
        route: {cluster: a}
        typed_per_filter_config: {hm: {"@type": ${TYPE}filters.http.header_mutation.v3.HeaderMutationPerRoute, mutations: {request_mutations: [${add('request', 'x-route', 'r')}]}}}
      - {match: {prefix: "/"}, route: {cluster: a}}`,
    }),
    steps: async (t) => {
      for (const path of ['/', '/off', '/more']) await t.http({ path });
      t.backends.a.next.push({ status: 503 });
      await t.http({ path: '/retry' });
      t.note('what the upstream saw', t.seen('a').map((r) => `${r.path} ${Object.entries(r.headers).filter(([k]) => k === 'x-try' || k === 'x-route').map(([k, v]) => `${k}=${v}`).join(' ')}`));
    },
  },
  {
    name: "a cluster's filters stand in place of the router's, and may answer in the upstream's place",
    backends: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    config: (w) => httpProxy(w, {
      clusters: [cluster(w, 'a'), cluster(w, 'b', { more: withFilters(mutation('hm', add('request', 'x-of', 'cluster')) + codec) }), cluster(w, 'c', { more: withFilters(codec) })],
      router: router(deny('rbac') + codec),
      routes: `
      - {match: {prefix: "/b"}, route: {cluster: b}}
      - {match: {prefix: "/c"}, route: {cluster: c}}
      - {match: {prefix: "/"}, route: {cluster: a, retry_policy: {retry_on: "5xx,retriable-4xx", num_retries: 3}}}`,
    }),
    steps: async (t) => {
      for (const path of ['/a', '/b', '/c']) await t.http({ path });
      t.note('b saw', t.seen('b').map((r) => r.headers['x-of']));
      t.note('a saw', t.seen('a').length);
      await t.stats(['http.in.rbac.denied', 'cluster.a.upstream_rq_retry', 'http.in.downstream_rq_4xx', 'cluster.a.upstream_rq_completed', 'cluster.a.upstream_rq_active', 'cluster.b.upstream_rq_completed']);
    },
  },
  {
    name: 'buffer behind the router: a body beyond its limit is 413',
    config: (w) => httpProxy(w, { router: router(httpFilter('buffer', 'buffer.v3.Buffer', 'max_request_bytes: 10') + codec) }),
    steps: async (t) => {
      await t.http({ method: 'POST', path: '/small', body: '0123456789' });
      await t.http({ method: 'POST', path: '/large', body: '0123456789x' });
      await t.stats(['http.in.downstream_rq_4xx', 'http.in.downstream_rq_too_large', 'cluster.a.upstream_rq_completed', 'cluster.a.upstream_rq_active']);
    },
  },
  {
    name: 'an upgrade has the filters of its upgrade_config, other requests those of the manager',
    config: (w) => httpProxy(w, {
      hcm: `upgrade_configs:
- upgrade_type: websocket
  filters:${indent(mutation('up', '', add('response', 'x-chain', 'upgrade')) + httpFilter('router', 'router.v3.Router'), 2)}
- upgrade_type: other`,
      filters: mutation('plain', '', add('response', 'x-chain', 'plain')),
    }),
    steps: async (t) => {
      await t.http({ path: '/' });
      for (const type of ['websocket', 'other', 'unknown']) {
        const r = await t.quiet.exchange({ send: ['GET / HTTP/1.1', 'host: x', 'connection: Upgrade', `upgrade: ${type}`, 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version: 13', '', ''].join('\r\n'), settleMs: 0 });
        t.note(type, { line: r.responses[0]?.line, chain: r.responses[0]?.headers['x-chain'] });
      }
    },
  },
  {
    name: 'chains of upstream filters and upgrades: what is refused',
    config: (w) => httpProxy(w),
    steps: async (t) => {
      const w = t.world, hm = mutation('hm', add('request', 'x', 'y')), cors = httpFilter('cors', 'cors.v3.Cors'), own = (filters) => bootstrap(w, { listeners: [httpListener(w)], clusters: [cluster(w, 'a', { more: withFilters(filters) })] });
      const upgrade = (filters) => httpProxy(w, { hcm: `upgrade_configs:\n- upgrade_type: websocket\n  filters:${indent(filters, 2)}` });
      await t.validate([
        ['router: no codec', httpProxy(w, { router: router(hm) })], ['router: codec first', httpProxy(w, { router: router(codec + hm) })], ['router: good', httpProxy(w, { router: router(hm + codec) })], ['router: a filter that is for downstream', httpProxy(w, { router: router(cors + codec) })],
        ['router: a filter without configuration', httpProxy(w, { router: router('\n- name: hm' + codec) })],
        ['cluster: no codec', own(hm)], ['cluster: codec first', own(codec + hm)], ['cluster: good', own(hm + codec)], ['cluster: a router', own(httpFilter('router', 'router.v3.Router'))],
        ['upgrade: no router', upgrade(hm)], ['upgrade: router first', upgrade(httpFilter('router', 'router.v3.Router') + hm)], ['upgrade: the codec', upgrade(codec)], ['upgrade: good', upgrade(hm + httpFilter('router', 'router.v3.Router'))],
      ]);
    },
  },
];
