// Overload action reset_high_memory_stream through the whole process: what the real Envoy 1.40 does with streams that hold much (RST_STREAM, flags, details, counters).
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { bootstrapYaml, clusterYaml, fileLog } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { replaceFile } from '../support/replace-file.ts';
import { freePort, startWeir, TRANSPORTS, until } from '../support/weir.ts';

/** Bytes of an answer of which more wait here than of a small one. */
const LARGE = 140_000;
const ACTION = 'envoy.overload_actions.reset_high_memory_stream';

for (const transport of TRANSPORTS) test(`a slow reader and a large kept request are reset as the pressure grows, smaller streams live (${transport} transport)`, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-memory-')), file = join(dir, 'pressure'), logFile = join(dir, 'log');
  const press = (n: number): void => replaceFile(file, String(n));
  press(0);
  const cut = new Set<string>();
  // '/N' answers N bytes; '/hold' takes a body and never answers.
  const a = await httpBackend('a', (req, res) => {
    res.on('close', () => { if (!res.writableFinished) cut.add(req.url!); });
    if (req.url === '/hold') { req.resume(); return; }
    const size = Number(req.url!.slice(1));
    res.writeHead(200, { 'content-length': size });
    // Of the largest as much as of the large one, so that both hold the same however the bytes are cut.
    if (size > LARGE) res.write(Buffer.alloc(LARGE)); else res.end(Buffer.alloc(size));
  });
  const port = await freePort();
  const top = `overload_manager: {refresh_interval: 0.02s, buffer_factory_config: {minimum_account_to_track_power_of_two: 10}, resource_monitors: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig, filename: ${file}}}], actions: [{name: ${ACTION}, triggers: [{name: r, scaled: {scaling_threshold: 0.5, saturation_threshold: 0.9}}]}]}`;
  const log = fileLog(logFile, '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%');
  const weir = await startWeir(bootstrapYaml([{ port, hcm: log, routes: '[{match: {prefix: "/"}, route: {cluster: a, retry_policy: {retry_on: 5xx}}}]' }], [clusterYaml('a', [a.port])], top), { args: ['--transport', transport], concurrency: 1 });
  const session = connect(`http://127.0.0.1:${port}`);
  t.after(async () => { session.destroy(); await weir.stop(); await a.stop(); rmSync(dir, { recursive: true }); });
  session.on('error', () => { /* the streams tell */ });

  // Nobody reads: 65,535 bytes of each answer come, the rest waits in the proxy.
  const open = async (path: string, body: Buffer | null = null) => {
    const s = session.request({ ':path': path, ':method': body === null ? 'GET' : 'POST' }, { endStream: body === null });
    s.on('error', () => { /* told by rstCode */ });
    if (body !== null) { s.write(body); return s; }
    await new Promise((r) => s.once('response', r));
    return s;
  };
  const counted = async (count: number): Promise<unknown> => until(`${count} are reset`, async () => (await weir.stats(ACTION))[`${ACTION}.count`] === count);
  const big = await open('/30000000'), whole = await open(`/${LARGE}`), small = await open('/80000'), kept = await open('/hold', Buffer.alloc(40_000));
  await until('the requests are there', async () => a.seen.length === 4);
  const bytes = async (what: string): Promise<number> => (await weir.stats(what))[what] ?? 0;
  await until('answers wait here', async () => await bytes('cluster.a.upstream_cx_rx_bytes_total') > 2 * LARGE + 80_000 && await bytes('http.http.downstream_cx_rx_bytes_total') > 40_000);
  await counted(0);

  // One class. An answer that came whole from the upstream waits for its reader like one that did not.
  press(0.51); await counted(2);
  await until('the large ones are closed', () => big.closed && whole.closed);
  assert.deepEqual([big.rstCode, whole.rstCode], [2, 2], 'INTERNAL_ERROR, as Envoy');
  assert.deepEqual([small.closed, kept.closed], [false, false]);

  // Two classes: the kept body of a request counts as well.
  press(0.56); await counted(3);
  await until('the kept one is closed', () => kept.closed);
  assert.equal(kept.rstCode, 2);
  let read = 0;
  small.on('data', (b: Buffer) => { read += b.length; });
  await until('the small one is whole', () => small.closed);
  assert.deepEqual([read, small.rstCode], [80_000, 0]);

  press(0);
  await until('their upstream requests are cut', () => cut.has('/30000000') && cut.has('/hold'));
  const stats = await weir.stats('');
  assert.deepEqual(['http.http.downstream_rq_rx_reset', 'http.http.downstream_rq_tx_reset', 'http2.tx_reset', 'http.http.downstream_rq_active'].map((n) => stats[n] ?? 0), [3, 0, 3, 0]);
  await until('four lines', () => readFileSync(logFile, 'utf8').split('\n').length === 5);
  assert.deepEqual(readFileSync(logFile, 'utf8').trim().split('\n').sort(), ['/140000 200 OM overload', '/30000000 200 OM overload', '/80000 200 - via_upstream', '/hold 0 OM overload']);
});
