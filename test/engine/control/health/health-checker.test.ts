// Active checks of one cluster over probes that a test answers, on a clock that it drives.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HealthChecker, type CheckedHost } from '../../../../engine/control/health/health-checker.ts';
import { HealthEvents, type EventHost } from '../../../../engine/control/health/health-events.ts';
import type { Probe, ProbeResult, ProbeTarget } from '../../../../engine/control/health/probe.ts';
import { SeededRandom } from '../../../../engine/loop/random.ts';
import { ipAddress } from '../../../../engine/net/address.ts';
import type { HealthCheckPlan } from '../../../../engine/plan/health-plan.ts';
import { HOST_FLAG, HostTable } from '../../../../engine/shm/host-table.ts';
import { ManualTimers } from '../../../support/manual-timers.ts';

const PASS: ProbeResult = { ok: true, degraded: false };
const NETWORK: ProbeResult = { ok: false, type: 'NETWORK', retriable: false };
const PLAN: HealthCheckPlan = {
  check: { kind: 'tcp', send: null, receive: [] }, timeoutMs: 300, intervalMs: 1000, unhealthyIntervalMs: 2000, unhealthyEdgeMs: 100, healthyEdgeMs: 200, noTrafficMs: 60_000, noTrafficHealthyMs: 50_000, initialJitterMs: 0, intervalJitterMs: 0,
  intervalJitterPercent: 0, unhealthyThreshold: 3, healthyThreshold: 2, altPort: 0, reuseConnection: true, socketMatch: null, alpn: null, eventLogs: [], logFailures: false, logSuccess: false,
};
const host = (index: number, check: Partial<CheckedHost['check']> = {}): CheckedHost => ({ index, address: ipAddress('10.0.0.1', 80 + index), hostname: '', weight: 1, priority: 0, locality: { region: '', zone: '', subZone: '' }, localityWeight: 0, metadata: null, health: 'UNKNOWN', check: { port: 0, hostname: '', address: null, disabled: false, ...check } });

class FakeProbe implements Probe {
  readonly target: ProbeTarget; done: ((r: ProbeResult) => void) | null = null; starts = 0; aborts = 0; closed = false;
  constructor(target: ProbeTarget) { this.target = target; }
  start(done: (r: ProbeResult) => void): void { this.done = done; this.starts++; }
  abort(): void { this.aborts++; this.done = null; }
  close(): void { this.closed = true; this.done = null; }
  answer(r: ProbeResult): void { const { done } = this; this.done = null; assert.ok(done, 'a check is under way'); done(r); }
}

/** The kinds of the events that were written. */
class NotedEvents extends HealthEvents {
  readonly list: string[] = [];
  override write(_host: EventHost, what: { readonly [event: string]: unknown }): void { this.list.push(...Object.keys(what)); }
}

function setUp(plan: Partial<HealthCheckPlan> = {}, traffic = true): { timers: ManualTimers; table: HostTable; probes: FakeProbe[]; stats: Map<string, number>; checker: HealthChecker; told: string[]; events: NotedEvents } {
  const events = new NotedEvents([], 'c', 'tcp', () => 0), timers = new ManualTimers(), table = new HostTable(new SharedArrayBuffer(HostTable.bytes(16))), probes: FakeProbe[] = [], stats = new Map<string, number>(), told: string[] = [];
  const checker = new HealthChecker({ ...PLAN, ...plan }, 'c', {
    after: timers.after, random: new SeededRandom(), hosts: table, hasTraffic: () => traffic, events,
    makeProbe: (target) => { const p = new FakeProbe(target); probes.push(p); return p; },
    stat: (what, _kind, c) => { stats.set(what, c.set ?? (stats.get(what) ?? 0) + (c.add ?? 0)); },
  }, { onChecked: (h, transition, passed) => { told.push(`${h.index} ${passed ? 'passed' : 'failed'} ${transition}`); } });
  table.setFlags(0, HOST_FLAG.FAILED_ACTIVE_HC);
  checker.setHosts([host(0)]);
  timers.advance(0);
  return { timers, table, probes, stats, checker, told, events };
}
const failed = (t: HostTable): boolean => (t.flags(0) & HOST_FLAG.FAILED_ACTIVE_HC) !== 0;

test('the first check that passes lets a host in at once; later healthy_threshold of them', () => {
  const { timers, table, probes, told } = setUp(), p = probes[0]!;
  p.answer(PASS);
  assert.equal(failed(table), false);
  timers.advance(1000);
  for (let i = 0; i < 3; i++) { p.answer(NETWORK); timers.advance(i < 2 ? 100 : 2000); }
  assert.equal(failed(table), true, 'after unhealthy_threshold');
  p.answer(PASS);
  assert.equal(failed(table), true, 'one is not enough now');
  timers.advance(199);
  assert.equal(p.starts, 5);
  timers.advance(1);
  assert.equal(p.starts, 6, 'the next after healthy_edge_interval');
  p.answer(PASS);
  assert.equal(failed(table), false);
  assert.deepEqual(told, ['0 passed changed', '0 failed pending', '0 failed pending', '0 failed changed', '0 passed pending', '0 passed changed']);
});

