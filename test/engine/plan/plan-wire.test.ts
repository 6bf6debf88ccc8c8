// Plans on their way.
import assert from 'node:assert/strict';
import test from 'node:test';
import { pack, unpack } from '../../../engine/plan/plan-wire.ts';

test('a large plan is packed and unpacked like a small one', () => { const plan = { text: 'y'.repeat(3 << 20) }; assert.deepEqual(unpack(pack(plan)), plan); assert.deepEqual(unpack(pack({ a: 1 })), { a: 1 }); });
