// The admin interface of a running process: page, pipe, allowed paths, its own log, runtime from disk, profiles, and logs on a full disk.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { httpBackend } from '../support/backend.ts';
import { bootstrapYaml, clusterYaml, fileLog } from '../support/bootstrap.ts';
import { Chromium, findChromium } from '../support/chromium.ts';
import { ask, freePort, runWeir, startWeir, until, type RunningWeir } from '../support/weir.ts';

interface Setup { readonly weir: RunningWeir; readonly port: number; readonly dir: string }
async function setUp(t: TestContext, o: { hcm?: (dir: string) => string; top?: (dir: string) => string; admin?: string; routes?: string; args?: string[] } = {}): Promise<Setup> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-admin-')), a = await httpBackend(), port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, ...(o.hcm ? { hcm: o.hcm(dir) } : {}), ...(o.routes ? { routes: o.routes } : {}) }], [clusterYaml('a', [a.port])], o.top?.(dir) ?? ''), { args: o.args ?? [], ...(o.admin ? { admin: o.admin.replaceAll('DIR', dir) } : {}) });
  t.after(async () => { await weir.stop(); await a.stop(); rmSync(dir, { recursive: true, force: true }); });
  return { weir, port, dir };
}
const file = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

test('the home page in a browser: a live look that counts, no fault in the console, nothing asked of anybody else', { skip: findChromium() === null ? 'no Chromium is installed (WEIR_CHROMIUM names one)' : false }, async (t) => {
  const { weir, port } = await setUp(t);
  const chromium = await Chromium.start(findChromium()!);
  t.after(() => chromium.stop());
  for (let i = 0; i < 5; i++) await ask(port, '/');
  await chromium.open(`http://127.0.0.1:${weir.admin}/`);
  const text = (id: string): Promise<string> => chromium.evaluate<string>(`document.getElementById('${id}')?.innerText ?? ''`);
  await until('the state is shown', async () => (await text('state')) === 'LIVE');
  assert.match(await text('listeners'), new RegExp(`^http\\s+127\\.0\\.0\\.1:${port}\\s+\\d`));
  assert.match(await text('clusters'), /^a\s+1 of 1/);
  const asking = setInterval(() => { void ask(port, '/').catch(() => undefined); }, 20);
  t.after(() => clearInterval(asking));
  await until('a rate is shown', async () => Number(/^http\s+([\d.]+)/m.exec(await text('managers'))?.[1]) > 5, 8000);
  if (process.env['WEIR_SCREENSHOT'] !== undefined) writeFileSync(process.env['WEIR_SCREENSHOT'], await chromium.screenshot());
  assert.equal(await chromium.evaluate<number>('document.querySelectorAll("form").length > 20 ? 1 : 0'), 1);
  await chromium.evaluate('document.querySelector(\'form[action="healthcheck/fail"] button\').click()');
  await until('a command of the page is obeyed', async () => (await ask(weir.admin, '/ready')).status === 503);
  assert.deepEqual(chromium.complaints, []);
  for (const url of chromium.requested) assert.ok(url.startsWith(`http://127.0.0.1:${weir.admin}/`) || url.startsWith('data:'), url);
});

test('over a unix pipe, with allowed paths, a log of its own, and counted like a listener', async (t) => {
  const { weir, dir } = await setUp(t, { admin: `{address: {pipe: {path: "DIR/admin.sock"}}, allow_paths: [{exact: /ready}, {prefix: /stats, ignore_case: true}], ${fileLog('DIR/admin.log', '%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %PROTOCOL%')}}` });
  assert.equal((await weir.admitted('/ready')).body, 'LIVE\n');
  assert.equal((await weir.admitted('/clusters')).status, 403);
  assert.equal((await weir.admitted('/STATS?x')).status, 404);
  const stats = (await weir.admitted('/stats?filter=^(http|listener).admin')).body;
  assert.match(stats, /^http\.admin\.downstream_rq_4xx: 2$/m);
  assert.match(stats, /^listener\.admin\.downstream_cx_active: 1$/m);
  await until('the log is written', () => file(join(dir, 'admin.log')).includes('GET /clusters 403 HTTP/1.1\n'));
});

test('a page of another site changes nothing', async (t) => {
  const { weir } = await setUp(t);
  assert.equal((await ask(weir.admin, '/healthcheck/fail', { method: 'POST', headers: { origin: 'http://evil.example' } })).status, 403);
  assert.equal((await ask(weir.admin, '/ready')).status, 200);
  assert.equal((await ask(weir.admin, '/healthcheck/fail', { method: 'POST', headers: { origin: `http://127.0.0.1:${weir.admin}` } })).status, 200);
  assert.equal((await ask(weir.admin, '/ready')).status, 503);
});

