// How a process ends: the first SIGTERM drains, the second one stops; a change of mind of the drain strategy is obeyed.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { ask, freePort, startWeir, until, type RunningWeir } from '../support/weir.ts';

async function begin(t: TestContext, args: string[] = []): Promise<{ weir: RunningWeir; port: number; slow: Promise<string>; answer: () => void }> {
  let held: ServerResponse | null = null;
  const a = await httpBackend('a', (req, res) => { if (req.url === '/slow') held = res; else res.end('now'); });
  const port = await freePort(), weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [a.port])]), { args, concurrency: 2 });
  t.after(async () => { await weir.stop(); await a.stop(); });
  const slow = ask(port, '/slow', { timeoutMs: 20_000 }).then((r) => `${r.status} ${r.body} ${String(r.headers['connection'])}`, (e: Error) => e.message);
  await until('the request is under way', () => held !== null);
  return { weir, port, slow, answer: () => held!.end('late') };
}

test('SIGTERM: no new connections, the request under way finishes with connection: close, idle connections end, the status is 0', async (t) => {
  const { weir, port, slow, answer } = await begin(t);
  const idle = connect(port, '127.0.0.1'), idleEnded = new Promise<void>((r) => idle.once('close', () => r()));
  idle.on('error', () => {});
  idle.resume();
  await until('it is connected', () => idle.readyState === 'open');
  idle.write('GET /x HTTP/1.1\r\nhost: x\r\n\r\n');
  await new Promise((r) => idle.once('data', r));
  weir.child.kill('SIGTERM');
  await until('the port is closed', () => new Promise<boolean>((r) => { const s = connect(port, '127.0.0.1'); s.once('error', () => r(true)); s.once('connect', () => { s.destroy(); r(false); }); }));
  assert.equal((await ask(weir.admin, '/ready')).body, 'DRAINING\n');
  await idleEnded;
  await new Promise((r) => setTimeout(r, 1500)); // longer than requests were once waited for
  assert.equal(weir.child.exitCode, null, 'it waits for the request');
  answer();
  assert.equal(await slow, '200 late close');
  assert.equal(await weir.exited, 0);
});

test('a second SIGTERM stops at once', async (t) => {
  const { weir, port, slow } = await begin(t);
  weir.child.kill('SIGTERM');
  await until('it drains', async () => (await ask(port, '/x').catch(() => null)) === null);
  const began = performance.now();
  weir.child.kill('SIGTERM');
  assert.equal(await weir.exited, 0);
  assert.ok(performance.now() - began < 2000);
  assert.match(await slow, /socket hang up|ECONNRESET/);
});

test('Ctrl-C under npm comes twice at once and is one: the request under way finishes', async (t) => {
  const { weir, port, slow, answer } = await begin(t);
  weir.child.kill('SIGINT');
  await ask(weir.admin, '/ready'); // long enough that the kernel does not make the two one
  weir.child.kill('SIGINT');
  await until('the port is closed', async () => (await ask(port, '/x').catch(() => null)) === null);
  answer();
  assert.equal(await slow, '200 late close');
  assert.equal(await weir.exited, 0);
});

test('--drain-strategy immediate and a short --drain-time-s do not wait for requests', async (t) => {
  for (const args of [['--drain-strategy', 'immediate'], ['--drain-time-s', '1']]) {
    const { weir, slow } = await begin(t, args);
    weir.child.kill('SIGTERM');
    assert.equal(await weir.exited, 0);
    assert.match(await slow, /socket hang up|ECONNRESET|^503/);
  }
});
