// The living endpoint sets of all clusters: hands out host and circuit records, resolves names, tells the workers of every change. One for the process.
import { formatAddress, ipAddress } from '../../net/address.ts';
import type { ClusterPlan, OrcaPlan } from '../../plan/cluster-plan.ts';
import type { PlanRecord } from '../../plan/records.ts';
import { DEGRADED, EXCLUDED, HOST_FLAG, UNHEALTHY, type HostTable } from '../../shm/host-table.ts';
import type { CircuitTable } from '../../shm/circuit-table.ts';
import type { RecordBook } from '../../shm/record-book.ts';
import type { SharedWords } from '../../shm/shared-words.ts';
import type { AssignmentPlan, CompiledCluster, EndpointPlan } from '../../upstream/config.ts';
import type { Random } from '../../loop/random.ts';
import type { SocketSink, TransportSocket } from '../../net/transport/transport.ts';
import type { WorkerEnv } from '../../net/worker-env.ts';
import { HostSockets } from '../../upstream/host-sockets.ts';
import { ClusterNames } from './cluster-names.ts';
import { LiveCluster, type LiveHost } from './live-cluster.ts';
import { updateWeights } from '../orca/weights.ts';
import { OobReports } from '../orca/oob-reports.ts';
import { balancerGauges, subsetCount } from './balancer-gauges.ts';
import { ControlDnsCache } from '../dns/dns-cache.ts';
import type { NameResolver } from '../dns/resolver.ts';
import type { ClusterHealth } from '../health/cluster-health.ts';

export interface ControlClustersEnv {
  emit(records: readonly PlanRecord[]): void;
  /** Runs `task` in `ms`; gives its canceller. */
  after(ms: number, task: () => void): () => void;
  /** Wall time in ms. */
  wallMs(): number;
  readonly concurrency: number;
  readonly hosts: HostTable; readonly circuits: CircuitTable; readonly words: SharedWords; /** Who has which record of the two tables. */ readonly books: RecordBooks;
  /** Has the workers let go of what they hold under this name ('host.RECORD', 'circuit.RECORD'); `done` once all have. */
  leave(owner: string, done: () => void): void;
  readonly resolver: NameResolver; readonly random: Random; readonly health: ClusterHealth;
  /** Its doors to sockets. */
  readonly sockets: WorkerEnv;
  /** Sets or adds to a stat of control's own. */
  stat(name: string, kind: 'counter' | 'gauge', change: { readonly set?: number; readonly add?: number }): void;
  warn(message: string): void;
  /** The hosts that there are, of a cluster with per_endpoint_stats. */
  endpoints(name: string, statName: string, hosts: readonly LiveHost[]): void;
}

export interface RecordBooks { readonly hosts: RecordBook; readonly circuits: RecordBook }

const STATUS_FLAGS: Record<EndpointPlan['health'], number> = { HEALTHY: 0, UNKNOWN: 0, UNHEALTHY: HOST_FLAG.FAILED_EDS, TIMEOUT: HOST_FLAG.FAILED_EDS, DRAINING: HOST_FLAG.EDS_DRAINING, DEGRADED: HOST_FLAG.DEGRADED_EDS };

const assigned = (c: CompiledCluster, a: AssignmentPlan | null): CompiledCluster => (a === null ? c : { ...c, endpoints: a.endpoints, drop: a.drop, cluster: { ...c.cluster, overprovisioning: a.overprovisioning, weightedHealth: a.weightedHealth } });

export class ControlClusters {
  private readonly env: ControlClustersEnv;
  private readonly live = new Map<string, LiveCluster>();
  /** Host records whose hosts are gone; workers are asked to let go of them once they have been told so. */
  private going: number[] = [];

  constructor(env: ControlClustersEnv) {
    this.env = env;
    env.health.onChanged = (name) => this.healthChanged(name);
  }

