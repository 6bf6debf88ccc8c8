// What holds for the whole process, with real threads on shared memory.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { CircuitTable } from '../../../engine/shm/circuit-table.ts';
import { HostTable } from '../../../engine/shm/host-table.ts';
import type { UpstreamJob } from './upstream-thread.ts';

function all<T>(jobs: readonly UpstreamJob[]): Promise<T[]> {
  return Promise.all(jobs.map((job) => new Promise<T>((done, fail) => {
    const w = new Worker(new URL('./upstream-thread.ts', import.meta.url), { workerData: job });
    w.once('message', done);
    w.once('error', fail);
  })));
}

for (const threads of [2, 8]) {
  test(`circuit breakers and per-host limits are never one over, with ${threads} threads`, async () => {
    const circuits = new SharedArrayBuffer(CircuitTable.bytes(1)), hosts = new SharedArrayBuffer(HostTable.bytes(1)), check = new SharedArrayBuffer(8), limit = threads - 1;
    new CircuitTable(circuits).setLimits(0, [1, 1, limit, 1, 1]);
    const seen = await all<readonly [number, number]>(Array.from({ length: threads }, () => ({ job: 'limits' as const, circuits, hosts, check, limit, rounds: 400_000 / threads })));
    for (const [most, mostHost] of seen) assert.ok(most <= limit && mostHost <= limit, JSON.stringify(seen));
    assert.deepEqual([new CircuitTable(circuits).value(0, 2), new HostTable(hosts).connections(0)], [0, 0]);
  });
}

test('least request over 8 threads keeps the hosts as even as with one; by each thread\'s own counts it would not', async (t) => {
  const count = 20, outstanding = 160, spread = async (threads: number, own: boolean): Promise<number> => {
    const hosts = new SharedArrayBuffer(HostTable.bytes(count)), barrier = new SharedArrayBuffer(4);
    const means = await all<number>(Array.from({ length: threads }, (_, i) => ({ job: 'least-request' as const, hosts, count, outstanding: outstanding / threads, rounds: 80_000 / threads, own, seed: i + 1, barrier, threads, total: outstanding }))), seen = means.filter((m) => m >= 0);
    return seen.reduce((a, b) => a + b, 0) / seen.length;
  };
  const one = await spread(1, false), eight = await spread(8, false), apart = await spread(8, true);
  t.diagnostic(`busiest less least busy of ${count} hosts at ${outstanding} requests: 1 thread ${one.toFixed(2)}, 8 threads ${eight.toFixed(2)}, 8 threads each by its own counts ${apart.toFixed(2)}`);
  assert.ok(eight < one * 1.25 + 0.5, `${eight} against ${one}`);
  assert.ok(apart > eight * 1.03, `${apart} against ${eight}`);
});
