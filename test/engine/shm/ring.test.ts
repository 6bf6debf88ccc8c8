// The ring between real threads: order, fragments, wrap-around, a slow reader, a reader and a writer that die.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { CircuitTable } from '../../../engine/shm/circuit-table.ts';
import { HostTable } from '../../../engine/shm/host-table.ts';
import { Ring } from '../../../engine/shm/ring.ts';
import { SharedWords } from '../../../engine/shm/shared-words.ts';

const record = (n: number, length: number): Uint8Array => { const b = new Uint8Array(length); new DataView(b.buffer).setUint32(0, n); for (let i = 4; i < length; i++) b[i] = (n + i) & 255; return b; };
const check = (b: Uint8Array, n: number): void => { assert.equal(new DataView(b.buffer, b.byteOffset).getUint32(0), n); for (let i = 4; i < b.length; i++) if (b[i] !== ((n + i) & 255)) assert.fail(`byte ${i} of record ${n}`); };
const thread = (code: string, workerData: unknown): Worker => new Worker(`import { workerData } from 'node:worker_threads';\n${code}`.replace(/engine:/g, new URL('../../../engine/', import.meta.url).href), { eval: true, workerData, execArgv: ['--disable-warning=ExperimentalWarning', '--input-type=module'] } as never);

test('records of all sizes come out whole and in order, also those larger than the ring, over many turns of it', () => {
  const ring = new Ring(new SharedArrayBuffer(Ring.bytes(1024)));
  const lengths = [4, 5, 7, 8, 63, 200, 255, 256, 257, 1000, 1024, 5000];
  let written = 0, read = 0;
  for (let round = 0; round < 200; round++) {
    ring.write(record(written, lengths[written % lengths.length]!));
    written++;
    for (let got = ring.read(); got !== null || ring.backlog > 0; got = ring.read()) { if (got !== null) { assert.equal(got.length, lengths[read % lengths.length]); check(got, read++); } ring.pump(); }
  }
  assert.equal(read, written);
  assert.equal(ring.used, 0);
});

test('without room tryWrite counts a drop and tears nothing; write waits in the writer\'s memory', () => {
  const ring = new Ring(new SharedArrayBuffer(Ring.bytes(256)));
  let n = 0;
  while (ring.tryWrite(record(n, 40))) n++;
  assert.equal(ring.dropped, 1);
  ring.write(record(n, 40));
  assert.equal(ring.backlog, 1);
  for (let i = 0; i <= n; i++) { let got = ring.read(); if (got === null) { ring.pump(); got = ring.read(); } check(got!, i); ring.pump(); }
  assert.equal(ring.read(), null);
});

test('a writer in another thread: 20,000 records arrive in order at a reader that is slow and sleeps in between', async () => {
  const memory = new SharedArrayBuffer(Ring.bytes(4096));
  const ring = new Ring(memory);
  const writer = thread(`import { Ring } from 'engine:shm/ring.ts';
    const ring = new Ring(workerData); for (let n = 0; n < 20000; n++) { const b = new Uint8Array(4 + n % 300); new DataView(b.buffer).setUint32(0, n); for (let i = 4; i < b.length; i++) b[i] = (n + i) & 255; ring.write(b); if (n % 64 === 0) { while (!ring.pump()) await new Promise((r) => setTimeout(r, 0)); } }
    while (!ring.pump()) await new Promise((r) => setTimeout(r, 0));`, memory);
  let next = 0;
  while (next < 20_000) {
    const seen = ring.wakeWord;
    let any = false;
    for (let b = ring.read(); b !== null; b = ring.read()) { check(b, next++); any = true; }
    if (!any) await ring.changed(seen);
  }
  await writer.terminate();
});

test('a writer that dies at any moment leaves no torn record behind', async () => {
  for (let run = 0; run < 5; run++) {
    const memory = new SharedArrayBuffer(Ring.bytes(4096));
    const writer = thread(`import { Ring } from 'engine:shm/ring.ts';
      const ring = new Ring(workerData); for (let n = 0; ; n++) { const b = new Uint8Array(50); new DataView(b.buffer).setUint32(0, n); for (let i = 4; i < b.length; i++) b[i] = (n + i) & 255; while (!ring.tryWrite(b)); }`, memory);
    const ring = new Ring(memory);
    let next = 0;
    while (next < 2000) { const b = ring.read(); if (b !== null) check(b, next++); else await new Promise((r) => setImmediate(r)); }
    await writer.terminate();
    for (let b = ring.read(); b !== null; b = ring.read()) check(b, next++);
  }
});

test('circuit limits hold exactly over threads that contend for them', async () => {
  const memory = new SharedArrayBuffer(CircuitTable.bytes(4)), most = new SharedArrayBuffer(8);
  const table = new CircuitTable(memory);
  table.setLimits(1, [7, 7, 7, 7, 7]);
  const code = `import { CircuitTable } from 'engine:shm/circuit-table.ts';
    const t = new CircuitTable(workerData.memory), seen = new Int32Array(workerData.most); let taken = 0;
    for (let i = 0; i < 200000; i++) { if (t.tryAcquire(1, 2)) { const v = t.value(1, 2); if (v > seen[0]) seen[0] = v; taken++; t.release(1, 2); } } seen[1] = 1;`;
  const threads = [0, 1, 2].map(() => thread(code, { memory, most }));
  await Promise.all(threads.map((w) => new Promise((r) => w.once('exit', r))));
  const seen = new Int32Array(most);
  assert.ok(seen[0]! > 0 && seen[0]! <= 7, `at most ${seen[0]} at once`);
  assert.equal(table.value(1, 2), 0);
});

test('host records and the connection limit are counted for the whole process', () => {
  const hosts = new HostTable(new SharedArrayBuffer(HostTable.bytes(8)));
  hosts.setFlags(3, 5); hosts.clearFlags(3, 1);
  assert.equal(hosts.flags(3), 4);
  assert.equal(hosts.addActive(3, 2), 2);
  assert.equal(hosts.active(2), 0);
  hosts.reset(3);
  assert.equal(hosts.flags(3), 0);
  assert.equal(hosts.active(3), 2, 'who took them gives them back, whatever became of the record');
  const words = new SharedWords(new SharedArrayBuffer(SharedWords.bytes));
  words.setConnectionLimit(2);
  assert.deepEqual([words.tryConnection(), words.tryConnection(), words.tryConnection()], [true, true, false]);
  words.releaseConnections(1);
  assert.equal(words.tryConnection(), true);
});
