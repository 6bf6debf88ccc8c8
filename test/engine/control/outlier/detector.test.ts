// Outlier detection of one cluster on a clock that the test drives.
import assert from 'node:assert/strict';
import test from 'node:test';
import { OutlierDetector } from '../../../../engine/control/outlier/detector.ts';
import { OutlierEvents } from '../../../../engine/control/outlier/outlier-events.ts';
import { ratesOf, rateThreshold } from '../../../../engine/control/outlier/success-rate.ts';
import { SeededRandom } from '../../../../engine/loop/random.ts';
import { ipAddress } from '../../../../engine/net/address.ts';
import type { HostPlan } from '../../../../engine/plan/cluster-plan.ts';
import type { ErrorMatcherPlan, OutlierPlan } from '../../../../engine/plan/health-plan.ts';
import { CONSECUTIVE, HOST_FLAG, HostTable, WINDOW } from '../../../../engine/shm/host-table.ts';
import { ResponseHeaders } from '../../../../engine/headers/headers.ts';
import { makeErrorMatcher } from '../../../../engine/upstream/outlier/error-matcher.ts';
import { effectiveStatus, OutlierVotes } from '../../../../engine/upstream/outlier/votes.ts';
import { ManualTimers } from '../../../support/manual-timers.ts';

const PLAN: OutlierPlan = {
  consecutive5xx: 3, consecutiveGatewayFailure: 2, consecutiveLocalOriginFailure: 2, intervalMs: 1000, baseEjectionMs: 5000, maxEjectionMs: 12_000, jitterMs: 0, maxEjectionPercent: 50, alwaysEjectOne: false,
  enforcing: { consecutive5xx: 100, gateway: 0, localOrigin: 100, successRate: 100, localSuccessRate: 100, failurePercentage: 0, localFailurePercentage: 0 },
  successRateMinimumHosts: 3, successRateRequestVolume: 10, successRateStdevFactor: 1, failurePercentageThreshold: 85, failurePercentageMinimumHosts: 3, failurePercentageRequestVolume: 10, splitLocalOrigin: false, unejectByHealthCheck: true, detectDegraded: false,
};
const host = (index: number): HostPlan => ({ index, address: ipAddress('10.0.0.1', 80 + index), hostname: '', weight: 1, priority: 0, locality: { region: '', zone: '', subZone: '' }, localityWeight: 0, metadata: null, health: 'UNKNOWN' });

function setUp(plan: Partial<OutlierPlan> = {}, hosts = 4): { timers: ManualTimers; table: HostTable; detector: OutlierDetector; votes: OutlierVotes; stats: Map<string, number>; ejected: () => number[]; changes: () => number } {
  const timers = new ManualTimers(), table = new HostTable(new SharedArrayBuffer(HostTable.bytes(16))), stats = new Map<string, number>(), all = { ...PLAN, ...plan };
  let changes = 0;
  const detector = new OutlierDetector(all, { after: timers.after, nowMs: () => timers.nowMs, random: new SeededRandom(), hosts: table, changed: () => { changes++; }, events: new OutlierEvents('', 'c', () => 0), stat: (what, _kind, c) => { stats.set(what, c.set ?? (stats.get(what) ?? 0) + (c.add ?? 0)); } });
  detector.setHosts(Array.from({ length: hosts }, (_, i) => host(i)));
  const votes = new OutlierVotes({ ...all, errors: null }, table, (h, kind) => detector.vote(h, kind));
  return { timers, table, detector, votes, stats, ejected: () => Array.from({ length: hosts }, (_, i) => i).filter((i) => table.flags(i) & HOST_FLAG.FAILED_OUTLIER), changes: () => changes };
}

test('consecutive_5xx failures in a row eject; one good answer breaks the row', () => {
  const { votes, ejected, stats, changes } = setUp();
  votes.onStatus(0, 500); votes.onStatus(0, 500); votes.onStatus(0, 200); votes.onStatus(0, 500); votes.onStatus(0, 500);
  assert.deepEqual(ejected(), []);
  votes.onStatus(0, 500);
  assert.deepEqual(ejected(), [0]);
  assert.equal(changes(), 1);
  assert.deepEqual(['ejections_active', 'ejections_enforced_total', 'ejections_enforced_consecutive_5xx', 'ejections_detected_consecutive_5xx'].map((n) => stats.get(n)), [1, 1, 1, 1]);
});

test('an ejected host returns after its time, which grows with each ejection up to the maximum', () => {
  const { votes, ejected, timers } = setUp();
  const eject = (): void => { for (let i = 0; i < 3; i++) votes.onStatus(0, 500); assert.deepEqual(ejected(), [0]); };
  for (const ms of [5000, 10_000, 12_000, 12_000]) {
    eject();
    timers.advance(ms - 1);
    assert.deepEqual(ejected(), [0], `before ${ms} ms`);
    timers.advance(1);
    assert.deepEqual(ejected(), [], `after ${ms} ms`);
  }
});

