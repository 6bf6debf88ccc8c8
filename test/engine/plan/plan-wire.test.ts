// Plans on their way.
import assert from 'node:assert/strict';
import test from 'node:test';
import { pack, quickened, unpack } from '../../../engine/plan/plan-wire.ts';

test('a large plan is packed and unpacked like a small one', () => { const plan = { text: 'y'.repeat(3 << 20) }; assert.deepEqual(unpack(pack(plan)), plan); assert.deepEqual(unpack(pack({ a: 1 })), { a: 1 }); });

test('a quickened plan is the same plan, with the bytes in it untouched', () => {
  const body = new Uint8Array([1, 2, 3]);
  const plan = { few: 1, many: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i === 7 ? { list: [{ body }], none: null } : i])) };
  const quick = quickened(unpack<typeof plan>(pack(plan)));
  assert.deepEqual(quick, plan);
});
