// Policies and choices of routes, of clusters in place of their routes, and of the connection manager, that stand in few configurations.
import { accessLog, bootstrap, cluster, http1Options, httpFilter, httpListener, httpProxy, says, serverTls } from '../lib/config.mjs';

const T = 'type.googleapis.com/', EXT = `${T}envoy.extensions.`, MANAGER = `${EXT}filters.network.http_connection_manager.v3.`;
const input = (name) => `{name: h, typed_config: {"@type": ${T}envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: "${name}"}}`;
const byHeader = (name, actions) => `{matcher_tree: {input: ${input(name)}, exact_match_map: {map: {${Object.entries(actions).map(([k, v]) => `${k}: ${v}`).join(', ')}}}}`;
const action = (type, fields) => `{action: {name: c, typed_config: {"@type": ${type}, ${fields}}}}`;
const template = (t) => `match: {path_match_policy: {name: t, typed_config: {"@type": ${EXT}path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "${t}"}}}`;
const rewrite = (t) => `path_rewrite_policy: {name: r, typed_config: {"@type": ${EXT}path.rewrite.uri_template.v3.UriTemplateRewriteConfig, path_template_rewrite: "${t}"}}`;
const tls = (w, { port, cert = w.certs.server, details }) => httpListener(w, { name: port, hcm: details, chain: serverTls({ cert, ca: w.certs.ca }) });
const mutate = (list) => httpFilter('header_mutation', 'header_mutation.v3.HeaderMutation', `mutations: {${list}}`);
const append = (key, value, how = 'APPEND_IF_EXISTS_OR_ADD') => `{append: {record: {key: "${key}", value: "${value}"}, action: ${how}}}`;

const route = (text, match = '{prefix: "/"}') => `{action: {name: route, typed_config: {"@type": ${T}envoy.config.route.v3.Route, match: ${match}, ${says(text)}}}}`;
const list = (...routes) => `{action: {name: route_list, typed_config: {"@type": ${T}envoy.config.route.v3.RouteList, routes: [${routes.map(([m, t]) => `{match: ${m}, ${says(t)}}`).join(', ')}]}}}`;
const is = (i, match) => `{single_predicate: {input: ${i}, value_match: ${match}}}`;
const host = (name, matcher) => `
- name: ${name}
  domains: [${name}]
  matcher: ${matcher}`;
const entry = (predicate, on) => `{predicate: ${predicate}, on_match: ${on}}`;

