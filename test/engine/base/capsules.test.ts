// Datagrams as capsules: RFC 9297 section 3.2, RFC 9298 section 5.
import assert from 'node:assert/strict';
import test from 'node:test';
import { CapsuleReader, capsuleOf } from '../../../engine/base/capsules.ts';
import { SeededRandom } from '../../../engine/loop/random.ts';

/** Feeds a reader in pieces; what it told, null where it gave up. */
function read(bytes: Buffer, size: number): string[] | null {
  const got: string[] = [], reader = new CapsuleReader((b, s, e) => got.push(b.toString('latin1', s, e)));
  for (let at = 0; at < bytes.length; at += size) if (!reader.feed(bytes, at, Math.min(bytes.length, at + size))) return null;
  return got;
}

test('datagrams of every length come back from their capsules, however the bytes are cut', () => {
  const lengths = [0, 1, 62, 63, 64, 16_382, 16_383, 16_384, 65_507], all = Buffer.concat(lengths.map((n) => capsuleOf(Buffer.alloc(n + 2, 120), 1, n + 1)));
  for (const size of [1, 3, 1000, all.length]) assert.deepEqual(read(all, size)!.map((d) => d.length), lengths);
  assert.equal(capsuleOf(Buffer.from('hello'), 0, 5).toString('hex'), '00060068656c6c6f');
});

test('capsules of other types and datagrams of other contexts are passed over', () => {
  const bytes = Buffer.concat([Buffer.from('40370200aa', 'hex'), Buffer.from('1f4400', 'hex'), Buffer.alloc(0x400, 1), capsuleOf(Buffer.from('one'), 0, 3), Buffer.from('000201aa', 'hex'), Buffer.from('0000', 'hex'), Buffer.from('80000000800000020000', 'hex'), capsuleOf(Buffer.from('two'), 0, 3)]);
  for (const size of [1, 2, 5, bytes.length]) assert.deepEqual(read(bytes, size), ['one', '\0', 'two']);
});

test('a datagram longer than any ends it, and nothing of it is kept; random bytes never throw', () => {
  assert.equal(read(Buffer.from('00ffffffffffffffff', 'hex'), 100), null);
  assert.equal(read(Buffer.from('0080020000', 'hex'), 1), null);
  const random = new SeededRandom(5);
  for (let i = 0; i < 500; i++) read(Buffer.from(Array.from({ length: random.u32() % 60 }, () => random.u32() & (i % 3 === 0 ? 15 : 255))), 1 + random.u32() % 9);
});
