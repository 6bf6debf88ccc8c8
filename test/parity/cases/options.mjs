// Options of the connection manager and of filters that need few words each.
import { accessLog, bootstrap, httpFilter, httpListener, httpProxy, serverTls } from '../lib/config.mjs';

const HTTP = 'type.googleapis.com/envoy.extensions.http.stateful_session.';
const byHeader = `session_state: {name: envoy.http.stateful_session.header, typed_config: {"@type": ${HTTP}header.v3.HeaderBasedSessionState, name: x-host}}`;
const byCookie = `session_state: {name: envoy.http.stateful_session.cookie, typed_config: {"@type": ${HTTP}cookie.v3.CookieBasedSessionState, cookie: {name: keep, path: /app, ttl: 10s}}}`;
const session = (fields) => `{"@type": type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSession, ${fields}}`;
const perRoute = (fields) => `typed_per_filter_config: {envoy.filters.http.stateful_session: {"@type": type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute, stateful_session: {${fields}}}}`;
const mutate = (list) => `
- name: hm
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations: {${list}}`;

export const cases = [
  {
    name: 'stateful_session: the status where a strict host is not there; statistics of the filter and of a route',
    config: (w) => httpProxy(w, {
      filters: `- name: envoy.filters.http.stateful_session\n  typed_config: ${session(`strict: true, stat_prefix: own, status_on_strict_destination_not_found: 410, ${byHeader}`)}`,
      routes: `
      - {match: {prefix: "/soft"}, route: {cluster: a}, ${perRoute(`stat_prefix: soft, ${byHeader}`)}}
      - {match: {prefix: "/app"}, route: {cluster: a}, ${perRoute(`stat_prefix: cookie, ${byCookie}`)}}
      - {match: {prefix: "/cookie"}, route: {cluster: a}, ${perRoute(`stat_prefix: cookie, ${byCookie}`)}}
      - {match: {prefix: "/plain"}, route: {cluster: a}, ${perRoute(`strict: true, ${byHeader}`)}}
      - {match: {prefix: "/"}, route: {cluster: a}}`,
    }),
    steps: async (t) => {
      const good = Buffer.from(`127.0.0.1:${t.ports.a}`).toString('base64'), bad = Buffer.from('127.0.0.1:1').toString('base64');
      for (const path of ['/', '/soft', '/plain', '/app', '/cookie']) for (const [what, host] of [['there', good], ['not there', bad], ['none', '']]) t.note(`${path}, ${what}`, (await t.quiet.http({ path, headers: host === '' ? {} : { 'x-host': host } })).status);
      for (const [scope, note] of [['http.in.stateful_session.own', 'own'], ['stateful_session.soft', 'soft'], ['stateful_session.cookie', 'cookie']]) { t.note(note, note); await t.stats(['routed', 'failed_open', 'failed_closed', 'no_session'].map((n) => `${scope}.${n}`)); }
    },
  },
  {
    name: 'header_mutation removes headers whose names match',
    config: (w) => httpProxy(w, { filters: mutate('request_mutations: [{remove_on_match: {key_matcher: {prefix: "x-a"}}}, {append: {header: {key: x-added, value: "1"}}}, {remove_on_match: {key_matcher: {safe_regex: {regex: "x-.*-end"}}}}], response_mutations: [{remove_on_match: {key_matcher: {contains: "BACK", ignore_case: true}}}]') }),
    steps: async (t) => { await t.http({ headers: { 'x-a': '1', 'x-abc': '2', 'x-b': '3', 'x-one-end': '4', 'x-end': '5' } }); },
  },
  {
    name: 'x-forwarded-client-cert with the issuer',
    config: (w) => bootstrap(w, { listeners: [httpListener(w, { hcm: 'forward_client_cert_details: SANITIZE_SET\nset_current_client_cert_details: {subject: true, issuer: true, dns: true, uri: true, cert: true}', chain: serverTls({ cert: w.certs.server, ca: w.certs.ca }) })] }),
    steps: async (t) => {
      for (const who of ['client', undefined]) {
        const r = await t.quiet.http({ tlsOptions: { ca: t.certs.ca.cert, servername: 'example.com', ...(who && { key: t.certs[who].key, cert: t.certs[who].cert }) } });
        t.note(who ?? 'no certificate', r.error ?? JSON.parse(r.body).headers['x-forwarded-client-cert']?.replace(/Hash=[0-9a-f]{64}/g, 'Hash=<hash>').replace(/Cert="[^"]+"/, 'Cert="<pem>"') ?? 'none');
      }
    },
  },
  {
    name: 'a tunnel is logged when it stands: an upgrade that was accepted, one that was not, a request that is none',
    config: (w) => httpProxy(w, { hcm: `upgrade_configs: [{upgrade_type: websocket}]\naccess_log_options: {flush_log_on_tunnel_successfully_established: true}\n${accessLog(w, { format: '%ACCESS_LOG_TYPE% %RESPONSE_CODE% %REQ(:PATH)%\n' })}` }),
    steps: async (t) => {
      const upgrade = (path) => ['GET ' + path + ' HTTP/1.1', 'host: x', 'connection: Upgrade', 'upgrade: websocket', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version: 13', '', ''].join('\r\n');
      const c = await t.connect();
      c.send(upgrade('/ws'));
      await c.wait('\r\n\r\n');
      await t.until('the tunnel is logged', () => t.file('access.log').includes('Tunnel'));
      c.end(); await c.wait('close');
      await t.log(2);
      t.backends.a.mode['refuse-upgrade'] = true;
      await t.quiet.exchange({ send: upgrade('/refused'), settleMs: 0 });
      await t.quiet.http({ path: '/plain' });
      await t.log(4);
    },
  },
  {
    name: 'rate limit actions: the cluster that a request goes to, clients of some ranges',
    config: (w) => httpProxy(w, {
      filters: httpFilter('local_ratelimit', 'local_ratelimit.v3.LocalRateLimit', `
stat_prefix: lr
token_bucket: {max_tokens: 1000, tokens_per_fill: 1000, fill_interval: 1000s}
filter_enabled: {default_value: {numerator: 100}}
filter_enforced: {default_value: {numerator: 100}}
descriptors:
${[['destination_cluster', 'a'], ['remote_address_match', 'default key'], ['k', 'others']].map(([key, value]) => `- {entries: [{key: ${key}, value: "${value}"}], token_bucket: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 1000s}}`).join('\n')}`),
      routes: `
      - {match: {prefix: "/cluster"}, route: {cluster: a, rate_limits: [{actions: [{destination_cluster: {}}]}]}}
      - {match: {prefix: "/in"}, route: {cluster: a, rate_limits: [{actions: [{remote_address_match: {descriptor_value: "default key", address_matcher: {ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}, {address_prefix: 127.0.0.0, prefix_len: 8}]}}}]}]}}
      - {match: {prefix: "/out"}, route: {cluster: a, rate_limits: [{actions: [{remote_address_match: {descriptor_key: k, descriptor_value: others, address_matcher: {ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}], invert_match: true}}}]}]}}
      - {match: {prefix: "/never"}, route: {cluster: a, rate_limits: [{actions: [{remote_address_match: {descriptor_key: k, descriptor_value: others, address_matcher: {ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}}}]}]}}`,
    }),
    steps: async (t) => { for (const path of ['/cluster', '/in', '/out', '/never']) t.note(path, [(await t.quiet.http({ path })).status, (await t.quiet.http({ path })).status]); },
  },
  {
    name: 'options: what is refused',
    config: (w) => httpProxy(w),
    steps: async (t) => {
      const w = t.world, hcm = (text) => httpProxy(w, { hcm: text }), filter = (f) => httpProxy(w, { filters: f });
      await t.validate([
        ['jitter of connections', hcm('common_http_protocol_options: {max_connection_duration: 10s, max_connection_duration_jitter: {value: 20}}')], ['jitter alone', hcm('common_http_protocol_options: {max_connection_duration_jitter: {value: 20}}')], ['jitter beyond 100', hcm('common_http_protocol_options: {max_connection_duration_jitter: {value: 101}}')],
        ['jitter of draining', hcm('drain_timeout: 1s\ndrain_timeout_jitter: {value: 50}')], ['log of tunnels', hcm('access_log_options: {flush_log_on_tunnel_successfully_established: true}')],
        ['removal without a matcher', filter(mutate('request_mutations: [{remove_on_match: {}}]'))], ['removal', filter(mutate('request_mutations: [{remove_on_match: {key_matcher: {exact: x}}}]'))],
        ['status of a session', filter(`- name: envoy.filters.http.stateful_session\n  typed_config: ${session(`status_on_strict_destination_not_found: 100, ${byHeader}`)}`)], ['status beyond 599', filter(`- name: envoy.filters.http.stateful_session\n  typed_config: ${session(`status_on_strict_destination_not_found: 600, ${byHeader}`)}`)],
      ]);
    },
  },
];
