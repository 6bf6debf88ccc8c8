// What the process is doing: life-cycle state, its stats of itself, the runtime's values, the workers. Control thread.
import { SystemClock } from '../loop/clock.ts';
import type { CircuitTable } from '../shm/circuit-table.ts';
import type { KeptCounters } from '../shm/kept-counters.ts';
import type { PlanRecord } from '../plan/records.ts';
import type { ProcessPlan } from './compile/process-config.ts';
import { RuntimeLayers, type RuntimeValue } from './runtime/layers.ts';
import { ProcessStats } from './stats/process-stats.ts';
import type { StatFlush } from './stats/sinks/stat-flush.ts';
import type { StatReader } from './stats/stat-reader.ts';
import { RecentLookups } from './stats/recent-lookups.ts';
import { StatView } from './stats/stat-view.ts';

export interface StateHost {
  readonly flags: { readonly concurrency: number; readonly serviceCluster: string }; readonly startMs: number; readonly controlRestarts: number; readonly shared: { readonly circuits: CircuitTable }; /** Where totals outlive the control thread. */ readonly kept?: KeptCounters;
  after(ms: number, task: () => void): () => void;
  send(worker: number, records: readonly PlanRecord[]): void;
  workerIds(): readonly number[];
  readonly log: { log(component: 'runtime', level: 'warning', message: string): void };
}
export interface WorkerState { readonly id: number; readonly column: SharedArrayBuffer; restarts: number; transport: string; tls: string; up: boolean }
export type LifeState = 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING';

export class ServerState {
  readonly own: ProcessStats;
  readonly workers = new Map<number, WorkerState>();
  view: StatView;
  private readonly host: StateHost;
  private phase: LifeState = 'PRE_INITIALIZING';
  private layers: RuntimeLayers | null = null;
  /** When each resource was last changed, by 'KIND/NAME'. */
  private readonly changed = new Map<string, number>();
  private flushOnAdmin = false;
  /** Where statistics go at each flush; null: nowhere. */
  sinks: StatFlush | null = null;
  failedHealthCheck = false;
  readonly lookups = new RecentLookups();
  /** Told when runtime values may have changed. */
  onRuntime: () => void = () => undefined;
  private readonly watch: (path: string, onChange: () => void) => void;

  constructor(host: StateHost, watch: (path: string, onChange: () => void) => void = () => undefined) { this.host = host; this.watch = watch; this.own = new ProcessStats(host.flags.concurrency, { send: (id, records) => host.send(id, records), workerIds: () => host.workerIds(), soon: (task) => { host.after(0, task); } }, host.kept); this.view = new StatView(this.own.reader); }

  useProcess(p: ProcessPlan): void {
    this.phase = 'INITIALIZING';
    this.view = new StatView(this.stats, p.stats);
    this.flushOnAdmin = p.statsFlushOnAdmin;
    this.layers = new RuntimeLayers(p.layers, p.nodeCluster || this.host.flags.serviceCluster, { set: (n, kind, value) => this.change(n, kind, { set: value }), add: (n) => this.change(n, 'counter', { add: 1 }), warn: (m) => this.host.log.log('runtime', 'warning', m) });
    for (const path of this.layers.watched) this.watch(path, () => { this.layers!.load(); this.onRuntime(); });
    this.tick();
    if (p.admin !== null) this.own.declareAdmin();
    if (!p.statsFlushOnAdmin) this.host.after(p.statsFlushMs, () => this.flushEvery(p.statsFlushMs));
  }

  /** Moves histograms on, a piece a turn. */
  private flushEvery(ms: number): void {
    const pieces = this.flushes(), step = (): void => { if (pieces.next().done === true) this.host.after(ms, () => this.flushEvery(ms)); else this.host.after(0, step); };
    this.host.after(0, step);
  }

  /** A flush: histograms move on, sinks are given what came since the last. */
  private *flushes(): Generator<void> { yield* this.stats.flush(); if (this.sinks !== null) { this.tick(); yield* this.sinks.run(); } }
  /** The last one, all at once. */
  flushNow(): void { if (this.sinks !== null) for (const _ of this.flushes()) { /* all of it */ } }

  /** Everything as of now, for the admin interface. */
  shown(): StatView {
    this.tick();
    if (this.flushOnAdmin) for (const _ of this.flushes()) { /* all of it */ }
    return this.view;
  }

  get stats(): StatReader { return this.own.reader; }
  get live(): boolean { return this.phase === 'LIVE'; }
  get lifeState(): LifeState { return this.failedHealthCheck ? 'DRAINING' : this.phase; }
  draining(): void { this.phase = 'DRAINING'; }

