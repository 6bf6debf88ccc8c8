// Runs alone: it measures time or load.
// Backends that refuse, hang, break off at every point, speak garbage or trickle: what the client sees without a policy, that a retry policy hides what it can, and that
// nothing is left behind. The expected statuses, flags and details are the real Envoy's: WEIR_CHAOS=envoy runs the same table through it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { bootstrapYaml, clusterYaml, fileLog } from '../support/bootstrap.ts';
import { ChaosBackend } from '../support/chaos-backend.ts';
import { scratch, startEither } from '../support/either.ts';
import { ask, freePort, until } from '../support/weir.ts';

const LOG = (file: string): string => fileLog(file, '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%');

interface Proxy { readonly port: number; readonly log: () => string[]; readonly stats: (filter: string) => Promise<Record<string, number>> }

/** Weir, or the real Envoy, in front of `clusters`. */
async function start(t: TestContext, clusters: readonly string[], route: string, hcm = ''): Promise<Proxy> {
  const dir = scratch(t), file = join(dir, 'access.log'), port = await freePort();
  const config = bootstrapYaml([{ port, hcm: `${LOG(file)}\n${hcm}`, routes: `[{match: {prefix: "/"}, route: {cluster: a, ${route}}}]` }], clusters);
  const log = (): string[] => { try { return readFileSync(file, 'utf8').split('\n').filter(Boolean); } catch { return []; } };
  const { stats } = await startEither(t, config);
  return { port, log, stats };
}

async function backend(t: TestContext): Promise<ChaosBackend> { const b = await new ChaosBackend().start(); t.after(() => b.stop()); return b; }
const status = async (port: number, path: string): Promise<string> => ask(port, path, { timeoutMs: 3000 }).then((r) => `${r.status} ${r.body.length < 10 ? r.body : '…'}`, (e: Error) => `broken: ${e.message}`);

/** path → what the client gets, and the line in the access log. */
const ALONE: readonly (readonly [string, RegExp, string])[] = [
  ['/ok', /^200 ok$/, '200 - via_upstream'],
  ['/hang', /^504 /, '504 UT response_timeout'],
  ['/close', /^503 /, '503 UC upstream_reset_before_response_started{connection_termination}'],
  ['/reset', /^503 /, '503 UC upstream_reset_before_response_started{connection_termination}'],
  ['/reset-head', /^502 /, '502 UPE upstream_reset_before_response_started{protocol_error}'],
  ['/reset-body', /^broken/, '200 UPE upstream_reset_after_response_started{protocol_error}'],
  ['/close-body', /^broken/, '200 UPE upstream_reset_after_response_started{protocol_error}'],
  ['/close-chunk', /^broken/, '200 UPE upstream_reset_after_response_started{protocol_error}'],
  ['/garbage', /^502 /, '502 UPE upstream_reset_before_response_started{protocol_error}'],
  ['/huge-head', /^502 /, '502 UPE upstream_reset_before_response_started{protocol_error}'],
  ['/two-lengths', /^502 /, '502 UPE upstream_reset_before_response_started{protocol_error}'],
  ['/bad-chunk', /^broken/, '200 UPE upstream_reset_after_response_started{protocol_error}'],
  ['/extra', /^200 ok$/, '200 - via_upstream'],
  ['/slow-head', /^504 /, '504 UT response_timeout'],
  ['/slow-body', /^broken/, '200 UT response_timeout'],
];

test('each fault of a backend without any policy: its status, flag and details; nothing is left behind', async (t) => {
  const b = await backend(t);
  const p = await start(t, [clusterYaml('a', [b.port])], 'timeout: 0.5s');
  const got: string[] = [], wanted: string[] = [];
  for (const [path, client, line] of ALONE) {
    const n = p.log().length, seen = await status(p.port, path);
    await until(`a line for ${path}`, () => p.log().length > n);
    got.push(`${path}: ${client.test(seen) ? 'as wanted' : seen} | ${p.log().at(-1)!.split(' ').slice(1).join(' ')}`);
    wanted.push(`${path}: as wanted | ${line}`);
  }
  assert.deepEqual(got, wanted);
  assert.equal(await status(p.port, '/ok'), '200 ok', 'it still serves');
  await until('no request is under way', async () => Object.entries(await p.stats('^(http.http|cluster.a).(upstream_rq|downstream_rq|upstream_rq_pending)_active$')).every(([, n]) => n === 0));
  assert.equal((await p.stats('cluster.a.circuit_breakers.default.rq_open'))['cluster.a.circuit_breakers.default.rq_open'], 0);
});

