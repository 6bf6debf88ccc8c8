// Overload actions through the whole process, driven by an injected resource.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { bootstrapYaml, certificateFiles, clusterYaml, downstreamTls, fileLog } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { certificates } from '../support/certificates.ts';
import { scratch, startEither } from '../support/either.ts';
import { RawH2 } from '../support/h2-wire.ts';
import { ask as lines2 } from '../engine/codec/h2/wire.ts';
import { replaceFile } from '../support/replace-file.ts';
import { ask, freePort, startWeir, TRANSPORTS, until } from '../support/weir.ts';

const RESOURCE = 'envoy.resource_monitors.injected_resource';

for (const transport of TRANSPORTS) test(`keep-alive ends, requests are refused, connections are rejected and let wait as the pressure grows, and all is well afterwards (${transport} transport)`, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-overload-')), file = join(dir, 'pressure');
  const press = (n: number): void => replaceFile(file, String(n));
  press(0);
  const action = (name: string, value: number): string => `{name: envoy.overload_actions.${name}, triggers: [{name: ${RESOURCE}, threshold: {value: ${value}}}]}`;
  const top = `overload_manager: {refresh_interval: 0.02s, resource_monitors: [{name: ${RESOURCE}, typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig, filename: ${file}}}], actions: [${action('disable_http_keepalive', 0.2)}, ${action('stop_accepting_requests', 0.4)}, ${action('reject_incoming_connections', 0.6)}, ${action('stop_accepting_connections', 0.8)}, {name: envoy.overload_actions.shrink_heap, typed_config: {"@type": type.googleapis.com/envoy.config.overload.v3.ShrinkHeapConfig, timer_interval: 1s}, triggers: [{name: ${RESOURCE}, threshold: {value: 0.9}}]}]}`;
  const a = await httpBackend();
  const port = await freePort(), free = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port, hcm: 'append_local_overload: true' }, { port: free, name: 'free', listener: 'bypass_overload_manager: true' }], [clusterYaml('a', [a.port])], top), { args: ['--transport', transport] });
  t.after(async () => { await weir.stop(); await a.stop(); rmSync(dir, { recursive: true }); });
  const active = (name: string, want: number): Promise<boolean> => until(`${name} is ${want}`, async () => (await weir.stats(`${name}.active`))[`overload.envoy.overload_actions.${name}.active`] === want);
  const keep = { headers: { connection: 'keep-alive' } };

  assert.equal((await ask(port, '/', keep)).headers['connection'], undefined);
  press(0.3); await active('disable_http_keepalive', 1);
  assert.equal((await ask(port, '/', keep)).headers['connection'], 'close');
  press(0.5); await active('stop_accepting_requests', 1);
  const refused = await ask(port, '/', keep);
  assert.deepEqual([refused.status, refused.body, refused.headers['x-envoy-local-overloaded']], [503, 'envoy overloaded', 'true']);
  press(0.7); await active('reject_incoming_connections', 1);
  await assert.rejects(ask(port, '/'));
  assert.equal((await ask(free, '/', keep)).status, 200, 'a listener that bypasses the overload manager');
  press(0.95); await active('shrink_heap', 1);
  await until('the heap is shrunk', async () => (await weir.stats('shrink_count'))['overload.envoy.overload_actions.shrink_heap.shrink_count']! >= 1);
  // It is connected; nobody answers until the pressure falls.
  const waiting = connect(port, '127.0.0.1');
  await new Promise((r) => waiting.once('connect', r));
  waiting.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  press(0); await active('stop_accepting_connections', 0);
  const [first] = await new Promise<Buffer[]>((r) => waiting.once('data', (b: Buffer) => r([b])));
  assert.match(first!.toString(), /^HTTP\/1.1 200/);
  waiting.destroy();
  assert.equal((await ask(port, '/')).status, 200);
  const s = await weir.stats('overload');
  assert.ok(s['http.http.downstream_cx_overload_disable_keepalive']! >= 1 && s['http.http.downstream_rq_overload_close']! >= 1);
});

