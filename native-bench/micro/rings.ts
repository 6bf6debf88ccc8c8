// Records through a ring in shared memory: written and read by the same thread, so the price of both ends together.
import Benchmark from 'benchmark';
import { Ring } from '../../engine/shm/ring.ts';
import { printed } from './in-process.ts';

const suite = new Benchmark.Suite();
for (const length of [16, 200, 4000]) {
  const ring = new Ring(new SharedArrayBuffer(Ring.bytes(1 << 20))), record = new Uint8Array(length).fill(7);
  suite.add(`a record of ${length} bytes, written and read`, () => { ring.write(record); if (ring.read()!.length !== length) throw new Error('torn'); });
}
printed(suite).run();
