// Control's clusters and workers without threads: what goes between them is delivered by hand, and either side can die.
import { ControlClusters } from '../../../../engine/control/clusters/control-clusters.ts';
import { ProcessStats } from '../../../../engine/control/stats/process-stats.ts';
import { WorkerTakeBack } from '../../../../engine/control/stats/take-back.ts';
import { ipAddress } from '../../../../engine/net/address.ts';
import { HOST_COUNTERS } from '../../../../engine/observe/stats/schemas.ts';
import { StatLeaves, type StatsTold } from '../../../../engine/observe/stats/stat-leaves.ts';
import { ThreadStatStore, type StatClaim } from '../../../../engine/observe/stats/thread-stat-store.ts';
import type { PlanRecord } from '../../../../engine/plan/records.ts';
import { CircuitTable } from '../../../../engine/shm/circuit-table.ts';
import { HostTable } from '../../../../engine/shm/host-table.ts';
import { RecordBook } from '../../../../engine/shm/record-book.ts';
import { SharedLimits } from '../../../../engine/shm/shared-limits.ts';
import { SharedRecords } from '../../../../engine/shm/shared-records.ts';
import { SharedWords } from '../../../../engine/shm/shared-words.ts';
import { ClusterSet } from '../../../../engine/upstream/cluster-set.ts';
import type { ClusterEntry } from '../../../../engine/upstream/cluster.ts';
import type { CompiledCluster, EndpointPlan } from '../../../../engine/upstream/config.ts';
import { DnsCaches } from '../../../../engine/upstream/dns-caches.ts';
import type { Host, PickContext } from '../../../../engine/upstream/upstream.ts';
import { fakeEnv, type FakeEnv } from '../../../support/fake-socket.ts';
import { PLAN } from '../../upstream/pool-world.ts';

const CAPACITY = 64;
const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
const CTX: PickContext = { hasHash: false, hashHigh: 0, hashLow: 0, request: null, facts: null, metadataMatch: null, avoid: null, maxReselect: 0, triedPriorities: 0, overrideHost: null, overridesUsed: 0 };

export const endpoint = (port: number): EndpointPlan => ({ address: ipAddress('10.0.0.1', port), hostname: '', weight: 1, priority: 0, locality: { region: '', zone: '', subZone: '' }, localityWeight: 0, metadata: null, health: 'UNKNOWN', check: { port: 0, hostname: '', address: null, disabled: false } }) as unknown as EndpointPlan;
/** An EDS cluster whose priorities allow `requests` at once. */
export function clusterOf(name: string, requests: number, more: Partial<CompiledCluster> = {}): CompiledCluster {
  const limits = [1024, 1024, requests, 3, 1024] as const;
  return { cluster: { ...PLAN, name, statName: name }, discovery: 'eds', eds: { serviceName: name, source: null as never }, endpoints: [], dns: null as never, dnsCache: null, limits: [limits, limits], trackRemaining: [false, false], drop: null, perEndpoint: false, healthCheck: null, outlier: null, ignoreHealthOnRemoval: false, ignoreNewHosts: false, holdsStart: false, ...more };
}

class Worker {
  readonly memory = shared(8 << 17);
  readonly inbox: PlanRecord[] = [];
  readonly outbox: (StatClaim | StatsTold)[] = [];
  readonly env: FakeEnv;
  readonly store: ThreadStatStore;
  readonly clusters: ClusterSet;
  readonly leaves: StatLeaves;
  constructor(world: RecordWorld) {
    this.store = new ThreadStatStore(this.memory, (c) => { this.outbox.push(c); });
    this.env = { ...fakeEnv(), stats: this.store };
    this.clusters = new ClusterSet(this.env, world.shared, { vote: () => {}, failHealth: () => {} }, new DnsCaches(() => {}, this.env.clock));
    this.leaves = new StatLeaves(this.store, this.env.wheel, (e) => { this.outbox.push(e); });
  }
  read(): void {
    for (const r of this.inbox.splice(0)) {
      if (r.kind === 'cluster') this.clusters.install(r.name, r.body); else if (r.kind === 'hosts') this.clusters.installHosts(r.name, r.body); else if (r.kind === 'cluster-removed') this.clusters.remove(r.name); else if (r.kind === 'settled') this.clusters.forgetFormer();
      else if (r.kind === 'stats-leave') this.leaves.asked(r.owner, r.ask); else if (r.kind === 'stats-free') this.store.free(r.number);
    }
  }
  cluster(name: string): ClusterEntry { return this.clusters.member(name)!; }
  /** Begins a request, null: the circuit breaker is open. The end of it is returned. */
  begin(name: string): (() => void) | null {
    const cluster = this.cluster(name), host = cluster.choose(CTX) as Host;
    if (!cluster.beginRequest(host, 'default')) return null;
    cluster.onResponse(host, 200, false, false, 1);
    return () => { cluster.endRequest(host, 'default'); };
  }
}

