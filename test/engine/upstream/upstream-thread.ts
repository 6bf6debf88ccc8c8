// Another thread for the tests of what holds for the whole process: takes from limits, or balances by least request, on memory that it shares with others.
import { parentPort, workerData } from 'node:worker_threads';
import { SeededRandom } from '../../../engine/loop/random.ts';
import { CircuitTable } from '../../../engine/shm/circuit-table.ts';
import { HostTable } from '../../../engine/shm/host-table.ts';
import { LeastRequest } from '../../../engine/upstream/lb/pickers.ts';
import type { Host } from '../../../engine/upstream/upstream.ts';

export type UpstreamJob =
  | { readonly job: 'limits'; readonly circuits: SharedArrayBuffer; readonly hosts: SharedArrayBuffer; readonly check: SharedArrayBuffer; readonly limit: number; readonly rounds: number }
  | { readonly job: 'least-request'; readonly hosts: SharedArrayBuffer; readonly count: number; readonly outstanding: number; readonly rounds: number; readonly own: boolean; readonly seed: number; /** One word: threads that have begun. */ readonly barrier: SharedArrayBuffer; readonly threads: number; readonly total: number };

/** Takes and gives back; the most that was ever held at once, by what all threads together noted. */
function limits(d: UpstreamJob & { readonly job: 'limits' }): readonly [number, number] {
  const circuits = new CircuitTable(d.circuits), hosts = new HostTable(d.hosts), check = new Int32Array(d.check);
  let most = 0, mostHost = 0;
  for (let i = 0; i < d.rounds; i++) {
    if (circuits.tryAcquire(0, 2)) { most = Math.max(most, Atomics.add(check, 0, 1) + 1); Atomics.sub(check, 0, 1); circuits.release(0, 2); }
    if (hosts.tryConnection(0, d.limit)) { mostHost = Math.max(mostHost, Atomics.add(check, 1, 1) + 1); Atomics.sub(check, 1, 1); hosts.addConnections(0, -1); }
  }
  return [most, mostHost];
}

/** Mean difference between the busiest and the least busy host, seen every few choices. `own`: choices by this thread's own counts alone, as Envoy's workers choose. */
function leastRequest(d: UpstreamJob & { readonly job: 'least-request' }): number {
  const shared = new HostTable(d.hosts), own = new HostTable(new SharedArrayBuffer(HostTable.bytes(d.count)));
  const hosts = Array.from({ length: d.count }, (_, index) => ({ index, weight: 1 }) as unknown as Host), random = new SeededRandom(d.seed);
  const picker = new LeastRequest(hosts, d.own ? own : shared, random, null, { choices: 2, fullScan: false, bias: null, defaultBias: 1 });
  // All begin together, and only what is seen under the whole load counts.
  const barrier = new Int32Array(d.barrier);
  Atomics.add(barrier, 0, 1);
  Atomics.notify(barrier, 0);
  for (let now = Atomics.load(barrier, 0); now < d.threads; now = Atomics.load(barrier, 0)) Atomics.wait(barrier, 0, now, 5000);
  const busy: Host[] = [];
  let sum = 0, seen = 0;
  for (let i = 0; i < d.rounds; i++) {
    if (busy.length >= d.outstanding) { const at = random.u32() % busy.length, h = busy[at]!; busy[at] = busy[busy.length - 1]!; busy.pop(); shared.addActive(h.index, -1); own.addActive(h.index, -1); }
    const h = picker.pick()!;
    shared.addActive(h.index, 1); own.addActive(h.index, 1);
    busy.push(h);
    if (i % 16 !== 0 || i < d.rounds / 4) continue;
    let least = Infinity, most = 0, load = 0;
    for (let k = 0; k < d.count; k++) { const a = shared.active(k); load += a; least = Math.min(least, a); most = Math.max(most, a); }
    if (load < d.total - d.threads) continue;
    sum += most - least; seen++;
  }
  return seen === 0 ? -1 : sum / seen;
}

if (parentPort !== null) { const d = workerData as UpstreamJob; parentPort.postMessage(d.job === 'limits' ? limits(d) : leastRequest(d)); }
