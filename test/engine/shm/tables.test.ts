// The host and circuit tables under real threads.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { CIRCUIT_KIND, CircuitTable } from '../../../engine/shm/circuit-table.ts';
import { CONSECUTIVE, HOST_FLAG, HostTable } from '../../../engine/shm/host-table.ts';
import { RecordBook } from '../../../engine/shm/record-book.ts';
import type { ShmJob } from './shm-thread.ts';

function thread<T>(job: ShmJob): Promise<T> {
  return new Promise((resolve, reject) => { const w = new Worker(new URL('./shm-thread.ts', import.meta.url), { workerData: job }); w.once('message', resolve); w.once('error', reject); });
}

test('a limit of 0 refuses all, and a limit beyond 31 bits means no limit', () => {
  const table = new CircuitTable(new SharedArrayBuffer(CircuitTable.bytes(1)));
  table.setLimits(0, [0, 4294967295, 1, 1, 1]);
  assert.equal(table.tryAcquire(0, CIRCUIT_KIND.CX), false);
  assert.equal(table.tryAcquire(0, CIRCUIT_KIND.PENDING), true);
  assert.equal(table.tryAcquire(0, CIRCUIT_KIND.RQ), true);
  assert.equal(table.tryAcquire(0, CIRCUIT_KIND.RQ), false);
  table.acquire(0, CIRCUIT_KIND.RQ); // what Envoy lets past the limit
  table.release(0, CIRCUIT_KIND.RQ);
  assert.equal(table.tryAcquire(0, CIRCUIT_KIND.RQ), false);
});

test('a record given to another cluster keeps what is held, so a late release does not raise the new limit', () => {
  const table = new CircuitTable(new SharedArrayBuffer(CircuitTable.bytes(1)));
  table.setLimits(0, [1, 1, 1, 1, 1]);
  assert.ok(table.tryAcquire(0, CIRCUIT_KIND.RQ));
  table.reset(0);
  table.setLimits(0, [1, 1, 1, 1, 1]);
  table.release(0, CIRCUIT_KIND.RQ);
  assert.equal(table.value(0, CIRCUIT_KIND.RQ), 0);
  assert.ok(table.tryAcquire(0, CIRCUIT_KIND.RQ));
  assert.equal(table.tryAcquire(0, CIRCUIT_KIND.RQ), false);
});

test('what a dead worker held is taken back', () => {
  const table = new CircuitTable(new SharedArrayBuffer(CircuitTable.bytes(1)));
  table.setLimits(0, [3, 3, 3, 3, 3]);
  for (let i = 0; i < 3; i++) table.tryAcquire(0, CIRCUIT_KIND.CX);
  table.takeBack(0, CIRCUIT_KIND.CX, 2);
  assert.equal(table.value(0, CIRCUIT_KIND.CX), 1);
});

test('host counts of several threads lose nothing', async () => {
  const memory = new SharedArrayBuffer(HostTable.bytes(8));
  const table = new HostTable(memory);
  await Promise.all([1, 2, 3].map(() => thread({ job: 'hosts', memory, rounds: 20_000 })));
  assert.equal(table.active(3), 60_000);
  assert.equal(table.consecutive(3, CONSECUTIVE.FIVE_XX), 60_000);
  assert.deepEqual(table.takeWindow(3), { success: 30_000, total: 60_000 });
  assert.deepEqual(table.takeWindow(3), { success: 0, total: 0 });
  assert.equal(table.active(2), 0);
  assert.equal(table.active(4), 0);
});

test('flags are set and cleared by mask, and a new host starts without them but with the counts still held', () => {
  const table = new HostTable(new SharedArrayBuffer(HostTable.bytes(2)));
  table.setFlags(1, HOST_FLAG.FAILED_ACTIVE_HC | HOST_FLAG.FAILED_OUTLIER);
  table.clearFlags(1, HOST_FLAG.FAILED_OUTLIER);
  assert.equal(table.flags(1), HOST_FLAG.FAILED_ACTIVE_HC);
  table.addActive(1, 1);
  table.addConnections(1, 1);
  table.addConsecutive(1, CONSECUTIVE.GATEWAY);
  table.reset(1);
  assert.equal(table.flags(1), 0);
  assert.equal(table.consecutive(1, CONSECUTIVE.GATEWAY), 0);
  assert.equal(table.addActive(1, -1), 0);
  assert.equal(table.addConnections(1, -1), 0);
});

test('records are handed out once, come back, and a full table says so', () => {
  const book = new RecordBook(new SharedArrayBuffer(RecordBook.bytes(2, 1)), 1);
  const { record: one } = book.take('one'), { record: two } = book.take('two');
  assert.deepEqual([one, two, book.take('three').record], [0, 1, -1]);
  book.add(one, 0, 5);
  book.leave(one);
  assert.equal(book.take('three').record, -1, 'workers may still be at work there');
  book.free(one);
  assert.deepEqual([book.take('three'), book.counted(one, 0)], [{ record: one, known: false }, 0]);
});

test('a control thread that takes over finds who has which record, and what is nobody\'s any more', () => {
  const memory = new SharedArrayBuffer(RecordBook.bytes(8, 1)), first = new RecordBook(memory, 1), of = (book: RecordBook, ...names: string[]): number[] => names.map((n) => book.take(n).record);
  of(first, 'a', 'b', 'c', 'd', 'e');
  first.add(2, 0, 7);
  first.leave(1); // 'b' is gone, and was still at work
  first.leave(4); first.free(4);
  const second = new RecordBook(memory, 1);
  assert.deepEqual([of(second, 'c', 'b', 'a'), second.counted(2, 0)], [[2, 4, 0], 7]);
  assert.deepEqual(second.orphans(), [1, 3]);
  for (const r of [1, 3]) second.free(r);
  assert.deepEqual([second.orphans(), of(second, 'f', 'g', 'h').sort()], [[], [1, 3, 5]]);
});

test('requests counted in slots of time are summed over the last slots; a word of an older slot begins anew', () => {
  const table = new CircuitTable(new SharedArrayBuffer(CircuitTable.bytes(2)));
  for (let slot = 1000; slot < 1030; slot++) for (let i = 0; i <= slot - 1000; i++) table.countInSlot(1, slot);
  assert.equal(table.countedInSlots(1, 1029, 10), 21 + 22 + 23 + 24 + 25 + 26 + 27 + 28 + 29 + 30);
  assert.equal(table.countedInSlots(1, 1037, 10), 29 + 30);
  assert.equal(table.countedInSlots(1, 1045, 10), 0);
  assert.equal(table.countedInSlots(0, 1029, 10), 0);
  table.reset(1);
  assert.equal(table.countedInSlots(1, 1029, 10), 0);
});