  /** Installs a cluster, or a changed one; records go out through `emit`. */
  apply(name: string, compiled: CompiledCluster, version: string): void {
    let c = this.live.get(name);
    if (c === undefined) {
      c = new LiveCluster(compiled, [this.takeCircuit(`${name} default`), this.takeCircuit(`${name} high`)]);
      this.live.set(name, c);
    } else { c.names?.close(); if (compiled.endpoints.length === 0 || compiled.discovery === 'static') c.names = null; c.compiled = compiled; }
    if (compiled.eds !== null) c.compiled = assigned(compiled, c.assignment);
    c.version = version;
    this.useDnsCache(c);
    this.weigh(c);
    if (c.hostRecord < 0 && compiled.cluster.kind !== null && compiled.cluster.kind.kind !== 'aggregate') c.hostRecord = this.takeHost(name, '').record;
    this.env.health.apply(name, compiled);
    this.env.circuits.setLimits(c.circuits[0], compiled.limits[0]);
    this.env.circuits.setLimits(c.circuits[1], compiled.limits[1]);
    this.drop(c);
    const known = compiled.discovery === 'static' || c.assignment !== null;
    if (known) { this.update(c, false); c.rest(); }
    this.env.emit([c.planRecord(), ...(known ? [c.hostsRecord()] : [])]);
    this.letGo();
    if (compiled.eds !== null) c.waiting = c.assignment === null; else if (compiled.discovery !== 'static') this.startDns(c);
    this.env.stat('cluster_manager.active_clusters', 'gauge', { set: this.live.size });
  }

  /** Endpoints of an EDS cluster; null: none came in time, so nobody waits any longer. */
  setAssignment(name: string, assignment: AssignmentPlan | null): void {
    const c = this.live.get(name);
    if (c === undefined || c.compiled.eds === null) return;
    if (assignment !== null) {
      const same = JSON.stringify(c.assignment) === JSON.stringify(assignment), { cluster } = c.compiled, anew = assignment.overprovisioning !== cluster.overprovisioning || assignment.weightedHealth !== cluster.weightedHealth;
      c.assignment = assignment;
      c.compiled = assigned(c.compiled, assignment);
      this.drop(c);
      if (same) this.env.stat(`cluster.${cluster.statName}.update_no_rebuild`, 'counter', { add: 1 });
      else { if (anew) this.env.emit([c.planRecord()]); this.update(c, true); }
    }
    c.waiting = false;
    this.settle(c);
  }

  /** Whether there was one. */
  remove(name: string): boolean {
    const c = this.live.get(name);
    if (c === undefined) return false;
    c.gone = true;
    this.live.delete(name);
    this.env.health.remove(name);
    c.names?.close();
    c.stopWeights();
    c.oob?.close();
    for (const h of c.hosts.values()) this.going.push(h.index);
    c.dnsCache?.close();
    if (c.hostRecord >= 0) this.going.push(c.hostRecord);
    this.env.emit([{ kind: 'cluster-removed', name }]);
    this.letGo();
    for (const r of c.circuits) this.leaveCircuit(r);
    this.env.stat('cluster_manager.active_clusters', 'gauge', { set: this.live.size });
    return true;
  }

  /** Everything is known that there is by configuration: records that a control thread before this one had for others are free once workers have let go of them. */
  releaseOrphans(): void {
    this.going.push(...this.env.books.hosts.orphans());
    this.letGo();
    for (const r of this.env.books.circuits.orphans()) this.leaveCircuit(r);
  }

  // A record serves the next once no worker holds anything of the one before: what is still under way there is counted where it was taken.

  private takeHost(cluster: string, key: string): { readonly record: number; readonly known: boolean } {
    const taken = this.env.books.hosts.take(`${cluster} ${key}`);
    if (taken.record >= 0 && !taken.known) this.env.hosts.reset(taken.record);
    return taken;
  }
  private takeCircuit(name: string): number {
    const { record, known } = this.env.books.circuits.take(name);
    if (!known) this.env.circuits.reset(record);
    return record;
  }
  private leaveCircuit(record: number): void { this.env.books.circuits.leave(record); this.env.leave(`circuit.${record}`, () => this.env.books.circuits.free(record)); }
  private letGo(): void { for (const r of this.going.splice(0)) { this.env.books.hosts.leave(r); this.env.leave(`host.${r}`, () => this.env.books.hosts.free(r)); } }

  /** All records, for a worker that starts. */
  records(): PlanRecord[] {
    return [...this.live.values()].flatMap((c): PlanRecord[] => [c.planRecord(), c.hostsRecord(), ...(c.dnsCache?.records() ?? [])]);
  }

  /** Resolves when every cluster has been resolved once, or has failed to, and its hosts have been checked once. */
  ready(): Promise<void> {
    return Promise.all([...this.live.values()].filter((c) => c.compiled.holdsStart && !this.isReady(c)).map((c) => new Promise<void>((r) => { c.whenReady.push(r); }))).then(() => undefined);
  }

