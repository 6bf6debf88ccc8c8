// The overload manager on a clock and pressures that the test drives.
import assert from 'node:assert/strict';
import test from 'node:test';
import { makeMonitor, type MonitorEnv } from '../../../../engine/control/overload/monitors.ts';
import { OverloadManager, strength } from '../../../../engine/control/overload/overload-manager.ts';
import { OverloadView } from '../../../../engine/net/overload.ts';
import { OVERLOAD, type OverloadPlan } from '../../../../engine/plan/overload-plan.ts';
import { SharedWords } from '../../../../engine/shm/shared-words.ts';
import { ManualTimers } from '../../../support/manual-timers.ts';

const PLAN: OverloadPlan = {
  refreshMs: 100, monitors: [{ name: 'r1', monitor: { kind: 'injected', file: 'f' } }, { name: 'r2', monitor: { kind: 'injected', file: 'g' } }], timers: [], accountPowerOfTwo: 0,
  actions: [{ action: 'disable_http_keepalive', name: 'keep', triggers: [{ resource: 'r1', from: 0.5, to: 0.5 }] }, { action: 'stop_accepting_requests', name: 'stop', triggers: [{ resource: 'r1', from: 0.6, to: 0.8 }, { resource: 'r2', from: 0.9, to: 0.9 }] }],
};

function setUp(): { timers: ManualTimers; words: SharedWords; pressure: Record<string, number>; stats: Map<string, number>; told: string[]; manager: OverloadManager } {
  const timers = new ManualTimers(), words = new SharedWords(new SharedArrayBuffer(SharedWords.bytes)), pressure: Record<string, number> = { r1: 0, r2: 0 }, stats = new Map<string, number>(), told: string[] = [];
  const manager = new OverloadManager(PLAN, { after: timers.after, words, makeMonitor: (name) => ({ pressure: () => pressure[name]! }), stat: (n, _k, c) => { stats.set(n, c.set ?? (stats.get(n) ?? 0) + (c.add ?? 0)); }, onAction: (a, v) => told.push(`${a} ${v}`) });
  return { timers, words, pressure, stats, told, manager };
}

test('a threshold acts whole, a scaled trigger by degrees, and the strongest trigger counts', () => {
  const { timers, words, pressure, stats, told } = setUp();
  pressure['r1'] = 0.7;
  timers.advance(100);
  assert.equal(words.overload(OVERLOAD.disable_http_keepalive), 1);
  assert.ok(Math.abs(words.overload(OVERLOAD.stop_accepting_requests) - 0.5) < 1e-3);
  assert.deepEqual([stats.get('overload.r1.pressure'), stats.get('overload.keep.active'), stats.get('overload.keep.scale_percent'), stats.get('overload.stop.active'), stats.get('overload.stop.scale_percent')], [70, 1, 100, 0, 50]);
  pressure['r2'] = 0.95;
  timers.advance(100);
  assert.equal(words.overload(OVERLOAD.stop_accepting_requests), 1);
  pressure['r1'] = pressure['r2'] = 0;
  timers.advance(100);
  assert.equal(words.overload(OVERLOAD.disable_http_keepalive) + words.overload(OVERLOAD.stop_accepting_requests), 0);
  assert.equal(told.length, 5, 'only changes are told');
});

test('what cannot be read keeps its last pressure and is counted', () => {
  const { timers, words, pressure, stats } = setUp();
  pressure['r1'] = 0.9;
  timers.advance(100);
  pressure['r1'] = NaN;
  timers.advance(100);
  assert.equal(words.overload(OVERLOAD.disable_http_keepalive), 1);
  assert.equal(stats.get('overload.r1.failed_updates'), 1);
});

test('closing takes every action back and leaves no timer', () => {
  const { timers, words, pressure, manager } = setUp();
  pressure['r1'] = 0.9;
  timers.advance(100);
  manager.close();
  assert.equal(words.overload(OVERLOAD.disable_http_keepalive), 0);
  assert.equal(timers.armed, 0);
});

test('a trigger is 0 up to where it begins and 1 from where it ends', () => {
  const t = { resource: 'r', from: 0.4, to: 0.6 };
  assert.deepEqual([0, 0.4, 0.5, 0.6, 2].map((p) => Math.round(strength(t, p) * 100)), [0, 0, 50, 100, 100]);
});

test('timers shrink towards their minimum as the pressure grows', () => {
  let value = 0;
  const view = new OverloadView({ overload: () => value, overloaded: () => value > 0 }, () => [{ timer: 'HTTP_DOWNSTREAM_CONNECTION_IDLE', minShare: 0.1, minMs: 0 }, { timer: 'HTTP_DOWNSTREAM_STREAM_IDLE', minShare: -1, minMs: 2000 }, { timer: 'HTTP_DOWNSTREAM_CONNECTION_MAX', minShare: 0.5, minMs: 0 }]);
  const both = (): number[] => [view.scaled('HTTP_DOWNSTREAM_CONNECTION_IDLE', 10_000), view.scaled('HTTP_DOWNSTREAM_STREAM_IDLE', 10_000)];
  assert.deepEqual(both(), [10_000, 10_000]);
  value = 0.5; assert.deepEqual(both(), [5500, 6000]);
  value = 1; assert.deepEqual(both(), [1000, 2000]);
  assert.equal(view.scaled('HTTP_DOWNSTREAM_CONNECTION_MAX', 10_000), 5000);
  assert.equal(view.scaled('HTTP_DOWNSTREAM_CONNECTION_IDLE', 0), 0, 'none stays none');
});

test('monitors read what they are told to read', () => {
  const files: Record<string, string> = { f: '0.25\n', '/sys/fs/cgroup/memory.current': '500', '/sys/fs/cgroup/memory.max': '1000', '/proc/stat': 'cpu 100 0 100 800 0 0\n' };
  const env: MonitorEnv = { readFile: (p) => { const t = files[p]; if (t === undefined) throw new Error('ENOENT'); return t; }, residentBytes: () => 300, cores: () => 2, runtime: (key) => (key === 'heap' ? 1200 : undefined) };
  assert.equal(makeMonitor({ kind: 'injected', file: 'f' }, env).pressure(), 0.25);
  for (const bad of ['x', '', '1.5', '-1']) { files['f'] = bad; assert.ok(Number.isNaN(makeMonitor({ kind: 'injected', file: 'f' }, env).pressure()), bad); }
  assert.equal(makeMonitor({ kind: 'fixed-heap', maxBytes: 600, maxBytesKey: '' }, env).pressure(), 0.5);
  assert.equal(makeMonitor({ kind: 'fixed-heap', maxBytes: 600, maxBytesKey: 'none' }, env).pressure(), 0.5, 'a runtime key that is not set');
  assert.equal(makeMonitor({ kind: 'fixed-heap', maxBytes: 600, maxBytesKey: 'heap' }, env).pressure(), 0.25, 'a runtime key in its place');
  assert.equal(makeMonitor({ kind: 'cgroup-memory', maxBytes: 0 }, env).pressure(), 0.5);
  assert.equal(makeMonitor({ kind: 'cgroup-memory', maxBytes: 750 }, env).pressure(), 500 / 750);
  const cpu = makeMonitor({ kind: 'cpu', mode: 'HOST' }, env);
  assert.equal(cpu.pressure(), 0);
  files['/proc/stat'] = 'cpu 200 0 200 800 0 0\n';
  assert.equal(cpu.pressure(), 0.05, 'smoothed');
});