export const cases = [
  {
    name: 'a cluster has its own retries and mirrors; mirrors to a cluster that a header names',
    backends: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    config: (w) => httpProxy(w, {
      clusters: ['a', 'b', 'c', cluster(w, 'r', { backends: ['a'], more: http1Options('retry_policy: {retry_on: 5xx, num_retries: 2, retry_back_off: {base_interval: 0.001s}}') }), cluster(w, 'm', { backends: ['a'], more: http1Options('request_mirror_policies: [{cluster: b}]') }), cluster(w, 'h', { backends: ['a'], more: http1Options('request_mirror_policies: [{cluster_header: x-mirror}]') })],
      vhosts: `
      - name: strict
        domains: [strict]
        retry_policy: {retry_on: 5xx, num_retries: 1}
        routes: [{match: {prefix: "/"}, route: {cluster: r}}]
      - name: v
        domains: ["*"]
        routes:
        - {match: {path: "/r"}, route: {cluster: r}}
        - {match: {path: "/r1"}, route: {cluster: r, retry_policy: {retry_on: 5xx, num_retries: 1}}}
        - {match: {path: "/typed"}, route: {cluster: a, retry_policy_typed_config: {"@type": ${T}envoy.config.route.v3.RetryPolicy, retry_on: 5xx}}}
        - {match: {path: "/m"}, route: {cluster: m}}
        - {match: {path: "/both"}, route: {cluster: m, request_mirror_policies: [{cluster: c}]}}
        - {match: {path: "/h"}, route: {cluster: h}}
        - {match: {path: "/rh"}, route: {cluster: a, request_mirror_policies: [{cluster_header: x-mirror}]}}`,
    }),
    steps: async (t) => {
      const counts = () => ['a', 'b', 'c'].map((n) => t.backends[n].requests);
      const see = async (o) => { const before = counts(), { status } = await t.quiet.http(o); await t.poll(() => counts()[1] + counts()[2] > before[1] + before[2], o.headers?.['x-test-status'] ? 1 : 300); return `${status}: ${counts().map((n, i) => n - before[i])}`; };
      for (const [path, headers] of [['/r', {}], ['/r1', {}], ['/typed', {}], ['/', { host: 'strict' }]]) t.note(`${path} fails`, await see({ path, headers: { 'x-test-status': '503', ...headers } }));
      for (const [path, mirror] of [['/m'], ['/both'], ['/h', 'c'], ['/h', 'nope'], ['/h'], ['/rh', 'c']]) t.note(`${path} mirrored ${mirror ?? ''}`, await see({ path, headers: mirror ? { 'x-mirror': mirror } : {} }));
      await t.stats(['cluster.r.upstream_rq_retry', 'cluster.r.upstream_rq_retry_limit_exceeded', 'cluster.a.upstream_rq_retry']);
    },
  },
  {
    name: 'clusters chosen by matchers, URI templates, routes without an action of a proxy, bytes after a CONNECT',
    backends: [{ name: 'a' }, { name: 'b' }], listeners: ['http', 'early'],
    config: (w) => {
      const to = (name) => action(`${EXT}router.cluster_specifiers.matcher.v3.ClusterAction`, `cluster: ${name}`), specifier = (more = '') => `{extension: {name: m, typed_config: {"@type": ${EXT}router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier, cluster_matcher: ${byHeader('x-c', { a: to('a'), b: to('b'), z: to('nope') })}${more}}}}}`;
      const unknown = `{is_optional: true, extension: {name: o, typed_config: {"@type": ${T}google.protobuf.Empty}}}`;
      const log = accessLog(w, { format: '%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %ROUTE_NAME%\n' });
      return bootstrap(w, { clusters: ['a', 'b'], listeners: [
        httpListener(w, { hcm: log, routeConfig: `cluster_specifier_plugins: [${specifier()}, ${specifier(`, on_no_match: ${to('b')}`)}, ${unknown}]`, routes: [
          `- {match: {path: "/inline"}, name: inline, route: {inline_cluster_specifier_plugin: ${specifier()}}}`, `- {match: {path: "/404"}, route: {cluster_not_found_response_code: NOT_FOUND, inline_cluster_specifier_plugin: ${specifier()}}}`, `- {match: {path: "/else"}, route: {inline_cluster_specifier_plugin: ${specifier(`, on_no_match: ${to('b')}`)}}}`,
          '- {match: {path: "/named"}, route: {cluster_specifier_plugin: m}}', '- {match: {path: "/o"}, route: {cluster_specifier_plugin: o}}', `- {match: {path: "/io"}, route: {inline_cluster_specifier_plugin: ${unknown}}}`,
          '- {match: {path: "/fa"}, filter_action: {}, name: fa}', '- {match: {path: "/nf"}, non_forwarding_action: {}, name: nf, response_headers_to_add: [{header: {key: x-r, value: v}}]}',
          '- {match: {path: "/raw"}, route: {cluster: a}, request_headers_to_add: [{header: {key: x-raw, raw_value: "YWI="}}, {header: {key: x-both, value: v, raw_value: "YWI="}}]}',
          ...['/lit/*', '/r/**', '/v/{a}/x', '/p/{a=*}/{b=**}', '/s/{a=x/*}/y', '/e/**.mp4', '/m/{a=**}.jpg', '/q/{a=v1/**}', '/w/*/z/**', '/eq/a=b', '/tr/a/'].map((x) => `- {${template(x)}, ${says(x)}}`),
          `- {${template('/w1/{a}/{b=**}')}, route: {cluster: a, ${rewrite('/x/{b}/{a}')}}}`, `- {${template('/w2/{a=x/*}/y')}, route: {cluster: a, ${rewrite('/{a}')}}}`, `- {${template('/w3/**')}, route: {cluster: a, ${rewrite('/fixed')}}}`, `- {${template('/w4/{name}/{v}.jpg')}, route: {cluster: a, ${rewrite('/{v}-{name}.png')}}}`,
          '- {match: {prefix: "/"}, route: {cluster: a}}'] }),
        httpListener(w, { name: 'early', stat: 'early', router: 'reject_connect_request_early_data: true', hcm: `upgrade_configs: [{upgrade_type: CONNECT}]\n${log}`, routes: '- {match: {connect_matcher: {}}, route: {cluster: a, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}}' }),
      ] });
    },
    steps: async (t) => {
      const see = async (path, headers = {}) => { const r = await t.quiet.http({ path, headers }); let b = r.body; try { const j = JSON.parse(b); b = [j.path, j.headers['x-envoy-original-path'], j.headers['x-raw'], j.headers['x-both']].map((x) => x ?? '-').join(' '); } catch { /* not a backend's */ } return `${r.status} ${b} ${r.headers?.['x-r'] ?? ''}`; };
      for (const path of ['/inline', '/404', '/else', '/named']) for (const c of ['a', 'b', 'z', 'q', '']) t.note(`${path} ${c}`, await see(path, c === '' ? {} : { 'x-c': c }));
      for (const path of ['/o', '/io', '/fa', '/nf', '/raw', '/lit/a', '/lit/', '/lit/a/b', '/lit', '/lit/a%20b', '/lit/a*b', '/lit/a{b', '/lit/a=b', '/r/', '/r/a/b*', '/r', '/v/1/x', '/v/1/2/x', '/v//x', '/p/1/2/3', '/p/1/', '/p/1', '/s/x/1/y', '/s/z/1/y', '/s/x/y', '/e/a/b.mp4', '/e/.mp4', '/e/a.mp3', '/m/a/b.jpg', '/m/.jpg', '/q/v1/a', '/q/v1/', '/q/v1', '/w/1/z/2', '/w/1/z/', '/w/1/z', '/eq/a=b', '/tr/a/', '/tr/a', '/w1/1/2/3?q=1', '/w2/x/5/y', '/w3/a/b', '/w4/n/v.jpg']) t.note(path, await see(path));
      for (const more of ['GET /x HTTP/1.1\r\nhost: a\r\n\r\n', '']) await t.exchange({ listener: 'early', send: `CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n${more}`, settleMs: 50 });
      await t.poll(() => t.file('access.log').includes('CONNECT - 200'));
      t.note('log', t.file('access.log').split('\n').filter((l) => !/ \/(lit|r|v|p|s|e|m|q|w|eq|tr)\b/.test(l)));
    },
  },
  {
    name: 'what clients are said to have: as JSON, by matchers; the protocol by the port that a PROXY header names; query parameters',
    listeners: ['json', 'more', 'tree', 'plain', 'proto', 'edge', 'query'],
    config: (w) => {
      const said = (fields) => action(`${MANAGER}HttpConnectionManager.ForwardClientCertConfig`, fields), all = 'subject: true, issuer: true, dns: true, uri: true, cert: true, chain: true';
      const tree = byHeader('x-c', { fwd: said('forward_client_cert_details: ALWAYS_FORWARD_ONLY'), san: said('forward_client_cert_details: SANITIZE'), set: said('forward_client_cert_details: SANITIZE_SET, set_current_client_cert_details: {dns: true}'), bare: said('forward_client_cert_details: SANITIZE_SET'), app: said('forward_client_cert_details: APPEND_FORWARD, set_current_client_cert_details: {uri: true}') });
      const proxied = `listener_filters: [{name: pp, typed_config: {"@type": ${EXT}filters.listener.proxy_protocol.v3.ProxyProtocol, allow_requests_without_proxy_protocol: true}}]`, ports = 'forward_proto_config: {https_destination_ports: [443], http_destination_ports: [80]}';
      return bootstrap(w, { listeners: [
        tls(w, { port: 'json', cert: w.certs.client, details: `forward_client_cert_details: SANITIZE_SET\nset_current_client_cert_details: {format: JSON, ${all}}` }), tls(w, { port: 'more', details: 'forward_client_cert_details: APPEND_FORWARD\nset_current_client_cert_details: {format: JSON, subject: true}' }),
        tls(w, { port: 'tree', details: `forward_client_cert_details: SANITIZE_SET\nset_current_client_cert_details: {subject: true}\nforward_client_cert_matcher: ${tree}}` }), httpListener(w, { name: 'plain', hcm: `forward_client_cert_details: ALWAYS_FORWARD_ONLY\nforward_client_cert_matcher: ${tree}}` }),
        httpListener(w, { name: 'proto', listener: proxied, hcm: ports }), httpListener(w, { name: 'edge', listener: proxied, hcm: `use_remote_address: true\n${ports}` }),
        httpListener(w, { name: 'query', filters: mutate(`query_parameter_mutations: [${append('r', 'x y')}, ${append('f', '%REQ(x-v)%')}, ${append('z', "&=!'()*~/?", 'OVERWRITE_IF_EXISTS_OR_ADD')}, ${append('o', 'new', 'OVERWRITE_IF_EXISTS')}, ${append('i', 'own', 'ADD_IF_ABSENT')}, {remove: gone}]`) }),
      ] });
    },
    steps: async (t) => {
      const see = async (listener, headers, who = 'client') => { const r = await t.quiet.http({ listener, headers, ...(listener === 'plain' ? {} : { tlsOptions: { ca: t.certs.ca.cert, servername: 'example.com', checkServerIdentity: () => undefined, ...(who && { key: t.certs[who].key, cert: t.certs[who].cert }) } }) }); return r.error ?? JSON.parse(r.body).headers['x-forwarded-client-cert']?.replace(/[0-9a-f]{64}/g, '<hash>').replace(/-----BEGIN CERTIFICATE-----[^"]*?-----END CERTIFICATE-----/g, '<pem>') ?? 'none'; };
      for (const who of ['client', 'server', '']) t.note(`json ${who}`, await see('json', { 'x-forwarded-client-cert': 'By=x' }, who));
      for (const given of ['', 'By=x;Hash=1', '[{"hash":"1"}]', '{"hash":"1"}']) t.note(`more to '${given}'`, await see('more', given === '' ? {} : { 'x-forwarded-client-cert': given }));
      for (const [listener, list] of [['tree', ['fwd', 'san', 'set', 'bare', 'app', 'other']], ['plain', ['fwd', 'san', 'set', 'other']]]) for (const c of list) t.note(`${listener} ${c}`, await see(listener, { 'x-c': c, 'x-forwarded-client-cert': 'By=x' }));
      for (const listener of ['proto', 'edge']) for (const port of [443, 80, 8080, 0]) for (const h of ['', 'x-forwarded-proto: http\r\n', 'x-forwarded-proto: https\r\n']) {
        const r = await t.quiet.exchange({ listener, send: `${port === 0 ? '' : `PROXY TCP4 1.2.3.4 5.6.7.8 1111 ${port}\r\n`}GET / HTTP/1.1\r\nhost: x\r\n${h}connection: close\r\n\r\n`, settleMs: 0 });
        t.note(`${listener} ${port} ${h.trim()}`, JSON.parse(r.responses[0].body).headers['x-forwarded-proto']);
      }
      for (const path of ['/', '/?', '/?zz&z=1&b=2&a=1+2&b=3&c=a=b', '/?o=1&o=2&i=3&gone=4&gone=5', '/p?z&z&=v&&']) t.note(path, JSON.parse((await t.quiet.http({ listener: 'query', path, headers: { 'x-v': 'a&b' } })).body).path);
    },
  },
  {
    name: 'matcher trees of virtual hosts: maps, lists, addresses in headers, routes and lists of routes',
    config: (w) => httpProxy(w, { vhosts: [
      host('exact', `{matcher_tree: {input: ${input(':path')}, exact_match_map: {map: {"/a": ${route('a')}, "/b": ${route('b', '{path: "/c"}')}, "/l": ${list(['{path: "/x"}', 'x'], ['{prefix: "/l", headers: [{name: x-h, present_match: true}]}', 'h'], ['{prefix: "/l"}', 'l'])}}}}, on_no_match: ${route('none')}}`),
      host('prefix', `{matcher_tree: {input: ${input(':path')}, prefix_match_map: {map: {"/a": ${route('a')}, "/a/b": ${route('a/b', '{path: "/a/b/exact"}')}, "/a/c": {matcher: {matcher_tree: {input: ${input('x-m')}, exact_match_map: {map: {"1": ${route('m1')}}}}}}}}}}`),
      host('list', `{matcher_list: {matchers: [${entry(`{and_matcher: {predicate: [${is(input('x-a'), '{exact: "1"}')}, ${is(input('x-b'), '{prefix: "p"}')}]}}`, route('and'))}, ${entry(`{or_matcher: {predicate: [${is(input('x-c'), '{suffix: "s"}')}, ${is(input('x-d'), '{safe_regex: {google_re2: {}, regex: "[0-9]+"}}')}]}}`, route('or'))}, ${entry(`{not_matcher: ${is(input('x-e'), '{contains: "z"}')}}`, route('not'))}]}, on_no_match: ${route('none')}}`),
      host('custom', `{matcher_list: {matchers: [${entry(`{single_predicate: {input: ${input('x-ip')}, custom_match: {name: ip, typed_config: {"@type": ${T}envoy.extensions.matching.input_matchers.ip.v3.Ip, stat_prefix: p, cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}}}}`, route('ten'))}]}, on_no_match: ${route('none')}}`),
    ].join('') }),
    steps: async (t) => {
      const see = async (host, path, headers = {}) => { const r = await t.quiet.http({ path, headers: { host, ...headers } }); return `${r.status} ${r.body}`; };
      for (const [host, path, headers] of [['exact', '/a'], ['exact', '/a?q'], ['exact', '/b'], ['exact', '/l'], ['exact', '/l', { 'x-h': '1' }], ['exact', '/zz'], ['prefix', '/a/q'], ['prefix', '/a/b/exact'], ['prefix', '/a/b/other'], ['prefix', '/a/c', { 'x-m': '1' }], ['prefix', '/a/c', { 'x-m': '2' }], ['prefix', '/z'],
        ['list', '/', { 'x-a': '1', 'x-b': 'pq' }], ['list', '/', { 'x-a': '1', 'x-e': 'z' }], ['list', '/', { 'x-c': 'ss', 'x-e': 'z' }], ['list', '/', { 'x-d': '12', 'x-e': 'z' }], ['list', '/', { 'x-d': '1a', 'x-e': 'z' }], ['list', '/'], ['custom', '/', { 'x-ip': '10.1.2.3' }], ['custom', '/', { 'x-ip': '11.1.2.3' }]]) t.note(`${host} ${path} ${Object.entries(headers ?? {})}`, await see(host, path, headers));
    },
  },
];
