// A thread that dies costs what it held and nothing else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';

const COMMAND = [process.execPath, '--disable-warning=ExperimentalWarning', new URL('../support/crashing-main.ts', import.meta.url).pathname];

/** A kept-alive connection that asks again and again. */
class Client {
  readonly socket: Socket; closed = false; private text = '';
  constructor(port: number) { this.socket = connect(port, '127.0.0.1'); this.socket.on('data', (b: Buffer) => { this.text += b.toString('latin1'); }); this.socket.on('error', () => {}); this.socket.on('close', () => { this.closed = true; }); }
  async ask(): Promise<boolean> {
    if (this.closed) return false;
    this.text = '';
    this.socket.write('GET /x HTTP/1.1\r\nhost: x\r\n\r\n');
    await until('an answer or the end', () => this.closed || this.text.includes('GET /x 0'), 5000);
    return !this.closed;
  }
}

test('a worker that crashes, or is stuck for kill_timeout, is replaced within a second; the connections of the other live on, totals never go back', async (t) => {
  const a = await httpBackend();
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [a.port])], 'watchdogs: {worker_watchdog: {megamiss_timeout: 0.7s, kill_timeout: 1s}}'), { command: COMMAND, concurrency: 2 });
  t.after(async () => { await weir.stop(); await a.stop(); });
  const clients = Array.from({ length: 30 }, () => new Client(port));
  t.after(() => { for (const c of clients) c.socket.destroy(); });
  for (const c of clients) assert.ok(await c.ask());
  const before = (await weir.stats('downstream_rq_total'))['http.http.downstream_rq_total']!;
  assert.equal(before, 30);
  writeFileSync(join(weir.dir, 'crash-0'), '');
  await until('some connections end', () => clients.some((c) => c.closed));
  const began = performance.now();
  await until('the worker is back', async () => ((await weir.info()).workers.find((w) => w.id === 0) ?? { up: false, restarts: 0 }).restarts === 1, 5000);
  await until('both listen', async () => (await ask(port, '/y').catch(() => null))?.status === 200, 5000);
  assert.ok(performance.now() - began < 3000, `back after ${performance.now() - began} ms`);
  const alive = clients.filter((c) => !c.closed);
  assert.ok(alive.length > 0 && alive.length < 30, `${alive.length} of 30 connections were the other worker's`);
  for (const c of alive) assert.ok(await c.ask(), 'a connection of the other worker still answers');
  const after = await weir.stats('downstream_(rq_total|cx_active)|upstream_(rq|cx)_active|worker_restarts');
  assert.ok(after['http.http.downstream_rq_total']! > before, `${after['http.http.downstream_rq_total']} after ${before}`);
  assert.equal(after['http.http.downstream_cx_active'], alive.length);
  assert.equal(after['cluster.a.upstream_rq_active'], 0);
  assert.equal(after['server.worker_restarts'], 1);
  writeFileSync(join(weir.dir, 'stuck-1'), '');
  await until('the stuck worker is replaced', async () => ((await weir.info()).workers.find((w) => w.id === 1) ?? { up: false, restarts: 0 }).restarts === 1, 5000);
  const silent = await weir.stats('watchdog');
  for (const n of ['server.worker_1.watchdog_miss', 'server.worker_1.watchdog_mega_miss', 'workers.watchdog_mega_miss']) assert.ok(silent[n]! >= 1, n);
});

test('a control thread that crashes is replaced while traffic flows on', async (t) => {
  const a = await httpBackend();
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [a.port])]), { command: COMMAND, concurrency: 1 });
  t.after(async () => { await weir.stop(); await a.stop(); });
  const client = new Client(port);
  t.after(() => client.socket.destroy());
  assert.ok(await client.ask());
  writeFileSync(join(weir.dir, 'crash-control'), '');
  await until('the admin interface is gone', async () => (await ask(weir.admin, '/ready').catch(() => null)) === null);
  assert.ok(await client.ask(), 'traffic goes on without it');
  await until('it is back', async () => (await ask(weir.admin, '/ready').catch(() => null))?.status === 200);
  assert.ok(await client.ask(), 'the same connection still answers');
  assert.equal((await ask(port, '/z')).status, 200);
  assert.equal((await weir.stats('control_restarts'))['server.control_restarts'], 1);
});
