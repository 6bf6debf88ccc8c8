// The first thing anybody does: `npm start`, and the command line.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { ask, runWeir, transportArgs, until } from '../support/weir.ts';

const root = new URL('../..', import.meta.url).pathname;

test('the sample answers from both backends, says what to curl, and drains on Ctrl-C', async (t) => {
  // As npm does it: a shell runs the script, and a signal to npm goes to that shell alone, which must have made way for Weir.
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: { start: string } };
  const child = spawn('sh', ['-c', `${scripts.start} --concurrency 2 ${transportArgs().join(' ')}`], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.on('data', (b: Buffer) => { out += b; });
  child.stderr.on('data', (b: Buffer) => { out += b; });
  await until(`ready: ${out}`, async () => (await ask(9901, '/ready').catch(() => null))?.status === 200, 15_000);
  const bodies = new Set<string>();
  for (let i = 0; i < 20; i++) bodies.add((await ask(10000, '/')).body);
  assert.deepEqual([...bodies].sort(), ['hello from backend 1\n', 'hello from backend 2\n']);
  assert.equal((await ask(10000, '/hello')).body, 'hello from the proxy itself\n');
  assert.match(out, /curl .*127\.0\.0\.1:10000/);
  const exited = new Promise((r) => child.once('exit', (code) => r(code)));
  child.kill('SIGINT');
  assert.equal(await exited, 0);
});

test('an unknown flag is refused, and no configuration is an error as in Envoy', async () => {
  const unknown = await runWeir(['--no-such-flag']);
  assert.notEqual(unknown.code, 0);
  assert.match(unknown.stderr + unknown.stdout, /no-such-flag/);
  const none = await runWeir([]);
  assert.equal(none.code, 1);
  assert.match(none.stderr + none.stdout, /At least one of --config-path or --config-yaml/);
});

test('--mode validate says OK or every error with its place, with the exit status', async () => {
  const good = await runWeir(['--mode', 'validate', '-c', 'workers/sample.yaml']);
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout + good.stderr, /configuration 'workers\/sample\.yaml' OK/);
  const bad = await runWeir(['--mode', 'validate', '--config-yaml', 'static_resources: {listenerz: [], clusters: [{name: x, typ: STATIC}]}']);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr + bad.stdout, /listenerz.*did you mean 'listeners'/);
  assert.match(bad.stderr + bad.stdout, /typ\b.*did you mean 'type'/);
});
