// The body of a data worker's thread: builds its environment, drives turns, takes plan records off its ring, tells control what happens. Ends by exception (and is
// replaced), or when the supervisor ends it.
import { workerData } from 'node:worker_threads';
import { SystemClock } from '../engine/loop/clock.ts';
import { TurnQueue } from '../engine/loop/later.ts';
import { SystemRandom } from '../engine/loop/random.ts';
import { Runtime } from '../engine/loop/runtime.ts';
import { TimerWheel } from '../engine/loop/timer-wheel.ts';
import { createTransport } from '../engine/net/transport/choose.ts';
import type { WorkerEnv } from '../engine/net/worker-env.ts';
import { ThreadStatStore } from '../engine/observe/stats/thread-stat-store.ts';
import { pack, unpack } from '../engine/plan/plan-wire.ts';
import type { PlanRecord } from '../engine/plan/records.ts';
import { Ring } from '../engine/shm/ring.ts';
import { WorkerEngine } from '../engine/worker-engine.ts';
import { AppLog } from './app-log.ts';
import { pinThread } from './pin.ts';
import { tablesOf, type WorkerData } from './threads.ts';

const data = workerData as WorkerData;
const log = new AppLog({ level: data.flags.logLevel, components: data.flags.componentLogLevel, path: data.flags.logPath, thread: data.id + 1 });
const pinned = pinThread(data.id);
log.log('main', 'debug', typeof pinned === 'number' ? `worker ${data.id} is pinned to core ${pinned}` : `worker ${data.id} is not pinned: ${pinned}`);

const config = new Ring(data.memory.config), events = new Ring(data.memory.events);
const clock = new SystemClock(), wheel = new TimerWheel(clock);
const later = new TurnQueue(() => transport.wake());
const tell = (event: unknown): void => events.write(pack(event));
const stats = new ThreadStatStore(data.memory.column, tell);
/** A turn asks the transport for the next one only when the wheel's need changed. */
let asked = -1;
const transport = createTransport(data.flags.transport, {
  onTurnStart() { clock.tick(); wheel.advance(); },
  onTurnEnd() {
    later.run();
    if (events.backlog > 0) events.pump();
    const next = wheel.nextMs();
    const due = next < 0 ? -1 : clock.nowMs() + next;
    if (due !== asked) { asked = due; transport.wakeIn(events.backlog > 0 ? 1 : next); }
  },
}, (e) => { throw e; });
const env: WorkerEnv = { clock, wheel, random: new SystemRandom(), later, runtime: new Runtime(), log, stats, transport, workerId: data.id };

let engine: WorkerEngine | null = null;
function take(record: PlanRecord): void {
  if (record.kind === 'settings' && engine === null) engine = new WorkerEngine(env, tablesOf(data.process), record.body, (name) => process.env[name], tell);
  if (record.kind === 'log-level') { for (const [c, l] of Object.entries(record.levels)) log.set(c, l); return; }
  engine?.install(record);
}

async function receive(): Promise<void> {
  for (;;) {
    const seen = config.wakeWord;
    let any = false;
    clock.tick();
    for (let bytes = config.read(); bytes !== null; bytes = config.read()) { take(unpack<PlanRecord>(bytes)); any = true; }
    if (any) transport.wake();
    const changed = config.changed(seen);
    if (changed !== null) await changed;
  }
}

tell({ kind: 'hello', transport: transport.name });
// Keeps the thread alive while it waits for its first record.
setInterval(() => {}, 1 << 30);
void receive();
