// The control thread's engine: reads and watches configuration, compiles it, keeps the living clusters, feeds the workers, answers the admin interface, drains.
// Its thread (workers/control.ts) gives it doors; nothing here touches a request.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import { COMPILERS } from './catalog-config.ts';
import { ControlClusters, type RecordBooks } from './control/clusters/control-clusters.ts';
import { compileBootstrap, type CompiledBootstrap } from './control/compile/bootstrap.ts';
import { ProbeEnv } from './control/probe-env.ts';
import { ClusterHealth } from './control/health/cluster-health.ts';
import { makeMonitor, SYSTEM_MONITOR_ENV } from './control/overload/monitors.ts';
import { OverloadManager } from './control/overload/overload-manager.ts';
import type { ShownFlags } from './control/server-info.ts';
import { SystemResolver, thisMachine } from './control/dns/resolver.ts';
import { ServerState } from './control/server-state.ts';
import { WorkerTakeBack } from './control/stats/take-back.ts';
import { makeSinks } from './control/stats/sinks/make-sinks.ts';
import { SecretManager } from './control/secrets/secret-manager.ts';
import { TicketRotation } from './control/secrets/ticket-rotation.ts';
import { ResourceCompiler } from './control/compile/resource-compiler.ts';
import { allBound, ServedResources } from './control/served-resources.ts';
import { FileWatches } from './control/watch/file-watches.ts';
import { DynamicResources } from './control/xds/dynamic-resources.ts';
import { ControlAdmin } from './control-admin.ts';
import { collectGarbage, compactHeap, heapBytes, spareHeapBytes } from './loop/collect-garbage.ts';
import { beatMs, type WatchdogsPlan } from './plan/watchdog-plan.ts';
import type { OverloadPlan } from './plan/overload-plan.ts';
import { SystemClock } from './loop/clock.ts';
import { SystemRandom } from './loop/random.ts';
import { formatAddress } from './net/address.ts';
import type { Logger } from './observe/log.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';
import { unpack } from './plan/plan-wire.ts';
import type { RouteTablePlan } from './plan/route-plan.ts';
import type { PlanRecord, SettingsPlan } from './plan/records.ts';
import type { Report } from './proto/config-message.ts';
import { formatReport } from './proto/config-tree.ts';
import type { CompiledCluster } from './upstream/config.ts';
import type { KeptCounters } from './shm/kept-counters.ts';
import { DEGRADED, UNHEALTHY } from './shm/host-table.ts';
import type { SharedTables } from './upstream/cluster.ts';
import type { EngineEvent } from './worker-engine.ts';
import type { StatClaim } from './observe/stats/thread-stat-store.ts';

/** The flags that the engine looks at (workers/flags.ts has them all). */
export interface EngineFlags extends ShownFlags { readonly watch: boolean; readonly strict: boolean; readonly transport: string; readonly tls: 'auto' | 'rustls' | 'node'; readonly argv: readonly string[] }

export interface ControlHost {
  readonly flags: EngineFlags; readonly version: string; readonly log: Logger; readonly startMs: number; readonly controlRestarts: number; readonly shared: SharedTables; readonly books: RecordBooks; readonly kept?: KeptCounters;
  send(worker: number, records: readonly PlanRecord[]): void;
  /** To all workers that are up. */
  broadcast(records: readonly PlanRecord[]): void;
  workerIds(): readonly number[];
  after(ms: number, task: () => void): () => void;
  /** The threads are watched from now on; this one begins to show that it lives. */
  watch(watchdogs: WatchdogsPlan): void;
  /** The configuration is good: the process serves from now on. */
  configured(): void;
  exit(code: number): void;
  /** A variable of the process's environment. */
  environment(name: string): string | undefined;
  /** What secrets are sealed under on their way to the workers. */
  readonly secretKey: Uint8Array;
  setLogLevel(component: string, level: string): boolean;
  logLevel(component: string): string;
  /** A pattern as of --log-format, in all threads. */
  setLogFormat(pattern: string): void;
}