test('a backend that answers twice never gives the second answer to another request', async (t) => {
  const b = await backend(t);
  const p = await start(t, [clusterYaml('a', [b.port])], 'timeout: 1s');
  for (let i = 0; i < 20; i++) { assert.equal(await status(p.port, '/extra'), '200 ok'); assert.equal(await status(p.port, '/ok'), '200 ok'); }
});

const BEFORE_THE_ANSWER = ['/close', '/reset', '/reset-head', '/garbage', '/huge-head', '/two-lengths', '/hang', '/slow-head'];

test('with retries to another host, whatever breaks before the answer costs the client nothing', async (t) => {
  const bad = await backend(t);
  const good = await import('../support/restartable.ts').then((m) => new m.RestartableBackend('good').start());
  t.after(() => good.kill());
  const retry = 'timeout: 3s, retry_policy: {retry_on: "connect-failure,reset,5xx", num_retries: 2, per_try_timeout: 0.3s, retry_back_off: {base_interval: 0.005s}, host_selection_retry_max_attempts: 10, retry_host_predicate: [{name: p, typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]}';
  const p = await start(t, [clusterYaml('a', [bad.port, good.port])], retry);
  for (const path of BEFORE_THE_ANSWER) for (let i = 0; i < 6; i++) assert.equal(await status(p.port, path), '200 good', `${path}, time ${i}`);
});

test('a refused connection is retried elsewhere; without a policy it is 503 UF', async (t) => {
  const dead = await freePort(), b = await backend(t);
  const alone = await start(t, [clusterYaml('a', [dead])], 'timeout: 1s');
  assert.match(await status(alone.port, '/'), /^503 /);
  await until('a line', () => alone.log().length > 0);
  assert.match(alone.log()[0]!, /^\/ 503 UF upstream_reset_before_response_started\{remote_connection_failure\|delayed_connect_error:_/);
  const both = await start(t, [clusterYaml('a', [dead, b.port])], 'timeout: 1s, retry_policy: {retry_on: "connect-failure", num_retries: 3, retry_back_off: {base_interval: 0.001s}, host_selection_retry_max_attempts: 10, retry_host_predicate: [{name: p, typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]}');
  for (let i = 0; i < 10; i++) assert.equal(await status(both.port, '/ok'), '200 ok');
});

test('clients that trickle their head, half-close, or go away are ended by the clock that is there for it, and counted', async (t) => {
  const b = await backend(t);
  const p = await start(t, [clusterYaml('a', [b.port])], 'timeout: 1s', 'request_headers_timeout: 0.3s\nstream_idle_timeout: 0.6s');
  const talk = (send: string, more: (s: import('node:net').Socket) => void): Promise<string> => new Promise((resolve) => {
    let text = '';
    const s = connect(p.port, '127.0.0.1', () => { s.write(send); more(s); });
    s.on('data', (d: Buffer) => { text += d.toString('latin1'); });
    s.on('error', () => {});
    s.on('close', () => resolve(text));
    setTimeout(() => s.destroy(), 4000).unref();
  });
  assert.match(await talk('GET / HTTP/1.1\r\nho', () => {}), /^HTTP\/1\.1 408 /, 'slow loris');
  assert.match(await talk('POST /ok HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc', () => {}), /^HTTP\/1\.1 (408|504|200) /, 'slow body');
  await talk('GET /hang HTTP/1.1\r\nhost: x\r\n\r\n', (s) => setTimeout(() => s.destroy(), 100));
  await until('the client that left is logged', () => p.log().some((l) => l.startsWith('/hang 0 DC ')));
  await until('nothing is under way', async () => Object.entries(await p.stats('^(http.http|cluster.a).(down|up)stream_rq_active$')).every(([, n]) => n === 0));
});