test('no more than max_ejection_percent are ejected; the rest is counted as overflow', () => {
  const { votes, ejected, stats } = setUp();
  for (const h of [0, 1, 2]) for (let i = 0; i < 3; i++) votes.onStatus(h, 500);
  assert.deepEqual(ejected(), [0, 1]);
  assert.equal(stats.get('ejections_overflow'), 1);
});

test('10 percent of three hosts is none, as in Envoy, but with always_eject_one_host', () => {
  const one = setUp({ maxEjectionPercent: 10 }, 3), two = setUp({ maxEjectionPercent: 10, alwaysEjectOne: true }, 3);
  for (let i = 0; i < 3; i++) { one.votes.onStatus(0, 500); two.votes.onStatus(0, 500); }
  assert.deepEqual(one.ejected(), []);
  assert.deepEqual(two.ejected(), [0]);
});

test('what is enforced at 0 percent is detected, not ejected, and counted from anew', () => {
  const { votes, ejected, stats, table } = setUp({ consecutive5xx: 100 });
  votes.onStatus(0, 503); votes.onStatus(0, 503);
  assert.deepEqual(ejected(), []);
  assert.equal(stats.get('ejections_detected_consecutive_gateway_failure'), 1);
  assert.equal(table.consecutive(0, CONSECUTIVE.GATEWAY), 0);
});

test('a connection that fails counts as 503, a timeout as 504, unless errors are split by origin', () => {
  const joined = setUp();
  for (let i = 0; i < 3; i++) joined.votes.onLocalFailure(0, i === 1);
  assert.deepEqual(joined.ejected(), [0]);
  const split = setUp({ splitLocalOrigin: true, consecutive5xx: 1 });
  split.votes.onLocalFailure(0, false);
  assert.deepEqual(split.ejected(), []);
  split.votes.onLocalFailure(0, false);
  assert.deepEqual(split.ejected(), [0]);
  assert.equal(split.stats.get('ejections_enforced_consecutive_local_origin_failure'), 1);
});

test('with errors split by origin, a connection is the success that breaks the row of local failures; an answer is not', () => {
  const { votes, ejected, table } = setUp({ splitLocalOrigin: true });
  votes.onLocalFailure(0, false); votes.onStatus(0, 200);
  assert.equal(table.consecutive(0, CONSECUTIVE.LOCAL_ORIGIN), 1, 'an answer says nothing of our side');
  votes.onReached(0, false);
  assert.equal(table.consecutive(0, CONSECUTIVE.LOCAL_ORIGIN), 0);
  votes.onLocalFailure(0, true);
  assert.deepEqual(ejected(), []);
  assert.deepEqual(table.takeWindow(0, WINDOW.LOCAL_ORIGIN), { success: 1, total: 3 });
  assert.deepEqual(table.takeWindow(0), { success: 1, total: 1 }, 'the answer alone is external');
});

test('a connection of layer 4 counts as a 200 where errors are not split', () => {
  const { votes, ejected, table } = setUp({ consecutive5xx: 2 });
  votes.onLocalFailure(0, false); votes.onReached(0, true); votes.onLocalFailure(0, true);
  assert.deepEqual(ejected(), []);
  votes.onReached(0, false);
  assert.deepEqual(table.takeWindow(0), { success: 1, total: 3 }, 'that of a request alone does not: its answer will');
});

test('a host whose success rate lies below the others\' mean less the deviation is ejected at the interval', () => {
  const { votes, ejected, timers, stats } = setUp({ consecutive5xx: 1000 });
  for (let h = 0; h < 4; h++) for (let i = 0; i < 20; i++) votes.onStatus(h, h === 3 && i % 2 === 0 ? 500 : 200);
  timers.advance(1000);
  assert.deepEqual(ejected(), [3]);
  assert.equal(stats.get('ejections_enforced_success_rate'), 1);
});

test('failure_percentage detects a host that fails most of its requests', () => {
  const { votes, ejected, timers } = setUp({ consecutive5xx: 1000, enforcing: { ...PLAN.enforcing, successRate: 0, failurePercentage: 100 } });
  for (let h = 0; h < 4; h++) for (let i = 0; i < 20; i++) votes.onStatus(h, h === 2 ? 500 : 200);
  timers.advance(1000);
  assert.deepEqual(ejected(), [2]);
});

test('a passing active check lets an ejected host back in', () => {
  const { votes, ejected, detector } = setUp();
  for (let i = 0; i < 3; i++) votes.onStatus(0, 500);
  detector.onCheckPassed(0);
  assert.deepEqual(ejected(), []);
});