export type Compiled = CompiledBootstrap<ListenerPlan, CompiledCluster>;

function compileFrom(flags: EngineFlags, environment: (name: string) => string | undefined, clusters?: ReadonlySet<string>): Compiled {
  let bytes: Uint8Array | null = null;
  if (flags.configPath !== '') {
    try { bytes = readFileSync(flags.configPath); } catch { bytes = null; }
    if (bytes === null) return { reports: [{ severity: 'error', message: `unable to read file: ${flags.configPath}`, place: { file: flags.configPath, line: 0, column: 0, path: '' } }], errors: 1, generalErrors: 1, listeners: [], clusters: [], routes: [], process: null as never, secrets: null, unknownFields: 0, json: () => ({}) };
  }
  const c = compileBootstrap({ file: flags.configPath, bytes, overlay: flags.configYaml, concurrency: flags.concurrency, environment, flags, ...(clusters === undefined ? {} : { clusters }) }, COMPILERS);
  if (flags.logFormat === '' || c.process.logFormat === '') return c;
  const twice: Report = { severity: 'error', message: 'Only one of ApplicationLogConfig.log_format or CLI option --log-format can be specified.', place: { file: flags.configPath, line: 0, column: 0, path: 'application_log_config' } };
  return { ...c, reports: [...c.reports, twice], errors: c.errors + 1, generalErrors: c.generalErrors + 1 };
}

/** --mode validate: Envoy's OK line, or every fault. */
export function validateConfiguration(flags: EngineFlags, environment: (name: string) => string | undefined): { ok: boolean; text: string } {
  const c = compileFrom(flags, environment);
  const lines = c.reports.map(formatReport);
  const ok = c.errors === 0 && !(flags.strict && c.reports.length > 0);
  return { ok, text: `${lines.map((l) => `${l}\n`).join('')}${ok ? `configuration '${flags.configPath}' OK\n` : `error initializing configuration '${flags.configPath}': ${c.errors} error${c.errors === 1 ? '' : 's'}\n`}` };
}

/** How long a process that was told to end waits for its last requests; whoever starts processes kills after 30 s, mostly. */
const LAST_REQUESTS_MS = 20_000;

/** When what was needed to compile is let go, after the start and after a change. */
const SETTLED_MS = 2000;
/** What the heap must have grown by for that, bytes: single endpoints that come and go do not make control pause. */
const WORTH_PACKING = 16 << 20;
/** Names of resources whose update has errors: they keep their previous version. */
const refused = (list: readonly { readonly name: string; readonly plan: unknown }[]): Set<string> => new Set(list.filter((r) => r.plan === null).map((r) => r.name));
/** What is kept of a compilation must not keep its parsed tree: /config_dump reads the file anew. */
const NO_JSON = (): unknown => ({});

export class ControlEngine {
  readonly host: ControlHost;
  readonly state: ServerState;
  private readonly probes: ProbeEnv;
  readonly health: ClusterHealth;
  readonly clusters: ControlClusters;
  readonly secrets: SecretManager;
  private readonly tickets: TicketRotation;
  compiled: Compiled | null = null;
  /** What is served now, by name. */
  readonly served: ServedResources;
  readonly dynamic: DynamicResources;
  private readonly watches: FileWatches;
  private listenersOut = false;
  private readonly committed = new Map<number, number>();
  private readonly takeBack: WorkerTakeBack;
  private admin: ControlAdmin | null = null;
  private adminServer: Server | null = null;
  private draining = false;
  private overload: OverloadManager | null = null;

