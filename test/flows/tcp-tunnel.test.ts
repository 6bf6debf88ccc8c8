// tcp_proxy through HTTP. Two proxies in a row, with the configurations of Envoy's examples: TCP carried in CONNECT and POST over HTTP/1.1 and HTTP/2 and ended by the other,
// CONNECT passed on by a proxy between them, and a WebSocket that changes from HTTP/1.1 to HTTP/2 and back. WEIR_CHAOS (near-envoy, far-envoy, envoy) puts the real Envoy at
// either end. Refusals count as failed attempts.
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { websocketBackend } from '../support/backend.ts';
import { clusterYaml, listenerYaml, networkFilter, staticYaml, tcpListenerYaml } from '../support/bootstrap.ts';
import { FAR_ENVOY, NEAR_ENVOY, startEither } from '../support/either.ts';
import { freePort, startWeir, until } from '../support/weir.ts';

const MIB = 1 << 20;
const H2 = 'typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {allow_connect: true}}}}';
const tunnel = (cluster: string, config: string): string => networkFilter('tcp_proxy.v3.TcpProxy', `stat_prefix: tcp, cluster: ${cluster}, tunneling_config: {hostname: "host.test:443"${config}}`);

/** Says hello at once; answers '<length> so far' to '!', and '<length> bytes' when the client has ended, and ends. */
async function counter(t: TestContext): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (s) => { open.add(s); s.write('hello '); s.on('error', () => {}); let n = 0; s.on('data', (b) => { n += b.length; if (b.at(-1) === 33) s.write(`${n} so far `); }); s.on('end', () => s.end(`${n} bytes`)); });
  t.after(() => { for (const s of open) s.destroy(); server.close(); });
  return new Promise((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
}

interface Client { readonly text: () => string; readonly closed: () => boolean; readonly socket: Socket }
function client(port: number): Client {
  let text = '', closed = false;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('data', (b: Buffer) => { text += b.toString('latin1'); });
  socket.on('error', () => {});
  socket.on('close', () => { closed = true; });
  return { text: () => text, closed: () => closed, socket };
}

test('TCP in CONNECT and POST through two proxies, over HTTP/1.1 and HTTP/2, straight and through a proxy that passes CONNECT on', async (t) => {
  const names = ['connect1', 'connect2', 'post2', 'passed1', 'passed2'] as const;
  const backend = await counter(t), far = await freePort(), ports = Object.fromEntries(await Promise.all(names.map(async (n) => [n, await freePort()]))) as Record<typeof names[number], number>;
  const middle = [await freePort(), await freePort()] as const;
  const end = 'route: {cluster: service, timeout: 0s, upgrade_configs: [{upgrade_type: CONNECT, connect_config: ';
  const farConfig = staticYaml([
    listenerYaml({ port: far, name: 'end', hcm: 'stream_idle_timeout: 10s\nupgrade_configs: [{upgrade_type: CONNECT}]\nhttp2_protocol_options: {allow_connect: true}', virtualHosts: `[{name: post, domains: ["post.test:443"], routes: [{match: {prefix: "/tunnel", headers: [{name: ":method", string_match: {exact: POST}}]}, ${end}{allow_post: true}}]}}]}, {name: all, domains: ["*"], routes: [{match: {connect_matcher: {}}, ${end}{}}]}}]}]` }),
    // proxy_connect: CONNECT comes in by either protocol and leaves by the other.
    ...middle.map((port, i) => listenerYaml({ port, name: `middle${i}`, hcm: 'upgrade_configs: [{upgrade_type: CONNECT}]\nhttp2_protocol_options: {allow_connect: true}', routes: `[{match: {connect_matcher: {}}, route: {cluster: end${2 - i}, timeout: 0s}}]` })),
  ], [clusterYaml('service', [backend]), clusterYaml('end1', [far]), clusterYaml('end2', [far], H2)]);
  const nearConfig = staticYaml([
    tcpListenerYaml('connect1', ports.connect1, [tunnel('far1', ', headers_to_add: [{header: {key: x-from, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}]')]),
    tcpListenerYaml('connect2', ports.connect2, [tunnel('far2', '')]),
    tcpListenerYaml('post2', ports.post2, [networkFilter('tcp_proxy.v3.TcpProxy', 'stat_prefix: tcp, cluster: far2, tunneling_config: {hostname: "post.test:443", use_post: true, post_path: /tunnel}')]),
    tcpListenerYaml('passed1', ports.passed1, [tunnel('middle1', '')]),
    tcpListenerYaml('passed2', ports.passed2, [tunnel('middle2', '')]),
  ], [clusterYaml('far1', [far]), clusterYaml('far2', [far], H2), clusterYaml('middle1', [middle[0]]), clusterYaml('middle2', [middle[1]], H2)]);
  const farProxy = await startEither(t, farConfig, FAR_ENVOY), near = await startEither(t, nearConfig, NEAR_ENVOY);
  for (const name of names) {
    const c = client(ports[name]);
    await until(`${name}: the server speaks first`, () => c.text() === 'hello ');
    c.socket.write(Buffer.alloc(2 * MIB, '!'));
    await until(`${name}: bytes up and down`, () => c.text().includes(`${2 * MIB} so far`));
    c.socket.end();
    // Over HTTP/1.1 a connection has one end for both directions: what the server says to it is lost in Envoy too.
    await until(`${name}: the connection ends`, c.closed);
    if (name === 'connect2' || name === 'post2') assert.match(c.text(), new RegExp(` ${2 * MIB} bytes$`), name);
  }
  await until('nothing is left at the near end', async () => Object.values(await near.stats('upstream_rq_active$|tcp.tcp.*active')).every((v) => v === 0));
  await until('nothing is left at the far end', async () => Object.values(await farProxy.stats('(service.upstream_cx|http.(end|middle.).downstream_rq)_active$')).every((v) => v === 0));
});

test('a WebSocket goes HTTP/1.1, HTTP/2, HTTP/1.1 through two proxies', async (t) => {
  const backend = await websocketBackend(), [nearPort, farPort] = [await freePort(), await freePort()];
  t.after(() => backend.stop());
  const routes = (cluster: string): string => `[{match: {prefix: "/"}, route: {cluster: ${cluster}, timeout: 0s}}]`;
  await startEither(t, staticYaml([listenerYaml({ port: farPort, hcm: 'upgrade_configs: [{upgrade_type: websocket}]\nhttp2_protocol_options: {allow_connect: true}', routes: routes('ws') })], [clusterYaml('ws', [backend.port])]), FAR_ENVOY);
  const near = await startEither(t, staticYaml([listenerYaml({ port: nearPort, hcm: 'upgrade_configs: [{upgrade_type: websocket}]', routes: routes('far') })], [clusterYaml('far', [farPort], H2)]), NEAR_ENVOY);
  const ws = new WebSocket(`ws://127.0.0.1:${nearPort}/chat?room=1`, { headers: { 'x-tenant': 'a' } });
  const got: (string | number)[] = [];
  ws.on('message', (data: Buffer, binary) => got.push(binary ? data.length : data.toString()));
  await new Promise((resolve, reject) => { ws.on('open', resolve); ws.on('error', reject); });
  ws.send('one');
  ws.send(Buffer.alloc(300_000, 7));
  ws.send('two');
  await until('the echoes', () => got.length === 3);
  assert.deepEqual(got, ['one', 300_000, 'two']);
  const closed = new Promise<number>((r) => ws.on('close', r));
  ws.close(1000, 'done');
  assert.equal(await closed, 1000);
  await until('nothing is left', async () => (await near.stats('far.upstream_rq_active'))['cluster.far.upstream_rq_active'] === 0);
});

test('a refused tunnel is a failed attempt: it is tried again, then the client is let go', async (t) => {
  const heads: string[] = [];
  const refusing = createServer((s) => { s.on('error', () => {}); s.once('data', (b) => { heads.push(b.toString('latin1').split('\r\n\r\n')[0]!); s.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'); }); });
  const to = await new Promise<number>((r) => refusing.listen(0, '127.0.0.1', () => r((refusing.address() as AddressInfo).port)));
  const port = await freePort();
  const weir = await startWeir(staticYaml([tcpListenerYaml('l', port, [networkFilter('tcp_proxy.v3.TcpProxy', 'stat_prefix: t, cluster: a, max_connect_attempts: 2, tunneling_config: {hostname: "target.test:443"}')])], [clusterYaml('a', [to])]));
  t.after(async () => { await weir.stop(); refusing.close(); });
  const c = client(port);
  c.socket.end('x');
  await until('the client is let go', c.closed);
  assert.equal(c.text(), '');
  assert.equal(heads.length, 2);
  assert.match(heads[0]!, /^CONNECT target\.test:443 HTTP\/1\.1\r\nhost: target\.test:443/i);
  assert.equal((await weir.stats('attempts_exceeded'))['cluster.a.upstream_cx_connect_attempts_exceeded'], 1);
});
