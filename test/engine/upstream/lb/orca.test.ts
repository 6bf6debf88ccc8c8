import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { updateWeights } from '../../../../engine/control/orca/weights.ts';
import { Headers } from '../../../../engine/headers/headers.ts';
import type { OrcaPlan } from '../../../../engine/plan/cluster-plan.ts';
import { OrcaReports, weightOf } from '../../../../engine/upstream/lb/orca-weights.ts';
import { readOrcaReport } from '../../../../engine/upstream/lb/orca-report.ts';
import { chiSquare, World } from './hosts.ts';

const PLAN: OrcaPlan = { blackoutMs: 10_000, expirationMs: 180_000, updateMs: 1000, errorPenalty: 1, oob: null, metrics: ['named_metrics.queue', 'utilization.*'] };
const headers = (name: string, value: string): Headers => { const h = new Headers(); h.add(name, value); return h; };
const text = (value: string): Headers => headers('endpoint-load-metrics', value);
const weight = (value: string, plan = PLAN): number | null => { const r = readOrcaReport(text(value)); return r === null ? null : weightOf(r, plan); };

test('a report is read as text, JSON or protobuf, padded or not; one that is wrong in any place is none', () => {
  // As grpc-go sends it: cpu 0.5, 100 a second, 2 errors a second, named_metrics.rif 4.
  for (const h of [headers('endpoint-load-metrics-bin', 'CQAAAAAAAOA/MQAAAAAAAFlAOQAAAAAAAABAQg4KA3JpZhEAAAAAAAAQQA'), text('BIN CQAAAAAAAOA/MQAAAAAAAFlAOQAAAAAAAABAQg4KA3JpZhEAAAAAAAAQQA=='), text('TEXT cpu_utilization=0.5, rps_fractional:100,eps=2,named_metrics.rif=4'), text('JSON {"cpu_utilization":0.5,"rpsFractional":"100","eps":2,"named_metrics":{"rif":4}}')]) {
    const r = readOrcaReport(h)!;
    assert.deepEqual(['cpu_utilization', 'rps_fractional', 'eps', 'named_metrics.rif', 'mem_utilization'].map((n) => r.get(n)), [0.5, 100, 2, 4, 0]);
  }
  for (const bad of ['', 'cpu_utilization=1', 'TEXT cpu_utilization', 'TEXT cpu_utilization=', 'TEXT cpu_utilization=nan', 'TEXT cpu_utilization=-1', 'TEXT cpu_utilization=1e999', 'TEXT cpu_utilization="1"', 'TEXT cpu_utilization=1,cpu_utilization=1', 'TEXT named_metrics.=1', 'TEXT utilization.=1', 'TEXT other=1', 'JSON {', 'JSON []', 'JSON null', 'JSON {"other":1}', 'JSON {"eps":"x"}', 'JSON {"named_metrics":1}', 'BIN ', 'BIN !!!!', 'BIN CQAA', 'BIN DwA=']) assert.equal(readOrcaReport(text(bad)), null, bad);
});

test('no bytes of a host make the reading of its report fail', () => {
  fc.assert(fc.property(fc.constantFrom('TEXT ', 'JSON ', 'BIN ', ''), fc.string(), (form, rest) => { readOrcaReport(text(form + rest)); }), { numRuns: 2000 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => { readOrcaReport(headers('endpoint-load-metrics-bin', Buffer.from(bytes).toString('base64'))); }), { numRuns: 5000 });
});

test('a weight is requests a second over load: named metrics first, then the application\'s, then cpu; errors add to the load', () => {
  const of = ['TEXT cpu_utilization=0.5,rps_fractional=100', 'TEXT cpu_utilization=0.5,application_utilization=0.25,rps_fractional=100', 'TEXT application_utilization=0.25,named_metrics.queue=0.8,utilization.io=0.4,rps_fractional=100', 'TEXT utilization.io=0.4,utilization.net=0.5,rps_fractional=100', 'TEXT cpu_utilization=0.3,eps=20,rps_fractional=100', 'TEXT cpu_utilization=0.5', 'TEXT rps_fractional=5', 'TEXT cpu_utilization=9,rps_fractional=1', 'TEXT cpu_utilization=1e-300,rps_fractional=1e300'];
  assert.deepEqual(of.map((v) => weight(v)), [200, 400, 125, 200, 200, 0, 0, 1, 0x7fffffff]);
  assert.equal(weight('TEXT cpu_utilization=0.3,eps=20,rps_fractional=100', { ...PLAN, errorPenalty: 0 }), 333);
});

test('a host counts by its reports after the blackout and until they end; meanwhile it has the median of the others', () => {
  const w = new World(), all = [0, 1, 2, 3];
  for (const n of ['a', 'b', 'c', 'd']) w.add(n);
  const reports = new OrcaReports(PLAN, w.table, w.clock), at = (): number[] => { updateWeights(all, PLAN, w.table, w.clock.wallMs()); return all.map((i) => w.table.weight(i)); };
  const tell = (...loads: number[]): void => loads.forEach((load, i) => { if (load > 0) assert.equal(reports.take(i, text(`TEXT cpu_utilization=${load},rps_fractional=100`)), true); });
  tell(0.1, 0.2, 0.5, 0);
  assert.deepEqual(at(), [1, 1, 1, 1], 'blackout');
  w.clock.set(w.clock.nowMs() + 10_000);
  assert.deepEqual(at(), [1000, 500, 200, 500], 'the silent one has the median');
  assert.equal(updateWeights(all, PLAN, w.table, w.clock.wallMs()), false, 'nothing moved');
  w.clock.set(w.clock.nowMs() + 100_000);
  tell(0.1, 0.25, 0, 0);
  w.clock.set(w.clock.nowMs() + 90_000);
  assert.deepEqual(at(), [1000, 400, 700, 700], 'the third has said nothing for three minutes');
  tell(0, 0, 0.5, 0);
  assert.deepEqual(at()[2], 700, 'and begins a new blackout');
  w.clock.set(w.clock.nowMs() + 10_000);
  assert.equal(at()[2], 200);
});

test('hosts are chosen in the ratio of the weights made of their reports, and in slow start of a part of that', () => {
  const w = new World();
  for (const [i, n] of ['a', 'b', 'c'].entries()) { w.add(n, { weight: 7 }); w.table.setWeight(i, [600, 300, 100][i]!); }
  const n = w.tally(w.balancer({ orca: PLAN }), 10_000);
  assert.ok(chiSquare(['a', 'b', 'c'].map((k) => n[k]!), [6, 3, 1]) < 13.8, JSON.stringify(n));
  w.table.setHealthySince(0, w.clock.wallMs());
  w.clock.set(w.clock.nowMs() + 5000);
  const slow = w.tally(w.balancer({ orca: PLAN, slowStart: { windowMs: 10_000, aggression: { value: 1, key: '' }, minPercent: 10 } }), 7000);
  assert.ok(chiSquare(['a', 'b', 'c'].map((k) => slow[k]!), [3, 3, 1]) < 13.8, JSON.stringify(slow));
});
