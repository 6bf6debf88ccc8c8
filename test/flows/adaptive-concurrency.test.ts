// adaptive_concurrency through the whole process: two workers, one limit, a backend that becomes slower.
import assert from 'node:assert/strict';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { httpBackend } from '../support/backend.ts';
import { ask, freePort, startWeir, until } from '../support/weir.ts';

const PREFIX = 'http.http.adaptive_concurrency.gradient_controller.';
const FILTER = (fields: string): string => `- {name: envoy.filters.http.adaptive_concurrency, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency, ${fields}}}`;

test('as a backend slows down the process lets less requests at it at once, whatever worker they come to, and more again when it has recovered', async (t) => {
  let delayMs = 5, busy = 0, most = 0;
  const a = await httpBackend('a', (_req, res) => { busy++; most = Math.max(most, busy); setTimeout(() => { busy--; res.end('ok'); }, delayMs); });
  const port = await freePort();
  const yaml = bootstrapYaml([{ port }], [clusterYaml('a', [a.port])]).replace('http_filters:\n', (m) => `${m}          ${FILTER('gradient_controller_config: {concurrency_limit_params: {concurrency_update_interval: 0.05s, max_concurrency_limit: 40}, min_rtt_calc_params: {interval: 60s, request_count: 10, min_concurrency: 4}}, concurrency_limit_exceeded_status: {code: TooManyRequests}')}\n`);
  const weir = await startWeir(yaml, { concurrency: 2 });
  t.after(async () => { await weir.stop(); await a.stop(); });
  const limit = async (): Promise<number> => (await weir.stats(PREFIX))[`${PREFIX}concurrency_limit`]!;
  const burst = async (n: number): Promise<number[]> => (await Promise.all(Array.from({ length: n }, () => ask(port, '/')))).map((r) => r.status);

  const first = await burst(20);
  assert.ok(most <= 4, `${most} at once while the minRTT is measured`);
  assert.ok(first.includes(200) && first.includes(429) && first.every((s) => s === 200 || s === 429), `${first.join()}`);
  await until('the minRTT is measured', async () => { await burst(4); return (await weir.stats(PREFIX))[`${PREFIX}min_rtt_calculation_active`] === 0; });
  await until('the limit has grown', async () => { await burst(4); return await limit() >= 25; });

  delayMs = 250;
  await until('the limit has shrunk', async () => { await burst(4); return await limit() <= 8; });
  most = 0;
  await burst(30);
  assert.ok(most <= 10, `${most} at once at the slow backend`);
  assert.ok((await weir.stats(PREFIX))[`${PREFIX}rq_blocked`]! > 10);

  delayMs = 1;
  await until('the limit has grown again', async () => { await burst(4); return await limit() >= 15; }, 20_000);
});
