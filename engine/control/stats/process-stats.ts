// Control's own stats, and which scopes there are by configuration. Everything that is declared reads 0 from the start, though a thread claims its slots at first use.
import { listenerStatName } from '../../net/listener.ts';
import { L4_SCHEMAS, LIMIT_SCHEMA, LISTENER_UDP_SCHEMA, UDP_PROXY_SCHEMA, listenerFilterScopes, networkFilterScopes } from '../../observe/stats/l4-schemas.ts';
import * as schemas from '../../observe/stats/schemas.ts';
import {
  ADMIN_HTTP_SCHEMA, ADMIN_LISTENER_SCHEMA, ASYNC_CLIENT_SCHEMA, CIRCUIT_SCHEMA, CLUSTER_BUDGETS_SCHEMA, CLUSTER_CONTROL_SCHEMA, CLUSTER_LB_SCHEMA, CLUSTER_MANAGER_SCHEMA, CLUSTER_SCHEMA, CLUSTER_SIZES_SCHEMA, FILESYSTEM_SCHEMA, HCM_SCHEMA, HOST_SCHEMA, HTTP1_SCHEMA,
  LISTENER_HTTP_SCHEMA, LISTENER_MANAGER_SCHEMA, LISTENER_SCHEMA, LISTENER_WORKER_SCHEMA, OVERLOAD_SCHEMA, REMAINING_SCHEMAS, REQUEST_SCOPE_SCHEMA, SERVER_SCHEMA, THREAD_CLUSTERS_SCHEMA, WATCHDOG_SCHEMA,
} from '../../observe/stats/schemas.ts';
import { TLS_FACTORY_SCHEMA, TLS_SCHEMA, TLS_SCHEMAS } from '../../observe/stats/tls-schemas.ts';
import type { StatSchema } from '../../observe/stats/stat-block.ts';
import type { StatsTold } from '../../observe/stats/stat-leaves.ts';
import type { HcmPlan } from '../../plan/hcm-plan.ts';
import type { CountedHost } from '../../plan/route-plan.ts';
import type { ListenerPlan } from '../../plan/listener-plan.ts';
import { CIRCUIT_KIND, type CircuitTable } from '../../shm/circuit-table.ts';
import type { KeptCounters } from '../../shm/kept-counters.ts';
import { Departures, type DeparturesEnv } from './departures.ts';
import { EndpointStats, type EndpointHost, type HostFigures } from './endpoint-stats.ts';
import { StatRetirement } from './retirement.ts';
import { StatReader } from './stat-reader.ts';

/** 'circuit_breakers.PRIORITY.WHAT' → which record, which kind. */
type BreakerPlace = readonly [priority: 0 | 1, kind: number];
const named = (names: readonly (readonly [string, number])[]): Map<string, BreakerPlace> => new Map((['default', 'high'] as const).flatMap((p, i) => names.map(([what, kind]) => [`circuit_breakers.${p}.${what}`, [i as 0 | 1, kind]] as const)));
const BREAKERS = named([['cx_open', CIRCUIT_KIND.CX], ['rq_pending_open', CIRCUIT_KIND.PENDING], ['rq_open', CIRCUIT_KIND.RQ], ['rq_retry_open', CIRCUIT_KIND.RETRY], ['cx_pool_open', CIRCUIT_KIND.POOL]]);
/** track_remaining. */
const REMAINING = named([['remaining_cx', CIRCUIT_KIND.CX], ['remaining_pending', CIRCUIT_KIND.PENDING], ['remaining_rq', CIRCUIT_KIND.RQ], ['remaining_retries', CIRCUIT_KIND.RETRY], ['remaining_cx_pools', CIRCUIT_KIND.POOL]]);

/** Every schema that a worker may claim, but for those of layer 4 and of TLS. */
const ALL = Object.values<unknown>(schemas).filter((s): s is StatSchema => typeof s === 'object' && s !== null && 'kinds' in s && 'id' in s);

