// Connections of one listener over two workers: within a tenth of each other by default, even with exact_balance, and also where the workers share one socket.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { bootstrapYaml } from '../support/bootstrap.ts';
import { freePort, nativeOnly, startWeir, until, type RunningWeir } from '../support/weir.ts';

const skip = nativeOnly('node:net hands no connection over to another worker (engine/net/transport/README.md)');
const ROUTES = '[{match: {prefix: "/"}, direct_response: {status: 200, body: {inline_string: hi}}}]';

/** Opens a connection and waits for its first answer. */
function open(to: number | string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const s = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to);
    s.on('error', reject);
    s.once('data', () => resolve(s));
    s.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  });
}

async function counts(weir: RunningWeir, total: number): Promise<number[]> {
  return until('every connection is counted', async () => {
    const s = await weir.stats('listener.*worker_._*.downstream_cx_active'), all = [0, 1].map((i) => Object.entries(s).filter(([n]) => n.endsWith(`worker_${i}.downstream_cx_active`)).reduce((sum, [, v]) => sum + v, 0));
    return all[0]! + all[1]! === total ? all : null;
  });
}

test('two workers have connections within a tenth of each other, for 64, 128 and 256 of them', { skip }, async (t) => {
  const port = await freePort(), weir = await startWeir(bootstrapYaml([{ port, routes: ROUTES }], []), { concurrency: 2 });
  t.after(() => weir.stop());
  for (const n of [64, 128, 256]) {
    const sockets = await Promise.all(Array.from({ length: n }, () => open(port))), [a, b] = await counts(weir, n) as [number, number];
    assert.ok(Math.abs(a - b) <= 0.1 * n / 2 + 1, `${a} and ${b} of ${n}`);
    for (const s of sockets) s.destroy();
    await counts(weir, 0);
  }
});

test('exact_balance: each connection goes to the worker with fewest, also when some have ended', { skip }, async (t) => {
  const port = await freePort(), weir = await startWeir(bootstrapYaml([{ port, routes: ROUTES, listener: 'connection_balance_config: {exact_balance: {}}' }], []), { concurrency: 2 });
  t.after(() => weir.stop());
  const sockets: Socket[] = [];
  for (let i = 1; i <= 20; i++) {
    sockets.push(await open(port));
    const [a, b] = await counts(weir, i) as [number, number];
    assert.ok(Math.abs(a - b) <= 1, `${a} and ${b} of ${i}`);
  }
  for (const s of sockets.splice(0, 10)) s.destroy();
  const [a, b] = await counts(weir, 10) as [number, number], more = Math.abs(a - b);
  for (let i = 0; i < more; i++) sockets.push(await open(port));
  const after = await counts(weir, 10 + more);
  assert.equal(after[0], after[1], 'those that came made up for those that went');
  for (const s of sockets) s.destroy();
});

test('workers share the connections of a socket that one of them has: without reuse_port, and a unix socket', { skip }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-balance-')), path = join(dir, 's');
  t.after(() => rmSync(dir, { recursive: true }));
  const port = await freePort(), config = bootstrapYaml([{ port, name: 'one', routes: ROUTES, listener: 'enable_reuse_port: false' }, { port: await freePort(), name: 'pipe', routes: ROUTES }], []);
  const weir = await startWeir(config.replace(/(name: pipe\n {4}address: ).*/, `$1{pipe: {path: "${path}"}}`), { concurrency: 2 });
  t.after(() => weir.stop());
  for (const to of [port, path]) {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(to)));
    assert.deepEqual(await counts(weir, 20), [10, 10], String(to));
    for (const s of sockets) s.destroy();
    await counts(weir, 0);
  }
});

test('a listener that is removed while connections are on their way ends them and leaves the others', { skip }, async (t) => {
  const port = await freePort(), weir = await startWeir(bootstrapYaml([{ port, routes: ROUTES, listener: 'connection_balance_config: {exact_balance: {}}' }], []), { concurrency: 2 });
  t.after(() => weir.stop());
  const kept = await open(port);
  let over = 0;
  const flood = Array.from({ length: 200 }, () => { const s = connect(port, '127.0.0.1'); s.on('error', () => {}); s.on('close', () => { over++; }); return s; });
  await weir.admitted('/drain_listeners', 'POST');
  await until('the listener is closed', () => new Promise<boolean>((r) => { const s = connect(port, '127.0.0.1'); s.on('error', () => r(true)); s.on('connect', () => { s.destroy(); r(false); }); }));
  const answer = new Promise<string>((r) => kept.once('data', (b: Buffer) => r(b.toString())));
  kept.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  assert.match(await answer, /^HTTP\/1.1 200/);
  for (const s of flood) s.destroy();
  await until('all are over', () => over === 200);
  kept.destroy();
  await counts(weir, 0);
});

test('node:net refuses exact_balance by name', async () => {
  const port = await freePort();
  // It may be ready for a moment before a worker says that it cannot listen; then it ends.
  const said = await startWeir(bootstrapYaml([{ port, routes: ROUTES, listener: 'connection_balance_config: {exact_balance: {}}' }], []), { concurrency: 2, args: ['--transport=node'] })
    .then(async (weir) => { await until('it ends', () => weir.child.exitCode !== null); return weir.log; }, (e: Error) => e.message);
  assert.match(said, /ENOTSUP/);
});
