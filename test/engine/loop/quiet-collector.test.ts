import assert from 'node:assert/strict';
import test from 'node:test';
import { ManualClock } from '../../../engine/loop/clock.ts';
import { QuietCollector } from '../../../engine/loop/quiet-collector.ts';
import { TimerWheel } from '../../../engine/loop/timer-wheel.ts';

test('the heap is collected once after work, when the thread has been quiet, and not while it works or without work', () => {
  const clock = new ManualClock(), wheel = new TimerWheel(clock);
  let collected = 0;
  const quiet = new QuietCollector(wheel, () => { collected++; });
  const turns = (n: number, ms: number): void => { for (let i = 0; i < n; i++) { clock.set(clock.nowMs() + ms); wheel.advance(); quiet.onTurn(); } };
  turns(100, 1);
  turns(3, 2000);
  assert.equal(collected, 0, 'too little work');
  turns(5000, 1);
  assert.equal(collected, 0, 'it works');
  turns(3, 800);
  assert.equal(collected, 1);
  turns(100, 800);
  assert.equal(collected, 1, 'once');
  turns(600, 1);
  turns(3, 800);
  assert.equal(collected, 2);
  assert.equal(wheel.size, 0);
});