  constructor(host: ControlHost) {
    this.host = host;
    this.watches = new FileWatches((ms, task) => host.after(ms, task));
    this.state = new ServerState(host, (path, onChange) => this.watches.watch(path, onChange));
    this.takeBack = new WorkerTakeBack(host.shared, host.books.hosts);
    this.secrets = new SecretManager({
      emit: (records) => { this.probes.take(records); this.broadcast(records); }, watch: (path, onChange) => this.watches.watch(path, onChange), warn: (m) => host.log.log('config', 'warning', m), info: (m) => host.log.log('config', 'info', m),
      stat: (name, kind, change) => this.state.tell(name, kind, change), wallMs: () => this.state.wallMs(), after: (ms, task) => host.after(ms, task), key: host.secretKey,
    });
    this.tickets = new TicketRotation({ emit: (records) => this.broadcast(records), after: (ms, task) => host.after(ms, task), key: host.secretKey });
    const clock = new SystemClock();
    this.probes = new ProbeEnv({ after: (ms, task) => host.after(ms, task), log: host.log, secretKey: host.secretKey, tls: host.flags.tls }, clock, new SystemRandom());
    this.health = new ClusterHealth({
      after: (ms, task) => host.after(ms, task), clock, random: new SystemRandom(), hosts: host.shared.hosts, sockets: this.probes.env, operators: { hostname: hostname(), environment: () => undefined },
      stat: (name, kind, change) => this.state.change(name, kind, change), hasTraffic: (statName) => (this.state.stats.value(`cluster.${statName}.upstream_cx_total`) ?? 0) > 0, outlierLog: () => this.compiled?.process.outlierLog ?? '',
    });
    this.clusters = new ControlClusters({ health: this.health, sockets: this.probes.env,
      wallMs: () => this.state.wallMs(), concurrency: host.flags.concurrency, emit: (records) => this.broadcast(records), after: (ms, task) => host.after(ms, task), hosts: host.shared.hosts, circuits: host.shared.circuits, words: host.shared.words, books: host.books, leave: (owner, done) => this.state.own.departures.ask(owner, done), resolver: new SystemResolver(thisMachine(() => this.state.wallMs()), (name, kind, change) => this.state.change(name, kind, change)), random: new SystemRandom(),
      stat: (name, kind, change) => this.state.change(name, kind, change), warn: (m) => host.log.log('upstream', 'warning', m),
      endpoints: (name, statName, hosts) => this.state.own.declareEndpoints(name, statName, hosts, { stat: (record, at) => this.takeBack.hostStat(record, at), healthy: (record) => (host.shared.hosts.flags(record) & (UNHEALTHY | DEGRADED)) === 0 }),
    });
    ({ served: this.served, dynamic: this.dynamic } = this.makeServed());
  }

  /** Everything that is served comes in and goes out here, and what comes by discovery. */
  private makeServed(): { served: ServedResources; dynamic: DynamicResources } {
    const { host, state } = this;
    const served = new ServedResources({
      broadcast: (records) => this.broadcast(records), clusters: this.clusters, count: (name) => state.change(name, 'counter', { add: 1 }), gauge: (name, set) => state.change(name, 'gauge', { set }), listenersDrain: (count) => this.listenersDrain(count), stamp: (kind, name) => state.stamp(kind, name), unstamp: (kind, name) => state.unstamp(kind, name), routesIn: (key, packed) => state.own.declareRoutes(key, packed === null ? [] : unpack<RouteTablePlan>(packed).counted),
      declareCluster: ({ cluster }) => { state.own.declareCluster(cluster.name, cluster.statName, cluster.transportSocket !== null || cluster.transportSocketMatches.length > 0); state.own.declareTracked(cluster.statName, cluster.trackSizes, cluster.trackBudgets); },
      clusterUp: (name, plan) => state.own.watchBreakers(name, plan.cluster.statName, this.clusters.circuitsOf(name), host.shared.circuits, plan.trackRemaining), retireCluster: (name) => state.own.retireCluster(name),
      out: () => this.listenersOut, routesSettled: (key) => this.dynamic.routesSettled(key), onListeners: () => this.onListeners(), onClusters: () => { this.dynamic.syncEndpoints(this.clusters.discovered()); this.forgetFormer(); this.compactLater(); },
    });
    const dynamic = new DynamicResources({
      served, unknownFields: host.flags.unknownDynamic, compiler: (tree, secrets) => new ResourceCompiler(tree, COMPILERS, { concurrency: host.flags.concurrency, flags: host.flags, environment: (n: string) => host.environment(n), facts: this.compiled!.process.facts, ...(secrets === null ? {} : { secrets }) }),
      setAssignment: (name, a) => this.clusters.setAssignment(name, a), setSecrets: (sources) => this.secrets.apply(sources),
      watch: (path, onChange, extra) => this.watches.watch(path, onChange, extra), after: (ms, task) => host.after(ms, task), wallMs: () => Math.floor(state.wallMs()), log: (level, message) => host.log.log('config', level, message),
      stat: (name, kind, change) => state.tell(name, kind, change),
    });
    return { served, dynamic };
  }

