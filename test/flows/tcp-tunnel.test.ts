// tcp_proxy through HTTP: bytes carried behind CONNECT and POST, over HTTP/1.1 and HTTP/2, ended by another listener (Envoy's encapsulate and terminate examples); refusals
// count as failed attempts.
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import test from 'node:test';
import { clusterYaml, listenerYaml, networkFilter, staticYaml, tcpListenerYaml } from '../support/bootstrap.ts';
import { freePort, startWeir, until } from '../support/weir.ts';

const MIB = 1 << 20;
const H2 = 'typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}';
const tunnel = (cluster: string, config: string): string => networkFilter('tcp_proxy.v3.TcpProxy', `stat_prefix: t, cluster: ${cluster}, tunneling_config: {hostname: "target.test:443", ${config}}`);

/** Answers '<length> so far' to '!', and '<length> bytes' when the client has ended, and ends. */
async function counter(): Promise<{ port: number; stop: () => Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (s) => { open.add(s); s.on('error', () => {}); let n = 0; s.on('data', (b) => { n += b.length; if (b.at(-1) === 33) s.write(`${n} so far`); }); s.on('end', () => s.end(`${n} bytes`)); });
  const port = await new Promise<number>((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
  return { port, stop: () => new Promise((r) => { for (const s of open) s.destroy(); server.close(() => r()); }) };
}

function talk(port: number, send: Buffer): Promise<string> {
  return new Promise((resolve) => { let text = ''; const c = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => c.end(send)); c.on('data', (b) => { text += b.toString('latin1'); }); c.on('error', () => {}); c.on('close', () => resolve(text)); });
}

test('bytes both ways and both ends pass a tunnel of CONNECT or POST, over HTTP/1.1 and HTTP/2', async (t) => {
  const backend = await counter(), ports = await Promise.all(Array.from({ length: 4 }, () => freePort()));
  const end = ports[3]!;
  const weir = await startWeir(staticYaml([
    tcpListenerYaml('connect1', ports[0]!, [tunnel('h1', 'headers_to_add: [{header: {key: x-from, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}]')]),
    tcpListenerYaml('connect2', ports[1]!, [tunnel('h2', '')]),
    tcpListenerYaml('post2', ports[2]!, [tunnel('h2', 'use_post: true, post_path: /tunnel')]),
    listenerYaml({ port: end, name: 'end', hcm: 'upgrade_configs: [{upgrade_type: CONNECT}]\nhttp2_protocol_options: {allow_connect: true}', routes: '[{match: {connect_matcher: {}}, route: {cluster: raw, timeout: 0s, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}}, {match: {prefix: "/tunnel"}, route: {cluster: raw, timeout: 0s, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {allow_post: true}}]}}]' }),
  ], [clusterYaml('raw', [backend.port]), clusterYaml('h1', [end]), clusterYaml('h2', [end], H2)]));
  t.after(async () => { await weir.stop(); await backend.stop(); });
  for (const port of ports.slice(1, 3)) {
    assert.equal(await talk(port, Buffer.from('hello')), '5 bytes');
    assert.equal(await talk(port, Buffer.alloc(3 * MIB, 'x')), `${3 * MIB} bytes`);
  }
  // An HTTP/1 connection has one end for both directions: the client gets its answer before it ends.
  const c = connect({ port: ports[0]!, host: '127.0.0.1' });
  let text = '';
  c.on('data', (x: Buffer) => { text += x.toString('latin1'); });
  c.write(Buffer.alloc(MIB, '!'));
  await until('answered', () => text.includes(`${MIB} so far`));
  const closed = new Promise((r) => c.on('close', r));
  c.end();
  await closed;
  await until('every request is given back, and the connection that one had alone', async () => { const s = await weir.stats('upstream_(rq|cx)_active$'); return s['cluster.h1.upstream_rq_active'] === 0 && s['cluster.h1.upstream_cx_active'] === 0 && s['cluster.h2.upstream_rq_active'] === 0; });
});

test('a refused tunnel is a failed attempt: it is tried again, then the client is let go', async (t) => {
  const heads: string[] = [];
  const refusing = createServer((s) => { s.on('error', () => {}); s.once('data', (b) => { heads.push(b.toString('latin1').split('\r\n\r\n')[0]!); s.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'); }); });
  const to = await new Promise<number>((r) => refusing.listen(0, '127.0.0.1', () => r((refusing.address() as AddressInfo).port)));
  const port = await freePort();
  const weir = await startWeir(staticYaml([tcpListenerYaml('l', port, [networkFilter('tcp_proxy.v3.TcpProxy', 'stat_prefix: t, cluster: a, max_connect_attempts: 2, tunneling_config: {hostname: "target.test:443"}')])], [clusterYaml('a', [to])]));
  t.after(async () => { await weir.stop(); refusing.close(); });
  assert.equal(await talk(port, Buffer.from('x')), '');
  assert.equal(heads.length, 2);
  assert.match(heads[0]!, /^CONNECT target\.test:443 HTTP\/1\.1\r\nhost: target\.test:443/i);
  assert.equal((await weir.stats('attempts_exceeded'))['cluster.a.upstream_cx_connect_attempts_exceeded'], 1);
});
