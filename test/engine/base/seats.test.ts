import assert from 'node:assert/strict';
import test from 'node:test';
import { Seats } from '../../../engine/base/seats.ts';
import { SeededRandom } from '../../../engine/loop/random.ts';

test('seats hold what a Set holds, whatever comes and goes', () => {
  const random = new SeededRandom(3), seats = new Seats<{ seat: number }>(), set = new Set<{ seat: number }>(), all = Array.from({ length: 50 }, () => ({ seat: -1 }));
  for (let i = 0; i < 5000; i++) {
    const x = all[random.u32() % all.length]!;
    if (set.has(x)) { assert.equal(seats.delete(x), true); set.delete(x); } else { assert.equal(seats.delete(x), false); seats.add(x); set.add(x); }
    assert.equal(seats.size, set.size);
  }
  assert.deepEqual(new Set(seats.values()), set);
  for (const x of seats.values()) assert.equal(seats.delete(x), true);
  assert.deepEqual(all.map((x) => x.seat), all.map(() => -1));
});
