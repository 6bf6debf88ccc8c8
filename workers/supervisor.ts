// The main thread: starts the control thread and one pinned worker per core, watches and replaces them, passes signals on. Kept so small that it does not fail.
import { Worker } from 'node:worker_threads';
import { SystemRandom } from '../engine/loop/random.ts';
import { beatMs, type WatchdogsPlan } from '../engine/plan/watchdog-plan.ts';
import { Heartbeats } from '../engine/shm/heartbeats.ts';
import type { Flags } from './flags.ts';
import { GuardDog } from './guard-dog.ts';
import { processMemory, ringMemory, workerMemory, type ControlData, type ProcessMemory, type ToControl, type ToSupervisor, type ToWorker, type WorkerData, type WorkerMemory } from './threads.ts';

/** First pause before a thread that died is started again; doubles to the last while it keeps dying, ms. */
const FIRST_PAUSE = 100, LAST_PAUSE = 10_000, STEADY_MS = 30_000;
const DEADLINE_MS = 30_000, ECHO_MS = 1000;
/** Control compiles and answers now and then: a young generation as large as V8 lets one grow would stay with it, MB. Data workers keep V8's own. */
const CONTROL_YOUNG_MB = 24;

/** How often a thread was replaced, and how long to wait before the next time. */
export class Lives {
  restarts = 0;
  private pause = FIRST_PAUSE;
  private startMs = 0;
  started(nowMs: number): void { this.startMs = nowMs; }
  /** The thread has died: the pause before its replacement, ms. */
  died(nowMs: number): number {
    if (nowMs - this.startMs > STEADY_MS) this.pause = FIRST_PAUSE;
    const pause = this.pause;
    this.pause = Math.min(LAST_PAUSE, pause * 2);
    this.restarts++;
    return pause;
  }
}

export class Supervisor {
  private readonly flags: Flags;
  private readonly memory: ProcessMemory;
  private readonly beats: Heartbeats;
  /** Looks at control and at the data workers, once the configuration says when. */
  private dogs: readonly NodeJS.Timeout[] = [];
  private readonly startMs = Date.now();
  private control: Worker | null = null;
  private readonly workers: (Worker | null)[] = [];
  private readonly memories: WorkerMemory[] = [];
  private readonly lives: Lives[] = [];
  private readonly controlLives = new Lives();
  /** A control thread has read the configuration and found it good. */
  private configured = false;
  /** Workers that this life of control was told of: one told of twice would count twice. */
  private readonly known = new Set<Worker>();
  private ending = false;
  private signals = 0;
  private signalMs = 0;
  /** Replaceable for tests: the modules that threads run. */
  private readonly modules: { readonly worker: URL; readonly control: URL };
  private readonly onExit: (code: number) => void;

  constructor(flags: Flags, onExit: (code: number) => void, modules = { worker: new URL('./worker.ts', import.meta.url), control: new URL('./control.ts', import.meta.url) }) { this.flags = flags; this.memory = processMemory(flags.concurrency); this.beats = new Heartbeats(this.memory.beats); this.onExit = onExit; this.modules = modules; }

