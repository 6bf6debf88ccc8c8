import http2 from 'node:http2';
import net from 'node:net';
import dgram from 'node:dgram';
import { accessLog, block, bootstrap, cluster, httpListener, httpOptions } from '../lib/config.mjs';

const ROUTE = (to) => `matcher: {on_no_match: {action: {name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.Route, cluster: ${to}}}}}`;
const CAPSULES = 'session_filters: [{name: c, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.session.http_capsule.v3.FilterConfig}}]';
/** A UDP listener with a udp_proxy of these fields (a block). */
const udpProxy = (w, name, fields) => `
- name: ${name}
  address: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: ${w.ports[name]}}}
  listener_filters:
  - name: envoy.filters.udp_listener.udp_proxy
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig
      stat_prefix: ${name}${block(fields, 6)}`;
const HEADS = 'proxy_host: "proxy.test", default_target_port: 53';
const LOG = '%ACCESS_LOG_TYPE% %RESPONSE_FLAGS% %DYNAMIC_METADATA(udp.proxy.session)% n=%UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_HOST% %BYTES_RECEIVED%/%BYTES_SENT% h=%FILTER_STATE(envoy.udp_proxy.propagate_response_headers)% %FILTER_STATE(envoy.udp_proxy.propagate_response_trailers)%\n';

