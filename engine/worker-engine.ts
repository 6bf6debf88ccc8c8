// One data worker's engine: installs plan records and runs what they describe. The thread around it (workers/worker.ts) brings the records and the loop.
import { networkInterfaces, hostname } from 'node:os';
import { WorkerCatalog } from './catalog-data.ts';
import type { DrainTime } from './net/drain-sequence.ts';
import { ListenerSet } from './net/listener.ts';
import { OverloadView } from './net/overload.ts';
import { StreamAccounts } from './net/stream-accounts.ts';
import type { WorkerEnv } from './net/worker-env.ts';
import { collectGarbage, compactHeap } from './loop/collect-garbage.ts';
import { toByteString } from './headers/headers.ts';
import { LogFiles } from './observe/accesslog/log-file.ts';
import { ThreadProfile } from './observe/thread-profile.ts';
import { openNodeSink } from './observe/accesslog/node-file-sink.ts';
import { FILESYSTEM_SCHEMA } from './observe/stats/schemas.ts';
import { StatBlock } from './observe/stats/stat-block.ts';
import { StatLeaves, type StatsTold } from './observe/stats/stat-leaves.ts';
import type { OwnedStatStore } from './observe/stats/thread-stat-store.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';
import { quickened, unpack } from './plan/plan-wire.ts';
import type { PlanRecord, SettingsPlan, WorkerCommand } from './plan/records.ts';
import { RouteTables } from './router/route-table.ts';
import { DnsCaches } from './upstream/dns-caches.ts';
import { ClusterSet } from './upstream/cluster-set.ts';
import type { SharedTables } from './upstream/cluster.ts';

/** What a worker tells control. */
export type EngineEvent =
  | { readonly kind: 'committed'; readonly seq: number }
  | { readonly kind: 'listener-bound'; readonly name: string; readonly addresses: readonly string[]; readonly error: string }
  | { readonly kind: 'outlier-vote'; readonly host: number; readonly row: number }
  | { readonly kind: 'health-fail'; readonly host: number }
  | { readonly kind: 'dns-wanted'; readonly cache: string; readonly host: string }
  | StatsTold
  | { readonly kind: 'drained' };

/** A worker's own, whose stat slots can be taken back. */
type ThreadEnv = WorkerEnv & { readonly stats: OwnedStatStore };

/** The machine's own address, which stands for loopback peers in x-forwarded-for. */
function machineAddress(version: 'v4' | 'v6'): string {
  for (const list of Object.values(networkInterfaces())) for (const a of list ?? []) if (a.family === (version === 'v4' ? 'IPv4' : 'IPv6') && !a.internal) return a.address;
  return version === 'v4' ? '127.0.0.1' : '::1';
}

export class WorkerEngine {
  private readonly env: ThreadEnv;
  private readonly tell: (event: EngineEvent) => void;
  private readonly clusters: ClusterSet;
  private readonly routes: RouteTables;
  private readonly listeners: ListenerSet;
  private readonly accounts: StreamAccounts;
  private readonly logFiles: LogFiles;
  private readonly leaves: StatLeaves;
  private settings: SettingsPlan | null = null;
  private started = false;
  private readonly profiles = { cpu: new ThreadProfile('cpu'), heap: new ThreadProfile('heap') };

