// Bytes that wait: in order, owned once, and never much more memory than bytes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteQueue } from '../../../engine/base/byte-queue.ts';
import { SeededRandom } from '../../../engine/loop/random.ts';

const chunks = (q: ByteQueue): Uint8Array[] => { const out: Uint8Array[] = []; q.each((c) => { out.push(c); }); return out; };

test('bytes that come one by one share chunks, so that a slow reader costs about what is held', () => {
  const q = new ByteQueue(), byte = Buffer.from('x');
  for (let i = 0; i < 100_000; i++) q.pushCopy(byte);
  const all = chunks(q), buffers = new Set(all.map((c) => c.buffer));
  assert.equal(q.length, 100_000);
  assert.ok(all.length < 60, `${all.length} chunks`);
  assert.ok([...buffers].reduce((n, b) => n + b.byteLength, 0) < 110_000);
});

test('a chunk that was seen stays as it is while more comes behind it', () => {
  const q = new ByteQueue();
  for (const piece of ['a', 'b', 'c']) q.pushCopy(Buffer.from(piece));
  const before = chunks(q).map((c) => Buffer.from(c).toString()), seen = chunks(q);
  q.pushCopy(Buffer.from('d'));
  assert.deepEqual(seen.map((c) => Buffer.from(c).toString()), before);
  assert.equal(Buffer.from(q.takeAll()).toString(), 'abcd');
});

test('whatever is put in, taken out and put back: the bytes come out in their order', () => {
  const random = new SeededRandom(7), below = (n: number): number => Math.floor(random.unit() * n), q = new ByteQueue();
  let put = 0, got = 0;
  const next = (n: number): Buffer => Buffer.from(Array.from({ length: n }, () => put++ & 255));
  for (let i = 0; i < 20_000; i++) {
    const what = below(10);
    if (what < 6) q.pushCopy(next(below(4) === 0 ? below(6000) : below(50)));
    else if (what === 6) q.push(next(below(100)));
    else {
      const chunk = q.shift();
      if (chunk === undefined) continue;
      const sent = what === 7 ? chunk.length : below(chunk.length);
      for (let b = 0; b < sent; b++) assert.equal(chunk[b], got++ & 255);
      q.unshift(chunk.subarray(sent));
    }
    assert.equal(q.length, put - got);
  }
  for (const b of q.takeAll()) assert.equal(b, got++ & 255);
  assert.equal(got, put);
});
