// What a replaced control thread must find again: stats, limits, workers; and what a broken file at that moment must not do.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { bootstrapYaml, clusterYaml, listenerYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { ask, freePort, startWeir, until, type RunningWeir } from '../support/weir.ts';

const COMMAND = [process.execPath, '--disable-warning=ExperimentalWarning', new URL('../support/crashing-main.ts', import.meta.url).pathname];
const crash = (weir: RunningWeir, thread: string): void => writeFileSync(join(weir.dir, `crash-${thread}`), '');
const gone = (weir: RunningWeir): Promise<boolean> => until('the admin interface is gone', async () => (await ask(weir.admin, '/ready').catch(() => null)) === null);
const back = (weir: RunningWeir): Promise<boolean> => until('control is back', async () => (await ask(weir.admin, '/ready').catch(() => null))?.status === 200);

test('totals go on where they were, and a request that outlives control leaves the limit as it was', async (t) => {
  let answer = (): void => {};
  const a = await httpBackend('a', (req, res) => { if (req.url === '/slow') answer = () => res.end('late'); else res.end('now'); });
  const port = await freePort(), other = await freePort(), cluster = clusterYaml('a', [a.port], 'circuit_breakers: {thresholds: [{max_requests: 1}]}'), second = { name: 'other', port: other, routes: '[{match: {prefix: /}, route: {cluster: gone}}]' }, removed = clusterYaml('gone', [a.port]);
  const weir = await startWeir(bootstrapYaml([{ port, routes: '[{match: {prefix: /}, route: {cluster: a, timeout: 0s}}]' }, second], [removed, cluster]), { command: COMMAND, concurrency: 2 });
  t.after(async () => { await weir.stop(); await a.stop(); });
  for (let i = 0; i < 20; i++) assert.equal((await ask(port, '/')).status, 200);
  const slow = ask(port, '/slow', { timeoutMs: 30_000 });
  await until('it is under way', () => a.seen.includes('/slow') || a.seen.includes('GET /slow'));
  for (let i = 0; i < 4; i++) assert.equal((await ask(other, '/')).status, 200);
  // A cluster and a listener leave the configuration while there is no control; the other cluster had its records.
  writeFileSync(weir.file, readFileSync(weir.file, 'utf8').replace(listenerYaml(second), '').replace(removed, ''));
  crash(weir, 'control');
  await gone(weir);
  assert.equal((await ask(port, '/')).status, 503, 'the limit holds without control');
  await back(weir);
  assert.equal((await ask(port, '/')).status, 503, 'and with a new one');
  const during = await weir.stats('downstream_rq_total|upstream_rq_active$|control_restarts');
  assert.equal(during['http.http.downstream_rq_total'], 23);
  assert.equal(during['cluster.a.upstream_rq_active'], 1);
  assert.equal(during['server.control_restarts'], 1);
  await until('nothing is shown of the cluster that went', async () => Object.keys(await weir.stats('^cluster.gone')).length === 0);
  await until('nobody listens for the listener that went', async () => (await ask(other, '/').catch(() => null)) === null);
  answer();
  assert.equal((await slow).body, 'late');
  const again = ask(port, '/slow');
  await until('another is under way', () => a.seen.filter((s) => s.endsWith('/slow')).length === 2);
  assert.equal((await ask(port, '/')).status, 503, 'one at a time, as before');
  answer();
  assert.equal((await again).status, 200);
});

test('a worker that dies while control is away comes back once, and a file broken meanwhile stops no traffic', async (t) => {
  const a = await httpBackend();
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [a.port])]), { command: COMMAND, concurrency: 1 });
  t.after(async () => { await weir.stop(); await a.stop(); });
  const good = readFileSync(weir.file, 'utf8');
  writeFileSync(weir.file, 'static_resources: {listenerz: []}\n');
  crash(weir, 'control');
  await gone(weir);
  await until('control has tried the broken file', () => weir.log.includes('listenerz'));
  assert.equal((await ask(port, '/x')).status, 200);
  crash(weir, '0');
  await until('the worker is gone', async () => (await ask(port, '/x').catch(() => null)) === null);
  writeFileSync(weir.file, good);
  await back(weir);
  await until('it serves again', async () => (await ask(port, '/x').catch(() => null))?.status === 200);
  const info = await weir.info();
  assert.deepEqual(info.workers.map((w) => [w.up, w.restarts]), [[true, 1]]);
  const { 'http.http.downstream_rq_total': before } = await weir.stats('downstream_rq_total');
  assert.equal((await ask(port, '/x')).status, 200);
  assert.equal((await weir.stats('downstream_rq_total'))['http.http.downstream_rq_total'], before! + 1, 'no second worker counts or serves beside it');
});

test('what a worker that died had counted, and what control counted itself, outlives control', async (t) => {
  const a = await httpBackend(), port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [a.port])]), { command: COMMAND, concurrency: 1 });
  t.after(async () => { await weir.stop(); await a.stop(); });
  for (let i = 0; i < 5; i++) assert.equal((await ask(port, '/')).status, 200);
  crash(weir, '0');
  await until('the worker is back', async () => (await weir.stats('worker_restarts'))['server.worker_restarts'] === 1 && (await ask(port, '/').catch(() => null))?.status === 200);
  const before = await weir.stats('cluster.a.upstream_rq_(total|200)|membership_change|listener_create_success');
  crash(weir, 'control');
  await gone(weir);
  await back(weir);
  await until('claims are in', async () => (await weir.stats('cluster.a.upstream_rq_total'))['cluster.a.upstream_rq_total']! >= 6);
  const after = await weir.stats('cluster.a.upstream_rq_(total|200)|membership_change|listener_create_success');
  for (const [name, n] of Object.entries(before)) assert.ok(after[name]! >= n, `${name}: ${n}, then ${after[name]}`);
  assert.ok(before['cluster.a.upstream_rq_200']! >= 6);
});