  // ---- start ---------------------------------------------------------------------------------------------------------------

  async start(): Promise<void> {
    const { host } = this;
    const c = compileFrom(host.flags, (n) => host.environment(n));
    this.logReports(c);
    if (c.errors > 0 || (host.flags.strict && c.reports.length > 0)) {
      host.log.log('main', 'critical', `error initializing configuration '${host.flags.configPath}': ${c.errors} error${c.errors === 1 ? '' : 's'}`);
      host.exit(1);
      return;
    }
    this.compiled = { ...c, json: NO_JSON, listeners: [], clusters: [], routes: [] };
    if (c.process.logFormat !== '') host.setLogFormat(c.process.logFormat);
    this.state.useProcess(c.process);
    this.state.change('server.static_unknown_fields', 'counter', { set: c.unknownFields });
    this.state.change('server.dynamic_unknown_fields', 'counter', { set: 0 });
    host.shared.words.setConnectionLimit(c.process.maxDownstreamConnections);
    host.configured();
    this.watchOverload(c.process.overload);
    this.state.sinks = makeSinks(c.process.statSinks, this.state.view, { transport: this.probes.env.transport, connect: (cluster, sink) => this.clusters.connect(cluster, sink, this.probes.env), count: (name) => this.state.change(name, 'counter', { add: 1 }) });
    this.state.stamp('bootstrap', '');
    this.state.onRuntime = () => this.runtimeChanged();
    // Workers that started beside this thread take their part as it is made.
    for (const id of host.workerIds()) this.greet(id);
    await new Promise<void>((r) => { host.after(0, r); });
    this.dynamic.secrets.set('static', c.secrets);
    this.served.setClusters('static', c.clusters, refused(c.clusters), () => null);
    this.dynamic.use('clusters', c.process.dynamic.clusters);
    await this.startAdmin(c);
    await this.clusters.ready();
    if (host.flags.mode === 'init_only') { host.log.log('main', 'info', 'exiting'); host.exit(0); return; }
    this.served.setListeners('static', c.listeners, c.routes, refused(c.listeners), () => null);
    this.dynamic.use('listeners', c.process.dynamic.listeners);
    this.listenersOut = true;
    this.forgetFormer();
    for (const id of host.workerIds()) host.send(id, this.served.listenerRecords());
    this.state.initialized(() => this.allListening());
    host.watch(c.process.watchdogs);
    this.compactLater();
    if (host.flags.watch && host.flags.configPath !== '') this.watches.watch(host.flags.configPath, () => this.reload());
  }

  private watchOverload(plan: OverloadPlan | null): void {
    this.overload?.close();
    const env = SYSTEM_MONITOR_ENV(this.host.flags.concurrency, () => this.host.shared.words.connections(), (key) => this.state.runtimeValues()[key]), of = new Map(plan?.monitors.map((m) => [m.name, m.monitor]));
    this.overload = plan === null || plan.monitors.length === 0 ? null : new OverloadManager(plan, {
      after: (ms, task) => this.host.after(ms, task), nowMs: () => this.state.nowMs(), record: (name, value) => this.state.stats.record(name, value), words: this.host.shared.words, makeMonitor: (name) => makeMonitor(of.get(name)!, env), stat: (name, kind, change) => this.state.change(name, kind, change),
      onAction: (action, value) => {
        if (action === 'shrink_heap') { this.state.change('overload.envoy.overload_actions.shrink_heap.shrink_count', 'counter', { add: 1 }); collectGarbage(); }
        this.broadcast([{ kind: 'command', command: { name: 'overload', action, value } }]);
      },
    });
  }