test('a host that leaves the cluster while ejected is no longer counted, and the detector leaves no timer', () => {
  const { votes, detector, stats, timers, table } = setUp();
  for (let i = 0; i < 3; i++) votes.onStatus(0, 500);
  detector.setHosts([host(1)]);
  assert.equal(stats.get('ejections_active'), 0);
  detector.close();
  assert.equal(timers.armed, 0);
  assert.equal(table.flags(1), 0);
});

test('a host that answers with x-envoy-degraded is degraded for its time, which grows while it goes on; an error with the header is only an error', () => {
  const { votes, timers, table, stats, changes, ejected } = setUp({ detectDegraded: true, consecutive5xx: 100 });
  const degraded = (): boolean => (table.flags(0) & HOST_FLAG.DEGRADED_OUTLIER) !== 0;
  const answer = (status: number, header: boolean): void => { const h = new ResponseHeaders(); h.status = status; if (header) h.add('x-envoy-degraded', 'false'); votes.onAnswer(0, h, false); };
  answer(503, true); answer(200, false);
  assert.equal(degraded(), false);
  for (const ms of [5000, 10_000, 12_000]) {
    answer(404, true); answer(200, true);
    timers.advance(ms - 1);
    assert.equal(degraded(), true, `before ${ms} ms`);
    timers.advance(1);
    assert.equal(degraded(), false, `after ${ms} ms`);
  }
  assert.deepEqual([stats.get('ejections_detected_degradation'), stats.get('ejections_active'), changes(), ejected()], [3, 0, 6, []]);
  timers.advance(3000);
  answer(200, true);
  timers.advance(5000);
  assert.equal(degraded(), false, 'the time shrinks in good standing');
});

test('without detect_degraded_hosts the header says nothing', () => {
  const { votes, table } = setUp(), h = new ResponseHeaders();
  h.status = 200; h.add('x-envoy-degraded', 'true');
  votes.onAnswer(0, h, false);
  assert.equal(table.flags(0), 0);
});

test('the threshold of Envoy\'s documentation: mean less factor times the deviation', () => {
  const rates = ratesOf([{ host: 0, success: 100, total: 100 }, { host: 1, success: 100, total: 100 }, { host: 2, success: 50, total: 100 }, { host: 3, success: 1, total: 2 }], 10);
  assert.equal(rates.length, 3, 'too few requests do not count');
  const { average, threshold } = rateThreshold(rates, 3, 1.9);
  assert.ok(Math.abs(average - 83.333) < 0.01);
  assert.ok(Math.abs(threshold - (83.333 - 1.9 * 23.57)) < 0.05);
  assert.deepEqual(rateThreshold(rates, 4, 1.9), { average: -1, threshold: -1 });
});

test('an answer to gRPC with its status in the head counts as what that stands for, whatever its HTTP status; of other requests it says nothing', () => {
  const of = (request: boolean, status: number, grpc?: string): number => { const h = new ResponseHeaders(); h.status = status; if (grpc !== undefined) h.add('grpc-status', grpc); return effectiveStatus(h, request, null); };
  assert.deepEqual([of(true, 200), of(true, 503), of(true, 200, '0'), of(true, 200, '14'), of(true, 200, '5'), of(true, 200, '99'), of(true, 404, '14'), of(true, 503, '0')], [200, 503, 200, 503, 404, 500, 503, 200]);
  assert.deepEqual([of(false, 200, '14'), of(false, 503, '0')], [200, 503]);
});

test('an error_matcher says which answers are errors: others count as 200, those as 500 or as what they are; a gRPC status is not asked of it', () => {
  const headers = (name: string, exact: string): ErrorMatcherPlan => ({ kind: 'headers', headers: [{ name, match: { kind: 'string', string: { kind: 'exact', text: exact, ignoreCase: false } }, invert: false, missingAsEmpty: false }] });
  const of = (plan: ErrorMatcherPlan, status: number, bad = false, grpc?: string): number => { const h = new ResponseHeaders(); h.status = status; if (bad) h.add('x-bad', '1'); if (grpc !== undefined) h.add('grpc-status', grpc); return effectiveStatus(h, grpc !== undefined, makeErrorMatcher(plan)); };
  const bad = headers('x-bad', '1'), missing = headers(':status', '404');
  assert.deepEqual([of(missing, 404), of(missing, 503), of(bad, 503, true), of(bad, 200, true), of(bad, 404)], [500, 200, 503, 500, 200]);
  assert.deepEqual([of({ kind: 'not', rule: bad }, 200), of({ kind: 'or', rules: [missing, bad] }, 404), of({ kind: 'and', rules: [missing, bad] }, 404), of({ kind: 'and', rules: [missing, bad] }, 404, true)], [500, 500, 200, 500]);
  assert.deepEqual([of({ kind: 'constant', matches: false }, 503), of({ kind: 'constant', matches: true }, 200), of(bad, 200, true, '0')], [200, 500, 200]);
});