/** What every cluster has. */
const OF_CLUSTER: readonly StatSchema[] = [CLUSTER_SCHEMA, CLUSTER_LB_SCHEMA, CLUSTER_CONTROL_SCHEMA];

/** Runs a task outside of this stack. */
export interface ProcessStatsEnv extends DeparturesEnv { soon(task: () => void): void }

export class ProcessStats {
  readonly reader: StatReader;
  private readonly concurrency: number;
  private readonly threads: readonly string[];
  private owners = new Set<string>();
  /** Owners that workers are to let go of. */
  readonly departures: Departures;
  /** Takes stats away with what they belonged to. */
  private readonly retirement: StatRetirement;
  private readonly endpoints: EndpointStats;

  /** `kept`: where totals outlive this thread. */
  constructor(concurrency: number, env: ProcessStatsEnv, kept: KeptCounters | null = null) {
    this.concurrency = concurrency;
    this.reader = new StatReader([...ALL, ...L4_SCHEMAS, ...TLS_SCHEMAS], [HOST_SCHEMA.id, CIRCUIT_SCHEMA.id, LIMIT_SCHEMA.id], kept);
    this.departures = new Departures(env);
    this.retirement = new StatRetirement(this.reader, this.departures, (task) => env.soon(task));
    this.endpoints = new EndpointStats(this.reader);
    const { reader } = this, threads = this.threads = ['main_thread', ...Array.from({ length: concurrency }, (_, i) => `worker_${i}`)];
    reader.declare(SERVER_SCHEMA, 'server');
    reader.declare(LISTENER_MANAGER_SCHEMA, 'listener_manager');
    reader.declare(CLUSTER_MANAGER_SCHEMA, 'cluster_manager');
    reader.declare(FILESYSTEM_SCHEMA, 'filesystem');
    reader.declare(ASYNC_CLIENT_SCHEMA, 'http.async-client');
    reader.declare(OVERLOAD_SCHEMA, 'overload');
    this.change('envoy.overload_actions.reset_high_memory_stream.count', 'counter', { add: 0 });
    for (const prefix of ['main_thread', 'workers', ...threads.map((t) => `server.${t}`)]) reader.declare(WATCHDOG_SCHEMA, prefix);
    for (const t of threads) reader.declare(THREAD_CLUSTERS_SCHEMA, `thread_local_cluster_manager.${t}`);
    this.change('server.days_until_first_cert_expiring', 'gauge', { set: 0xffff_ffff });
  }

  change(name: string, kind: 'counter' | 'gauge', c: { readonly set?: number; readonly add?: number }): void { this.reader.set(name, kind, c.set ?? this.reader.own(name) + (c.add ?? 0)); }

  /** Every thread knows all clusters, though a worker builds one when a request names it. */
  countClusters(): void { const set = this.reader.own('cluster_manager.active_clusters'); for (const t of this.threads) this.change(`thread_local_cluster_manager.${t}.clusters_inflated`, 'gauge', { set }); }

  /** The admin interface exists: it has stats like a listener and a connection manager. */
  declareAdmin(): void {
    this.reader.declare(HTTP1_SCHEMA, 'http1');
    this.reader.declare(ADMIN_HTTP_SCHEMA, 'http.admin');
    this.reader.declare(ADMIN_LISTENER_SCHEMA, 'listener.admin');
    this.reader.declare(LISTENER_HTTP_SCHEMA, 'listener.admin.http.admin');
    this.reader.declare(LISTENER_WORKER_SCHEMA, 'listener.admin.main_thread');
  }

