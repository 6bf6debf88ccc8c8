// Another thread for the tests of shared structures: does what its workerData says, on the same memory, and says when it is done.
import { parentPort, workerData } from 'node:worker_threads';
import { CONSECUTIVE, HostTable } from '../../../engine/shm/host-table.ts';
import { Ring } from '../../../engine/shm/ring.ts';

export type ShmJob =
  | { readonly job: 'hosts'; readonly memory: SharedArrayBuffer; readonly rounds: number }
  | { readonly job: 'ring-writer'; readonly memory: SharedArrayBuffer; readonly lengths: readonly number[]; readonly dieAt: number };

/** Record number `i` of a ring test: its bytes tell its number and length. */
export function ringRecord(i: number, length: number): Uint8Array {
  const r = new Uint8Array(length);
  for (let k = 0; k < length; k++) r[k] = (i * 31 + k) & 255;
  return r;
}

async function run(d: ShmJob): Promise<unknown> {
  switch (d.job) {
    case 'hosts': {
      const table = new HostTable(d.memory);
      for (let i = 0; i < d.rounds; i++) { table.addActive(3, 2); table.addConsecutive(3, CONSECUTIVE.FIVE_XX); table.addOutcome(3, (i & 1) === 0); table.addActive(3, -1); }
      return null;
    }
    case 'ring-writer': {
      const ring = new Ring(d.memory);
      for (const [i, length] of d.lengths.entries()) {
        if (i === d.dieAt) process.exit(0);
        ring.write(ringRecord(i, length));
        while (ring.backlog > 0) { await new Promise((r) => setImmediate(r)); ring.pump(); }
      }
      return null;
    }
  }
}
if (parentPort !== null) void run(workerData as ShmJob).then((result) => parentPort!.postMessage(result));
