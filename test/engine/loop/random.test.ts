// UUIDs are made many at a time: each must be of its own, and of the form of RFC 9562.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemRandom } from '../../../engine/loop/random.ts';

test('UUIDs are version 4, lower case, and never the same, over more than one batch', () => {
  const random = new SystemRandom(), seen = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const id = random.uuid();
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    seen.add(id);
  }
  assert.equal(seen.size, 1000);
});
