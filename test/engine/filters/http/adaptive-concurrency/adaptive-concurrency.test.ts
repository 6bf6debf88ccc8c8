// adaptive_concurrency on a clock that the test drives: two workers' factories over the same shared memory.
import assert from 'node:assert/strict';
import test from 'node:test';
import { AdaptiveConcurrencyFactory } from '../../../../../engine/filters/http/adaptive-concurrency/filter.ts';
import { bucketOf, LatencyHistogram } from '../../../../../engine/filters/http/adaptive-concurrency/latency-histogram.ts';
import { RequestHeaders, ResponseHeaders } from '../../../../../engine/headers/headers.ts';
import { LocalReply, type HttpFilter, type StreamView } from '../../../../../engine/http/filter.ts';
import { ManualClock } from '../../../../../engine/loop/clock.ts';
import { SeededRandom } from '../../../../../engine/loop/random.ts';
import { Runtime } from '../../../../../engine/loop/runtime.ts';
import { TimerWheel } from '../../../../../engine/loop/timer-wheel.ts';
import type { WorkerEnv } from '../../../../../engine/net/worker-env.ts';
import type { AdaptiveConcurrencyPlan, GradientPlan } from '../../../../../engine/plan/adaptive-concurrency-plan.ts';
import { SharedLimits } from '../../../../../engine/shm/shared-limits.ts';
import { SharedRecords } from '../../../../../engine/shm/shared-records.ts';
import type { StatStore } from '../../../../../engine/observe/stats/stat-block.ts';
import { statStore } from '../../../http/stream-harness.ts';

const GRADIENT: GradientPlan = { percentile: 50, maxLimit: 1000, minLimit: 0, updateIntervalMs: 100, minRttIntervalMs: 10_000, fixedMinRttMs: 0, requestCount: 5, jitter: 0, minConcurrency: 3, buffer: 25 };
const S = { facts: { healthCheck: false } } as unknown as StreamView;

/** Names keep their slots, as in a worker's store. */
function namedStats(): StatStore {
  const store = statStore(), slots = new Map<string, number>();
  return { ...store, claimOne: (name, kind) => { let at = slots.get(name); if (at === undefined) slots.set(name, at = store.claimOne(name, kind)); return at; } };
}

class World {
  readonly clock = new ManualClock(); readonly runtime = new Runtime(); readonly stats = namedStats();
  private readonly memory = { limits: new SharedArrayBuffer(SharedLimits.bytes(16)), records: new SharedArrayBuffer(SharedRecords.bytes(4)) };
  private readonly wheels: TimerWheel[] = [];
  factory(gradient: Partial<GradientPlan> = {}, workerId = 0, more: Partial<AdaptiveConcurrencyPlan> = {}): AdaptiveConcurrencyFactory {
    const wheel = new TimerWheel(this.clock);
    this.wheels.push(wheel);
    const env = { clock: this.clock, wheel, runtime: this.runtime, stats: this.stats, random: new SeededRandom(1), workerId } as unknown as WorkerEnv;
    return new AdaptiveConcurrencyFactory('ac', { key: 'k', enabled: { key: 'on', on: true }, status: 503, gradient: { ...GRADIENT, ...gradient }, ...more }, env, { limits: new SharedLimits(this.memory.limits), records: new SharedRecords(this.memory.records) }, 'in');
  }
  pass(ms: number): void { for (let left = ms; left > 0; left -= 10) { this.clock.set(this.clock.nowMs() + Math.min(10, left)); for (const w of this.wheels) w.advance(); } }
  stat(name: string): number { return this.stats.column[this.stats.claimOne(`http.in.adaptive_concurrency.gradient_controller.${name}`, 'gauge')]!; }
}

