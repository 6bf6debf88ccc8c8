// The body of the control thread: gives the control engine its doors (rings to the workers, timers, files, signals) and runs it.
import { parentPort, workerData } from 'node:worker_threads';
import { ControlEngine, type ControlHost } from '../engine/control-engine.ts';
import { pack, unpack } from '../engine/plan/plan-wire.ts';
import type { PlanRecord } from '../engine/plan/records.ts';
import { Ring } from '../engine/shm/ring.ts';
import { AppLog } from './app-log.ts';
import { tablesOf, type ControlData, type ToControl, type ToSupervisor, type WorkerMemory } from './threads.ts';
import { VERSION } from './flags.ts';

const data = workerData as ControlData;
const log = new AppLog({ level: data.flags.logLevel, components: data.flags.componentLogLevel, path: data.flags.logPath, thread: 0 });
const say = (m: ToSupervisor): void => parentPort!.postMessage(m);

class Channel {
  readonly config: Ring; readonly events: Ring; open = true;
  constructor(memory: WorkerMemory) { this.config = new Ring(memory.config); this.events = new Ring(memory.events); }
  async listen(id: number): Promise<void> {
    while (this.open) {
      const seen = this.events.wakeWord;
      for (let b = this.events.read(); b !== null; b = this.events.read()) engine.onWorkerEvent(id, unpack(b));
      const changed = this.events.changed(seen);
      if (changed !== null) await changed;
    }
  }
}
const channels = new Map<number, Channel>();
// What did not fit into a ring goes on as its worker reads.
setInterval(() => { for (const c of channels.values()) if (c.config.backlog > 0) c.config.pump(); }, 2).unref();

const host: ControlHost = {
  flags: data.flags, version: VERSION, log, startMs: data.startMs, controlRestarts: data.restarts, shared: tablesOf(data.process),
  send: (id, records: readonly PlanRecord[]) => { const c = channels.get(id); if (c !== undefined) for (const r of records) c.config.write(pack(r)); },
  workerIds: () => [...channels.keys()],
  after: (ms, task) => { const t = setTimeout(task, ms); return () => clearTimeout(t); },
  startWorkers: () => say({ kind: 'start-workers' }),
  exit: (code) => say({ kind: 'exit', code }),
  setLogLevel: (component, level) => (component === '' ? (log.setAll(level), true) : log.set(component, level)),
  logLevel: (component) => log.level(component),
};
const engine = new ControlEngine(host);

parentPort!.on('message', (m: ToControl) => {
  switch (m.kind) {
    case 'worker-up': {
      const c = new Channel(m.memory);
      const old = channels.get(m.id);
      if (old !== undefined) old.open = false;
      channels.set(m.id, c);
      engine.onWorkerUp(m.id, m.memory.column, m.restarts);
      void c.listen(m.id);
      break;
    }
    case 'worker-down': { const c = channels.get(m.id); if (c !== undefined) c.open = false; channels.delete(m.id); engine.onWorkerDown(m.id); break; }
    case 'signal': engine.onSignal(m.name); break;
  }
});
void engine.start();
