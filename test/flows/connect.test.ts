// CONNECT and POST ended here, on real sockets: bytes both ways to a TCP server, and its counters after.
import assert from 'node:assert/strict';
import { createServer, connect, type AddressInfo } from 'node:net';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';

test('CONNECT is a tunnel to a TCP server; a POST of a route that allows it too', async (t) => {
  const echo = createServer({ allowHalfOpen: true }, (s) => { s.on('error', () => {}); s.write('hello '); s.on('data', (b) => s.write(b)); s.on('end', () => s.end('bye')); });
  const backend = await new Promise<number>((r) => echo.listen(0, '127.0.0.1', () => r((echo.address() as AddressInfo).port)));
  const port = await freePort();
  const config = (type: string): string => `upgrade_configs: [{upgrade_type: CONNECT, connect_config: {${type}}}]`;
  const weir = await startWeir(bootstrapYaml([{ port, hcm: 'upgrade_configs: [{upgrade_type: CONNECT}]', routes: `[{match: {connect_matcher: {}}, route: {cluster: a, ${config('')}}}, {match: {prefix: "/"}, route: {cluster: a, ${config('allow_post: true')}}}]` }], [clusterYaml('a', [backend])]));
  t.after(async () => { await weir.stop(); echo.close(); });
  const tunnel = connect({ port, host: '127.0.0.1' });
  let got = '', closed = false;
  tunnel.on('close', () => { closed = true; });
  tunnel.on('data', (b: Buffer) => { got += b.toString('latin1'); });
  tunnel.write('CONNECT somewhere:443 HTTP/1.1\r\nhost: somewhere:443\r\n\r\n');
  await until('hello', () => got.endsWith('hello '));
  assert.match(got, /^HTTP\/1\.1 200 OK\r\n/);
  tunnel.write('ping');
  await until('the echo', () => got.endsWith('hello ping'));
  tunnel.end(); // as in Envoy, an HTTP/1.1 client that ends its side has left
  await until('the end', () => closed);
  const post = await ask(port, '/', { method: 'POST', body: 'data' });
  assert.deepEqual([post.status, post.body], [200, 'hello databye']);
  await until('nothing left', async () => { const s = await weir.stats('cluster.a.upstream_(cx|rq)_active'); return s['cluster.a.upstream_cx_active'] === 0 && s['cluster.a.upstream_rq_active'] === 0; });
});
