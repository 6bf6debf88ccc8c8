// The keep-alive race: an upstream that closes idle connections just as requests are sent on them costs no client an error for requests that can be sent again.
import assert from 'node:assert/strict';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { freePort, startWeir } from '../support/weir.ts';

test('2,000 GETs against an upstream that drops every connection after a few requests : answered, but for a rest', async (t) => {
  const server = createServer({ keepAlive: true }, (_req, res) => res.end('ok'));
  server.on('connection', (socket) => {
    let n = 0;
    // No `connection: close` is sent: the proxy learns of it only by the FIN or the reset.
    socket.on('data', () => { if (++n >= 3) setTimeout(() => socket.destroy(), 1); });
  });
  const backend = await new Promise<number>((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [backend])]));
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  t.after(async () => { agent.destroy(); await weir.stop(); server.closeAllConnections(); server.close(); });
  const codes = new Map<number, number>();
  const one = (): Promise<void> => new Promise((resolve, reject) => request({ port, host: '127.0.0.1', path: '/', agent }, (res) => { res.resume(); res.on('end', () => { codes.set(res.statusCode!, (codes.get(res.statusCode!) ?? 0) + 1); resolve(); }); }).on('error', reject).end());
  for (let i = 0; i < 2000; i += 16) await Promise.all(Array.from({ length: 16 }, one));
  t.diagnostic(JSON.stringify([...codes]));
  // Without the retry some 300 of 2,000 are 503. What is left (up to 1 in 100 seen) is not explained yet; the bound is there to fall.
  assert.ok((codes.get(200) ?? 0) >= 1960, JSON.stringify([...codes]));
});
