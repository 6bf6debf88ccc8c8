// A thread that keeps dying is started ever more seldom.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Lives } from '../../workers/supervisor.ts';

test('pauses double up to ten seconds while a thread dies young, and begin anew after it has lived', () => {
  const lives = new Lives(), pauses: number[] = [];
  let now = 0;
  for (let i = 0; i < 10; i++) { lives.started(now); now += 50; pauses.push(lives.died(now)); now += pauses.at(-1)!; }
  assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  lives.started(now);
  assert.equal(lives.waiting, false);
  assert.equal(lives.died(now + 30_001), 100);
  assert.deepEqual([lives.restarts, lives.waiting], [11, true]);
});