  /** LIVE once every listener of every worker has answered. */
  initialized(listening: () => boolean): void {
    const look = (): void => {
      if (this.phase !== 'INITIALIZING') return;
      if (!listening()) { this.host.after(2, look); return; }
      this.phase = 'LIVE';
      this.stats.endInheritance();
      this.clock.tick();
      this.stats.record('server.initialization_time_ms', this.clock.wallMs() - this.host.startMs);
    };
    look();
  }

  private readonly clock = new SystemClock();
  nowMs(): number { this.clock.tick(); return this.clock.nowMs(); }
  wallMs(): number { this.clock.tick(); return this.clock.wallMs(); }
  uptimeS(): number { return Math.max(0, Math.floor((this.wallMs() - this.host.startMs) / 1000)); }

  /** A resource was put in place or replaced now. `kind`: 'bootstrap', 'cluster', 'listener'. */
  stamp(kind: string, name: string): void { this.changed.set(`${kind}/${name}`, this.wallMs()); }
  /** It is gone: nothing is remembered of it. */
  unstamp(kind: string, name: string): void { this.changed.delete(`${kind}/${name}`); }
  changedAt(kind: string, name: string): string { return new Date(this.changed.get(`${kind}/${name}`) ?? this.host.startMs).toISOString(); }

  /** A stat of the control thread's own, or a text that stands among the stats. A histogram is made known. */
  tell(name: string, kind: 'counter' | 'gauge' | 'text' | 'histogram', c: { readonly set?: number | string; readonly add?: number }): void {
    if (kind === 'histogram') { this.stats.declareHistogram(name); return; }
    if (kind === 'text' || typeof c.set === 'string') this.stats.setText(name, String(c.set)); else this.own.change(name, kind, { ...(c.set === undefined ? {} : { set: c.set }), ...(c.add === undefined ? {} : { add: c.add }) });
  }
  change(name: string, kind: 'counter' | 'gauge', c: { readonly set?: number; readonly add?: number }): void { this.own.change(name, kind, c); }

  /** Gauges of the process, set before they are shown. */
  tick(): void {
    const m = process.memoryUsage();
    const set = (name: string, value: number): void => this.own.change(name, 'gauge', { set: value });
    set('server.uptime', this.uptimeS());
    set('server.concurrency', this.host.flags.concurrency);
    set('server.memory_allocated', m.heapUsed);
    set('server.memory_heap_size', m.heapTotal);
    set('server.memory_physical_size', m.rss);
    set('server.live', this.live && !this.failedHealthCheck ? 1 : 0);
    set('server.state', { LIVE: 0, DRAINING: 1, PRE_INITIALIZING: 2, INITIALIZING: 3 }[this.lifeState]);
    set('server.stats_recent_lookups', this.lookups.total);
    this.own.countClusters();
    set('server.total_connections', this.own.openConnections());
    set('listener_manager.workers_started', this.workers.size > 0 ? 1 : 0);
    // Ours, beside Envoy's: shown from the first one on.
    const restarts = [...this.workers.values()].reduce((n, w) => n + w.restarts, 0);
    if (restarts > 0) this.change('server.worker_restarts', 'counter', { set: restarts });
    if (this.host.controlRestarts > 0) this.change('server.control_restarts', 'counter', { set: this.host.controlRestarts });
  }

  /** A thread was silent for too long: 'main_thread' is the one of control. */
  onSilence(thread: string, mega: boolean): void { for (const scope of [`server.${thread}`, thread === 'main_thread' ? thread : 'workers']) this.change(`${scope}.watchdog_${mega ? 'mega_' : ''}miss`, 'counter', { add: 1 }); }

  openRequests(): number { return this.own.openRequests(); }
  share(id: number): ReturnType<ProcessStats['share']> { return this.own.share(id); }

  workerUp(id: number, column: SharedArrayBuffer, restarts: number): void { this.workers.set(id, { id, column, restarts, transport: '', tls: '', up: true }); this.stats.attach(id, column); }
  workerDown(id: number): void { const w = this.workers.get(id); if (w !== undefined) w.up = false; this.own.workerDown(id); }
  hello(id: number, transport: string, tls: string): void { const w = this.workers.get(id); if (w !== undefined) { w.transport = transport; w.tls = tls; } }

  /** null before the configuration is known. */
  get runtime(): RuntimeLayers | null { return this.layers; }
  runtimeValues(): Record<string, RuntimeValue> { return this.layers?.values() ?? {}; }
}