export const cases = [
  {
    name: 'tunneling_config: heads over HTTP/2, HTTP/1.1 and POST; capsules; what waits; answers that are kept, that are no tunnel, that end',
    backends: [],
    ports: ['h1', 'h2'],
    listeners: ['two', 'one', 'post', 'idle'],
    config: (w) => {
      const kept = ', propagate_response_headers: true, propagate_response_trailers: true, buffer_options: {max_buffered_datagrams: 3, max_buffered_bytes: 20}, retry_options: {max_connect_attempts: 2}', log = (name) => `${accessLog(w, { file: `${name}.log`, format: LOG })}\naccess_log_options: {flush_access_log_on_tunnel_connected: true}`;
      return bootstrap(w, { clusters: [cluster(w, 'h1'), cluster(w, 'h2', { more: `circuit_breakers: {thresholds: [{max_requests: 9, track_remaining: true}]}\n${httpOptions('explicit_http_config: {http2_protocol_options: {allow_connect: true}}')}` })], listeners: [
        udpProxy(w, 'two', `${ROUTE('h2')}\n${CAPSULES}\n${log('two')}\ntunneling_config: {${HEADS}, target_host: "target.test", headers_to_add: [{header: {key: x-cluster, value: "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"}}]${kept}}`),
        udpProxy(w, 'one', `${ROUTE('h1')}\n${CAPSULES}\ntunneling_config: {${HEADS}, proxy_port: 99, target_host: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", buffer_options: {}}`),
        udpProxy(w, 'post', `${ROUTE('h2')}\ntunneling_config: {${HEADS}, target_host: "::1", use_post: true, post_path: /p, buffer_options: {}}`),
        udpProxy(w, 'idle', `${ROUTE('h2')}\n${CAPSULES}\nidle_timeout: 0.3s\n${log('idle')}\ntunneling_config: {${HEADS}, target_host: "::1"${kept}}`),
      ] });
    },
    steps: async (t) => {
      const o = { mode: 'echo', seen: [], got: '' }, open = new Set();
      const keep = (c) => { open.add(c); c.on('error', () => {}); };
      const two = http2.createServer({ settings: { enableConnectProtocol: true } });
      two.on('session', keep);
      two.on('stream', (st, h) => {
        o.seen.push({ ...h });
        st.on('error', () => {});
        st.respond({ ':status': o.mode === 'refuse' ? 403 : 200, 'capsule-protocol': '?1' }, { waitForTrailers: true, sendDate: false });
        st.on('wantTrailers', () => st.sendTrailers({ 'x-t': 'end' }));
        st.on('data', (b) => {
          o.got += b.toString('hex');
          // An unknown capsule, and one of another context: neither is a datagram of ours.
          if (o.mode === 'echo') st.write(Buffer.concat([Buffer.from('403702aabb000201aa', 'hex'), b])); else if (o.mode === 'plain') st.write(b); else if (o.mode === 'end') { o.mode = 'over'; st.end(b); }
        });
      });
      const one = net.createServer((c) => {
        let head = '';
        keep(c);
        c.on('data', (b) => {
          if (head === '') { head = b.toString('latin1'); o.seen.push(head); c.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: connect-udp\r\ncapsule-protocol: ?1\r\n\r\n'); } else { o.got += b.toString('hex'); c.write(b); }
        });
      });
      await Promise.all([[one, t.ports.h1], [two, t.ports.h2]].map(([s, port]) => t.extra(() => new Promise((r) => s.listen(port, '127.0.0.1', () => r({ stop: () => { for (const c of open) c.destroy(); s.close(); } }))))));
      const go = async (listener, what, sent, wanted) => {
        const u = dgram.createSocket('udp4'), answers = [];
        u.on('message', (b) => answers.push(b.length > 40 ? b.length : b.toString('latin1')));
        for (const s of sent) u.send(s, t.ports[listener], '127.0.0.1');
        await t.poll(() => answers.length >= wanted, 2000);
        if (wanted === 0) await t.sleep(300);
        t.note(`${listener}: ${what}`, { seen: o.seen.splice(0), got: o.got, answers });
        o.got = '';
        return u;
      };
      const first = await go('two', 'five at once, of which three wait', ['aa0', 'aa1', 'aa2', 'aa3', 'aa4'], 3);
      first.close();
      (await go('two', 'one that is too long to wait', ['x'.repeat(21)], 0)).close();
      (await go('one', 'HTTP/1.1', ['hello'], 1)).close();
      o.mode = 'plain';
      (await go('post', 'POST', ['hello'], 1)).close();
      o.mode = 'end';
      (await go('two', 'the host ends it', ['hello'], 1)).close();
      await t.log(4, { name: 'two.log' });
      o.mode = 'refuse';
      (await go('two', 'refused twice', ['hello'], 0)).close();
      await t.log(5, { name: 'two.log' });
      const now = await t.statsNow();
      t.note('of 9 requests: what the breaker has left, and those under way', now['cluster.h2.circuit_breakers.default.remaining_rq'] + now['cluster.h2.upstream_rq_active']);
      o.mode = 'echo';
      (await go('idle', 'until it is idle', ['hello'], 1)).close();
      await t.log(2, { name: 'idle.log' });
      await t.stats(['udp.two.downstream_sess_total', 'udp.two.downstream_sess_rx_datagrams', 'udp.two.downstream_sess_tx_datagrams', 'udp.idle.idle_timeout', 'cluster.h2.udp.sess_tunnel_success', 'cluster.h2.udp.sess_tunnel_failure', 'cluster.h2.udp.sess_tunnel_buffer_overflow', 'cluster.h2.upstream_cx_connect_attempts_exceeded', 'cluster.h2.upstream_rq_total']);
    },
  },
  {
    name: 'CONNECT-UDP ended here: its datagrams go to the host, its target is the authority; a path that names none; and through a tunnel of udp_proxy',
    backends: [],
    ports: ['echo'],
    listeners: ['front', 'end', 'off'],
    config: (w) => {
      const log = accessLog(w, { format: '%RESPONSE_CODE% %RESPONSE_FLAGS% %REQ(:AUTHORITY)% %REQ(:PATH)% %REQ(:METHOD)% %UPSTREAM_HOST% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED%/%BYTES_SENT%\n' });
      const http = (name, on) => httpListener(w, { name, hcm: `http2_protocol_options: {allow_connect: true}\nupgrade_configs: [{upgrade_type: CONNECT-UDP, enabled: ${on}}]\n${log}`, routes: `\n- {match: {connect_matcher: {}}, route: {cluster: echo${on ? ', upgrade_configs: [{upgrade_type: CONNECT-UDP, connect_config: {}}]' : ''}}}` });
      return bootstrap(w, { clusters: ['echo', cluster(w, 'h2', { backends: ['end'], more: httpOptions('explicit_http_config: {http2_protocol_options: {allow_connect: true}}') })], listeners: [
        udpProxy(w, 'front', `${ROUTE('h2')}\n${CAPSULES}\ntunneling_config: {${HEADS}, target_host: "front.test", buffer_options: {}}\nidle_timeout: 0.5s`), http('end', true), http('off', false),
      ] });
    },
    steps: async (t) => {
      const echo = dgram.createSocket('udp4');
      echo.on('message', (b, from) => echo.send(`echo:${b}`, from.port, '127.0.0.1'));
      await t.extra(() => new Promise((r) => echo.bind(t.ports.echo, '127.0.0.1', () => r({ stop: () => echo.close() }))));
      const hello = Buffer.from('00060068656c6c6f', 'hex');
      const go = async (listener, path, pieces) => {
        const c = await t.h2Session({ listener }), s = c.session.request({ ':method': 'CONNECT', ':protocol': 'connect-udp', ':scheme': 'http', ':authority': 'proxy.test', ':path': path, 'capsule-protocol': '?1' }, { endStream: false });
        let head = null, got = '', ended = false;
        s.on('error', () => {});
        s.on('response', (h) => { head = { status: h[':status'], capsules: h['capsule-protocol'] }; });
        s.on('data', (b) => { got += head.status === 200 ? b.toString('hex') : b; });
        s.on('end', () => { ended = true; });
        await t.poll(() => head !== null, 1500);
        for (const p of pieces) { s.write(p); await t.sleep(40); }
        if (head?.status === 200) { await t.poll(() => got.length >= 26, 1500); s.end(); }
        await t.poll(() => ended, 1500);
        t.note(`${listener} ${path}`, { head, got, ended });
        c.close();
      };
      const target = '/.well-known/masque/udp/target.test/53/';
      await go('end', target, [hello]);
      await go('end', target, [Buffer.concat([Buffer.from('403702aabb000201aa', 'hex'), hello.subarray(0, 3)]), hello.subarray(3)]);
      await go('end', '/.well-known/masque/udp/2001%3Adb8%3A%3A1/53/', [hello]);
      for (const path of ['/x', '/.well-known/masque/udp/target.test/', '/.well-known/masque/udp//53/']) await go('end', path, []);
      await go('off', target, []);
      const u = dgram.createSocket('udp4'), answers = [];
      u.on('message', (b) => answers.push(b.length > 40 ? b.length : b.toString('latin1')));
      for (const d of ['one', 'two', 'x'.repeat(1200)]) u.send(d, t.ports.front, '127.0.0.1');
      await t.poll(() => answers.length >= 3, 2000);
      t.note('through udp_proxy', answers);
      u.close();
      await t.log(8);
      await t.stats(['http.in.downstream_cx_upgrades_total', 'cluster.h2.udp.sess_tunnel_success']);
    },
  },
];
