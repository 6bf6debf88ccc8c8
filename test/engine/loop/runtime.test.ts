import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { collectGarbage } from '../../../engine/loop/collect-garbage.ts';
import { Runtime, type RuntimeCell } from '../../../engine/loop/runtime.ts';

test('cells of keys that nobody reads any more go, those that are held keep following the runtime', async () => {
  const runtime = new Runtime(), held: RuntimeCell[] = [runtime.cell('upstream.maintenance_mode.held')];
  runtime.install({ 'upstream.maintenance_mode.held': 5, 'not.asked.for.yet': true });
  for (let i = 0; i < 20_000; i++) {
    runtime.cell(`upstream.maintenance_mode.cluster_${i}`);
    if (i % 1000 === 999) { await setImmediate(); collectGarbage(); }
  }
  assert.ok(runtime.size < 5000, `${runtime.size} cells`);
  assert.deepEqual([held[0]!.value, runtime.cell('not.asked.for.yet').value, runtime.cell('upstream.maintenance_mode.held') === held[0]], [5, true, true]);
  runtime.install({ 'upstream.maintenance_mode.held': 6 });
  assert.deepEqual([held[0]!.value, runtime.cell('not.asked.for.yet').value], [6, undefined]);
});