/** One life of control. */
class Control {
  readonly own: ProcessStats;
  readonly takeBack: WorkerTakeBack;
  readonly clusters: ControlClusters;
  readonly books: { readonly hosts: RecordBook; readonly circuits: RecordBook };
  constructor(world: RecordWorld) {
    const send = (id: number, records: readonly PlanRecord[]): void => { world.workers[id]?.inbox.push(...records); }, workerIds = (): number[] => world.workers.flatMap((w, id) => (w === null ? [] : [id]));
    this.books = { hosts: new RecordBook(world.hostBook, HOST_COUNTERS), circuits: new RecordBook(world.circuitBook, 0) };
    this.own = new ProcessStats(world.workers.length, { send, workerIds, soon: (task) => task() });
    this.takeBack = new WorkerTakeBack(world.shared, this.books.hosts);
    this.clusters = new ControlClusters({
      ...world.shared, books: this.books, concurrency: 1, sockets: null as never, random: null as never, resolver: null as never, wallMs: () => 0, after: () => () => {}, warn: (m) => { throw new Error(m); }, stat: () => {},
      health: { onChanged: () => {}, apply: () => {}, setHosts: () => {}, remove: () => {}, settled: () => true } as never,
      emit: (records) => { for (const id of workerIds()) send(id, records); }, leave: (owner, done) => { this.own.departures.ask(owner, done); },
      endpoints: (name, statName, hosts) => { this.own.declareEndpoints(name, statName, hosts, { stat: (r, at) => this.takeBack.hostStat(r, at), healthy: () => true }); },
    });
  }
  hear(id: number, e: StatClaim | StatsTold): void {
    if (e.kind === 'stat-gone' || e.kind === 'stats-left' || e.kind === 'stats-owner') { this.own.onLeave(id, e); if (e.kind === 'stat-gone') this.takeBack.gone(id, e.claim); } else { this.own.reader.claim(id, e); this.takeBack.claim(id, e); }
  }
}

export class RecordWorld {
  readonly shared = { hosts: new HostTable(shared(HostTable.bytes(CAPACITY))), circuits: new CircuitTable(shared(CircuitTable.bytes(CAPACITY))), words: new SharedWords(shared(SharedWords.bytes)), limits: new SharedLimits(shared(SharedLimits.bytes(4))), records: new SharedRecords(shared(SharedRecords.bytes(1))) };
  readonly hostBook = shared(RecordBook.bytes(CAPACITY, HOST_COUNTERS));
  readonly circuitBook = shared(RecordBook.bytes(CAPACITY, 0));
  readonly workers: (Worker | null)[] = [];
  control: Control;
  constructor(workers: number) { this.workers = Array.from({ length: workers }, () => null); this.control = new Control(this); for (let i = 0; i < workers; i++) this.startWorker(i); }

  worker(id: number): Worker { return this.workers[id]!; }
  startWorker(id: number): void {
    const w = this.workers[id] = new Worker(this);
    this.attach(id, w);
    w.inbox.push(...this.control.clusters.records());
  }
  private attach(id: number, w: Worker): void { this.control.own.reader.attach(id, w.memory); this.control.takeBack.attach(id, w.memory); }
  apply(c: CompiledCluster, ...ports: number[]): void {
    this.control.own.declareCluster(c.cluster.name, c.cluster.statName);
    this.control.clusters.apply(c.cluster.name, c, '1');
    this.endpoints(c.cluster.name, ...ports);
  }
  endpoints(name: string, ...ports: number[]): void { this.control.clusters.setAssignment(name, { endpoints: ports.map(endpoint), overprovisioning: 140, weightedHealth: false, drop: null } as never); }
  remove(name: string): void { if (this.control.clusters.remove(name)) this.control.own.retireCluster(name); }
  hosts(name: string): number[] { return this.control.clusters.describe().find((c) => c.name === name)!.hosts.map((h) => h.index); }

  /** Everything that was said is heard, a second later (when workers look again) too. */
  settle(): void {
    for (let i = 0; i < 5; i++) this.deliver();
    for (const w of this.workers) w?.env.advance(1001);
    for (let i = 0; i < 5; i++) this.deliver();
  }
  private deliver(): void { for (const [id, w] of this.workers.entries()) { if (w === null) continue; for (const e of w.outbox.splice(0)) this.control.hear(id, e); w.read(); } }

  kill(id: number): void {
    for (const e of this.worker(id).outbox.splice(0)) this.control.hear(id, e);
    this.workers[id] = null;
    this.control.takeBack.detach(id);
    this.control.own.workerDown(id);
  }
  /** Control dies and another takes its place, which is given the clusters by `configure`. */
  replaceControl(configure: () => void): void {
    for (const w of this.workers) { w!.inbox.length = w!.outbox.length = 0; }
    this.control = new Control(this);
    for (const [id, w] of this.workers.entries()) this.attach(id, w!);
    configure();
    for (const w of this.workers) { w!.store.replay(); for (const owner of w!.store.ownerNames()) w!.outbox.push({ kind: 'stats-owner', owner }); w!.clusters.settle(null, ''); w!.inbox.push(...this.control.clusters.records(), { kind: 'settled', listeners: [] }); }
    this.control.clusters.releaseOrphans();
    this.control.own.settle();
  }
}