  constructor(env: ThreadEnv, shared: SharedTables, settings: SettingsPlan, environment: (name: string) => string | undefined, tell: (event: EngineEvent) => void) {
    this.env = env; this.tell = tell; this.settings = settings;
    this.leaves = new StatLeaves(env.stats, env.wheel, tell);
    if (settings.internalBufferBytes > 0) env.internal.bufferBytes = settings.internalBufferBytes;
    const operators = { hostname: hostname(), environment };
    this.logFiles = new LogFiles(openNodeSink, env.wheel, new StatBlock(env.stats, FILESYSTEM_SCHEMA, 'filesystem'), { flushIntervalMs: settings.fileFlushIntervalMs, minFlushBytes: settings.fileMinFlushBytes });
    this.clusters = new ClusterSet(env, shared, { vote: (host, row) => tell({ kind: 'outlier-vote', host, row }), failHealth: (host) => tell({ kind: 'health-fail', host }) }, new DnsCaches((cache, host) => tell({ kind: 'dns-wanted', cache, host }), env.clock));
    this.clusters.settle(settings.nodeLocality, settings.localClusterName);
    this.routes = new RouteTables({ runtime: env.runtime, clock: env.clock, operators, stats: env.stats });
    const overload = new OverloadView(shared.words, () => this.settings?.overloadTimers ?? []);
    const catalog = new WorkerCatalog({ limits: shared.limits, records: shared.records, overload, healthFailed: () => shared.words.healthFailed(), clusters: this.clusters, dns: this.clusters.dns, routes: this.routes, logs: { clock: env.clock, runtime: env.runtime, random: env.random, operators, logFiles: this.logFiles }, machineAddress: machineAddress(settings.localAddressIpVersion), node: () => ({ id: toByteString(this.settings?.nodeId ?? ''), cluster: toByteString(this.settings?.nodeCluster ?? '') }) });
    this.accounts = new StreamAccounts(env);
    this.listeners = new ListenerSet(env, catalog, shared.words, overload, shared.limits);
    this.listeners.onBound = (name, addresses, error) => this.tell({ kind: 'listener-bound', name, addresses, error });
  }

  install(r: PlanRecord): void {
    switch (r.kind) {
      case 'settings': this.settings = r.body; this.clusters.settle(r.body.nodeLocality, r.body.localClusterName); break;
      case 'cluster': this.clusters.install(r.name, r.body); break;
      case 'cluster-removed': this.clusters.remove(r.name); break;
      case 'settled': this.clusters.forgetFormer(); this.listeners.keepOnly(new Set(r.listeners), this.drainTime); break;
      case 'dns': this.clusters.dns.install(r.cache, r.host, r.answer); break;
      case 'hosts': this.clusters.installHosts(r.name, r.body); break;
      case 'health': this.clusters.lookAtHealth(r.name); break;
      case 'routes': this.routes.install(r.name, r.body); break;
      case 'secret': this.env.secrets.install(r.name, r.body); break;
      case 'secret-removed': this.env.secrets.remove(r.name); break;
      case 'routes-removed': this.routes.remove(r.name); break;
      case 'listener': this.listeners.install(quickened(unpack<ListenerPlan>(r.body))); break;
      case 'listener-removed': this.listeners.remove(r.name, this.drainTime); break;
      case 'runtime': this.env.runtime.install(r.values); break;
      case 'commit':
        this.tell({ kind: 'committed', seq: r.seq });
        // The first configuration came with nobody served yet.
        if (!this.started) { this.started = true; compactHeap(); }
        break;
      case 'command': this.command(r.command); break;
      case 'stats-leave': this.leaves.asked(r.owner, r.ask); break;
      case 'stats-free': this.env.stats.free(r.number); break;
      case 'log-format': case 'log-level': break; // the thread's host sets its logger
    }
  }

  private get drainTime(): DrainTime { return { ms: this.settings!.drainTimeS * 1000, gradual: this.settings!.drainStrategy === 'gradual' }; }

  private command(c: WorkerCommand): void {
    switch (c.name) {
      case 'drain-listeners': this.listeners.drainListeners(c, this.drainTime); break;
      case 'drain': this.listeners.drain(); break;
      case 'reopen-logs': this.logFiles.reopenAll(); break;
      case 'overload':
        if (c.action === 'stop_accepting_connections') this.listeners.onOverload();
        else if (c.action === 'reduce_timeouts') this.listeners.onTimersScaled();
        else if (c.action === 'reset_high_memory_stream' && c.value > 0) this.accounts.relieve(this.listeners, c.value, this.settings!.accountPowerOfTwo);
        else if (c.action === 'shrink_heap' && c.value >= 1) collectGarbage();
        break;
      case 'profile': void this.profiles[c.what].switch(c.on, c.path, `worker_${this.env.workerId}`); break;
      case 'stop': this.logFiles.drainAll(() => this.tell({ kind: 'drained' })); break;
    }
  }

  close(): void { this.listeners.close(); this.logFiles.close(); this.env.transport.close(); }
}
