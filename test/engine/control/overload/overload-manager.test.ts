// The overload manager on a clock and pressures that the test drives.
import assert from 'node:assert/strict';
import test from 'node:test';
import { makeMonitor, type MonitorEnv } from '../../../../engine/control/overload/monitors.ts';
import { OverloadManager, strength } from '../../../../engine/control/overload/overload-manager.ts';
import { OverloadView } from '../../../../engine/net/overload.ts';
import { OVERLOAD, type OverloadPlan } from '../../../../engine/plan/overload-plan.ts';
import { SharedWords } from '../../../../engine/shm/shared-words.ts';
import { compileJson } from '../../../../scripts/fields/walk.ts';
import { ManualTimers } from '../../../support/manual-timers.ts';

const PLAN: OverloadPlan = {
  refreshMs: 100, monitors: [{ name: 'r1', monitor: { kind: 'injected', file: 'f' } }, { name: 'r2', monitor: { kind: 'injected', file: 'g' } }], timers: [], shrinkHeapMs: 10_000, accountPowerOfTwo: 0,
  actions: [{ action: 'disable_http_keepalive', name: 'keep', triggers: [{ resource: 'r1', from: 0.5, to: 0.5 }] }, { action: 'stop_accepting_requests', name: 'stop', triggers: [{ resource: 'r1', from: 0.6, to: 0.8 }, { resource: 'r2', from: 0.9, to: 0.9 }] }],
};