test('an answer that is neither expected nor retriable takes a host out at once, a retriable one counts', () => {
  const { timers, table, probes } = setUp(), p = probes[0]!;
  p.answer(PASS);
  timers.advance(1000);
  p.answer({ ok: false, type: 'ACTIVE', retriable: true });
  assert.equal(failed(table), false);
  timers.advance(100);
  p.answer({ ok: false, type: 'ACTIVE', retriable: false });
  assert.equal(failed(table), true);
});

test('a check that gives no answer in time is given up, counted as a network failure, and the host is marked as timed out', () => {
  const { timers, table, probes, stats } = setUp({ unhealthyThreshold: 1 }), p = probes[0]!;
  p.answer(PASS);
  timers.advance(1000 + 299);
  assert.equal(p.aborts, 0);
  timers.advance(1);
  assert.equal(p.aborts, 1);
  assert.ok(table.flags(0) & HOST_FLAG.ACTIVE_HC_TIMEOUT);
  assert.equal(failed(table), true);
  assert.deepEqual([stats.get('attempt'), stats.get('success'), stats.get('failure'), stats.get('network_failure'), stats.get('healthy')], [2, 1, 1, 1, 0]);
});

test('without traffic the no_traffic intervals hold', () => {
  const { timers, probes } = setUp({}, false), p = probes[0]!;
  p.answer(PASS);
  timers.advance(49_999);
  assert.equal(p.starts, 1);
  timers.advance(1);
  p.answer(NETWORK);
  timers.advance(59_999);
  assert.equal(p.starts, 2);
  timers.advance(1);
  assert.equal(p.starts, 3);
});

test('a host that says it is degraded is marked so, and no longer once it does not say it', () => {
  const { timers, table, probes, stats } = setUp(), p = probes[0]!;
  p.answer({ ok: true, degraded: true });
  assert.ok(table.flags(0) & HOST_FLAG.DEGRADED_ACTIVE_HC);
  assert.equal(stats.get('degraded'), 1);
  timers.advance(1000);
  p.answer(PASS);
  assert.equal(table.flags(0) & HOST_FLAG.DEGRADED_ACTIVE_HC, 0);
});

test('a host that asked to be taken out goes at once, and comes back by its checks', () => {
  const { timers, table, probes, checker, stats } = setUp(), p = probes[0]!;
  p.answer(PASS);
  checker.failNow(0);
  assert.equal(failed(table), true);
  assert.ok(table.flags(0) & HOST_FLAG.EXCLUDED_BY_IMMEDIATE_HC_FAIL);
  assert.equal(stats.get('passive_failure'), 1);
  timers.advance(1000); p.answer(PASS);
  timers.advance(200); p.answer(PASS);
  assert.equal(table.flags(0), 0);
});

test('alt_port, the endpoint\'s own port and address decide where a check goes; a host with checks disabled has none', () => {
  const { checker, probes } = setUp({ altPort: 99 });
  checker.setHosts([host(0), host(1, { port: 7 }), host(2, { disabled: true }), host(3, { address: ipAddress('10.9.9.9', 5), hostname: 'h' })]);
  assert.deepEqual(probes.map((p) => [p.target.address.kind === 'ip' ? `${p.target.address.ip}:${p.target.address.port}` : '', p.target.hostname]), [['10.0.0.1:99', ''], ['10.0.0.1:7', ''], ['10.9.9.9:99', 'h']]);
});

test('a host that goes while it is being checked leaves no timer and no open probe', () => {
  const { checker, probes, timers } = setUp();
  checker.setHosts([]);
  assert.equal(probes[0]!.closed, true);
  assert.equal(timers.armed, 0);
  assert.equal(checker.settled, true);
});

test('a host that comes in degraded is logged as both; a check on its way in is no successful one', () => {
  const { timers, probes, events } = setUp({ unhealthyThreshold: 1, healthyThreshold: 2, logSuccess: true, intervalMs: 100, unhealthyIntervalMs: 100, unhealthyEdgeMs: 100, healthyEdgeMs: 100 }), p = probes[0]!;
  const step = (r: ProbeResult): string[] => { events.list.length = 0; p.answer(r); timers.advance(100); return [...events.list]; };
  const degraded: ProbeResult = { ok: true, degraded: true };
  assert.deepEqual([step(degraded), step(PASS), step(PASS)], [['add_healthy_event', 'degraded_healthy_host'], ['successful_health_check_event', 'no_longer_degraded_host'], ['successful_health_check_event']]);
  assert.deepEqual([step({ ok: false, type: 'ACTIVE', retriable: false, status: 503 }), step(PASS), step(degraded)], [['eject_unhealthy_event'], [], ['add_healthy_event', 'degraded_healthy_host']]);
});