  private logReports(c: Compiled): void { for (const r of c.reports) this.host.log.log('config', r.severity === 'error' ? 'error' : 'warning', formatReport(r)); }

  private async startAdmin(c: Compiled): Promise<void> {
    const plan = c.process.admin;
    if (plan === null) return;
    this.admin = new ControlAdmin(this, plan);
    const server = this.adminServer = this.admin.server();
    const address = plan.address;
    await new Promise<void>((done) => {
      server.once('error', (e: Error) => { this.host.log.log('admin', 'critical', `admin: cannot bind '${formatAddress(address)}': ${e.message}`); this.host.exit(1); });
      if (address.kind === 'ip') server.listen({ host: address.ip, port: address.port }, done); else server.listen({ path: formatAddress(address) }, done);
    });
    const bound = server.address() as { address: string; port: number } | string | null;
    if (this.host.flags.adminAddressPath !== '') writeFileSync(this.host.flags.adminAddressPath, bound !== null && typeof bound === 'object' ? `${bound.address}:${bound.port}` : String(bound));
  }

  // ---- records -------------------------------------------------------------------------------------------------------------

  private settings(): SettingsPlan {
    const p = this.compiled!.process, f = this.host.flags;
    return { concurrency: f.concurrency, nodeId: p.nodeId || f.serviceNode, nodeCluster: p.nodeCluster || f.serviceCluster, nodeZone: p.nodeZone || f.serviceZone, nodeMetadata: null, fileFlushIntervalMs: f.fileFlushIntervalMs, fileMinFlushBytes: f.fileFlushMinBytes, drainTimeS: f.drainTimeS, drainStrategy: f.drainStrategy, maxDownstreamConnections: p.maxDownstreamConnections, localClusterName: p.localCluster, nodeLocality: p.nodeLocality ?? (f.serviceZone === '' ? null : { region: '', zone: f.serviceZone, subZone: '' }), overloadTimers: p.overload?.timers ?? [], accountPowerOfTwo: p.overload?.accountPowerOfTwo ?? 0, localAddressIpVersion: f.localAddressIpVersion, internalBufferBytes: p.facts.internalBufferBytes, beatMs: beatMs(p.watchdogs.workers) };
  }

  private settled = false;
  /** Once all clusters and listeners are known and every worker is there: what workers have of others is of the life of control before this one. */
  private forgetFormer(): void {
    const { host } = this;
    if (this.settled || !this.listenersOut || !this.dynamic.known || host.workerIds().length < host.flags.concurrency) return;
    this.settled = true;
    this.broadcast([{ kind: 'settled', listeners: this.served.listenerNames() }]);
    this.clusters.releaseOrphans();
    this.state.own.settle();
  }

  broadcast(records: readonly PlanRecord[]): void { this.host.broadcast(records); }

  onWorkerUp(id: number, column: SharedArrayBuffer, restarts: number): void {
    this.state.workerUp(id, column, restarts);
    this.takeBack.attach(id, column);
    this.unbind(id);
    if (this.compiled !== null) this.greet(id);
  }

  /** All that is there, to a worker that has nothing. */
  private greet(id: number): void {
    this.host.send(id, [{ kind: 'settings', body: this.settings() }, { kind: 'runtime', values: this.state.runtimeValues() }, ...this.secrets.records(), ...this.tickets.records(), ...this.clusters.records(), ...this.served.routeRecords()]);
    if (this.listenersOut && !this.draining) this.host.send(id, this.served.listenerRecords());
    this.forgetFormer();
  }

  onWorkerDown(id: number): void {
    this.host.log.log('main', 'error', `worker ${id} died and is replaced`);
    this.takeBack.detach(id);
    this.state.workerDown(id);
    this.unbind(id);
  }