test('runtime from a folder: read at the start, and anew when its link is swapped, down to the routes', async (t) => {
  const write = (dir: string, version: string, share: string): void => { mkdirSync(join(dir, version, 'envoy'), { recursive: true }); writeFileSync(join(dir, version, 'envoy', 'share'), share); };
  const { weir, port, dir } = await setUp(t, {
    top: (d) => { write(d, 'v1', '0'); symlinkSync(join(d, 'v1'), join(d, 'current')); return `layered_runtime: {layers: [{name: disk, disk_layer: {symlink_root: "${d}/current", subdirectory: envoy}}, {name: admin, admin_layer: {}}]}`; },
    routes: '[{match: {prefix: "/", runtime_fraction: {default_value: {numerator: 100}, runtime_key: share}}, direct_response: {status: 201}}, {match: {prefix: "/"}, direct_response: {status: 202}}]',
  });
  assert.equal((await ask(port, '/')).status, 202);
  write(dir, 'v2', '100');
  symlinkSync(join(dir, 'v2'), join(dir, 'next'));
  renameSync(join(dir, 'next'), join(dir, 'current'));
  await until('the new values hold', async () => (await ask(port, '/')).status === 201);
  assert.equal((await weir.stats('^runtime.load_success'))['runtime.load_success'], 2);
  assert.deepEqual((JSON.parse((await ask(weir.admin, '/runtime')).body) as { entries: unknown }).entries, { share: { layer_values: ['100', ''], final_value: '100' } });
});

test('a full disk loses log lines, counts them, and harms no request', async (t) => {
  const { weir, port } = await setUp(t, { hcm: () => 'access_log: [{name: f, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/full}}]' });
  for (let i = 0; i < 20; i++) assert.equal((await ask(port, '/')).status, 200);
  await until('the loss is counted', async () => ((await weir.stats('filesystem'))['filesystem.write_failed'] ?? 0) > 0);
  assert.equal((await ask(port, '/')).status, 200);
  await until('nothing waits any more', async () => (await weir.stats('filesystem'))['filesystem.write_total_buffered'] === 0);
});

test('profiles of every thread are written beside profile_path, and a heap snapshot is one', async (t) => {
  const { weir, port, dir } = await setUp(t, { admin: '{address: {socket_address: {address: 127.0.0.1, port_value: PORT}}, profile_path: "DIR/p"}' });
  const post = (q: string): Promise<number> => ask(weir.admin, `/cpuprofiler${q}`, { method: 'POST' }).then((r) => r.status);
  assert.deepEqual([await post(''), await post('?enable=y'), await post('?enable=y')], [400, 200, 500]);
  for (let i = 0; i < 10; i++) await ask(port, '/');
  assert.equal(await post('?enable=n'), 200);
  await until('both are there', () => readdirSync(dir).filter((n) => n.endsWith('.cpuprofile')).length === 2);
  for (const n of readdirSync(dir)) if (n.endsWith('.cpuprofile')) assert.ok(Array.isArray((JSON.parse(file(join(dir, n))) as { nodes: unknown }).nodes));
  const heap = async (on: string): Promise<unknown> => { const { status, body } = await ask(weir.admin, `/heapprofiler?enable=${on}`, { method: 'POST' }); return [status, body.toString()]; };
  assert.deepEqual([await heap('n'), await heap('y'), await heap('y')], [[400, 'Fail to stop heap profiler: not started'], [200, 'Starting heap profiler'], [400, 'Fail to start heap profiler: already started']]);
  assert.deepEqual(await heap('n'), [200, `Heap profiler stopped and data written to ${dir}/p.THREAD.heapprofile`]);
  await until('heap profiles of both are there', () => readdirSync(dir).filter((n) => n.endsWith('.heapprofile')).length === 2);
  assert.ok('snapshot' in (JSON.parse((await ask(weir.admin, '/heap_dump', { timeoutMs: 60_000 })).body) as object));
});

test('application_log_config sets the form of log lines in every thread; a bad one is refused', async (t) => {
  const { weir } = await setUp(t, { top: () => 'application_log_config: {log_format: {json_format: {level: "%l", from: "%g", msg: "%j"}}}', args: ['--component-log-level', 'main:debug'] });
  await ask(weir.admin, '/logging?level=info', { method: 'POST' });
  weir.child.kill('SIGTERM');
  await weir.exited;
  const lines = weir.log.split('\n').filter((l) => l.startsWith('{')).map((l) => JSON.parse(l) as { level: string; from: string; msg: string });
  assert.ok(lines.some((l) => l.from === 'control' && l.level === 'info' && l.msg.startsWith('shutting down')), weir.log);
  const bad = await runWeir(['--mode', 'validate', '--config-yaml', '{application_log_config: {log_format: {json_format: {m: "%v"}}}}']);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /Usage of %v is unavailable for JSON log formats/);
});
