// The byte ring, fed at random and past its counters' wrap; a woken reader in another thread than the writer (ring.test.ts has the contention).
import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { Ring } from '../../../engine/shm/ring.ts';
import { ringRecord, type ShmJob } from './shm-thread.ts';

const make = (size: number): { memory: SharedArrayBuffer; ring: Ring } => { const memory = new SharedArrayBuffer(Ring.bytes(size)); return { memory, ring: new Ring(memory) }; };

test('any records come out whole and in order, however reads and writes interleave', () => {
  fc.assert(fc.property(fc.constantFrom(64, 256, 1024), fc.array(fc.record({ length: fc.integer({ min: 0, max: 3000 }), reads: fc.integer({ min: 0, max: 3 }) }), { maxLength: 40 }), (size, steps) => {
    const { memory, ring: writer } = make(size), reader = new Ring(memory);
    const out: Uint8Array[] = [];
    for (const [i, s] of steps.entries()) {
      writer.write(ringRecord(i, s.length));
      for (let r = 0; r < s.reads; r++) { const got = reader.read(); if (got !== null) out.push(got); writer.pump(); }
    }
    for (let idle = 0; idle < 2 && out.length < steps.length;) {
      const got = reader.read();
      if (got !== null) { out.push(got); idle = 0; } else if (writer.pump()) idle++;
    }
    assert.equal(out.length, steps.length);
    for (const [i, s] of steps.entries()) assert.deepEqual(out[i], ringRecord(i, s.length));
    assert.equal(writer.used, 0);
    assert.equal(writer.backlog, 0);
  }), { numRuns: 300, interruptAfterTimeLimit: 2500 });
});

test('the counters wrap at 2^32 without a hitch', () => {
  const { memory, ring: writer } = make(64);
  new Int32Array(memory).fill(-16, 0, 2); // head and tail 16 bytes before the wrap
  const reader = new Ring(memory);
  for (let i = 0; i < 20; i++) {
    assert.ok(writer.tryWrite(ringRecord(i, 10)));
    assert.deepEqual(reader.read(), ringRecord(i, 10));
  }
  assert.equal(reader.read(), null);
});

test('thousands of waiting records cost no time each for those behind them', () => {
  const { memory, ring: writer } = make(1024), reader = new Ring(memory);
  for (let i = 0; i < 5000; i++) writer.write(ringRecord(i, 40));
  assert.ok(writer.backlog > 4900);
  let n = 0;
  for (;;) {
    const got = reader.read();
    if (got === null) { if (writer.backlog === 0) break; writer.pump(); continue; }
    assert.deepEqual(got, ringRecord(n++, 40));
  }
  assert.equal(n, 5000);
});

async function readAll(ring: Ring, count: number, ended: Promise<unknown>): Promise<Uint8Array[]> {
  const out: Uint8Array[] = [];
  let over = false;
  void ended.then(() => { over = true; });
  while (out.length < count) {
    const seen = ring.wakeWord;
    for (let r = ring.read(); r !== null; r = ring.read()) out.push(r);
    if (over) { for (let r = ring.read(); r !== null; r = ring.read()) out.push(r); break; }
    const changed = ring.changed(seen);
    if (changed !== null) await Promise.race([changed, ended]);
  }
  return out;
}

test('another thread writes records of all sizes; the reader is woken for each and none is lost', async () => {
  const { memory, ring } = make(4096);
  const lengths = Array.from({ length: 3000 }, (_, i) => (i % 97 === 0 ? 20_000 : (i * 37) % 700));
  const w = new Worker(new URL('./shm-thread.ts', import.meta.url), { workerData: { job: 'ring-writer', memory, lengths, dieAt: -1 } satisfies ShmJob });
  const out = await readAll(ring, lengths.length, new Promise((r) => w.once('exit', r)));
  assert.equal(out.length, lengths.length);
  for (const [i, n] of lengths.entries()) assert.deepEqual(out[i], ringRecord(i, n));
  assert.equal(ring.dropped, 0);
});

test('a writer that dies leaves whole records only', async () => {
  const { memory, ring } = make(4096);
  const lengths = Array.from({ length: 100 }, (_, i) => (i === 59 ? 50_000 : 100));
  const w = new Worker(new URL('./shm-thread.ts', import.meta.url), { workerData: { job: 'ring-writer', memory, lengths, dieAt: 60 } satisfies ShmJob });
  const out = await readAll(ring, lengths.length, new Promise((r) => w.once('exit', r)));
  assert.equal(out.length, 60);
  for (const [i, r] of out.entries()) assert.deepEqual(r, ringRecord(i, lengths[i]!));
});

test('a ring of a size that is no power of two is refused', () => {
  assert.throws(() => new Ring(new SharedArrayBuffer(Ring.bytes(100))), /power of two/);
});
