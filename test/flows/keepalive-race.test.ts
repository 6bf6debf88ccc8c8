// Runs alone: it measures time or load.
// The keep-alive race: an upstream that closes idle connections just as requests are sent on them costs no client an error for requests that can be sent again.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { load } from '../support/load.ts';
import { ask, freePort, startWeir, type RunningWeir } from '../support/weir.ts';

/** No `connection: close` is sent: the proxy learns of the end only by the FIN or the reset. */
async function racing(t: TestContext, close: (socket: import('node:net').Socket, requests: number) => void, routes?: string): Promise<{ port: number; weir: RunningWeir; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer({ keepAlive: true, keepAliveTimeout: 0 }, (req, res) => { seen.push(req.method!); res.end('ok'); });
  server.on('connection', (socket) => { let n = 0; socket.on('data', () => close(socket, ++n)); });
  const backend = await new Promise<number>((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, ...(routes === undefined ? {} : { routes }) }], [clusterYaml('a', [backend])]));
  t.after(async () => { await weir.stop(); server.closeAllConnections(); server.close(); });
  return { port, weir, seen };
}
const AFTER_THREE = (socket: import('node:net').Socket, n: number): void => { if (n >= 3) setTimeout(() => socket.destroy(), 1); };

test('10,000 GETs against an upstream that drops every connection after a few requests are all answered', async (t) => {
  const { port } = await racing(t, AFTER_THREE);
  const r = await load({ port, connections: 16, requests: 10_000 });
  assert.deepEqual([...r.statuses], [[200, 10_000]]);
});

test('the same holds beside a retry policy that does not speak of it', async (t) => {
  const { port } = await racing(t, AFTER_THREE, '[{match: {prefix: "/"}, route: {cluster: a, retry_policy: {retry_on: retriable-4xx}}}]');
  const r = await load({ port, connections: 16, requests: 3000 });
  assert.deepEqual([...r.statuses], [[200, 3000]]);
});

test('an upstream that closes idle connections after 100 ms costs requests with pauses of about that nothing', async (t) => {
  const { port } = await racing(t, (socket) => { socket.setTimeout(100, () => socket.destroy()); });
  // WEIR_LOAD=full: as many as the figure in the README is of.
  const full = process.env['WEIR_LOAD'] === 'full', all = full ? 50_000 : 600;
  let rest = all;
  const statuses = new Map<number, number>();
  await Promise.all(Array.from({ length: full ? 250 : 30 }, async () => {
    for (;;) {
      if (rest-- <= 0) return;
      const { status } = await ask(port, '/');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await new Promise((r) => setTimeout(r, 96 + Math.random() * 8));
    }
  }));
  assert.deepEqual([...statuses], [[200, all]]);
});

test('a POST that meets a dying connection is not sent twice', async (t) => {
  // Two requests are answered; the third is read, and the connection ends without an answer.
  let posts = 0;
  const server = createServer({ keepAlive: true }, (req, res) => { if (req.method === 'POST') { posts++; req.socket.destroy(); } else res.end('ok'); });
  const backend = await new Promise<number>((r) => server.listen(0, '127.0.0.1', () => r((server.address() as AddressInfo).port)));
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [backend])]));
  t.after(async () => { await weir.stop(); server.closeAllConnections(); server.close(); });
  assert.equal((await ask(port, '/')).status, 200);
  assert.equal((await ask(port, '/', { method: 'POST' })).status, 503);
  assert.equal(posts, 1);
});