  /** Circuit-table records of a living cluster, default and high priority. */
  circuitsOf(name: string): readonly [number, number] { return this.live.get(name)!.circuits; }
  /** Clusters whose endpoints come by EDS. */
  discovered(): CompiledCluster[] { return [...this.live.values()].filter((c) => c.compiled.eds !== null).map((c) => c.compiled); }
  /** A connection of control's own to a host of a cluster, any that takes traffic; null: there is none. */
  connect(name: string, sink: SocketSink, env: WorkerEnv): TransportSocket | null {
    const c = this.live.get(name), hosts = c === undefined ? [] : [...c.hosts.values()].filter((h) => (this.env.hosts.flags(h.index) & UNHEALTHY) === 0), host = hosts[Math.floor(this.env.random.unit() * hosts.length)];
    return c === undefined || host === undefined ? null : new HostSockets(c.compiled.cluster, env).connect(host, sink, null);
  }
  names(): string[] { return [...this.live.keys()]; }
  /** The living clusters, one by one. */
  *each(): Generator<{ readonly name: string; readonly plan: ClusterPlan; readonly compiled: CompiledCluster; readonly hosts: readonly LiveHost[] }> { for (const c of this.live.values()) yield { name: c.compiled.cluster.name, plan: c.plan, compiled: c.compiled, hosts: [...c.hosts.values()] }; }
  describe(): { readonly name: string; readonly plan: ClusterPlan; readonly compiled: CompiledCluster; readonly hosts: readonly LiveHost[] }[] { return [...this.each()]; }

  /** A worker wants a name of a DNS cache. */
  dnsWanted(cache: string, host: string): void {
    for (const c of this.live.values()) if (c.dnsCache?.plan.name === cache) { c.dnsCache.wanted(host); return; }
    this.env.emit([{ kind: 'dns', cache, host, answer: { addresses: [], error: 'no such cache' } }, { kind: 'dns', cache, host, answer: null }]);
  }

  private useDnsCache(c: LiveCluster): void {
    const { dnsCache } = c.compiled;
    if (JSON.stringify(c.dnsCache?.plan ?? null) === JSON.stringify(dnsCache)) return;
    c.dnsCache?.close();
    c.dnsCache = dnsCache === null ? null : new ControlDnsCache(dnsCache, this.env);
  }

  private orcaOf(c: LiveCluster): OrcaPlan | null { return c.compiled.cluster.balancer.orca; }
  /** Weights come from what hosts report (client_side_weighted_round_robin): made anew once an update period. */
  private weigh(c: LiveCluster): void {
    c.stopWeights();
    c.oob?.close();
    const orca = this.orcaOf(c);
    c.oob = orca === null || orca.oob === null ? null : new OobReports(c.compiled.cluster, orca, this.env);
    if (orca === null) { c.stopWeights = () => {}; return; }
    const tick = (): void => { if (this.reweigh(c)) this.env.words.bumpHealthEpoch(); c.stopWeights = this.env.after(orca.updateMs, tick); };
    c.stopWeights = this.env.after(orca.updateMs, tick);
  }
  private reweigh(c: LiveCluster): boolean {
    const byPriority = new Map<number, number[]>(), orca = this.orcaOf(c)!;
    for (const h of c.hosts.values()) { const list = byPriority.get(h.priority); if (list === undefined) byPriority.set(h.priority, [h.index]); else list.push(h.index); }
    let changed = false;
    for (const hosts of byPriority.values()) if (updateWeights(hosts, orca, this.env.hosts, this.env.wallMs())) changed = true;
    return changed;
  }

  /** A shared word, so that a share that moves with the load costs no connection. */
  private drop(c: LiveCluster): void { this.env.circuits.setDropped(c.circuits[0], c.compiled.drop?.millionths ?? 0); }

