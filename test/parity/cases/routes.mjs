// What routes match and make of requests, beyond paths and headers (routing.mjs): cookies, filter state, formats in rewrites, hosts by another header, statistics of routes.
import { cluster, httpFilter, httpProxy, says } from '../lib/config.mjs';

const seen = (t, b = 'a') => t.seen(b).map((r) => ({ path: r.path, host: r.headers.host, original: [r.headers['x-envoy-original-host'] ?? null, r.headers['x-envoy-original-path'] ?? null] }));

export const cases = [
  {
    name: 'cookies: first of a name, without quotes; a missing one fits inverted matchers',
    config: (w) => httpProxy(w, { routes: `
      - {match: {prefix: "/v", cookies: [{name: k, string_match: {exact: v}}]}, ${says('v')}}
      - {match: {prefix: "/v", cookies: [{name: k, string_match: {exact: w}, invert_match: true}]}, ${says('not w')}}
      - {match: {prefix: "/both", cookies: [{name: a, string_match: {prefix: "1"}}, {name: b, string_match: {suffix: "2"}}]}, ${says('both')}}
      - {match: {prefix: "/"}, ${says('other')}}` }),
    steps: async (t) => {
      for (const cookie of ['k=v', 'a=b; k=v', 'k=w', 'k="v"', 'k=x; k=v', 'x=y', 'K=v', 'k', 'k=', 'k=v;', ' k = v ']) t.note(`cookie ${cookie}`, (await t.quiet.http({ path: '/v', headers: { cookie } })).body);
      t.note('no cookie', (await t.quiet.http({ path: '/v' })).body);
      for (const cookie of ['a=11; b=22', 'a=11', 'b=22; a=1', ['a=11', 'b=22']]) t.note(`cookies ${cookie}`, (await t.quiet.http({ path: '/both', headers: { cookie } })).body);
    },
  },
  {
    name: 'filter state that a filter has set chooses the route',
    config: (w) => httpProxy(w, {
      filters: httpFilter('set_filter_state', 'set_filter_state.v3.Config', `
clear_route_cache: true
on_request_headers:
- {object_key: envoy.string, format_string: {text_format_source: {inline_string: "%REQ(x-kind)%"}}}`),
      routes: `
      - {match: {prefix: "/", filter_state: [{key: envoy.string, string_match: {exact: good}}]}, ${says('good')}}
      - {match: {prefix: "/", filter_state: [{key: envoy.string, string_match: {prefix: b}}, {key: other, string_match: {exact: x}}]}, ${says('never')}}
      - {match: {prefix: "/"}, ${says('other')}}` }),
    steps: async (t) => { for (const kind of ['good', 'bad', 'goods']) t.note(kind, (await t.quiet.http({ headers: { 'x-kind': kind } })).body); },
  },
  {
    name: 'rewrites by format: of path and host, and of the path of a redirect',
    config: (w) => httpProxy(w, { routes: `
      - {match: {prefix: "/r1"}, redirect: {path_rewrite: "/x%REQ(x-a)%"}}
      - {match: {prefix: "/r2"}, redirect: {path_rewrite: "/x?q=%REQ(x-a)%"}}
      - {match: {prefix: "/r3"}, redirect: {path_rewrite: "/y", strip_query: true}}
      - {match: {prefix: "/r4"}, redirect: {path_rewrite: "%REQ(x-none)%"}}
      - {name: abc, match: {prefix: "/w"}, route: {cluster: a, path_rewrite: "/n-%ROUTE_NAME%-%REQ(x-a)%", host_rewrite: "h-%REQ(x-a)%.%ROUTE_NAME%"}}
      - {match: {prefix: "/e"}, route: {cluster: a, path_rewrite: "%REQ(x-none)%", host_rewrite: "%REQ(x-none)%"}}
      - {match: {prefix: "/f"}, route: {cluster: a, path_rewrite: "/f?q=1", append_x_forwarded_host: true, host_rewrite: "%REQ(:authority)%.example"}}
      - {match: {prefix: "/g"}, route: {cluster: a, path_rewrite: "/%REQ(x-added)%"}, request_headers_to_add: [{header: {key: x-added, value: "%PROTOCOL%"}}]}` }),
    steps: async (t) => {
      for (const path of ['/r1?a=b', '/r2?a=b', '/r3?a=b', '/r4?a=b']) t.note(path, (await t.quiet.http({ path, headers: { 'x-a': 'A' } })).headers.location.replace(/:\d+/, ''));
      for (const path of ['/w/x?y=z', '/e?z', '/f?z', '/g/1?2#'.slice(0, -1)]) await t.quiet.http({ path, headers: { 'x-a': 'A' } });
      await t.quiet.http({ path: '/w' });
      t.note('upstream', seen(t));
    },
  },
  {
    name: 'the virtual host by another header; headers for internal requests alone; paths without parameters',
    config: (w) => httpProxy(w, {
      hcm: 'internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}',
      routeConfig: 'vhost_header: X-Vhost\ninternal_only_headers: [X-Inside]\nignore_path_parameters_in_path_matching: true',
      vhosts: `
    - name: w
      domains: ["w.example"]
      routes:
      - {match: {path: "/p"}, route: {cluster: a, prefix_rewrite: "/q"}}
      - {match: {prefix: "/sub"}, route: {cluster: a, prefix_rewrite: "/other"}}
      - {match: {safe_regex: {regex: "/r[0-9]"}}, ${says('regex')}}
      - {match: {path_separated_prefix: "/s"}, ${says('separated')}}
      - {match: {prefix: "/x;y"}, ${says('never')}}
    - name: rest
      domains: ["*.test"]
      routes: [{match: {prefix: "/"}, ${says('rest')}}]` }),
    steps: async (t) => {
      const w = { 'x-vhost': 'w.example' };
      for (const h of [w, { 'x-vhost': 'W.EXAMPLE' }, { 'x-vhost': 'b.test' }, { 'x-vhost': 'nothing' }, { host: 'w.example' }, {}]) { const r = await t.quiet.http({ path: '/s', headers: h }); t.note(JSON.stringify(h), [r.status, r.body]); }
      for (const path of ['/p;a=b', '/p;a=b?c=d', '/p?c;d', '/p/x', '/r1;v', '/s;v', '/s;v/x', '/x;y']) { const r = await t.quiet.http({ path, headers: w }); t.note(path, [r.status, typeof r.body === 'string' ? r.body : r.body?.path ?? '']); }
      await t.quiet.http({ path: '/sub;1/2?3', headers: { ...w, 'x-inside': 'external' } });
      await t.quiet.http({ path: '/sub', headers: { ...w, 'x-inside': 'internal', 'x-forwarded-for': '10.0.0.1' } });
      t.note('upstream', t.seen('a').slice(-2).map((r) => [r.path, r.headers['x-inside'] ?? null]));
    },
  },
  {
    name: 'statistics of a route, of a virtual cluster, and under the name that an internal request gives',
    config: (w) => httpProxy(w, {
      hcm: 'internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}',
      vhost: 'virtual_clusters: [{name: vc, headers: [{name: ":path", string_match: {prefix: "/retry"}}]}]',
      routes: `
      - {match: {prefix: "/retry"}, stat_prefix: tried, route: {cluster: a, retry_policy: {retry_on: 5xx, num_retries: 1, retry_back_off: {base_interval: 0.01s}}}}
      - {match: {prefix: "/slow"}, stat_prefix: slow, route: {cluster: a, timeout: 0.1s}}
      - {match: {prefix: "/"}, route: {cluster: a}}`,
    }),
    steps: async (t) => {
      t.backends.a.next.push({ status: 503 });
      await t.quiet.http({ path: '/retry' });
      t.backends.a.next.push({ status: 503 }, { status: 503 });
      await t.quiet.http({ path: '/retry' });
      await t.http({ path: '/slow', headers: { 'x-test-delay-ms': '1000' } });
      await t.http({ path: '/x', headers: { 'x-forwarded-for': '10.0.0.1', 'x-envoy-upstream-alt-stat-name': 'alt' } });
      await t.http({ path: '/x', headers: { 'x-envoy-upstream-alt-stat-name': 'external' } });
      const counts = ['upstream_rq_200', 'upstream_rq_2xx', 'upstream_rq_503', 'upstream_rq_504', 'upstream_rq_completed', 'upstream_rq_retry', 'upstream_rq_retry_success', 'upstream_rq_retry_limit_exceeded', 'upstream_rq_timeout', 'upstream_rq_total'];
      for (const scope of ['vhost.v.route.tried', 'vhost.v.vcluster.vc', 'vhost.v.vcluster.other', 'vhost.v.route.slow', 'cluster.a.alt', 'cluster.a.alt.internal', 'cluster.a.alt.external', 'cluster.a.external']) await t.stats(counts.map((c) => `${scope}.${c}`));
    },
  },
  {
    name: 'weighted clusters chosen by the hash of the request',
    backends: [{ name: 'a' }, { name: 'b' }],
    config: (w) => httpProxy(w, { clusters: ['a', 'b'], routes: `
      - {match: {prefix: "/h"}, route: {hash_policy: [{header: {header_name: x-user}}], weighted_clusters: {use_hash_policy: true, clusters: [{name: a, weight: 30}, {name: b, weight: 70}]}}}
      - {match: {prefix: "/c"}, route: {hash_policy: [{cookie: {name: c, ttl: 10s}}], weighted_clusters: {use_hash_policy: true, clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}}}` }),
    steps: async (t) => {
      const who = async (path, headers) => (await t.quiet.http({ path, headers })).headers['x-backend'];
      const chosen = [];
      for (let i = 0; i < 24; i++) chosen.push(await who('/h', { 'x-user': `user-${i}` }));
      t.note('by header', chosen.join(''));
      const cookies = [];
      for (let i = 0; i < 12; i++) cookies.push(await who('/c', { cookie: `c=${i}` }));
      t.note('by cookie', cookies.join(''));
      t.note('a missing cookie, where the clusters balance without a hash', String((await t.quiet.http({ path: '/c' })).headers['set-cookie']).replace(/"[^"]*"/, '"…"'));
    },
  },
  {
    name: "a cluster's hash policies stand in place of the route's",
    backends: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    config: (w) => httpProxy(w, {
      clusters: [cluster(w, 'all', { backends: ['a', 'b', 'c'], more: `
lb_policy: MAGLEV
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http_protocol_options: {}}
    hash_policy: [{header: {header_name: x-cluster}}]` })],
      routes: `
      - {match: {prefix: "/own"}, route: {cluster: all, hash_policy: [{header: {header_name: x-route}}]}}
      - {match: {prefix: "/"}, route: {cluster: all}}`,
    }),
    steps: async (t) => {
      const ask = async (path, headers) => { const met = new Set(); for (let i = 0; i < 12; i++) met.add((await t.quiet.http({ path, headers })).headers['x-backend']); return met.size; };
      for (const [path, headers] of [['/', { 'x-cluster': '1' }], ['/own', { 'x-cluster': '1' }], ['/own', { 'x-cluster': '2', 'x-route': '5' }], ['/own', { 'x-route': '5' }], ['/', {}]]) t.note(`${path} ${Object.keys(headers)}`, await ask(path, headers) === 1 ? 'one host' : 'several');
    },
  },
  {
    name: 'routes: what is refused',
    config: (w) => httpProxy(w),
    steps: async (t) => {
      const route = (r) => httpProxy(t.world, { routes: `- {match: {prefix: "/"}, ${r}}` }), match = (m) => httpProxy(t.world, { routes: `- {match: {prefix: "/", ${m}}, route: {cluster: a}}` });
      await t.validate([
        ['path_rewrite and prefix_rewrite', route('route: {cluster: a, path_rewrite: "/x", prefix_rewrite: "/y"}')], ['path_rewrite and regex_rewrite', route('route: {cluster: a, path_rewrite: "/x", regex_rewrite: {pattern: {regex: a}, substitution: b}}')],
        ['path_rewrite: unknown operator', route('route: {cluster: a, path_rewrite: "%BAD%"}')], ['host_rewrite: unknown operator', route('route: {cluster: a, host_rewrite: "%BAD(%"}')], ['redirect: unknown operator', route('redirect: {path_rewrite: "%BAD(%"}')],
        ['host_rewrite and host_rewrite_literal', route('route: {cluster: a, host_rewrite: "x", host_rewrite_literal: "y"}')], ['cookie without a matcher', match('cookies: [{name: x}]')], ['cookie without a name', match('cookies: [{string_match: {exact: x}}]')], ['cookie', match('cookies: [{name: x, string_match: {exact: x}}]')],
        ['filter state without a matcher', match('filter_state: [{key: x}]')], ['mirror by header', route('route: {cluster: a, request_mirror_policies: [{cluster_header: x-a}]}')], ['weights by hash without hash policies', route('route: {weighted_clusters: {use_hash_policy: true, clusters: [{name: a, weight: 1}]}}')],
      ]);
    },
  },
];
