import assert from 'node:assert/strict';
import test from 'node:test';
import { hashed, xxHash64 } from '../../../engine/base/xxhash64.ts';

const hex = (text: string, seed = 0): string => { xxHash64(text, 0, seed); return hashed.high.toString(16).padStart(8, '0') + hashed.low.toString(16).padStart(8, '0'); };

test('known vectors of XXH64, short and longer than a stripe', () => {
  assert.equal(hex(''), 'ef46db3751d8e999');
  assert.equal(hex('a'), 'd24ec4f1a98c6e5b');
  assert.equal(hex('abc'), '44bc2cf5ad770999');
  assert.equal(hex('foobar'), 'a2aa05ed9085aaf9');
  assert.equal(hex('Call me Ishmael. Some years ago--never mind how long precisely-'), '02a2e85470d6fd96');
});