  start(): void {
    this.startControl();
    // Beside control, which reads the configuration meanwhile.
    for (let id = 0; id < this.flags.concurrency; id++) this.startWorker(id);
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => this.terminate(name));
    process.on('SIGUSR1', () => this.tell({ kind: 'signal', name: 'SIGUSR1' }));
    process.on('SIGHUP', () => this.tell({ kind: 'signal', name: 'SIGHUP' }));
  }

  /** The first asks control to drain; a second one, or the deadline, ends. Ctrl-C in a terminal comes twice, from the terminal and from npm: that is one. */
  private terminate(name: string): void {
    const nowMs = performance.now(), echo = name === 'SIGINT' && this.signals === 1 && nowMs - this.signalMs < ECHO_MS;
    if (echo) return;
    this.signalMs = nowMs;
    if (++this.signals > 1 || this.control === null) { this.end(0); return; }
    this.tell({ kind: 'signal', name });
    setTimeout(() => this.end(0), Math.min(DEADLINE_MS, this.flags.parentShutdownTimeS * 1000)).unref();
  }

  private tell(message: ToControl): void { this.control?.postMessage(message); }

  private startControl(): void {
    const data: ControlData = { role: 'control', flags: this.flags, process: this.memory, startMs: this.startMs, restarts: this.controlLives.restarts };
    this.beats.begin(0);
    const thread = new Worker(this.modules.control, { workerData: data, stdout: false, stderr: false, resourceLimits: { maxYoungGenerationSizeMb: CONTROL_YOUNG_MB } });
    this.control = thread;
    this.known.clear();
    this.controlLives.started(performance.now());
    thread.on('message', (m: ToSupervisor) => {
      if (m.kind === 'configured') { if (this.configured) this.introduceAll(); this.configured = true; return; }
      if (m.kind === 'watch') { this.watch(m.watchdogs); return; }
      // A replaced control that cannot start (its file was broken meanwhile) must not end the traffic: it is tried again, ever more seldom.
      if (m.code !== 0 && this.controlLives.restarts > 0 && this.signals === 0) void thread.terminate(); else this.end(m.code);
    });
    thread.on('error', (e) => console.error(`control thread: ${(e as Error).stack ?? String(e)}`));
    thread.on('exit', () => {
      this.control = null;
      if (this.ending) return;
      // Nothing was served yet: a control thread that cannot start is the end.
      if (!this.configured) { this.end(1); return; }
      setTimeout(() => { if (!this.ending) this.startControl(); }, this.controlLives.died(performance.now()));
    });
  }

  /** Tells a new control of the workers that were there before it. One that is about to be replaced is told of when it is. */
  private introduceAll(): void { this.workers.forEach((worker, id) => { if (worker !== null && !this.known.has(worker)) this.introduce(id, worker); }); }

  /** Makes a living worker known to a new control: same column, new rings, as nobody knows how far the old ones were read. */
  private introduce(id: number, worker: Worker): void {
    const rings = ringMemory(), memory = this.memories[id] = { column: this.memories[id]!.column, ...rings };
    worker.postMessage({ kind: 'rings', ...rings } satisfies ToWorker);
    this.tell({ kind: 'worker-up', id, memory, restarts: this.lives[id]!.restarts });
  }

  private startWorker(id: number): void {
    const memory = this.memories[id] = workerMemory();
    this.beats.begin(1 + id);
    const data: WorkerData = { role: 'worker', id, flags: this.flags, process: this.memory, memory };
    const thread = new Worker(this.modules.worker, { workerData: data, stdout: false, stderr: false });
    this.workers[id] = thread;
    (this.lives[id] ??= new Lives()).started(performance.now());
    thread.on('error', (e) => console.error(`worker ${id}: ${(e as Error).stack ?? String(e)}`));
    thread.on('exit', () => {
      this.workers[id] = null;
      this.known.delete(thread);
      if (this.ending) return;
      this.tell({ kind: 'worker-down', id });
      setTimeout(() => { if (!this.ending) this.startWorker(id); }, this.lives[id]!.died(performance.now()));
    });
    this.tell({ kind: 'worker-up', id, memory, restarts: this.lives[id]!.restarts });
    if (this.control !== null) this.known.add(thread);
  }

  /** A stuck thread is ended and replaced, as one that died; where too many are stuck, the process ends as Envoy's does. */
  private watch({ main, workers }: WatchdogsPlan): void {
    for (const t of this.dogs) clearInterval(t);
    const nameOf = (thread: number): string => (thread === 0 ? 'main_thread' : `worker_${thread - 1}`);
    const env = {
      seen: (thread: number) => this.beats.seen(thread), missed: (thread: number, mega: boolean) => this.tell({ kind: 'silence', thread: nameOf(thread), mega }),
      kill: (thread: number) => { console.error(`GuardDog: one thread (${nameOf(thread)}) stuck for more than watchdog_kill_timeout: it is replaced`); void (thread === 0 ? this.control : this.workers[thread - 1])?.terminate(); },
      multikill: (threads: readonly number[]) => { console.error(`GuardDog: At least ${threads.length} threads (${threads.map(nameOf).join(', ')}) stuck for more than watchdog_multikill_timeout`); process.abort(); },
    };
    const groups = [[main, [0]], [workers, Array.from({ length: this.flags.concurrency }, (_, i) => 1 + i)]] as const;
    this.dogs = groups.map(([plan, threads]) => { const dog = new GuardDog(plan, threads, new SystemRandom().unit(), env); return setInterval(() => dog.look(performance.now()), beatMs(plan)); });
  }

  private end(code: number): void {
    if (this.ending) return;
    this.ending = true;
    this.onExit(code);
  }
}
