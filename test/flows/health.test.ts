// Health checks and outlier detection through the whole process: backends that fail and recover, two workers.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecure, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { certificates } from '../support/certificates.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';

const PANIC_OFF = 'common_lb_config: {healthy_panic_threshold: {value: 0}}';

test('a backend that fails its checks gets nothing until it passes again; the listener waits for the first round of checks', async (t) => {
  let good = false, checks = 0;
  const a = await httpBackend('a', (req, res) => { if (req.url === '/hc') { checks++; res.statusCode = good ? 200 : 503; } res.end('a'); });
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'weir-health-')), events = join(dir, 'events.log');
  const check = `health_checks: [{timeout: 1s, interval: 0.05s, no_traffic_interval: 0.05s, unhealthy_threshold: 2, healthy_threshold: 1, http_health_check: {path: /hc}, event_logger: [{name: file, typed_config: {"@type": type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink, event_log_path: ${events}}}]}], ${PANIC_OFF}`;
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [a.port], check)]), { concurrency: 2 });
  t.after(async () => { await weir.stop(); await a.stop(); rmSync(dir, { recursive: true }); });
  assert.ok(checks > 0, 'checked before it was ready');
  assert.deepEqual([(await ask(port, '/')).status, (await ask(port, '/')).body], [503, 'no healthy upstream']);
  good = true;
  await until('it is let in', async () => (await weir.stats('membership_healthy'))['cluster.a.membership_healthy'] === 1);
  assert.equal((await ask(port, '/')).body, 'a');
  good = false;
  await until('it is taken out', async () => (await ask(port, '/')).status === 503);
  const log = readFileSync(events, 'utf8');
  assert.match(log, /"health_check_failure_event":\{"failure_type":"ACTIVE","http_status_code":503,"first_check":true\}/);
  assert.match(log, /"add_healthy_event":\{"first_check":false\}/);
  assert.match(log, /"eject_unhealthy_event":\{"failure_type":"ACTIVE","http_status_code":503\}/);
});

test('an ejection by the failures of both workers is seen by both at their next pick', async (t) => {
  const bad = await httpBackend('bad', (_req, res) => { res.statusCode = 500; res.end('bad'); });
  const good = await httpBackend('good', (_req, res) => res.end('good'));
  const port = await freePort();
  const outlier = `outlier_detection: {consecutive_5xx: 6, interval: 60s, max_ejection_percent: 50, enforcing_success_rate: 0}, lb_policy: RANDOM, ${PANIC_OFF}`;
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [bad.port, good.port], outlier)]), { concurrency: 2 });
  t.after(async () => { await weir.stop(); await bad.stop(); await good.stop(); });
  await until('it is ejected', async () => { await Promise.all(Array.from({ length: 8 }, () => ask(port, '/'))); return (await weir.stats('ejections_active'))['cluster.a.outlier_detection.ejections_active'] === 1; });
  const before = bad.seen.length;
  for (let i = 0; i < 40; i++) assert.equal((await ask(port, '/')).body, 'good');
  assert.equal(bad.seen.length, before);
});

test('x-envoy-immediate-health-check-fail takes a backend out at once', async (t) => {
  const server = createServer((req, res) => { if (req.url === '/out') res.setHeader('x-envoy-immediate-health-check-fail', 'true'); res.end('ok'); });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  const port = await freePort();
  const check = `health_checks: [{timeout: 1s, interval: 30s, unhealthy_threshold: 5, healthy_threshold: 1, tcp_health_check: {}}], ${PANIC_OFF}`;
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [(server.address() as { port: number }).port], check)]));
  t.after(async () => { await weir.stop(); server.closeAllConnections(); server.close(); });
  assert.equal((await ask(port, '/')).status, 200);
  assert.equal((await ask(port, '/out')).status, 200);
  await until('it is out', async () => (await ask(port, '/')).status === 503);
  assert.equal((await weir.stats('passive_failure'))['cluster.a.health_check.passive_failure'], 1);
});

test('/healthcheck/fail ends kept connections with their next answer, and the health_check filter says 503', async (t) => {
  const a = await httpBackend('a', (_req, res) => res.end('a'));
  const port = await freePort();
  const filter = '{name: hc, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck, pass_through_mode: false, headers: [{name: ":path", string_match: {exact: /own}}]}}';
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [a.port])]).replace('http_filters:', `http_filters:\n          - ${filter}`));
  t.after(async () => { await weir.stop(); await a.stop(); });
  const keep = { headers: { connection: 'keep-alive' } };
  assert.equal((await ask(port, '/', keep)).headers['connection'], undefined);
  assert.equal((await ask(port, '/own')).status, 200);
  await ask(weir.admin, '/healthcheck/fail', { method: 'POST' });
  const failed = await ask(port, '/', keep);
  assert.deepEqual([failed.headers['connection'], failed.headers['x-envoy-immediate-health-check-fail']], ['close', 'true']);
  assert.equal((await ask(port, '/own')).status, 503);
  await ask(weir.admin, '/healthcheck/ok', { method: 'POST' });
  assert.equal((await ask(port, '/own')).status, 200);
});

test('checks of a TLS cluster are made over TLS, with its validation; a backend of another authority stays out', async (t) => {
  const { ca, server, stranger } = certificates();
  const listen = (pair: { cert: string; key: string }): Promise<Server> => new Promise((r) => { const s = createSecure(pair, (_req, res) => res.end('secure')); s.listen(0, '127.0.0.1', () => r(s)); });
  const good = await listen(server), bad = await listen(stranger);
  const of = (s: Server): number => (s.address() as { port: number }).port;
  const tls = `transport_socket: {name: tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: {validation_context: {trusted_ca: {filename: ${ca.certFile}}}}}}`;
  const check = `${tls}, ${PANIC_OFF}, health_checks: [{timeout: 1s, interval: 30s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: /hc}}]`;
  const port = await freePort();
  const weir = await startWeir(bootstrapYaml([{ port }], [clusterYaml('a', [of(good), of(bad)], check)]));
  t.after(async () => { await weir.stop(); for (const s of [good, bad]) { s.closeAllConnections(); s.close(); } });
  assert.deepEqual(await weir.stats('membership_healthy|network_failure'), { 'cluster.a.health_check.network_failure': 1, 'cluster.a.membership_healthy': 1 });
  for (let i = 0; i < 5; i++) assert.equal((await ask(port, '/')).body, 'secure');
});
