// admission_control over the stream harness, with time and chance in the test's hands.
import assert from 'node:assert/strict';
import test from 'node:test';
import { AdmissionControlFactory } from '../../../../../engine/filters/http/admission-control/filter.ts';
import { SuccessWindow } from '../../../../../engine/filters/http/admission-control/success-window.ts';
import { RequestHeaders, ResponseHeaders } from '../../../../../engine/headers/headers.ts';
import { LocalReply, type StreamView } from '../../../../../engine/http/filter.ts';
import { ManualClock } from '../../../../../engine/loop/clock.ts';
import { SeededRandom } from '../../../../../engine/loop/random.ts';
import { Runtime } from '../../../../../engine/loop/runtime.ts';
import type { WorkerEnv } from '../../../../../engine/net/worker-env.ts';
import type { AdmissionControlPlan } from '../../../../../engine/plan/admission-control-plan.ts';
import { statStore } from '../../../http/stream-harness.ts';

const number = (value: number): { key: string; value: number } => ({ key: '', value });
const PLAN: AdmissionControlPlan = { enabled: { key: '', on: true }, windowS: 30, aggression: number(1), successThreshold: number(95), rpsThreshold: number(0), maxRejection: number(80), http: null, grpc: null };

function setUp(plan: Partial<AdmissionControlPlan> = {}): { clock: ManualClock; one: (status: number, grpc?: string) => 'let in' | 'refused'; runtime: Runtime } {
  const clock = new ManualClock(), runtime = new Runtime();
  const env = { clock, random: new SeededRandom(3), runtime, stats: statStore() } as unknown as WorkerEnv;
  const factory = new AdmissionControlFactory('a', { ...PLAN, ...plan }, env, 'http.in'), s = { facts: { healthCheck: false } } as unknown as StreamView;
  return {
    clock, runtime,
    one: (status, grpc) => {
      const f = factory.create();
      const v = f.onRequestHeaders!(s, new RequestHeaders(), true);
      if (v instanceof LocalReply) { assert.deepEqual([v.status, v.details], [503, 'denied_by_admission_control']); f.onEnd!(s, 'complete'); return 'refused'; }
      if (status > 0) { const h = new ResponseHeaders(); h.status = status; if (grpc !== undefined) h.add('grpc-status', grpc); f.onResponseHeaders!(s, h, true); }
      f.onEnd!(s, 'complete');
      return 'let in';
    },
  };
}
const refused = (one: (status: number, grpc?: string) => string, n: number, status: number, grpc?: string): number => { let r = 0; for (let i = 0; i < n; i++) if (one(status, grpc) === 'refused') r++; return r; };

test('successes alone refuse nobody; failures refuse up to the maximum, by chance', () => {
  const { one } = setUp();
  assert.equal(refused(one, 500, 200), 0);
  const bad = setUp();
  refused(bad.one, 200, 503);
  const share = refused(bad.one, 1000, 503) / 1000;
  assert.ok(share > 0.75 && share < 0.85, `${share}`);
});

test('half of the answers failing refuses about what the formula says: (n - s / 0.95) / (n + 1)', () => {
  const { one } = setUp();
  let n = 0;
  for (let i = 0; i < 4000; i++) one(n++ % 2 === 0 ? 200 : 500);
  const share = refused((s) => one(n++ % 2 === 0 ? s : 500), 2000, 200) / 2000;
  assert.ok(share > 0.42 && share < 0.53, `${share}`);
});

test('a request without an answer is a failure, and gRPC statuses are judged by their own list', () => {
  const none = setUp();
  refused(none.one, 100, 0);
  assert.ok(refused(none.one, 200, 0) > 100);
  const grpc = setUp();
  assert.equal(refused(grpc.one, 300, 200, '5'), 0, 'NotFound is a success');
  refused(grpc.one, 300, 200, '14');
  assert.ok(refused(grpc.one, 200, 200, '14') > 50, 'Unavailable is not');
});

test('below rps_threshold nobody is refused, and what is older than the window is forgotten', () => {
  const slow = setUp({ rpsThreshold: number(100) });
  assert.equal(refused(slow.one, 90, 503), 0);
  const { one, clock } = setUp({ windowS: 5 });
  refused(one, 200, 503);
  clock.set(clock.nowMs() + 6000);
  assert.equal(refused(one, 50, 200), 0);
});

test('the runtime can switch it off', () => {
  const { one, runtime } = setUp({ enabled: { key: 'ac.on', on: true } });
  refused(one, 200, 503);
  runtime.install({ 'ac.on': false });
  assert.equal(refused(one, 200, 503), 0);
});

test('the window keeps whole seconds, and its rate is over what it covers', () => {
  const w = new SuccessWindow(3);
  for (const s of [0, 1, 2]) for (let i = 0; i < 6; i++) w.record(10_000 + s * 1000, i < 3);
  assert.deepEqual([w.total, w.good, w.rps], [18, 9, 6]);
  w.advance(13_000);
  assert.deepEqual([w.total, w.good], [12, 6]);
  w.advance(60_000);
  assert.deepEqual([w.total, w.good, w.rps], [0, 0, 0]);
});