  /** Makes the host set anew: a host that stays keeps its record. */
  private update(c: LiveCluster, emit: boolean): void {
    c.wake();
    const next = new Map<string, LiveHost>();
    const { endpoints, discovery } = c.compiled;
    endpoints.forEach((e, i) => {
      if (discovery === 'static' || discovery === 'eds' || e.address.kind !== 'ip') { this.keep(c, next, e, e); return; }
      const addresses = c.names?.addresses(i) ?? [], { port } = e.address;
      const all = addresses.map((ip) => ipAddress(ip, port)), [first, ...more] = all;
      // One host with all addresses, or a host for each.
      if (discovery !== 'logical-dns') for (const address of all) this.keep(c, next, e, { ...e, address });
      else if (first !== undefined) this.keep(c, next, e, { ...e, address: first, ...(more.length > 0 ? { more } : {}) });
    });
    const before = c.hosts;
    let changed = next.size !== before.size;
    for (const [key, h] of before) {
      if (next.has(key)) continue;
      // A host that discovery no longer names stays as long as its checks pass (Envoy: ignore_health_on_host_removal).
      if (this.stays(c, h)) { this.env.hosts.setFlags(h.index, HOST_FLAG.PENDING_DYNAMIC_REMOVAL); next.set(key, h); continue; }
      changed = true;
      this.going.push(h.index);
    }
    for (const key of next.keys()) if (!before.has(key)) changed = true;
    c.hosts = next;
    this.env.health.setHosts(c.compiled.cluster.name, [...next.values()]);
    c.oob?.setHosts(next);
    this.membership(c, changed);
    this.seen(c, next.size);
    if (c.compiled.perEndpoint || c.hadEndpointStats) { c.hadEndpointStats = c.compiled.perEndpoint; this.env.endpoints(c.compiled.cluster.name, c.compiled.cluster.statName, c.compiled.perEndpoint ? [...next.values()] : []); }
    if (emit && this.orcaOf(c) !== null) this.reweigh(c);
    if (emit) { this.env.words.bumpHealthEpoch(); this.env.emit([c.hostsRecord()]); this.letGo(); }
  }

  private stays(c: LiveCluster, h: LiveHost): boolean {
    const { healthCheck, discovery, ignoreHealthOnRemoval } = c.compiled;
    return healthCheck !== null && discovery !== 'static' && discovery !== 'logical-dns' && !ignoreHealthOnRemoval && !h.check.disabled && (this.env.hosts.flags(h.index) & HOST_FLAG.FAILED_ACTIVE_HC) === 0;
  }

  /** Checks or outlier detection moved flags of hosts. */
  private healthChanged(name: string): void {
    const c = this.live.get(name);
    if (c === undefined) return;
    const gone = [...c.hosts.values()].some((h) => (this.env.hosts.flags(h.index) & HOST_FLAG.PENDING_DYNAMIC_REMOVAL) !== 0 && !this.stays(c, h));
    this.noteHealthy(c);
    if (gone) this.update(c, true); else { this.env.words.bumpHealthEpoch(); this.membership(c, false); }
    if (c.compiled.cluster.closeOnHealthFailure) this.env.emit([{ kind: 'health', name }]);
    this.settle(c);
  }

  /** A host that passes its checks (again) begins its slow start. */
  private noteHealthy(c: LiveCluster): void {
    const { hosts } = this.env;
    for (const h of c.hosts.values()) {
      if (hosts.flags(h.index) & HOST_FLAG.FAILED_ACTIVE_HC) hosts.setHealthySince(h.index, 0);
      else if (hosts.healthySince(h.index) === 0) hosts.setHealthySince(h.index, this.env.wallMs());
    }
  }

  /** Those who wait for the cluster are told once its names are resolved and its hosts were checked once. */
  private settle(c: LiveCluster): void { if (this.isReady(c)) for (const f of c.whenReady.splice(0)) f(); }
  private isReady(c: LiveCluster): boolean { return !c.waiting && c.names?.busy !== true && this.env.health.settled(c.compiled.cluster.name); }

