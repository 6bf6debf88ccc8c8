// What the process is doing: life-cycle state, its stats of itself, the runtime's values, the workers. Control thread.
import type { ListenerPlan } from '../plan/listener-plan.ts';
import { listenerStatName } from '../net/listener.ts';
import type { HcmPlan } from '../plan/hcm-plan.ts';
import { CIRCUIT_SCHEMA, CLUSTER_LB_SCHEMA, CLUSTER_SCHEMA, FILESYSTEM_SCHEMA, HCM_SCHEMA, HOST_SCHEMA, HTTP1_SCHEMA, HTTP2_SCHEMA, LISTENER_HTTP_SCHEMA, LISTENER_SCHEMA, LISTENER_WORKER_SCHEMA } from '../observe/stats/schemas.ts';
import { L4_SCHEMAS, listenerFilterScopes, networkFilterScopes } from '../observe/stats/l4-schemas.ts';
import { SystemClock } from '../loop/clock.ts';
import { StatReader } from './stats/stat-reader.ts';
import type { ProcessPlan } from './compile/process-config.ts';

export interface StateHost { readonly flags: { readonly concurrency: number }; readonly startMs: number; readonly controlRestarts: number; after(ms: number, task: () => void): () => void }
export interface WorkerState { readonly id: number; readonly column: SharedArrayBuffer; restarts: number; transport: string; up: boolean }

export class ServerState {
  readonly stats = new StatReader([CLUSTER_SCHEMA, CLUSTER_LB_SCHEMA, HOST_SCHEMA, HCM_SCHEMA, LISTENER_SCHEMA, LISTENER_HTTP_SCHEMA, LISTENER_WORKER_SCHEMA, HTTP1_SCHEMA, HTTP2_SCHEMA, FILESYSTEM_SCHEMA, CIRCUIT_SCHEMA, ...L4_SCHEMAS], [HOST_SCHEMA.id, CIRCUIT_SCHEMA.id]);
  readonly workers = new Map<number, WorkerState>();
  private readonly host: StateHost;
  private readonly own = new Map<string, number>();
  private phase: 'PRE_INITIALIZING' | 'INITIALIZING' | 'LIVE' | 'DRAINING' = 'PRE_INITIALIZING';
  private process: ProcessPlan | null = null;
  failedHealthCheck = false;
  private readonly adminRuntime: Record<string, string | number | boolean> = {};

  constructor(host: StateHost) { this.host = host; }

  useProcess(p: ProcessPlan): void {
    this.process = p;
    this.phase = 'INITIALIZING';
    this.tick();
    const flush = (): void => { this.stats.flush(); this.host.after(p.statsFlushMs, flush); };
    this.host.after(p.statsFlushMs, flush);
  }

  get live(): boolean { return this.phase === 'LIVE'; }
  get lifeState(): 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING' { return this.failedHealthCheck ? 'DRAINING' : this.phase; }
  draining(): void { this.phase = 'DRAINING'; }

  /** LIVE once every listener of every worker has answered. */
  initialized(listening: () => boolean): void {
    const look = (): void => { if (this.phase !== 'INITIALIZING') return; if (listening()) this.phase = 'LIVE'; else this.host.after(2, look); };
    look();
  }

  private readonly clock = new SystemClock();
  nowMs(): number { this.clock.tick(); return this.clock.nowMs(); }
  uptimeS(): number { return (this.clock.tick(), Math.floor((this.clock.wallMs() - this.host.startMs) / 1000)); }

  change(name: string, kind: 'counter' | 'gauge', c: { readonly set?: number; readonly add?: number }): void {
    const value = c.set ?? (this.own.get(name) ?? 0) + (c.add ?? 0);
    this.own.set(name, value);
    this.stats.set(name, kind, value);
  }

  /** Gauges of the process, set before they are shown. */
  tick(): void {
    const m = process.memoryUsage();
    this.change('server.uptime', 'gauge', { set: this.uptimeS() });
    this.change('server.concurrency', 'gauge', { set: this.host.flags.concurrency });
    this.change('server.memory_allocated', 'gauge', { set: m.heapUsed });
    this.change('server.memory_heap_size', 'gauge', { set: m.heapTotal });
    this.change('server.memory_physical_size', 'gauge', { set: m.rss });
    this.change('server.live', 'gauge', { set: this.live && !this.failedHealthCheck ? 1 : 0 });
    this.change('server.state', 'gauge', { set: { LIVE: 0, DRAINING: 1, PRE_INITIALIZING: 2, INITIALIZING: 3 }[this.lifeState] });
    this.change('server.parent_connections', 'gauge', { set: 0 });
    this.change('server.total_connections', 'gauge', { set: this.openConnections() });
    this.change('server.hot_restart_epoch', 'gauge', { set: 0 });
    this.change('server.worker_restarts', 'counter', { set: [...this.workers.values()].reduce((n, w) => n + w.restarts, 0) });
    this.change('server.control_restarts', 'counter', { set: this.host.controlRestarts });
    this.change('listener_manager.workers_started', 'gauge', { set: this.workers.size > 0 ? 1 : 0 });
  }