  /** What a worker says of slots that it lets go of. */
  onLeave(worker: number, m: StatsTold): void {
    switch (m.kind) {
      case 'stat-gone': this.reader.gone(worker, m.claim); break;
      // One that the control thread before this one asked for.
      case 'stats-left': if (!this.departures.left(worker, m) && !/^(host|circuit)\./.test(m.owner)) this.found(m.owner); break;
      // Clusters alone are sent to the workers anew by a control thread that knows them: whatever else is not declared yet may come.
      case 'stats-owner': if (m.owner.startsWith('cluster.')) this.found(m.owner); break;
    }
  }
  /** Owners in workers while it is not settled which there are; null: it is. */
  private unsettled: Set<string> | null = new Set();
  private found(owner: string): void { if (this.unsettled === null) this.retirement.adopt(owner); else this.unsettled.add(owner); }
  /** All clusters that there are by configuration are declared. */
  settle(): void {
    const found = this.unsettled;
    this.unsettled = null;
    for (const owner of found ?? []) this.retirement.adopt(owner);
  }
  workerDown(worker: number): void { this.reader.detach(worker); this.departures.workerDown(worker); }

  /** A cluster is new or changed; several may have one `statName` (alt_stat_name), and then they count together. */
  declareCluster(name: string, statName = name, tls = false): void {
    const before = this.clusters.get(name);
    if (before !== undefined && before !== statName) this.retireCluster(name);
    this.clusters.set(name, statName);
    this.retirement.declare(`cluster.${statName}`, name);
    this.reader.declare(OF_CLUSTER, `cluster.${statName}`);
    if (tls) this.declareTls(`cluster.${statName}`, 'client');
  }
  private declareTls(scope: string, side: 'server' | 'client'): void { this.reader.declare(TLS_SCHEMA, `${scope}.ssl`); this.reader.declare(TLS_FACTORY_SCHEMA, `${scope}.${side}_ssl_socket_factory`); }
  /** Histograms of track_cluster_stats. */
  declareTracked(statName: string, sizes: boolean, budgets: boolean): void {
    if (sizes) this.reader.declare(CLUSTER_SIZES_SCHEMA, `cluster.${statName}`);
    if (budgets) this.reader.declare(CLUSTER_BUDGETS_SCHEMA, `cluster.${statName}`);
  }
  /** By name: how stats call it. */
  private readonly clusters = new Map<string, string>();
  /** Hosts of a cluster with per_endpoint_stats, as they are now. */
  declareEndpoints(name: string, statName: string, hosts: readonly EndpointHost[], figures: HostFigures): void { this.endpoints.declare(name, statName, hosts, figures); }
  retireCluster(name: string): void {
    const statName = this.clusters.get(name);
    if (statName === undefined) return;
    this.clusters.delete(name);
    this.endpoints.retire(name);
    const scope = `cluster.${statName}`, watched = this.breakers.get(scope);
    // Another cluster of that name is shown from now on.
    if (watched?.delete(name) === true) { const other = [...watched.values()].at(-1); if (other === undefined) this.breakers.delete(scope); else this.reader.live(scope, other); }
    this.retirement.retire(scope, name);
  }
  /** Whether its breakers are open, and what remains where that is tracked, is looked at when it is asked. */
  watchBreakers(cluster: string, statName: string, circuits: readonly [number, number], table: CircuitTable, remaining: readonly [boolean, boolean]): void {
    const scope = `cluster.${statName}`, look = (name: string): number | undefined => {
      const open = BREAKERS.get(name), left = open === undefined ? REMAINING.get(name) : undefined;
      if (open !== undefined) return table.value(circuits[open[0]], open[1]) >= table.limit(circuits[open[0]], open[1]) ? 1 : 0;
      if (left === undefined || !remaining[left[0]]) return undefined;
      return Math.max(0, table.limit(circuits[left[0]], left[1]) - table.value(circuits[left[0]], left[1]));
    };
    const watched = this.breakers.get(scope);
    if (watched === undefined) this.breakers.set(scope, new Map([[cluster, look]])); else watched.set(cluster, look);
    this.reader.live(scope, look);
    remaining.forEach((on, p) => { if (on) this.reader.declare(REMAINING_SCHEMAS[p]!, scope); });
  }
  /** By scope and cluster. */
  private readonly breakers = new Map<string, Map<string, (name: string) => number | undefined>>();

