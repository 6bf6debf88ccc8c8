// What a quiet moment costs: requests timed warm, then all connections closed and the heap collected as the worker's own quiet collection does, then timed again on new connections.
//   npm run bench:one -- native-bench/micro/quiet.ts [rounds]
// With `node --trace-deopt` it shows which optimised functions the collection took with it ("embedded weak objects cleared").
import { compactHeap, collectGarbage } from '../../engine/loop/collect-garbage.ts';
import { NO_SINK } from '../../engine/net/transport/transport.ts';
import { ANSWER, GET, httpBootstrap, inProcess, type MemorySocket } from './in-process.ts';

const ROUNDS = Number(process.argv[2] ?? 8);
const upstreams = new Set<MemorySocket>();
const worker = await inProcess(httpBootstrap(), (upstream) => { upstreams.add(upstream); upstream.sink.onData(ANSWER, 0, ANSWER.length); });

/** µs per request over `count` requests on `clients`. */
function timed(clients: readonly MemorySocket[], count: number): number {
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    const c = clients[i % clients.length]!, before = c.bytes;
    c.sink.onData(GET, 0, GET.length);
    worker.turn();
    if (c.bytes - before < 200) throw new Error('no answer');
  }
  return 1000 * (performance.now() - began) / count;
}

const connect = (): MemorySocket[] => Array.from({ length: 64 }, () => worker.transport.accept());
/** All peers leave, as at the end of a burst. */
function leave(clients: readonly MemorySocket[]): void {
  for (const s of [...clients, ...upstreams]) { s.sink.onEnd(); worker.turn(); s.sink.onClose(''); s.sink = NO_SINK; worker.turn(); }
  upstreams.clear();
}

compactHeap();
for (let round = 0; round < ROUNDS; round++) {
  const clients = connect();
  const first = timed(clients, 2_000), next = timed(clients, 20_000), warm = timed(clients, 20_000);
  leave(clients);
  console.log(`round ${round}: first 2,000 ${first.toFixed(1)} µs, next 20,000 ${next.toFixed(1)} µs, last 20,000 ${warm.toFixed(1)} µs`);
  await new Promise((r) => setTimeout(r, 50));
  collectGarbage();
}
process.exit(0);