  onWorkerEvent(id: number, event: EngineEvent | StatClaim | { readonly kind: 'hello'; readonly transport: string; readonly tls: string }): void {
    switch (event.kind) {
      case 'stat-block': case 'stat': case 'histogram': if (event.kind === 'stat') this.state.lookups.note(event.name); this.state.stats.claim(id, event); this.takeBack.claim(id, event); break;
      case 'stat-gone': this.state.own.onLeave(id, event); this.takeBack.gone(id, event.claim); break;
      case 'stats-left': case 'stats-owner': this.state.own.onLeave(id, event); break;
      case 'hello': this.state.hello(id, event.transport, event.tls); break;
      case 'committed': this.committed.set(id, event.seq); break;
      case 'listener-bound': this.onBound(id, event); break;
      case 'outlier-vote': this.health.vote(event.host, event.row); break;
      case 'dns-wanted': this.clusters.dnsWanted(event.cache, event.host); break;
      case 'health-fail': this.health.failNow(event.host); break;
      case 'drained': this.host.exit(0); break;
    }
  }

  private onBound(id: number, e: { readonly name: string; readonly addresses: readonly string[]; readonly error: string }): void {
    const l = this.served.listeners.get(e.name);
    if (l === undefined) return;
    l.bound.set(id, { addresses: e.addresses, error: e.error });
    if (e.error === '') { this.state.change('listener_manager.listener_create_success', 'counter', { add: 1 }); return; }
    this.state.change('listener_manager.listener_create_failure', 'counter', { add: 1 });
    this.host.log.log('config', 'critical', `listener '${e.name}' failed to bind or apply socket options: cannot bind '${formatAddress(l.plan.address)}': ${e.error}`);
    if (!this.state.live) this.host.exit(1);
  }

  private allListening(): boolean { return this.served.warming.size === 0 && allBound(this.served.listeners.values(), this.host.flags.concurrency); }
  private unbind(id: number): void { for (const l of this.served.listeners.values()) l.bound.delete(id); }

  // ---- the one update path -------------------------------------------------------------------------------------------------

  /** The file was saved: good resources go live, bad ones keep their previous version. */
  reload(): void {
    const c = this.compile();
    this.logReports(c);
    if (c.listeners.length === 0 && c.clusters.length === 0 && c.errors > 0) { this.state.change('server.config_reload_rejected', 'counter', { add: 1 }); return; }
    this.compiled = { ...c, json: NO_JSON, listeners: [], clusters: [], routes: [] };
    // A listener that keeps its previous version keeps that one's secrets too: a worker that starts later needs them.
    this.dynamic.secrets.set('static', c.secrets, c.errors > 0);
    this.served.setClusters('static', c.clusters, refused(c.clusters), () => null);
    this.dynamic.use('clusters', c.process.dynamic.clusters);
    this.served.setListeners('static', c.listeners, c.routes, refused(c.listeners), () => null);
    this.dynamic.use('listeners', c.process.dynamic.listeners);
    this.state.change(c.errors > 0 ? 'server.config_reload_rejected' : 'server.config_reload_success', 'counter', { add: 1 });
    this.compactLater();
  }

  private cancelCompact: () => void = () => undefined;
  /** Once changes have stopped coming. */
  private compactLater(): void {
    this.cancelCompact();
    this.cancelCompact = this.host.after(SETTLED_MS, () => { if (heapBytes() + spareHeapBytes() < this.packedBytes + WORTH_PACKING) return; compactHeap(); this.packedBytes = heapBytes(); });
  }
  private packedBytes = 0;

  private dynamicClusters(): Set<string> { return new Set([...this.served.clusters].filter(([, c]) => c.owner === 'dynamic').map(([name]) => name)); }

