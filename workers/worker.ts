// The body of a data worker's thread: builds its environment, drives turns, takes plan records off its ring, tells control what happens. Ends by exception (and is
// replaced), or when the supervisor ends it. When control was replaced, new rings come by message, and the worker says again all that control must know of it.
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../engine/loop/clock.ts';
import { collectGarbage, compactHeap, heapBytes, spareHeapBytes } from '../engine/loop/collect-garbage.ts';
import { TurnQueue } from '../engine/loop/later.ts';
import { QuietCollector } from '../engine/loop/quiet-collector.ts';
import { SystemRandom } from '../engine/loop/random.ts';
import { Runtime } from '../engine/loop/runtime.ts';
import { TimerWheel } from '../engine/loop/timer-wheel.ts';
import { InternalNetwork } from '../engine/net/internal-network.ts';
import { createTransport } from '../engine/net/transport/choose.ts';
import { SecretStore } from '../engine/net/tls/secret-store.ts';
import { tlsEngines } from '../engine/net/tls/choose.ts';
import type { WorkerEnv } from '../engine/net/worker-env.ts';
import { COLUMN_SLOTS } from '../engine/observe/stats/stat-column.ts';
import type { StatsTold } from '../engine/observe/stats/stat-leaves.ts';
import { ThreadStatStore } from '../engine/observe/stats/thread-stat-store.ts';
import { pack, unpack } from '../engine/plan/plan-wire.ts';
import type { PlanRecord } from '../engine/plan/records.ts';
import { Heartbeats } from '../engine/shm/heartbeats.ts';
import { Ring } from '../engine/shm/ring.ts';
import { WorkerEngine } from '../engine/worker-engine.ts';
import { AppLog } from './app-log.ts';
import { keepCompiled } from './compile-cache.ts';
import { Containment } from './containment.ts';
import { nameThread, pinThread } from './pin.ts';
import { tablesOf, type ToWorker, type WorkerData } from './threads.ts';
import { nextTurnMs } from './turn-timer.ts';

const data = workerData as WorkerData;
const log = new AppLog(data.flags, 'worker', data.id);
const pinned = pinThread(data.id);
nameThread(`wrk:worker_${data.id}`); // Envoy's
log.log('main', 'debug', typeof pinned === 'number' ? `worker ${data.id} is pinned to core ${pinned}` : `worker ${data.id} is not pinned: ${pinned}`);

let config = new Ring(data.memory.config), events = new Ring(data.memory.events);
const clock = new SystemClock(), wheel = new TimerWheel(clock);
const later = new TurnQueue(() => transport.wake());
const tell = (event: unknown): void => events.write(pack(event));
const stats = new ThreadStatStore(data.memory.column, tell, () => log.log('main', 'warning', `worker ${data.id}: no room for more statistics (${COLUMN_SLOTS} slots are used); what has none yet is not counted`));
const containment = new Containment(clock, stats, (text) => log.log('main', 'critical', text));
const quiet = new QuietCollector(wheel, { collect: collectGarbage, compact: compactHeap, used: heapBytes, spare: spareHeapBytes });
/** When the transport was last asked for a turn, on the clock; NaN: it must be asked again. */
let askedMs = NaN;
const transport = createTransport(data.flags.transport, {
  onTurnStart() { clock.tick(); wheel.advance(); },
  onTurnEnd() {
    later.run();
    quiet.onTurn();
    const waiting = events.backlog > 0 && !events.pump();
    const now = clock.nowMs(), next = nextTurnMs(now, wheel.nextMs(), waiting, askedMs);
    if (next === null) return;
    askedMs = !transport.wakeIn(next) ? NaN : next < 0 ? -1 : now + next;
  },
}, (e, socket) => containment.caught(e, socket));
// A wake may take the place of the turn that was asked for: ask again at the end of the one it brings.
const wake = transport.wake.bind(transport);
transport.wake = () => { askedMs = NaN; wake(); };
const env: WorkerEnv & { readonly stats: ThreadStatStore } = { clock, wheel, random: new SystemRandom(), later, runtime: new Runtime(), log, stats, transport, internal: new InternalNetwork(later, wheel, clock), secrets: new SecretStore(data.process.secretKey), tls: tlsEngines(data.flags.tls, later), workerId: data.id };

const beats = new Heartbeats(data.process.beats);
let engine: WorkerEngine | null = null;
function take(record: PlanRecord): void {
  // `tell` reads the ring of the day: the engine outlives control.
  if (record.kind === 'settings' && engine === null) {
    engine = new WorkerEngine(env, tablesOf(data.process), record.body, (name) => process.env[name], tell);
    // A timer of the loop's own: a turn would look like work.
    setInterval(() => beats.beat(1 + data.id), record.body.beatMs);
  }
  if (record.kind === 'log-format') { log.setFormat(record.pattern); return; }
  if (record.kind === 'log-level') { for (const [c, l] of Object.entries(record.levels)) log.set(c, l); return; }
  if (record.kind === 'command' && record.command.name === 'reopen-logs') log.reopen();
  engine?.install(record);
}

async function receive(from: Ring): Promise<void> {
  while (from === config) {
    const seen = from.wakeWord;
    let any = false;
    clock.tick();
    for (let bytes = from.read(); bytes !== null; bytes = from.read()) { take(unpack<PlanRecord>(bytes)); any = true; }
    if (any) transport.wake();
    const changed = from.changed(seen);
    if (changed !== null) await changed;
  }
}

const greet = (): void => tell({ kind: 'hello', transport: transport.name, tls: env.tls[0]!.name });

// The listener also keeps the thread alive while nothing else does.
parentPort!.on('message', (m: ToWorker) => {
  if (m.kind !== 'rings') return;
  config = new Ring(m.config);
  events = new Ring(m.events);
  greet();
  stats.replay();
  for (const owner of stats.ownerNames()) tell({ kind: 'stats-owner', owner } satisfies StatsTold);
  transport.wake();
  void receive(config);
});
greet();
void receive(config);
keepCompiled();
