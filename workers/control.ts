// The body of the control thread: gives the control engine its doors (rings to the workers, timers, files, signals) and runs it.
import { parentPort, workerData } from 'node:worker_threads';
import { ControlEngine, type ControlHost } from '../engine/control-engine.ts';
import { beatMs } from '../engine/plan/watchdog-plan.ts';
import { pack, unpack } from '../engine/plan/plan-wire.ts';
import type { PlanRecord } from '../engine/plan/records.ts';
import { KeptCounters } from '../engine/shm/kept-counters.ts';
import { Heartbeats } from '../engine/shm/heartbeats.ts';
import { Ring } from '../engine/shm/ring.ts';
import { AppLog } from './app-log.ts';
import { keepCompiled } from './compile-cache.ts';
import { booksOf, tablesOf, type ControlData, type ToControl, type ToSupervisor, type WorkerMemory } from './threads.ts';
import { VERSION } from './flags.ts';

const data = workerData as ControlData;
const log = new AppLog(data.flags, 'control', data.restarts);
const beats = new Heartbeats(data.process.beats);
const say = (m: ToSupervisor): void => parentPort!.postMessage(m);

class Channel {
  readonly config: Ring; readonly events: Ring; open = true;
  constructor(memory: WorkerMemory) { this.config = new Ring(memory.config); this.events = new Ring(memory.events); }
  /** Takes in what the worker has said so far. */
  drain(id: number): void { for (let b = this.events.read(); b !== null; b = this.events.read()) engine.onWorkerEvent(id, unpack(b)); }
  async listen(id: number): Promise<void> {
    while (this.open) {
      const seen = this.events.wakeWord;
      this.drain(id);
      const changed = this.events.changed(seen);
      if (changed !== null) await changed;
    }
  }
}
const channels = new Map<number, Channel>();
let pumping = false;
/** What did not fit into a ring goes on as its worker reads; nothing runs while nothing waits. */
function pumpSoon(): void {
  if (pumping) return;
  pumping = true;
  setTimeout(() => {
    pumping = false;
    let waits = false;
    for (const c of channels.values()) if (!c.config.pump()) waits = true;
    if (waits) pumpSoon();
  }, 1);
}
function send(id: number, records: readonly PlanRecord[]): void {
  const c = channels.get(id);
  if (c === undefined) return;
  for (const r of records) c.config.write(pack(r));
  if (c.config.backlog > 0) pumpSoon();
}

/** To every worker; packed once. */
function broadcast(records: readonly PlanRecord[]): void {
  if (channels.size === 0) return;
  for (const r of records) { const bytes = pack(r); for (const c of channels.values()) c.config.write(bytes); }
  for (const c of channels.values()) if (c.config.backlog > 0) pumpSoon();
}

/** Levels changed while running, in order of the last change; a worker that starts is told them. */
const levels = new Map<string, string>();
function setLogLevel(component: string, level: string): boolean {
  if (!log.set(component, level)) return false;
  if (component === '') levels.clear();
  levels.delete(component);
  levels.set(component, level);
  broadcast([{ kind: 'log-level', levels: { [component]: level } }]);
  return true;
}

/** The configuration's pattern; a worker that starts is told it. */
let logFormat = '';
function setLogFormat(pattern: string): void {
  logFormat = pattern;
  log.setFormat(pattern);
  broadcast([{ kind: 'log-format', pattern }]);
}

const host: ControlHost = {
  flags: data.flags, version: VERSION, log, startMs: data.startMs, controlRestarts: data.restarts, shared: tablesOf(data.process), books: booksOf(data.process), kept: new KeptCounters(data.process.counters),
  send, broadcast,
  workerIds: () => [...channels.keys()],
  // A timer waits a millisecond at least; a large answer's pieces come one a turn.
  after: (ms, task) => { if (ms <= 0) { const i = setImmediate(task); return () => clearImmediate(i); } const t = setTimeout(task, ms); return () => clearTimeout(t); },
  configured: () => say({ kind: 'configured' }),
  watch: (watchdogs) => { beats.beat(0); setInterval(() => beats.beat(0), beatMs(watchdogs.main)); say({ kind: 'watch', watchdogs }); },
  environment: (name) => process.env[name],
  secretKey: data.process.secretKey,
  exit: (code) => say({ kind: 'exit', code }),
  setLogLevel,
  logLevel: (component) => log.level(component),
  setLogFormat,
};
const engine = new ControlEngine(host);

parentPort!.on('message', (m: ToControl) => {
  switch (m.kind) {
    case 'worker-up': {
      const c = new Channel(m.memory);
      const old = channels.get(m.id);
      if (old !== undefined) old.open = false;
      channels.set(m.id, c);
      if (logFormat !== '') send(m.id, [{ kind: 'log-format', pattern: logFormat }]);
      if (levels.size > 0) send(m.id, [{ kind: 'log-level', levels: Object.fromEntries(levels) }]);
      engine.onWorkerUp(m.id, m.memory.column, m.restarts);
      void c.listen(m.id);
      break;
    }
    case 'worker-down': {
      const c = channels.get(m.id);
      if (c === undefined) break;
      c.open = false;
      // What it claimed last must be known, or what it held could not be taken back.
      c.drain(m.id);
      channels.delete(m.id);
      engine.onWorkerDown(m.id);
      break;
    }
    case 'silence': engine.state.onSilence(m.thread, m.mega); break;
    case 'signal':
      if (m.name === 'SIGUSR1') log.reopen();
      engine.onSignal(m.name);
      break;
  }
});
void engine.start();
keepCompiled();
