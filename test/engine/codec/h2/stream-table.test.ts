import assert from 'node:assert/strict';
import test from 'node:test';
import { SeededRandom } from '../../../../engine/loop/random.ts';
import { StreamTable } from '../../../../engine/codec/h2/stream-table.ts';

test('streams are found by their number as in a Map, whatever comes and goes', () => {
  const random = new SeededRandom();
  for (const most of [1, 3, 16, 100, 700]) {
    const table = new StreamTable<{ readonly n: number }>(), map = new Map<number, { readonly n: number }>();
    let next = 1;
    for (let i = 0; i < 6000; i++) {
      const ids = [...map.keys()], some = ids[random.u32() % Math.max(1, ids.length)] ?? 2;
      if (map.size < most && random.u32() % 2 === 0) {
        // Numbers may be left out, and come round.
        next += 2 * (1 + random.u32() % 40);
        const s = { n: next };
        table.set(next, s); map.set(next, s);
      } else { assert.equal(table.delete(some), map.delete(some)); assert.equal(table.get(some), undefined); }
      assert.equal(table.size, map.size);
      if (i % 50 === 0) { for (const [id, s] of map) assert.equal(table.get(id), s); assert.deepEqual(table.values(), [...map.values()]); }
    }
    assert.deepEqual([table.get(0), table.get(next + 2), table.delete(0)], [undefined, undefined, false]);
  }
});
