// Limits of the whole process: names find the same record everywhere, buckets give out exactly what they hold, from several threads too.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { SharedHold } from '../../../engine/net/shared-limits.ts';
import { SharedLimits } from '../../../engine/shm/shared-limits.ts';
import { statStore } from '../http/stream-harness.ts';

const make = (capacity = 64): { memory: SharedArrayBuffer; limits: SharedLimits } => { const memory = new SharedArrayBuffer(SharedLimits.bytes(capacity)); return { memory, limits: new SharedLimits(memory) }; };

test('a name has one record, whoever asks; a full table says so', () => {
  const { memory, limits } = make(9), other = new SharedLimits(memory);
  const records = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((n) => limits.claim(n));
  assert.equal(new Set(records).size, 8);
  assert.deepEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((n) => other.claim(n)), records);
  assert.equal(limits.claim('one too many'), -1);
});

test('a bucket is full at first, gives what it holds, and fills at its rate up to its size', () => {
  const { limits } = make(), r = limits.claim('x'), t0 = 1_790_000_000_000;
  const take = (n: number, ms: number): boolean => limits.take(r, n, 5, 0.01, t0 + ms) >= 0; // one in 100 ms
  assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => take(1, 0)), [true, true, true, true, true, false]);
  assert.ok(!take(1, 99));
  assert.ok(take(1, 100) && !take(1, 100));
  assert.ok(take(5, 10_000) && !take(1, 10_000), 'no more than its size');
  assert.ok(limits.take(r, 0, 5, 0.01, t0 + 10_250) > 2.4, 'looking takes nothing');
});

test('counts hold their limit', () => {
  const { limits } = make(), r = limits.claim('x');
  assert.deepEqual([limits.tryHold(r, 2), limits.tryHold(r, 2), limits.tryHold(r, 2), limits.held(r)], [true, true, false, 2]);
  limits.release(r, 2);
  assert.equal(limits.held(r), 0);
});

test('what a worker holds of a limit is noted in its stats; in a full table the limit holds for it alone', () => {
  const { limits } = make(2), claims: string[] = [], store = statStore(), stats = { ...store, claim: (...[schema, prefix]: Parameters<typeof store.claim>) => { claims.push(prefix); return store.claim(schema, prefix); } };
  const hold = new SharedHold(limits, stats, 'x'), record = limits.claim('x');
  assert.deepEqual([hold.tryHold(1, 5), hold.tryHold(1, 0), limits.held(record), claims, stats.column[0]], [true, false, 1, [`limit.${record}`], 1]);
  hold.release();
  assert.deepEqual([limits.held(record), stats.column[0]], [0, 0]);
  const alone = new SharedHold(limits, stats, 'one too many');
  assert.deepEqual([alone.tryHold(2, 1), alone.tryHold(2, 2)], [true, false]);
  alone.release();
  assert.deepEqual([limits.held(record), claims.length], [0, 1]);
});

test('four threads get exactly what one bucket holds', async () => {
  const { memory, limits } = make(), total = 20_000;
  const code = `import { parentPort, workerData } from 'node:worker_threads';
    const { SharedLimits } = await import(${JSON.stringify(new URL('../../../engine/shm/shared-limits.ts', import.meta.url).href)});
    const limits = new SharedLimits(workerData), r = limits.claim('contended');
    let got = 0; for (let i = 0; i < ${total}; i++) if (limits.take(r, 1, ${total}, 1e-9, 1790000000000) >= 0) got++;
    parentPort.postMessage(got);`;
  const got = await Promise.all(Array.from({ length: 4 }, () => new Promise<number>((resolve, reject) => { const w = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: memory }); w.once('message', resolve); w.once('error', reject); })));
  assert.equal(got.reduce((a, b) => a + b, 0), total);
  assert.ok(limits.take(limits.claim('contended'), 1, total, 1e-9, 1790000000000) < 0);
});
