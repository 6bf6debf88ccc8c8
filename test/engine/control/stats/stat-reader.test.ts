import { test } from 'node:test';
import assert from 'node:assert/strict';
import { quantiles, sanitizeName, StatReader } from '../../../../engine/control/stats/stat-reader.ts';
import { HISTOGRAM_SLOTS, StatBlock } from '../../../../engine/observe/stats/stat-block.ts';
import { LISTENER, LISTENER_SCHEMA } from '../../../../engine/observe/stats/schemas.ts';
import { ThreadStatStore } from '../../../../engine/observe/stats/thread-stat-store.ts';

function worker(reader: StatReader, id: number): StatBlock {
  const memory = new SharedArrayBuffer(8 * 8192);
  reader.attach(id, memory);
  return new StatBlock(new ThreadStatStore(memory, (c) => reader.claim(id, c)), LISTENER_SCHEMA, 'listener.127.0.0.1:80');
}

test('values of all workers are summed, and a dead worker leaves its counters but not its gauges', () => {
  const reader = new StatReader([LISTENER_SCHEMA]), a = worker(reader, 0), b = worker(reader, 1);
  a.add(LISTENER.downstream_cx_total, 3); b.add(LISTENER.downstream_cx_total, 4);
  a.inc(LISTENER.downstream_cx_active); b.inc(LISTENER.downstream_cx_active);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_total'), 7);
  reader.detach(0);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_total'), 7);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_active'), 1);
});

test('a declared scope reads 0 and a retired one is gone', () => {
  const reader = new StatReader([LISTENER_SCHEMA]);
  reader.declare(LISTENER_SCHEMA, 'listener.x');
  assert.equal(reader.value('listener.x.downstream_cx_total'), 0);
  reader.retireScope('listener.x');
  assert.equal(reader.value('listener.x.downstream_cx_total'), undefined);
});

test('resetting sets counters to zero and leaves gauges', () => {
  const reader = new StatReader([LISTENER_SCHEMA]), a = worker(reader, 0);
  a.inc(LISTENER.downstream_cx_total); a.inc(LISTENER.downstream_cx_active);
  reader.resetCounters();
  a.inc(LISTENER.downstream_cx_total);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_total'), 1);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_active'), 1);
});

test('histograms show nothing before a flush, then the interval and the whole', () => {
  const reader = new StatReader([LISTENER_SCHEMA]), a = worker(reader, 0), name = 'listener.127.0.0.1_80.downstream_cx_length_ms';
  a.record(LISTENER.downstream_cx_length_ms, 10);
  assert.equal(reader.histogramView(name)!.flushed, false);
  reader.flush();
  a.record(LISTENER.downstream_cx_length_ms, 20); a.record(LISTENER.downstream_cx_length_ms, 20);
  reader.flush();
  const view = reader.histogramView(name)!;
  assert.equal(view.interval.reduce((x, y) => x + y, 0), 2);
  assert.equal(view.cumulative.reduce((x, y) => x + y, 0), 3);
  assert.equal(quantiles(view.interval)[0], 20);
  assert.ok(Number.isNaN(quantiles(new Float64Array(HISTOGRAM_SLOTS))[0]));
});

test('names lose the characters that a stat name may not have', () => assert.equal(sanitizeName('listener.[::1]:80'), 'listener.[__1]_80'));