function begin(f: AdaptiveConcurrencyFactory): HttpFilter | null {
  const filter = f.create(), v = filter.onRequestHeaders!(S, new RequestHeaders(), true);
  if (!(v instanceof LocalReply)) return filter;
  assert.deepEqual([v.body, v.details], ['reached concurrency limit', 'reached_concurrency_limit']);
  filter.onEnd!(S, 'complete');
  return null;
}
function answer(filter: HttpFilter): void { filter.onResponseHeaders!(S, new ResponseHeaders(), true); filter.onEnd!(S, 'complete'); }
/** `n` requests one after the other, each answered after `ms`. */
function exchange(w: World, f: AdaptiveConcurrencyFactory, n: number, ms: number): void { for (let i = 0; i < n; i++) { const x = begin(f); assert.ok(x !== null); w.pass(ms); answer(x); } }

test('the minRTT is measured with min_concurrency requests at a time, then the limit grows by the gradient and its square root', () => {
  const w = new World(), f = w.factory();
  assert.deepEqual([w.stat('min_rtt_calculation_active'), w.stat('concurrency_limit')], [1, 3]);
  const three = [begin(f)!, begin(f)!, begin(f)!];
  assert.equal(begin(f), null, 'the fourth is refused');
  assert.equal(w.stat('rq_blocked'), 1);
  w.pass(10); three.forEach(answer);
  exchange(w, f, 2, 10);
  assert.deepEqual([w.stat('min_rtt_calculation_active'), w.stat('min_rtt_msecs'), w.stat('concurrency_limit')], [0, 10, 3]);
  exchange(w, f, 1, 10);
  w.pass(100);
  // Median of one sample: the middle of its bucket, 10.5 ms; of five: also. 10.5 × 1.25 / 10.5 = 1.25; 3 × 1.25 = 3.75, + √3.75 = 5.68.
  assert.deepEqual([w.stat('gradient'), w.stat('concurrency_limit'), w.stat('burst_queue_size'), w.stat('sample_rtt_msecs')], [1250, 5, 1, 10]);
});

test('an upstream that slows down halves the limit at most each interval, down to the bottom; there the minRTT is measured anew', () => {
  const w = new World(), f = w.factory();
  exchange(w, f, 5, 10);
  for (let i = 0; i < 6; i++) { exchange(w, f, 1, 10); w.pass(100); }
  const high = w.stat('concurrency_limit');
  assert.ok(high > 20, `${high}`);
  exchange(w, f, 1, 90); w.pass(100);
  assert.equal(w.stat('gradient'), 500);
  assert.ok(w.stat('concurrency_limit') < high);
  let slow = 0;
  while (w.stat('min_rtt_calculation_active') === 0 && slow++ < 40) { exchange(w, f, 1, 90); w.pass(100); }
  assert.ok(slow >= 5 && slow < 40, `${slow}`);
  exchange(w, f, 5, 90);
  assert.deepEqual([w.stat('min_rtt_calculation_active'), w.stat('min_rtt_msecs')], [0, 90]);
});

test('the minRTT is measured again after its interval, prolonged by jitter at most', () => {
  for (const jitter of [0, 50]) {
    const w = new World(), f = w.factory({ jitter, minRttIntervalMs: 1000 });
    exchange(w, f, 5, 10);
    let at = 0;
    while (w.stat('min_rtt_calculation_active') === 0) { w.pass(10); at += 10; }
    assert.ok(jitter === 0 ? at <= 1110 && at >= 1000 : at <= 1610 && at >= 1000, `${at}`);
  }
});

test('a request let in before a measurement is no sample of it, and one that broke off is none at all', () => {
  const w = new World(), f = w.factory({ minRttIntervalMs: 1000 });
  exchange(w, f, 5, 10);
  const old = begin(f)!;
  w.pass(1200);
  assert.equal(w.stat('min_rtt_calculation_active'), 1);
  answer(old);
  exchange(w, f, 4, 20);
  for (let i = 0; i < 5; i++) begin(f)!.onEnd!(S, 'downstream-closed');
  assert.equal(w.stat('min_rtt_calculation_active'), 1);
  exchange(w, f, 1, 20);
  assert.deepEqual([w.stat('min_rtt_calculation_active'), w.stat('min_rtt_msecs')], [0, 20]);
});

