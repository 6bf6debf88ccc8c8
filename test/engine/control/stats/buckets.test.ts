import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bucketsOf, cumulativeCounts, difference, disjointCounts, EMPTY, quantiles, sum, total } from '../../../../engine/control/stats/buckets.ts';
import { histogramBounds, histogramBucket, HISTOGRAM_SLOTS } from '../../../../engine/observe/stats/stat-block.ts';

const of = (...values: number[]): ReturnType<typeof bucketsOf> => { const slots = new Float64Array(HISTOGRAM_SLOTS); for (const v of values) slots[histogramBucket(v)]!++; return bucketsOf(slots); };

test('quantiles and sums as Envoy gave them for the same samples', () => {
  assert.deepEqual(quantiles(of(1, 1, 1)).slice(0, 4), [1.025, 1.025, 1.05, 1.075]);
  assert.deepEqual(quantiles(of(1, 1, 2)).slice(0, 4), [1.0333333333333334, 1.0333333333333334, 1.0666666666666667, 2.05]);
  assert.deepEqual(quantiles(of(0, 1, 2, 2)).slice(0, 4), [0, 0, 1.05, 2.033333333333333]);
  assert.deepEqual(quantiles(of(12)), new Array(10).fill(12.5));
  assert.ok(quantiles(EMPTY).every(Number.isNaN));
  assert.equal(sum(of(12)), 12.48);
  assert.equal(sum(of(0, 0)), 0);
});

test('counts at bounds take in the bucket that the bound falls into', () => {
  const b = of(0, 1, 5, 5, 5000);
  assert.deepEqual(cumulativeCounts(b, [0.5, 1, 5, 10]), [1, 2, 4, 4]);
  assert.deepEqual(disjointCounts(b, [0.5, 1, 5, 10]), [1, 1, 2, 0]);
});

test('for any samples: what came later plus what was before is all, and quantiles lie within their buckets and never fall', () => {
  const values = fc.array(fc.double({ min: 0, max: 1e10, noNaN: true }), { minLength: 1, maxLength: 40 });
  fc.assert(fc.property(values, values, (a, b) => {
    const before = of(...a), all = of(...a, ...b);
    assert.equal(total(difference(all, before)), b.length);
    const q = quantiles(all);
    for (let i = 1; i < q.length; i++) assert.ok(q[i]! >= q[i - 1]!);
    const low = histogramBounds(all.at[0]!), high = histogramBounds(all.at.at(-1)!);
    assert.ok(q[0]! >= low.from && q.at(-1)! <= high.from + high.width);
  }), { numRuns: 300 });
});
