import { EXTERNAL, INTERNAL, NODE, accessLog, bootstrap, cluster, http1Options, httpListener, httpProxy, says } from '../lib/config.mjs';

const QUICK_CLOSE = 'delayed_close_timeout: 0.03s';
/** A request written out; each field is one header line. */
const request = (line, fields = [], body = '') => `${line}\r\n${fields.map((f) => `${f}\r\n`).join('')}\r\n${body}`;
const seenBy = (r) => r.responses.map((x) => (x.body.startsWith('{') ? JSON.parse(x.body) : { line: x.line, body: x.body, headers: x.headers }));

export const cases = [
  {
    name: 'host: strip_matching_host_port, strip_any_host_port and strip_trailing_host_dot',
    listeners: ['matching', 'any', 'dot', 'both'],
    config: (w) => bootstrap(w, { listeners: [['matching', 'strip_matching_host_port: true'], ['any', 'strip_any_host_port: true'], ['dot', 'strip_trailing_host_dot: true'], ['both', 'strip_trailing_host_dot: true\nstrip_any_host_port: true']].map(([name, hcm]) => httpListener(w, { name, hcm })) }),
    steps: async (t) => {
      for (const listener of ['matching', 'any', 'dot', 'both']) {
        for (const host of [`a.example:${t.ports[listener]}`, 'a.example:99', 'a.example:', 'a.example:0', 'a.example:99999', 'a.example:x', 'a.example.', 'a.example..', 'a.example.:99', `a.example.:${t.ports[listener]}`, '.', '[::1]:99', '[::1]', '[::1].', '::1', '127.0.0.1:80', ':99']) {
          const r = await t.quiet.exchange({ listener, send: request('GET / HTTP/1.1', [`host: ${host}`]), settleMs: 0 });
          t.note(`${listener} ${host}`, seenBy(r).map((x) => x.headers?.host ?? x.line));
        }
      }
    },
  },
  {
    name: 'add_user_agent names the cluster of the node, and the node only at the edge',
    listeners: ['inner', 'edge', 'trusted'],
    config: (w) => bootstrap(w, { top: NODE, listeners: [httpListener(w, { name: 'inner', hcm: 'add_user_agent: true' }), httpListener(w, { name: 'edge', hcm: `add_user_agent: true\n${EXTERNAL}` }), httpListener(w, { name: 'trusted', hcm: `add_user_agent: true\n${INTERNAL}` })] }),
    steps: async (t) => {
      for (const listener of ['inner', 'edge', 'trusted']) for (const headers of [{}, { 'user-agent': 'mine' }, { 'x-envoy-downstream-service-cluster': 'given', 'x-envoy-downstream-service-node': 'n' }]) {
        const seen = JSON.parse((await t.quiet.http({ listener, headers })).body).headers;
        t.note(`${listener} ${JSON.stringify(headers)}`, Object.fromEntries(['user-agent', 'x-envoy-downstream-service-cluster', 'x-envoy-downstream-service-node'].map((n) => [n, seen[n] ?? null])));
      }
    },
  },
  {
    name: 'header names: preserved case with the reason phrase, and with a form for headers that Envoy adds',
    listeners: ['plain', 'phrase', 'formatted'],
    config: (w) => {
      const preserve = (more) => `header_key_format: {stateful_formatter: {name: preserve_case, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig${more}}}}`;
      const each = [['plain', ''], ['phrase', ', forward_reason_phrase: true'], ['formatted', ', formatter_type_on_envoy_headers: PROPER_CASE']];
      return bootstrap(w, {
        listeners: each.map(([name, more]) => httpListener(w, { name, hcm: `http_protocol_options: {${preserve(more)}}`, routes: `- {match: {prefix: "/"}, route: {cluster: ${name}-c}, request_headers_to_add: [{header: {key: x-added, value: "1"}}], response_headers_to_add: [{header: {key: x-resp-added, value: "1"}}]}` })),
        clusters: each.map(([name, more]) => cluster(w, `${name}-c`, { backends: ['a'], more: http1Options().replace('http_protocol_options: {}', `http_protocol_options: {${preserve(more)}}`) })),
      });
    },
    steps: async (t) => {
      for (const listener of ['plain', 'phrase', 'formatted']) {
        t.note(listener, await t.quiet.raw({ listener, send: request('GET / HTTP/1.1', ['HoSt: x', 'X-MiXed: 1', 'connection: close', 'x-test-status: 299', 'x-test-header: X-Up-Per: 1']) }));
        t.note(`${listener}, an answer of the proxy`, await t.quiet.raw({ listener, send: request('GET /none HTTP/1.1', ['HoSt: x', 'connection: close', 'x-test-reset: before-headers']) }));
      }
    },
  },
  {
    name: 'max_connection_duration: the HTTP/1 connection that is busy, and the safe form of it',
    listeners: ['plain', 'safe'],
    config: (w) => bootstrap(w, { listeners: [['plain', ''], ['safe', 'http1_safe_max_connection_duration: true\n']].map(([name, more]) => httpListener(w, { name, stat: name, hcm: `${more}common_http_protocol_options: {max_connection_duration: 0.3s}\ndrain_timeout: 0.2s\n${QUICK_CLOSE}`, routes: `- {match: {prefix: "/direct"}, ${says('direct')}}\n- {match: {prefix: "/"}, route: {cluster: a}}` })) }),
    steps: async (t) => {
      for (const listener of ['plain', 'safe']) {
        const silent = await t.connect({ listener });
        t.note(`${listener}: one without a byte`, await t.poll(() => silent.closed, 700) ?? false);
        silent.destroy();
        const c = await t.connect({ listener });
        const ask = async (what) => { c.send(request('GET /direct HTTP/1.1', ['host: x'])); const got = await c.wait(/\r\n\r\ndirect$/, 700); t.note(`${listener}: ${what}`, { answered: !!got, close: /connection: close/.test(c.take()), closed: !!c.closed }); };
        await ask('a first request');
        await t.sleep(400);
        await ask('a second one after the time');
        if (listener === 'safe') await ask('a third one');
        c.destroy();
        const late = await t.connect({ listener });
        late.send(request('GET /direct HTTP/1.1', ['host: x']));
        await late.wait(/direct$/, 700);
        late.take();
        t.note(`${listener}: one that idles after its time`, !!await t.poll(() => late.closed, 1200));
        late.destroy();
        const busy = await t.connect({ listener });
        busy.send(request('GET /slow HTTP/1.1', ['host: x', 'x-test-delay-ms: 800', 'x-test-body: done']));
        const done = await busy.wait('done', 2500);
        t.note(`${listener}: one under way`, { answered: !!done, close: /connection: close/.test(busy.take()) });
        busy.destroy();
      }
      await t.stats(['http.plain.downstream_cx_max_duration_reached', 'http.safe.downstream_cx_max_duration_reached']);
    },
  },
  {
    name: 'proxy_status_config: the header on answers of the proxy and of the upstream',
    listeners: ['on', 'literal', 'codes'],
    config: (w) => {
      const routes = `- {match: {prefix: "/direct"}, ${says('direct', 503)}}\n- {match: {prefix: "/none"}, route: {cluster: gone}}\n- {match: {prefix: "/a"}, route: {cluster: a, timeout: 0.3s}}`;
      return bootstrap(w, { listeners: [
        httpListener(w, { name: 'on', routes, hcm: 'proxy_status_config: {}' }),
        httpListener(w, { name: 'literal', routes, hcm: 'proxy_status_config: {literal_proxy_name: me, remove_connection_termination_details: true}' }),
        httpListener(w, { name: 'codes', routes, hcm: 'proxy_status_config: {use_node_id: true, set_recommended_response_code: true, remove_response_flags: true, remove_details: true}' }),
      ], clusters: ['a', cluster(w, 'gone', { backends: ['nobody'] })], top: NODE });
    },
    ports: ['nobody'],
    steps: async (t) => {
      for (const listener of ['on', 'literal', 'codes']) {
        for (const o of [{ path: '/direct' }, { path: '/none' }, { path: '/nowhere' }, { path: '/a' }, { path: '/a', headers: { 'x-test-status': '503' } }, { path: '/a', headers: { 'x-test-delay-ms': '600' } }, { path: '/a', headers: { 'x-test-reset': 'before-headers' } }, { path: '/a', headers: { 'x-test-header': 'proxy-status: earlier; error=dns_timeout' } }]) {
          const r = await t.quiet.http({ listener, ...o });
          t.note(`${listener} ${JSON.stringify(o)}`, { status: r.status, header: r.headers['proxy-status'] ?? null });
        }
      }
    },
  },
  {
    name: 'limits of heads from runtime; methods of one\'s own; upgrades that are ignored',
    listeners: ['http', 'custom', 'ignore'],
    config: (w) => bootstrap(w, {
      listeners: [httpListener(w, { hcm: QUICK_CLOSE }), httpListener(w, { name: 'custom', hcm: `http_protocol_options: {allow_custom_methods: true}\n${QUICK_CLOSE}` }), httpListener(w, { name: 'ignore', hcm: 'http_protocol_options: {ignore_http_11_upgrade: [{exact: foo}, {prefix: web}]}\nupgrade_configs: [{upgrade_type: websocket}, {upgrade_type: foo}]' })],
      top: 'layered_runtime: {layers: [{name: s, static_layer: {envoy.reloadable_features.max_request_headers_count: 5, envoy.reloadable_features.max_request_headers_size_kb: 4}}]}',
    }),
    steps: async (t) => {
      for (const n of [4, 6, 7]) await t.exchange({ note: `${n} fields`, send: request('GET /p HTTP/1.1', ['host: x', 'x-test-plain: 1', ...Array.from({ length: n - 2 }, (_, i) => `x-${i}: v`)]) });
      for (const n of [3000, 5000]) await t.exchange({ note: `${n} bytes`, send: request('GET /p HTTP/1.1', ['host: x', 'x-test-plain: 1', `x-big: ${'v'.repeat(n)}`]) });
      for (const listener of ['http', 'custom']) for (const method of ['PROPFIND', 'MINE', 'get', 'M-SEARCH', 'MSEARCH', 'QUERY', 'PURGE', 'LINK', 'SOURCE', 'MKCALENDAR', 'REBIND', 'PRI', 'BAD(METHOD)']) await t.exchange({ listener, note: `${listener} ${method}`, send: request(`${method} /p HTTP/1.1`, ['host: x', 'x-test-plain: 1']) });
      for (const token of ['foo', 'FOO', 'websocket', 'other']) await t.exchange({ listener: 'ignore', note: `upgrade: ${token}`, send: request('GET /p HTTP/1.1', ['host: x', `upgrade: ${token}`, 'connection: upgrade']), settleMs: 0 });
    },
  },
  {
    name: 'early header mutation: before the route is chosen; append actions and removal',
    config: (w) => httpProxy(w, { hcm: 'early_header_mutation_extensions: [{name: e, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation, mutations: [{append: {header: {key: x-route, value: "%REQ(x-want)%"}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}, {remove: x-drop}, {append: {header: {key: x-more, value: two}, append_action: APPEND_IF_EXISTS_OR_ADD}}]}}]', routes: `- {match: {prefix: "/", headers: [{name: x-route, string_match: {exact: special}}]}, ${says('special')}}\n- {match: {prefix: "/"}, route: {cluster: a}}` }),
    steps: async (t) => { await t.http({ headers: { 'x-want': 'special' } }); await t.http({ headers: { 'x-want': 'usual', 'x-drop': '1', 'x-more': 'one' } }); },
  },
  {
    name: 'access_log_options: a line when the request begins, lines while it lasts, one at its end',
    config: (w) => httpProxy(w, { hcm: `access_log_options: {flush_access_log_on_new_request: true, access_log_flush_interval: 0.3s}\n${accessLog(w, { format: '%ACCESS_LOG_TYPE% %RESPONSE_CODE% %BYTES_SENT%\n' })}` }),
    steps: async (t) => {
      await t.http({ headers: { 'x-test-plain': '', 'x-test-delay-ms': '700' } });
      await t.until('the end is logged', () => /DownstreamEnd/.test(t.file('access.log')));
      const types = t.file('access.log').split('\n').filter(Boolean);
      t.note('the first', types[0]); t.note('the last', types.at(-1)); t.note('lines between', types.slice(1, -1).length >= 1 && types.slice(1, -1).every((l) => l === types[1]) ? types[1] : types);
    },
  },
  {
    name: 'configurations of the connection manager that are refused or accepted',
    listeners: ['http'],
    config: (w) => httpProxy(w),
    steps: async (t) => {
      const w = t.world, one = (hcm) => httpProxy(w, { hcm });
      await t.validate([
        ['both strip_matching_host_port and strip_any_host_port', one('strip_matching_host_port: true\nstrip_any_host_port: true')],
        ['detection extensions and use_remote_address', one(`use_remote_address: true\noriginal_ip_detection_extensions: [{name: d, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.original_ip_detection.xff.v3.XffConfig, xff_num_trusted_hops: 1}}]`)],
        ['detection extensions and xff_num_trusted_hops', one(`xff_num_trusted_hops: 1\noriginal_ip_detection_extensions: [{name: d, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.original_ip_detection.xff.v3.XffConfig, xff_num_trusted_hops: 1}}]`)],
        ['xff with hops and networks', one(`original_ip_detection_extensions: [{name: d, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.original_ip_detection.xff.v3.XffConfig, xff_num_trusted_hops: 1, xff_trusted_cidrs: {cidrs: [{address_prefix: 10.0.0.0, prefix_len: 8}]}}}]`)],
        ['a reject status that is no error', one(`original_ip_detection_extensions: [{name: d, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig, header_name: x, reject_with_status: {code: OK}}}]`)],
        ['skip_xff_append', one('skip_xff_append: true')],
        ['upgrades of the same type twice', one('upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: websocket}]')],
        ['max_request_headers_kb 0', one('max_request_headers_kb: 0')],
        ['max_request_headers_kb 8192', one('max_request_headers_kb: 8192')],
        ['max_request_headers_kb 8193', one('max_request_headers_kb: 8193')],
        ['max_headers_count 0', one('common_http_protocol_options: {max_headers_count: 0}')],
        ['a negative idle timeout', one('common_http_protocol_options: {idle_timeout: -1s}')],
        ['max_stream_duration 0', one('common_http_protocol_options: {max_stream_duration: 0s}')],
        ['flush on new request, twice', one('flush_access_log_on_new_request: true\naccess_log_options: {flush_access_log_on_new_request: true}')],
        ['a flush interval below 1 ms', one('access_log_options: {access_log_flush_interval: 0.0001s}')],
        ['a mapper with status 199', one('local_reply_config: {mappers: [{filter: {not_health_check_filter: {}}, status_code: 199}]}')],
        ['a mapper without filter', one('local_reply_config: {mappers: [{status_code: 500}]}')],
        ['server_name with a line break', one('server_name: "a\\nb"')],
        ['via with a line break', one('via: "a\\nb"')],
        ['http_filters with an unknown optional type', httpProxy(w, { filters: '\n- name: x\n  is_optional: true\n  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.not_there.v3.NotThere}' })],
        ['http_filters without config', httpProxy(w, { filters: '\n- name: x' })],
        ['two routers', httpProxy(w, { filters: '\n- name: envoy.filters.http.router\n  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}' })],
        ['a disabled router', one('').replace(/router.v3.Router/, 'router.v3.Router\n          disabled: true')],
        ['codec_type HTTP3', one('codec_type: HTTP3')],
      ]);
    },
  },
];
