// reset_high_memory_stream: which streams a pass resets, and when there is a pass.
import assert from 'node:assert/strict';
import test from 'node:test';
import { OverloadManager } from '../../../engine/control/overload/overload-manager.ts';
import { StreamAccounts } from '../../../engine/net/stream-accounts.ts';
import type { StatStore } from '../../../engine/observe/stats/stat-block.ts';
import { SharedWords } from '../../../engine/shm/shared-words.ts';
import { ManualTimers } from '../../support/manual-timers.ts';
import { compileJson } from '../../../scripts/fields/walk.ts';

const COUNT = 'envoy.overload_actions.reset_high_memory_stream.count';
const ACTION = 'envoy.overload_actions.reset_high_memory_stream';

class Worker {
  readonly stats = { column: new Float64Array(1), claim: () => 0, claimOne: (name: string) => { assert.equal(name, COUNT); return 0; } } as unknown as StatStore;
  readonly warnings: string[] = [];
  readonly reset: number[] = [];
  readonly streams = new Set<number>();
  asked = 0;
  readonly accounts = new StreamAccounts({ stats: this.stats, log: { enabled: () => true, log: (c, l, m) => { this.warnings.push(`${c} ${l} ${m}`); } } });
  constructor(bytes: readonly number[]) { for (const b of bytes) this.streams.add(b); }
  collectAccounts(accounts: StreamAccounts): void { this.asked++; for (const b of this.streams) accounts.add({ resetForMemory: () => { this.reset.push(b); return this.streams.delete(b); } }, b); }
  relieve(pressure: number, powerOfTwo: number): number[] { this.reset.length = 0; this.accounts.relieve(this, pressure, powerOfTwo); return [...this.reset]; }
}

test('the larger the pressure the smaller the streams that are reset, by the classes of the real Envoy', () => {
  // Seen with Envoy 1.40: power of two 18, answers of 200,000 bytes and more whose clients let 65,535 of them come, a scaled action at these strengths.
  const w = new Worker([134_465, 234_465, 334_465, 534_465, 1_134_465]);
  assert.deepEqual(w.relieve(0.025, 18), []);
  assert.deepEqual(w.relieve(0.25, 18), []);
  assert.deepEqual(w.relieve((0.7 - 0.5) / (0.9 - 0.5), 18), [1_134_465], 'half, though the division gives a little less');
  assert.deepEqual(w.relieve(0.75, 18), [534_465, 334_465]);
  assert.deepEqual(w.relieve(1, 18), [234_465, 134_465]);
  assert.deepEqual(w.warnings, ['misc warning resetting 1 streams in 1 buckets, 4 empty buckets', 'misc warning resetting 2 streams in 2 buckets, 5 empty buckets', 'misc warning resetting 2 streams in 1 buckets, 7 empty buckets']);
  assert.equal(w.stats.column[0], 5);
});

test('the last class has no upper end, and a stream below the first is never reset', () => {
  const w = new Worker([511, 512, 65_535, 65_536, 1e9]);
  assert.deepEqual(w.relieve(0.01, 10), [1e9, 65_536]);
  assert.deepEqual(w.relieve(1, 10), [65_535, 512]);
  assert.deepEqual([...w.streams], [511]);
});

test('a pass resets the fifty largest and leaves the others to the next', () => {
  const w = new Worker(Array.from({ length: 120 }, (_, i) => 1_000_000 + i));
  assert.deepEqual(w.relieve(1, 10), Array.from({ length: 50 }, (_, i) => 1_000_119 - i));
  assert.equal(w.relieve(1, 10).length, 50);
  assert.equal(w.relieve(1, 10).length, 20);
});

test('a stream that ended by the reset of another is not counted', () => {
  const w = new Worker([1000, 2000]);
  w.accounts.relieve({ collectAccounts: (a) => { a.add({ resetForMemory: () => false }, 1000); a.add({ resetForMemory: () => true }, 900); } }, 1, 10);
  assert.equal(w.stats.column[0], 1);
});

test('streams are asked when the strength changes and never while it stays', () => {
  const timers = new ManualTimers(), w = new Worker([70_000, 3000]);
  let pressure = 0;
  const manager = new OverloadManager({ refreshMs: 100, monitors: [{ name: 'r', monitor: { kind: 'injected', file: 'f' } }], timers: [], shrinkHeapMs: 10_000, accountPowerOfTwo: 10, actions: [{ action: 'reset_high_memory_stream', name: ACTION, triggers: [{ resource: 'r', from: 0.5, to: 0.9 }] }] }, {
    after: timers.after, nowMs: () => 0, record: () => {}, words: new SharedWords(new SharedArrayBuffer(SharedWords.bytes)), makeMonitor: () => ({ pressure: () => pressure }), stat: () => undefined,
    onAction: (_a, value) => { if (value > 0) w.accounts.relieve(w, value, 10); },
  });
  timers.advance(1000);
  assert.equal(w.asked, 0);
  pressure = 0.52; timers.advance(1000);
  assert.deepEqual([w.asked, w.reset], [1, [70_000]]);
  w.streams.add(80_000); timers.advance(1000);
  assert.equal(w.asked, 1, 'as in Envoy: a steady strength does nothing more');
  pressure = 0.95; timers.advance(100);
  assert.deepEqual(w.reset, [70_000, 80_000, 3000]);
  pressure = 0; timers.advance(1000);
  assert.equal(w.asked, 2, 'nothing is reset when the pressure is over');
  manager.close();
});

test('the action needs buffer_factory_config, with a power of two that Envoy takes', () => {
  const overload = (more: object): string[] => compileJson({ overload_manager: { actions: [{ name: ACTION, triggers: [{ name: 'r', threshold: { value: 0.5 } }] }], resource_monitors: [{ name: 'r', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig', filename: '/f' } }], ...more } }).reports.map((r) => r.message);
  assert.deepEqual(overload({}), [`Overload action "${ACTION}" requires buffer_factory_config.`]);
  assert.deepEqual(overload({ buffer_factory_config: { minimum_account_to_track_power_of_two: 20 } }), []);
  for (const bad of [0, 9, 57]) assert.match(overload({ buffer_factory_config: { minimum_account_to_track_power_of_two: bad } }).join(), /value must be inside range \[10, 56\]/);
});
