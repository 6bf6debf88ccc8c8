// Overload actions through the whole process, driven by an injected resource.
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';

const RESOURCE = 'envoy.resource_monitors.injected_resource';

for (const transport of ['native', 'node']) test(`keep-alive ends, requests are refused, connections are rejected and let wait as the pressure grows, and all is well afterwards (${transport} transport)`, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-overload-')), file = join(dir, 'pressure');
  const press = (n: number): void => { writeFileSync(`${file}.next`, String(n)); renameSync(`${file}.next`, file); };
  press(0);
  const action = (name: string, value: number): string => `{name: envoy.overload_actions.${name}, triggers: [{name: ${RESOURCE}, threshold: {value: ${value}}}]}`;
  const top = `overload_manager: {refresh_interval: 0.02s, resource_monitors: [{name: ${RESOURCE}, typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig, filename: ${file}}}], actions: [${action('disable_http_keepalive', 0.2)}, ${action('stop_accepting_requests', 0.4)}, ${action('reject_incoming_connections', 0.6)}, ${action('stop_accepting_connections', 0.8)}, ${action('shrink_heap', 0.9)}]}`;
  const a = await httpBackend();
  const port = await freePort(), free = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }, { port: free, name: 'free', listener: 'bypass_overload_manager: true' }], [clusterYaml('a', [a.port])], top), { args: ['--transport', transport] });
  t.after(async () => { await weir.stop(); await a.stop(); rmSync(dir, { recursive: true }); });
  const active = (name: string, want: number): Promise<boolean> => until(`${name} is ${want}`, async () => (await weir.stats(`${name}.active`))[`overload.envoy.overload_actions.${name}.active`] === want);
  const keep = { headers: { connection: 'keep-alive' } };

  assert.equal((await ask(port, '/', keep)).headers['connection'], undefined);
  press(0.3); await active('disable_http_keepalive', 1);
  assert.equal((await ask(port, '/', keep)).headers['connection'], 'close');
  press(0.5); await active('stop_accepting_requests', 1);
  const refused = await ask(port, '/', keep);
  assert.deepEqual([refused.status, refused.body], [503, 'envoy overloaded']);
  press(0.7); await active('reject_incoming_connections', 1);
  await assert.rejects(ask(port, '/'));
  assert.equal((await ask(free, '/', keep)).status, 200, 'a listener that bypasses the overload manager');
  press(0.95); await active('shrink_heap', 1);
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
  assert.equal(s['overload.envoy.overload_actions.shrink_heap.shrink_count'], 1);
});