function setUp(plan = PLAN): { timers: ManualTimers; words: SharedWords; pressure: Record<string, number>; stats: Map<string, number>; told: string[]; delays: number[]; manager: OverloadManager } {
  const timers = new ManualTimers(), words = new SharedWords(new SharedArrayBuffer(SharedWords.bytes)), pressure: Record<string, number> = { r1: 0, r2: 0 }, stats = new Map<string, number>(), told: string[] = [], delays: number[] = [];
  const manager = new OverloadManager(plan, { after: timers.after, nowMs: () => timers.nowMs, record: (name, ms) => { assert.equal(name, 'overload.refresh_interval_delay'); delays.push(ms); }, words, makeMonitor: (name) => ({ pressure: () => pressure[name]! }), stat: (n, _k, c) => { stats.set(n, c.set ?? (stats.get(n) ?? 0) + (c.add ?? 0)); }, onAction: (a, v) => told.push(`${a} ${v}`) });
  return { timers, words, pressure, stats, told, delays, manager };
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

test('how long a look at the monitors took to come is a histogram, but not of the proactive resource alone', () => {
  const { timers, delays } = setUp();
  timers.advance(100);
  timers.nowMs += 130; // the thread was busy
  timers.advance(0);
  assert.deepEqual(delays, [100, 130]);
  const alone = setUp({ ...PLAN, monitors: [{ name: 'r1', monitor: { kind: 'downstream-connections', max: 1 } }] });
  alone.timers.advance(300);
  assert.deepEqual(alone.delays, []);
});

test('scale_percent is cut, not rounded', () => {
  const { timers, pressure, stats } = setUp({ ...PLAN, actions: [{ action: 'stop_accepting_requests', name: 'stop', triggers: [{ resource: 'r1', from: 0.5, to: 0.9 }] }] });
  pressure['r1'] = 0.75;
  timers.advance(100);
  assert.equal(stats.get('overload.stop.scale_percent'), 62);
});

test('shrink_heap acts once an interval while it is at its strongest', () => {
  const { timers, pressure, told } = setUp({ ...PLAN, shrinkHeapMs: 1000, actions: [{ action: 'shrink_heap', name: 'shrink', triggers: [{ resource: 'r1', from: 0.5, to: 0.5 }] }] });
  pressure['r1'] = 0.6;
  for (let ms = 0; ms < 2500; ms += 100) timers.advance(100);
  assert.deepEqual(told, ['shrink_heap 1', 'shrink_heap 1']);
  pressure['r1'] = 0;
  for (let ms = 0; ms < 2500; ms += 100) timers.advance(100);
  assert.equal(told.length, 2);
});

test('a load shed point that nobody asks for has its stats and no word', () => {
  const { timers, words, pressure, stats, told } = setUp({ ...PLAN, actions: [{ action: null, name: 'envoy.load_shed_points.other', triggers: [{ resource: 'r1', from: 0.5, to: 0.5 }] }] });
  pressure['r1'] = 0.6;
  timers.advance(100);
  assert.deepEqual([words.overloaded(), told, stats.get('overload.envoy.load_shed_points.other.scale_percent'), stats.get('overload.envoy.load_shed_points.other.shed_load_count'), stats.has('overload.envoy.load_shed_points.other.active')], [false, [], 100, 0, false]);
});

test('closing takes every action back and leaves no timer', () => {
  const { timers, words, pressure, manager } = setUp();
  pressure['r1'] = 0.9;
  timers.advance(100);
  manager.close();
  assert.equal(words.overload(OVERLOAD.disable_http_keepalive), 0);
  assert.equal(timers.armed, 0, 'no timer');
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
  const env: MonitorEnv = { readFile: (p) => { const t = files[p]; if (t === undefined) throw new Error('ENOENT'); return t; }, residentBytes: () => 300, cores: () => 2, connections: () => 3, runtime: (key) => (key === 'heap' ? 1200 : undefined) };
  assert.equal(makeMonitor({ kind: 'injected', file: 'f' }, env).pressure(), 0.25);
  for (const bad of ['x', '', '1.5', '-1']) { files['f'] = bad; assert.ok(Number.isNaN(makeMonitor({ kind: 'injected', file: 'f' }, env).pressure()), bad); }
  assert.equal(makeMonitor({ kind: 'fixed-heap', maxBytes: 600, maxBytesKey: '' }, env).pressure(), 0.5);
  assert.equal(makeMonitor({ kind: 'fixed-heap', maxBytes: 600, maxBytesKey: 'none' }, env).pressure(), 0.5, 'a runtime key that is not set');
  assert.equal(makeMonitor({ kind: 'fixed-heap', maxBytes: 600, maxBytesKey: 'heap' }, env).pressure(), 0.25, 'a runtime key in its place');
  assert.equal(makeMonitor({ kind: 'cgroup-memory', maxBytes: 0 }, env).pressure(), 0.5);
  assert.equal(makeMonitor({ kind: 'cgroup-memory', maxBytes: 750 }, env).pressure(), 500 / 750);
  assert.equal(makeMonitor({ kind: 'downstream-connections', max: 4 }, env).pressure(), 0.75);
  const cpu = makeMonitor({ kind: 'cpu', mode: 'HOST' }, env);
  assert.equal(cpu.pressure(), 0);
  files['/proc/stat'] = 'cpu 200 0 200 800 0 0\n';
  assert.equal(cpu.pressure(), 0.05, 'smoothed');
});

const CONNECTIONS = 'envoy.resource_monitors.global_downstream_max_connections';
function refused(fields: { actions?: readonly object[]; loadshed_points?: readonly object[] }): string[] {
  const resource_monitors = [{ name: 'r', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig', filename: '/f' } }];
  return compileJson({ overload_manager: { resource_monitors, ...fields } }).reports.map((r) => r.message);
}

test('what the overload manager refuses, in the words of Envoy', () => {
  const on = (resource: string): object[] => [{ name: resource, threshold: { value: 0.5 } }], triggers = on('r');
  const scale = { '@type': 'type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig', timer_scale_factors: [{ timer: 'TRANSPORT_SOCKET_CONNECT', min_timeout: '1s' }] };
  const shrink = { '@type': 'type.googleapis.com/envoy.config.overload.v3.ShrinkHeapConfig', timer_interval: '2s' };
  const action = (name: string, typed_config?: object, more = triggers): object => ({ name: `envoy.overload_actions.${name}`, triggers: more, ...(typed_config === undefined ? {} : { typed_config }) });
  const point = (name: string, more = triggers): object => ({ name, triggers: more });
  for (const actions of [[action('reduce_timeouts', scale)], [action('shrink_heap', shrink)], [action('shrink_heap', undefined, on(CONNECTIONS))]]) assert.deepEqual(refused({ actions }), []);
  assert.deepEqual(refused({ actions: [action('close_idle_http_connections')] }), ['has no effect: HTTP/3 is not served yet']);
  const monitor = (name: string, type: string, fields: object): string[] => compileJson({ overload_manager: { resource_monitors: [{ name, typed_config: { '@type': `type.googleapis.com/envoy.extensions.resource_monitors.${type}`, ...fields } }] } }).reports.map((r) => r.message);
  assert.deepEqual(monitor('other', 'downstream_connections.v3.DownstreamConnectionsConfig', { max_active_downstream_connections: 5 }), ["Didn't find a registered implementation for 'other' with type URL: 'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig'"]);
  assert.deepEqual(monitor('r', 'injected_resource.v3.InjectedResourceConfig', { filename: '/no/such/folder' }), ['unable to add filesystem watch for file /no/such/folder: No such file or directory']);
  assert.deepEqual(refused({ actions: [action('nonsense')] }), ['Unknown Overload Manager Action envoy.overload_actions.nonsense']);
  assert.deepEqual(refused({ actions: [action('shrink_heap'), action('shrink_heap')] }), ['Duplicate overload action envoy.overload_actions.shrink_heap']);
  assert.deepEqual(refused({ actions: [action('shrink_heap', scale)] }), ['Overload action name "envoy.overload_actions.shrink_heap" conflicts with its typed config']);
  assert.deepEqual(refused({ actions: [action('disable_http_keepalive', shrink)] }), ['Overload action "envoy.overload_actions.disable_http_keepalive" has an unexpected value for the typed_config field']);
  assert.deepEqual(refused({ actions: [action('reduce_timeouts')] }), ['Overload action "envoy.overload_actions.reduce_timeouts" requires typed_config']);
  assert.deepEqual(refused({ actions: [action('reduce_timeouts', shrink)] }), ['typed_config resolves to envoy.config.overload.v3.ShrinkHeapConfig instead of envoy.config.overload.v3.ScaleTimersOverloadActionConfig']);
  assert.deepEqual(refused({ actions: [action('reduce_timeouts', { ...scale, timer_scale_factors: [...scale.timer_scale_factors, ...scale.timer_scale_factors] })] }), ['Found duplicate entry for timer type TRANSPORT_SOCKET_CONNECT']);
  assert.deepEqual(refused({ actions: [action('shrink_heap', undefined, on('q'))] }), ['Unknown trigger resource q for overload action envoy.overload_actions.shrink_heap']);
  assert.deepEqual(refused({ loadshed_points: [point('p'), point('p')] }).filter((m) => !m.startsWith('has no effect')), ['Duplicate loadshed point p']);
  assert.deepEqual(refused({ loadshed_points: [point('envoy.load_shed_points.tcp_listener_accept', on(CONNECTIONS))] }), [`Unknown trigger resource ${CONNECTIONS} for loadshed point envoy.load_shed_points.tcp_listener_accept`]);
  assert.deepEqual(refused({ loadshed_points: [point('envoy.load_shed_points.tcp_listener_accept', [...triggers, ...triggers])] }), ['Duplicate trigger resource for LoadShedPoint envoy.load_shed_points.tcp_listener_accept']);
});