  /** The set of listeners is another one: their route tables are asked for, and what nobody asks for any more is let go. */
  private onListeners(): void {
    const all = [...this.served.listeners.values(), ...this.served.warming.values()];
    this.dynamic.syncRoutes(all.flatMap((l) => l.needs));
    this.served.forgetRoutes();
    this.declareStats();
    this.forgetFormer();
    this.compactLater();
  }

  private declareStats(): void { this.state.own.declareListeners([...this.served.listeners.values()].map((l) => l.plan)); }

  /** Values of the runtime go to the workers as a whole. */
  runtimeChanged(): void { this.broadcast([{ kind: 'runtime', values: this.state.runtimeValues() }]); }

  /** The configuration as proto JSON, read anew. */
  configJson(): unknown { return this.compile().json(); }
  private compile(): Compiled { return compileFrom(this.host.flags, (n) => this.host.environment(n), this.dynamicClusters()); }

  // ---- the end -------------------------------------------------------------------------------------------------------------

  onSignal(name: string): void {
    switch (name) {
      case 'SIGTERM': case 'SIGINT': this.shutDown(); break;
      case 'SIGUSR1': this.admin?.traffic.reopen(); this.broadcast([{ kind: 'command', command: { name: 'reopen-logs' } }]); break;
      case 'SIGHUP': if (this.host.flags.watch) this.reload(); break;
    }
  }

  /** Drains: listeners close, connections finish what they do, logs are written; then the process ends. */
  shutDown(): void {
    if (this.draining) return;
    this.draining = true;
    this.state.draining();
    this.host.log.log('main', 'info', 'shutting down: requests under way may finish (a second signal stops at once)');
    this.broadcast([{ kind: 'command', command: { name: 'drain', drainTimeS: this.host.flags.drainTimeS, strategy: this.host.flags.drainStrategy } }]);
    const deadline = this.host.flags.drainStrategy === 'immediate' ? 0 : Math.min(this.host.flags.drainTimeS * 1000, LAST_REQUESTS_MS);
    const began = this.state.nowMs();
    const look = (): void => {
      if (this.state.openRequests() <= 0 || this.state.nowMs() - began > deadline) { this.state.flushNow(); this.adminServer?.closeAllConnections(); this.adminServer?.close(); this.admin?.traffic.close(() => undefined); this.broadcast([{ kind: 'command', command: { name: 'stop' } }]); this.host.after(1000, () => this.host.exit(0)); } else this.host.after(20, look);
    };
    this.host.after(20, look);
  }

  private listenersDrain(count: number): void {
    const change = (add: number): void => this.state.change('listener_manager.total_listeners_draining', 'gauge', { add });
    change(count);
    this.host.after(this.host.flags.drainTimeS * 1000, () => change(-count));
  }

  /** What /drain_listeners has begun gracefully, which is begun once. */
  private sequenced: 'nothing' | 'inbound' | 'all' = 'nothing';
  /** /drain_listeners. Those that stopped stay in the list, as in Envoy; a replaced worker does not open them again. */
  drainListeners(wish: { readonly graceful: boolean; readonly inboundOnly: boolean; readonly skipExit: boolean }): void {
    this.broadcast([{ kind: 'command', command: { name: 'drain-listeners', ...wish } }]);
    if (wish.graceful || wish.skipExit) {
      if (this.sequenced === 'all' || (this.sequenced === 'inbound' && wish.inboundOnly)) return;
      this.sequenced = wish.inboundOnly ? 'inbound' : 'all';
    }
    if (wish.skipExit) return;
    const stop = (): void => { for (const [name, l] of this.served.listeners) if ((!wish.inboundOnly || l.plan.direction === 'INBOUND') && !this.served.stopped.has(name)) { this.served.stopped.add(name); this.state.change('listener_manager.listener_stopped', 'counter', { add: 1 }); } };
    if (wish.graceful) this.host.after(this.host.flags.drainTimeS * 1000, stop); else stop();
  }

  /** Sums of a host's own stats (HOST_SCHEMA) over the living workers. */
  hostStats(record: number): readonly number[] { return this.takeBack.hostStats(record); }
}