  openConnections(): number { return this.sumOf(/^listener\..*\.downstream_cx_active$/, /worker_/); }
  openRequests(): number { return this.sumOf(/^http\..*\.downstream_rq_active$/); }
  private sumOf(names: RegExp, but?: RegExp): number { let n = 0; for (const name of this.stats.scalarNames()) if (names.test(name) && but?.test(name) !== true) n += this.stats.value(name) ?? 0; return n; }

  workerUp(id: number, column: SharedArrayBuffer, restarts: number): void { this.workers.set(id, { id, column, restarts, transport: '', up: true }); this.stats.attach(id, column); }
  workerDown(id: number): void { const w = this.workers.get(id); if (w !== undefined) w.up = false; this.stats.detach(id); }
  transportOf(id: number, transport: string): void { const w = this.workers.get(id); if (w !== undefined) w.transport = transport; }

  /** Scopes that exist by configuration read 0 from the start. */
  declare(listeners: readonly ListenerPlan[], clusters: readonly string[]): void {
    // A scope in use shows itself; beyond this many clusters the unused ones are left out of /stats.
    if (clusters.length <= 1000) for (const c of clusters) { this.stats.declare(CLUSTER_SCHEMA, `cluster.${c}`); this.stats.declare(CLUSTER_LB_SCHEMA, `cluster.${c}`); }
    for (const l of listeners) {
      const prefix = `listener.${listenerStatName(l)}`;
      this.stats.declare(LISTENER_SCHEMA, prefix);
      for (let i = 0; i < this.host.flags.concurrency; i++) this.stats.declare(LISTENER_WORKER_SCHEMA, `${prefix}.worker_${i}`);
      for (const f of l.listenerFilters) for (const [schema, scope] of listenerFilterScopes(f.filter.kind, f.filter.body)) this.stats.declare(schema, scope);
      for (const f of [...l.chains, ...(l.defaultChain === null ? [] : [l.defaultChain])].flatMap((c) => c.filters)) {
        const { statPrefix } = f.body as HcmPlan;
        if (typeof statPrefix === 'string' && f.kind.endsWith('HttpConnectionManager')) { this.stats.declare(HCM_SCHEMA, `http.${statPrefix}`); this.stats.declare(LISTENER_HTTP_SCHEMA, `${prefix}.http.${statPrefix}`); }
        for (const [schema, scope] of networkFilterScopes(f.kind, f.body)) this.stats.declare(schema, scope);
      }
    }
    this.change('listener_manager.total_listeners_active', 'gauge', { set: listeners.length });
  }

  /** All layers merged; later ones win. */
  runtimeValues(): Record<string, string | number | boolean> {
    const out: Record<string, string | number | boolean> = {};
    const walk = (prefix: string, v: unknown): void => {
      if (v === null || v === undefined) return;
      if (typeof v === 'object' && !Array.isArray(v)) {
        const o = v as Record<string, unknown>;
        if ('numerator' in o) { const of = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 }[String(o['denominator'] ?? 'HUNDRED')] ?? 100; out[prefix] = (Number(o['numerator']) * 100) / of; return; }
        for (const [k, x] of Object.entries(o)) walk(prefix === '' ? k : `${prefix}.${k}`, x);
      } else if (typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean') out[prefix] = typeof v === 'string' && v !== '' && Number.isFinite(Number(v)) ? Number(v) : v;
    };
    for (const l of this.process?.layers ?? []) { if (l.kind === 'static') walk('', l.values); else if (l.kind === 'admin') Object.assign(out, this.adminRuntime); }
    return out;
  }
  modifyRuntime(key: string, value: string): void { if (value === '') delete this.adminRuntime[key]; else this.adminRuntime[key] = Number.isFinite(Number(value)) ? Number(value) : value === 'true' ? true : value === 'false' ? false : value; }
}