// WEIR_CHAOS=envoy runs it through the real Envoy, where it passes as well.
test('reduce_timeouts ends handshakes and answers that nobody takes; close_idle_http_connections closes no TCP connection', async (t) => {
  const dir = scratch(t), file = join(dir, 'pressure'), log = join(dir, 'log');
  const press = (n: number): void => replaceFile(file, String(n));
  press(0);
  const OVERLOAD = 'type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig';
  const top = `overload_manager: {refresh_interval: 0.02s, resource_monitors: [{name: ${RESOURCE}, typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig, filename: ${file}}}], actions: [
    {name: envoy.overload_actions.close_idle_http_connections, triggers: [{name: ${RESOURCE}, threshold: {value: 0.3}}]},
    {name: envoy.overload_actions.reduce_timeouts, triggers: [{name: ${RESOURCE}, threshold: {value: 0.6}}], typed_config: {"@type": ${OVERLOAD}, timer_scale_factors: [{timer: HTTP_DOWNSTREAM_STREAM_FLUSH, min_timeout: 0.05s}, {timer: TRANSPORT_SOCKET_CONNECT, min_scale: {value: 0.2}}]}}]}`;
  const a = await httpBackend('a', (_q, res) => { res.end('x'.repeat(1000)); });
  const port = await freePort(), tls = await freePort();
  const yaml = bootstrapYaml([
    // Timers shrink where the overload manager is bypassed as well.
    { port, listener: 'bypass_overload_manager: true', routes: '[{match: {path: /short}, route: {cluster: a, flush_timeout: 0.05s}}, {match: {prefix: "/"}, route: {cluster: a, idle_timeout: 0.05s}}]', hcm: `stream_flush_timeout: 60s\n${fileLog(log, '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_SENT%')}` },
    { port: tls, name: 'tls', chain: `transport_socket_connect_timeout: 30s\n${downstreamTls(certificateFiles(certificates().server))}` },
  ], [clusterYaml('a', [a.port])], top);
  const p = await startEither(t, yaml);
  const clients: RawH2[] = [], silent = connect(tls, '127.0.0.1').on('error', () => { /* told by close */ });
  t.after(async () => { for (const c of clients) c.stop(); silent.destroy(); await a.stop(); });
  let over = false;
  silent.on('close', () => { over = true; });
  /** A client that takes ten bytes of an answer. */
  const tenBytes = async (path: string): Promise<RawH2> => {
    const c = await RawH2.open(port, [4, 10]);
    clients.push(c);
    c.send(c.heads.headers(1, lines2(path), true));
    await until('ten bytes', () => c.lines.includes(`DATA 1 ${'x'.repeat(10)}`));
    return c;
  };
  const short = await tenBytes('/short');
  await until('the route has its own flush timeout', () => short.lines.at(-1) === 'RST 1 2');
  const slow = await tenBytes('/slow');
  press(0.4);
  await until('close_idle_http_connections is at work', async () => (await p.stats('close_idle'))['overload.envoy.overload_actions.close_idle_http_connections.active'] === 1);
  await new Promise((r) => setTimeout(r, 60));
  assert.deepEqual([slow.lines.at(-1), short.closed, short.lines.at(-1), over], [`DATA 1 ${'x'.repeat(10)}`, false, 'RST 1 2', false], "the route's idle timeout is not the flush's");
  press(0.7);
  await until('the answer is given up', () => slow.lines.at(-1) === 'RST 1 2', 2000);
  for (const want of ['/short 200 - via_upstream 1000', '/slow 200 - via_upstream 1000']) await until(`the log says ${want}`, () => readFileSync(log, 'latin1').split('\n').includes(want));
  const s = await p.stats('tx_flush_timeout|http.http.downstream_rq_(rx_reset|tx_reset|active|idle_timeout)');
  assert.deepEqual(s, { 'http.http.downstream_rq_active': 0, 'http.http.downstream_rq_idle_timeout': 0, 'http.http.downstream_rq_rx_reset': 0, 'http.http.downstream_rq_tx_reset': 0, 'http2.tx_flush_timeout': 2 });
  await until('the handshake is given up', () => over, 4000);
  assert.equal((await p.stats('socket_connect_timeout'))[`listener.127.0.0.1_${tls}.downstream_cx_transport_socket_connect_timeout`], 1);
});