test('a fixed minRTT is never measured', () => {
  const w = new World(), f = w.factory({ fixedMinRttMs: 20, minRttIntervalMs: 0 });
  assert.deepEqual([w.stat('min_rtt_calculation_active'), w.stat('min_rtt_msecs'), w.stat('concurrency_limit')], [0, 20, 3]);
  for (let i = 0; i < 8; i++) { exchange(w, f, 1, 400); w.pass(100); }
  assert.deepEqual([w.stat('min_rtt_calculation_active'), w.stat('concurrency_limit')], [0, 3]);
});

test('min_concurrency_limit bounds what is calculated, not what is measured with; max_concurrency_limit too', () => {
  const w = new World(), f = w.factory({ minLimit: 10, maxLimit: 12 });
  assert.equal(w.stat('concurrency_limit'), 3);
  exchange(w, f, 5, 10);
  exchange(w, f, 1, 10); w.pass(100);
  assert.equal(w.stat('concurrency_limit'), 10);
  for (let i = 0; i < 3; i++) { exchange(w, f, 1, 10); w.pass(100); }
  assert.equal(w.stat('concurrency_limit'), 12);
});

test('two workers share the limit, the samples and the measurement', () => {
  const w = new World(), a = w.factory(), b = w.factory({}, 1);
  const held = [begin(a)!, begin(b)!, begin(b)!];
  assert.deepEqual([begin(a), begin(b)], [null, null]);
  w.pass(10); held.forEach(answer);
  exchange(w, b, 2, 10);
  w.pass(100);
  assert.deepEqual([w.stat('min_rtt_calculation_active'), w.stat('min_rtt_msecs')], [0, 10]);
  assert.equal(a.controller.limit, b.controller.limit);
  exchange(w, b, 1, 10); w.pass(100);
  assert.equal(a.controller.limit, 5);
});

test('the same configuration again goes on where it was; another one begins anew, with the same requests outstanding', () => {
  const w = new World(), f = w.factory();
  exchange(w, f, 5, 10);
  assert.equal(w.factory().controller.measuring, false);
  begin(f);
  const other = w.factory({ requestCount: 7 });
  assert.equal(other.controller.measuring, true);
  begin(other); begin(other);
  assert.equal(begin(other), null);
});

test('the runtime switches it off and overrides its numbers', () => {
  const w = new World(), f = w.factory();
  w.runtime.install({ on: false });
  for (let i = 0; i < 10; i++) assert.ok(begin(f) !== null);
  w.runtime.install({ 'adaptive_concurrency.gradient_controller.min_rtt_aggregate_request_count': 1 });
  exchange(w, f, 1, 10);
  assert.equal(f.controller.measuring, false);
});

test('the histogram has two significant digits and interpolates in a bucket', () => {
  for (const us of [0, 1, 9, 10, 57, 99, 100, 101, 999, 1000, 13_021, 99_999, 2_000_000_000, 2 ** 31 - 1]) assert.ok(bucketOf(us) < LatencyHistogram.words - 1, `${us}`);
  assert.equal(bucketOf(13_021), bucketOf(13_999));
  assert.notEqual(bucketOf(13_999), bucketOf(14_000));
  const h = new LatencyHistogram(new SharedRecords(new SharedArrayBuffer(SharedRecords.bytes(1))).claim('x'), 16);
  assert.equal(h.quantile(0.5), 0);
  for (let us = 1000; us < 2000; us++) h.add(us);
  assert.ok(Math.abs(h.quantile(0.5) - 1500) < 2 && Math.abs(h.quantile(0.99) - 1990) < 2 && h.quantile(0) === 1000 && h.quantile(1) === 2000);
  h.clear();
  assert.equal(h.samples + h.quantile(1), 0);
});