  private keep(c: LiveCluster, next: Map<string, LiveHost>, e: EndpointPlan, at: EndpointPlan): void {
    // The one host of a LOGICAL_DNS cluster is another as soon as the name comes to anything else: the old one's connections are drained (Envoy since 1.39).
    const key = c.compiled.discovery === 'logical-dns' ? [at.address, ...at.more ?? []].map(formatAddress).join() : formatAddress(at.address);
    if (next.has(key)) return;
    const known = c.hosts.get(key);
    const taken = known === undefined ? this.takeHost(c.compiled.cluster.name, key) : null, index = known?.index ?? taken!.record;
    if (index < 0) { this.env.warn(`cluster ${c.compiled.cluster.name}: no room for host ${key}`); return; }
    // What a control thread before this one knew of its health holds until it is checked again.
    if (taken?.known === true) { if (c.compiled.healthCheck === null) this.env.hosts.reset(index); else this.env.hosts.clearFlags(index, HOST_FLAG.FAILED_OUTLIER | HOST_FLAG.DEGRADED_OUTLIER); }
    if (taken?.known === false) {
      // Nothing is sent to a host before its first check has passed.
      if (c.compiled.healthCheck !== null && !at.check.disabled) this.env.hosts.setFlags(index, HOST_FLAG.FAILED_ACTIVE_HC | (c.compiled.ignoreNewHosts ? HOST_FLAG.PENDING_ACTIVE_HC : 0));
    }
    this.env.hosts.clearFlags(index, HOST_FLAG.PENDING_DYNAMIC_REMOVAL | HOST_FLAG.FAILED_EDS | HOST_FLAG.EDS_DRAINING | HOST_FLAG.DEGRADED_EDS);
    // Slow start begins as a host is seen healthy for the first time; a health check that passes begins it anew.
    if ((at.health === 'HEALTHY' || at.health === 'UNKNOWN') && (this.env.hosts.flags(index) & UNHEALTHY) === 0 && this.env.hosts.healthySince(index) === 0) this.env.hosts.setHealthySince(index, this.env.wallMs());
    this.env.hosts.setFlags(index, STATUS_FLAGS[e.health]);
    if (known === undefined || this.orcaOf(c) === null) this.env.hosts.setWeight(index, e.weight);
    next.set(key, { ...at, index });
  }

  /** Counted as Envoy does: hosts that were compared, and their largest weight where it keeps hosts by what discovery says. */
  private seen(c: LiveCluster, hosts: number): void {
    const prefix = `cluster.${c.compiled.cluster.statName}`, { discovery } = c.compiled;
    this.env.stat(`${prefix}.default.total_match_count`, 'counter', { add: hosts });
    if (discovery === 'strict-dns' || discovery === 'eds') this.env.stat(`${prefix}.max_host_weight`, 'gauge', { set: [...c.hosts.values()].reduce((most, h) => Math.max(most, h.weight), 0) });
  }

  private membership(c: LiveCluster, changed: boolean): void {
    const prefix = `cluster.${c.compiled.cluster.statName}`, hosts = [...c.hosts.values()];
    let healthy = 0, degraded = 0, excluded = 0;
    for (const h of hosts) {
      const flags = this.env.hosts.flags(h.index);
      if (flags & EXCLUDED) excluded++;
      if (flags & UNHEALTHY) continue;
      if (flags & DEGRADED) degraded++; else healthy++;
    }
    this.balancerGauges(c, prefix, hosts);
    this.env.stat(`${prefix}.membership_total`, 'gauge', { set: hosts.length });
    this.env.stat(`${prefix}.membership_healthy`, 'gauge', { set: healthy });
    this.env.stat(`${prefix}.membership_degraded`, 'gauge', { set: degraded });
    this.env.stat(`${prefix}.membership_excluded`, 'gauge', { set: excluded });
    if (changed) this.env.stat(`${prefix}.membership_change`, 'counter', { add: 1 });
  }

  /** Gauges of what every worker builds alike: said once, from here. */
  private balancerGauges(c: LiveCluster, prefix: string, hosts: readonly LiveHost[]): void {
    const { balancer } = c.compiled.cluster;
    for (const [name, value] of balancerGauges(balancer, hosts, this.env.hosts, this.env.concurrency)) this.env.stat(`${prefix}.${name}`, 'gauge', { set: value });
    const created = subsetCount(balancer, hosts) * (this.env.concurrency + 1), known = c.subsets;
    if (balancer.subset === null || created === known) return;
    c.subsets = created;
    this.env.stat(`${prefix}.lb_subsets_${created > known ? 'created' : 'removed'}`, 'counter', { add: Math.abs(created - known) });
  }

  /** Names are asked for anew; until they answer, hosts are those of before. */
  private startDns(c: LiveCluster): void {
    const { env } = this, prefix = `cluster.${c.compiled.cluster.statName}`;
    c.names = new ClusterNames(c.compiled, c.names, {
      after: (ms, task) => env.after(ms, task), resolver: env.resolver, random: env.random, count: (what) => env.stat(`${prefix}.${what}`, 'counter', { add: 1 }),
      changed: () => this.update(c, true), settled: () => this.settle(c),
    });
    c.names.start();
    if (!c.names.busy || c.hosts.size > 0) this.update(c, true);
  }
}