  /** All listeners that there are now; scopes of those that went are retired. */
  declareListeners(listeners: readonly ListenerPlan[]): void {
    const now = new Set<string>();
    const own = (schema: StatSchema, scope: string): void => { if (scope !== '') now.add(scope); this.reader.declare(schema, scope); };
    for (const l of listeners) {
      const prefix = `listener.${listenerStatName(l)}`;
      now.add(prefix);
      this.reader.declare(LISTENER_SCHEMA, prefix);
      for (let i = 0; i < this.concurrency; i++) this.reader.declare(LISTENER_WORKER_SCHEMA, `${prefix}.worker_${i}`);
      if (l.udp !== null) { this.reader.declare(LISTENER_UDP_SCHEMA, prefix); own(UDP_PROXY_SCHEMA, `udp.${(l.udp.body as { readonly statPrefix?: string } | null)?.statPrefix ?? ''}`); }
      for (const f of l.listenerFilters) for (const [schema, scope] of listenerFilterScopes(f.filter.kind, f.filter.body)) own(schema, scope);
      const chains = [...l.chains, ...(l.defaultChain === null ? [] : [l.defaultChain])];
      if (chains.some((c) => c.transportSocket !== null)) this.declareTls(prefix, 'server');
      for (const f of chains.flatMap((c) => c.filters)) {
        const { statPrefix } = f.body as HcmPlan;
        if (typeof statPrefix === 'string' && f.kind.endsWith('HttpConnectionManager')) { own(HCM_SCHEMA, `http.${statPrefix}`); this.reader.declare(LISTENER_HTTP_SCHEMA, `${prefix}.http.${statPrefix}`); }
        for (const [schema, scope] of networkFilterScopes(f.kind, f.body)) own(schema, scope);
      }
    }
    for (const owner of now) this.retirement.declare(owner);
    for (const owner of this.owners) if (!now.has(owner)) this.retirement.retire(owner);
    this.owners = now;
    this.change('listener_manager.total_listeners_active', 'gauge', { set: listeners.length });
  }

  /** Virtual hosts of a route table that have stats; those of no table any more are retired. */
  declareRoutes(key: string, hosts: readonly CountedHost[]): void {
    const before = this.counted.get(key);
    if (hosts.length === 0) this.counted.delete(key); else this.counted.set(key, hosts.map((h) => h.name));
    for (const { name, scopes } of hosts) { this.retirement.declare(`vhost.${name}`); for (const s of scopes) this.reader.declare(REQUEST_SCOPE_SCHEMA, `vhost.${name}.${s}`); }
    if (before === undefined) return;
    const gone = new Set(before);
    for (const list of this.counted.values()) for (const h of list) gone.delete(h);
    for (const h of gone) this.retirement.retire(`vhost.${h}`);
  }
  private readonly counted = new Map<string, readonly string[]>();

  openConnections(): number { return this.reader.total(LISTENER_SCHEMA, LISTENER_SCHEMA.names.indexOf('downstream_cx_active')); }
  /** What one worker serves: how evenly the workers share is seen by it. */
  share(worker: number): { readonly downstream_cx_active: number; readonly downstream_cx_total: number; readonly downstream_rq_total: number } {
    const of = (schema: typeof LISTENER_SCHEMA, name: string): number => this.reader.total(schema, schema.names.indexOf(name), worker);
    return { downstream_cx_active: of(LISTENER_SCHEMA, 'downstream_cx_active'), downstream_cx_total: of(LISTENER_SCHEMA, 'downstream_cx_total'), downstream_rq_total: of(HCM_SCHEMA, 'downstream_rq_total') };
  }
  openRequests(): number { return this.reader.total(HCM_SCHEMA, HCM_SCHEMA.names.indexOf('downstream_rq_active')); }
}
