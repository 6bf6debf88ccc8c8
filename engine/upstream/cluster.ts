// A cluster of one worker: its hosts, its balancer, a pool for each host, its circuit breakers and stats. Built at first use of its name.
import type { Headers, ResponseHeaders } from '../headers/headers.ts';
import type { PeerFault } from '../base/fault.ts';
import type { ResetReason } from '../codec/codec.ts';
import { ownedEnv, type WorkerEnv } from '../net/worker-env.ts';
import { hostOf } from '../headers/authority.ts';
import { runtimeNumber, type RuntimeCell } from '../loop/runtime.ts';
import { parseIp } from '../net/cidr.ts';
import { CIRCUIT_SCHEMA, CLUSTER, CLUSTER_BUDGETS_SCHEMA, CLUSTER_SIZES_SCHEMA, CLUSTER_LB_SCHEMA, CLUSTER_SCHEMA, HOST, HTTP1_SCHEMA, HTTP2_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock, type StatSchema, type StatStore } from '../observe/stats/stat-block.ts';
import type { ClusterPlan, HostPlan, RetryBudgetPlan } from '../plan/cluster-plan.ts';
import { CIRCUIT_KIND, type CircuitTable } from '../shm/circuit-table.ts';
import { DEGRADED, UNHEALTHY, type HostTable } from '../shm/host-table.ts';
import type { SharedLimits } from '../shm/shared-limits.ts';
import { LoadShed } from '../net/overload.ts';
import { OVERLOAD } from '../plan/overload-plan.ts';
import type { SharedRecords } from '../shm/shared-records.ts';
import type { SharedWords } from '../shm/shared-words.ts';
import { AnswerStats } from './answer-stats.ts';
import { ClusterBalancer, type BalancerParts } from './balancer.ts';
import { HostEntry } from './host-entry.ts';
import { hostSetsOf, type HostSet, type WithLocality } from './host-sets.ts';
import { noteSelected, overridden } from './lb/override-host.ts';
import type { Picker } from './lb/pickers.ts';
import { OrcaReports } from './lb/orca-weights.ts';
import { SubsetBalancer } from './lb/subset-balancer.ts';
import type { ConnectionFacts } from '../observe/stream-facts.ts';
import { HostSockets } from './host-sockets.ts';
import { AggregateChooser } from './kinds/aggregate.ts';
import type { HostChooser } from './kinds/chooser.ts';
import type { DnsCaches } from './dns-caches.ts';
import { DynamicForwardChooser } from './kinds/dynamic-forward.ts';
import { OriginalDstChooser } from './kinds/original-dst.ts';
import type { PriorityOptions } from './priority-loads.ts';
import { AHEAD_AT_ONCE, makeGate, makePredictor, type Predictor, type PreconnectGate } from './pool/preconnect.ts';
import type { PoolProtocol } from './pool/connection.ts';
import { Pool } from './pool/pool.ts';
import { RawConnection } from './pool/raw-connection.ts';
import { OutlierVotes, type Vote } from './outlier/votes.ts';
import type { Cluster, Host, LeaseContext, Leased, LeaseWaiter, Locality, PickContext, RawWaiter, Refusal, Waiting } from './upstream.ts';

/** What a worker tells control of its hosts. */
export interface HostReports { /** A row of failures reached its threshold (outlier detection). */ vote: Vote; /** The host asked to be taken out (x-envoy-immediate-health-check-fail). */ failHealth(host: number): void }
export interface SharedTables { readonly hosts: HostTable; readonly circuits: CircuitTable; readonly words: SharedWords; readonly limits: SharedLimits; readonly records: SharedRecords }

/** What all clusters of a worker share of the process: where it runs, and the cluster it is part of. */
export interface Surroundings { readonly own: Locality | null; /** There is a local cluster, whose health matters to all. */ readonly zoned: boolean; localHosts(): HostSet | null; /** Another cluster, null: there is none. */ member(name: string): ClusterEntry | null; /** Moves when a cluster or its endpoints change. */ readonly generation: number; readonly dns: DnsCaches }

/** Counts of one circuit record that this worker holds: given back if it dies. An owner of its own, as a host's stats are. */
class Breaker {
  private readonly table: CircuitTable; readonly record: number; private readonly own: StatBlock; private readonly clock: WorkerEnv['clock'];
  /** Of a retry budget over an interval; 0: requests need not be counted. */
  private readonly slotMs: number;
  constructor(table: CircuitTable, record: number, env: WorkerEnv, budget: RetryBudgetPlan | null) { this.table = table; this.record = record; this.clock = env.clock; this.slotMs = budget?.slotMs ?? 0; this.own = new StatBlock(env.stats.owned(`circuit.${record}`, true), CIRCUIT_SCHEMA, `circuit.${record}`); }
  /** An attempt has its stream. */
  began(): void { if (this.slotMs > 0) this.table.countInSlot(this.record, Math.floor(this.clock.wallMs() / this.slotMs)); }
  tryAcquire(kind: number): boolean { if (!this.table.tryAcquire(this.record, kind)) return false; this.own.inc(kind); return true; }
  /** A retry under a budget: a share of the process's active and pending requests, or of those begun in the interval (ten slots, the one under way among them); or at least so many. */
  tryRetry(budget: RetryBudgetPlan): boolean {
    const { table, record, slotMs } = this, under = slotMs > 0 ? table.countedInSlots(record, Math.floor(this.clock.wallMs() / slotMs), 10) : table.value(record, CIRCUIT_KIND.RQ) + table.value(record, CIRCUIT_KIND.PENDING);
    if (!table.tryAcquire(record, CIRCUIT_KIND.RETRY, Math.max(Math.floor((budget.percent / 100) * under), budget.least))) return false;
    this.own.inc(CIRCUIT_KIND.RETRY);
    return true;
  }
  acquire(kind: number): void { this.table.acquire(this.record, kind); this.own.inc(kind); }
  release(kind: number): void { this.table.release(this.record, kind); this.own.dec(kind); }
}
export type { Breaker };

/** Of a request that is not there yet. */
const NEXT: PickContext = { hasHash: false, hashHigh: 0, hashLow: 0, request: null, facts: null, metadataMatch: null, avoid: null, maxReselect: 0, triedPriorities: 0, overrideHost: null, overridesUsed: 0 };

const OVERFLOW = { failed: 'overflow', shed: false } as const, SHED = { failed: 'overflow', shed: true } as const;

/** auto_sni: the request's host without its port, or what the header says; '' where that is an address. */
function serverNameOf(ctx: LeaseContext, header: string): string {
  const given = (header === '' ? undefined : ctx.request.get(header)) ?? ctx.request.authority, name = hostOf(given);
  return name.charCodeAt(0) !== 91 && parseIp(name) === null ? name.toLowerCase() : '';
}

export class ClusterEntry implements Cluster {
  readonly plan: ClusterPlan;
  readonly env: WorkerEnv;
  readonly shared: SharedTables; readonly shed: LoadShed;
  readonly stats: StatBlock;
  private readonly lbStats: StatBlock;
  /** Of the HTTP/1 codec; known once there is a pool of it. */
  readonly http1Stats: StatBlock;
  readonly http2Stats: StatBlock;
  readonly breakers: readonly [Breaker, Breaker];
  readonly outlier: OutlierVotes | null;
  /** @internal */ readonly chooser: HostChooser | null;
  private readonly reports: HostReports;
  private readonly maintenance: RuntimeCell;
  private readonly dropLimit: RuntimeCell;
  /** @internal */
  readonly sockets: HostSockets;
  private hosts: HostEntry[] = [];
  private balancer: Picker | null = null;
  private epoch = -1;
  /** Flags of the hosts that the balancer stands on. */
  private seen = new Int32Array(0);
  /** Their weights, where control changes those (client_side_weighted_round_robin). */
  private seenWeights = new Int32Array(0);
  private readonly orca: OrcaReports | null;
  /** @internal */ readonly predictor: Predictor | null;
  /** @internal */ readonly preconnectGate: PreconnectGate | null;
  private byAddress: Map<string, HostEntry> | null = null;
  private readonly around: Surroundings;
  removed = false;
  private readonly answers: AnswerStats;

  constructor(plan: ClusterPlan, hosts: readonly HostPlan[], env: WorkerEnv, shared: SharedTables, reports: HostReports, around: Surroundings) {
    this.reports = reports;
    this.outlier = plan.outlier === null ? null : new OutlierVotes(plan.outlier, shared.hosts, reports.vote);
    this.plan = plan; this.env = env = ownedEnv(env, `cluster.${plan.statName}`); this.shared = shared; this.shed = new LoadShed(shared.words, env); this.around = around;
    this.sockets = new HostSockets(plan, env);
    this.maintenance = env.runtime.cell(`upstream.maintenance_mode.${plan.name}`);
    this.dropLimit = env.runtime.cell('load_balancing_policy.drop_overload_limit');
    this.answers = new AnswerStats(env.stats, `cluster.${plan.statName}`, around.own?.zone ?? '');
    this.stats = new StatBlock(env.stats, CLUSTER_SCHEMA, `cluster.${plan.statName}`);
    this.http1Stats = new StatBlock(env.stats, HTTP1_SCHEMA, `cluster.${plan.statName}.http1`);
    this.http2Stats = new StatBlock(env.stats, HTTP2_SCHEMA, `cluster.${plan.statName}.http2`);
    const tracked = (schema: StatSchema, on: boolean): StatBlock | null => (on ? new StatBlock(env.stats, schema, `cluster.${plan.statName}`) : null);
    this.sizeStats = tracked(CLUSTER_SIZES_SCHEMA, plan.trackSizes); this.budgetStats = tracked(CLUSTER_BUDGETS_SCHEMA, plan.trackBudgets);
    this.lbStats = new StatBlock(env.stats, CLUSTER_LB_SCHEMA, `cluster.${plan.statName}`);
    this.breakers = [new Breaker(shared.circuits, plan.circuits[0], env, plan.retryBudgets[0]), new Breaker(shared.circuits, plan.circuits[1], env, plan.retryBudgets[1])];
    this.predictor = makePredictor(plan);
    this.preconnectGate = makeGate(plan.preconnect);
    this.orca = plan.balancer.orca === null ? null : new OrcaReports(plan.balancer.orca, shared.hosts, env.clock);
    this.chooser = this.makeChooser();
    this.setHosts(hosts);
  }

  private makeChooser(): HostChooser | null {
    const { kind } = this.plan;
    if (kind === null) return null;
    switch (kind.kind) {
      case 'aggregate': return new AggregateChooser(this, kind.clusters, this.around);
      case 'original-dst': return new OriginalDstChooser(this, kind);
      case 'dynamic-forward': return new DynamicForwardChooser(this, kind.cache, kind.hostTtlMs, this.around.dns);
    }
  }

  get name(): string { return this.plan.name; }
  get statName(): string { return this.plan.statName; }
  get statStore(): StatStore { return this.env.stats; }
  get metadata(): ClusterPlan['metadata'] { return this.plan.metadata; }
  get perConnectionBufferLimit(): number { return this.plan.bufferLimit; }
  get maxRequestsPerConnection(): number { return this.plan.maxRequestsPerConnection; }
  get maxStreamDurationMs(): number { return this.plan.maxStreamDurationMs; }
  get hashPolicies(): ClusterPlan['hashPolicies'] { const own = this.balancerHash; return own.length > 0 ? own : this.plan.hashPolicies; }
  get balancerHash(): ClusterPlan['hashPolicies'] { return this.plan.balancer.hashPolicies; }
  get retryPolicy(): ClusterPlan['retryPolicy'] { return this.plan.retryPolicy; }
  get mirrors(): ClusterPlan['mirrors'] { return this.plan.mirrors; }
  get usesHash(): boolean { const { balancer: { kind }, kind: own } = this.plan; return kind === 'ring-hash' || kind === 'maglev' || own?.kind === 'aggregate'; }
  get upstreamFilters(): ClusterPlan['upstreamFilters'] { return this.plan.upstreamFilters; }
  get maxResponseHeadersCount(): number { return this.plan.http1.maxHeadersCount; }
  get dnsCache(): string | null { const { kind } = this.plan; return kind !== null && kind.kind === 'dynamic-forward' ? kind.cache : null; }
  get dnsOwnName(): boolean { const { kind } = this.plan; return kind?.kind === 'dynamic-forward' && kind.ownName; }
  /** Its hosts are spoken to over TLS. */
  get secure(): boolean { return this.plan.transportSocket !== null; }
  readonly sizeStats: StatBlock | null;
  readonly budgetStats: StatBlock | null;

  /** A new set of endpoints: hosts that stay keep their pools; those that go drain theirs. */
  setHosts(plans: readonly HostPlan[]): void {
    const old = new Map(this.hosts.map((h) => [h.index, h])), had = this.hosts.length;
    this.hosts = plans.map((p) => {
      const known = old.get(p.index);
      if (known?.same(p)) { old.delete(p.index); known.move(p.address, p.more); return known; }
      const made = new HostEntry(p, this, this.env);
      if (known !== undefined) { made.take(known); old.delete(p.index); }
      return made;
    });
    for (const gone of old.values()) { gone.removed = true; gone.drain(true); }
    if (this.plan.closeOnHostSetChange && had > 0 && (old.size > 0 || had !== plans.length)) for (const h of this.hosts) h.drain(false);
    this.forget();
  }

  /** The balancer is made anew at the next choice. */
  forget(): void { this.balancer = null; this.byAddress = null; this.predictor?.forget(); }

  refusal(): Refusal | null {
    if (this.maintenance.value !== undefined && this.env.random.u32() % 100 < runtimeNumber(this.maintenance, 0)) return 'maintenance';
    const share = this.shared.circuits.dropped(this.plan.circuits[0]);
    if (share === 0) return null;
    const drop = Math.min(share, runtimeNumber(this.dropLimit, 100) * 10_000);
    if (drop >= 1_000_000) return 'drop-all';
    return this.env.random.u32() % 1_000_000 < drop ? 'drop' : null;
  }

  choose(ctx: PickContext): Host | null {
    if (this.chooser !== null) return this.chooser.choose(ctx);
    const epoch = this.shared.words.healthEpoch();
    if (this.balancer === null || (epoch !== this.epoch && this.flagsMoved())) this.balancer = this.build();
    this.epoch = epoch;
    const { override } = this.plan.balancer;
    if (ctx.overrideHost !== null) {
      const host = this.addresses.get(ctx.overrideHost.address);
      if (host !== undefined && this.plan.overrideStatus.includes(this.statusOf(host))) return host;
      if (ctx.overrideHost.strict) return null;
    }
    if (override !== null) return this.overridable(ctx);
    const { balancer, predictor } = this;
    let host = predictor === null || ctx.triedPriorities > 0 || ctx.onlyPriority !== undefined ? balancer.pick(ctx, 0) : predictor.take() ?? balancer.pick(ctx, 0);
    if (ctx.avoid !== null) for (let i = 1; host !== null && i <= ctx.maxReselect && ctx.avoid(host); i++) host = balancer.pick(ctx, i);
    return host;
  }

  /** The override_host policy: the hosts that the request names, then the policy under it. */
  private overridable(ctx: PickContext): Host | null {
    const override = this.plan.balancer.override!;
    const host = overridden(ctx, override, this.addresses) ?? this.balancer!.pick(ctx, 0);
    if (host !== null && override.selected !== null && ctx.facts !== null) noteSelected(ctx.facts, override.selected, host);
    return host;
  }

  private get addresses(): ReadonlyMap<string, HostEntry> { return this.byAddress ??= new Map(this.hosts.map((h) => [h.text, h])); }

  private statusOf(host: HostEntry): HostPlan['health'] {
    const flags = this.shared.hosts.flags(host.index);
    if (host.health !== 'HEALTHY' && host.health !== 'UNKNOWN') return host.health;
    return flags & UNHEALTHY ? 'UNHEALTHY' : flags & DEGRADED ? 'DEGRADED' : host.health;
  }

  /** The epoch tells of any host of the process; whether it was one of these. */
  private flagsMoved(): boolean {
    const { hosts, seen, shared } = this;
    if (this.around.zoned) return true;
    for (let i = 0; i < hosts.length; i++) if (shared.hosts.flags(hosts[i]!.index) !== seen[i]) return true;
    if (this.orca !== null) for (let i = 0; i < hosts.length; i++) if (shared.hosts.weight(hosts[i]!.index) !== this.seenWeights[i]) return true;
    return false;
  }

  /** Control has moved flags of hosts, and connections of layer 4 end with that: they are looked at now, not at the next choice. */
  lookAtHealth(): void { for (const h of this.hosts) h.takeFlags(this.shared.hosts.flags(h.index)); }

  private build(): Picker {
    const { plan, env, shared, hosts } = this;
    this.predictor?.forget();
    this.seen = Int32Array.from(hosts, (h) => h.takeFlags(shared.hosts.flags(h.index)));
    if (this.orca !== null) this.seenWeights = Int32Array.from(hosts, (h) => shared.hosts.weight(h.index));
    const parts: BalancerParts = {
      table: shared.hosts, random: env.random, clock: env.clock, runtime: env.runtime, stats: this.lbStats, ...this.priorityOptions,
      own: this.around.own, localHosts: this.around.localHosts(),
    };
    const { subset } = plan.balancer;
    return subset === null ? new ClusterBalancer(plan.balancer, hosts, parts) : new SubsetBalancer(subset, hosts, this.lbStats, (some, weightOf) => new ClusterBalancer(plan.balancer, some, parts, weightOf));
  }

  /** How load is shared by priorities. */
  get priorityOptions(): PriorityOptions { const { overprovisioning, panicPercent, weightedHealth } = this.plan; return { overprovisioning, panicPercent, weightedHealth }; }
  hostSets(): HostSet[] { return hostSetsOf<WithLocality>(this.hosts, this.shared.hosts, this.around.own); }

  /** The first priority's hosts, for zone routing of the clusters that name this one as theirs. */
  firstHostSet(): HostSet { return this.hostSets()[0]!; }

  // A host of another cluster: this one is an aggregate, and the host is its member's.

  lease(host: Host, ctx: LeaseContext, waiter: LeaseWaiter): Leased {
    if (host.cluster !== this) return host.cluster.lease(host, ctx, waiter);
    if (this.predictor !== null) this.predict(this.predictor, ctx);
    return this.poolOf(host as HostEntry, ctx).lease(ctx, waiter);
  }

  private poolOf(entry: HostEntry, ctx: LeaseContext): Pool {
    const high = ctx.priority === 'high' ? 1 : 0, protocol = this.protocolFor(ctx), n = 2 * high + (protocol === 'http1' ? 0 : 1);
    const name = this.plan.autoSni === null ? '' : serverNameOf(ctx, this.plan.autoSni.header);
    const own = this.plan.poolPerConnection && ctx.client !== null ? `#${ctx.client.id}` : '', key = `${this.sockets.clientKey(entry, ctx)}${own}`;
    if (name !== '' || key !== '') return entry.namedPool(n, `${name} ${key}`, () => new Pool(this, entry, this.breakers[high]!, protocol, name, key === '' ? null : { client: ctx.client, source: ctx.source, shared: ctx.shared }));
    return entry.pools[n] ??= new Pool(this, entry, this.breakers[high]!, protocol);
  }

  /** Connections for the requests after this one. */
  private predict(predictor: Predictor, ctx: LeaseContext): void {
    for (let i = 0; i < AHEAD_AT_ONCE && predictor.wantsAhead(this.hosts.length); i++) {
      const host = this.balancer?.pick(NEXT, 0) ?? null;
      if (host === null) return;
      predictor.choseAhead(host);
      if (!this.poolOf(host as HostEntry, ctx).preconnect(predictor.ratio)) return;
    }
  }

  private protocolFor(ctx: LeaseContext): PoolProtocol {
    const { protocol } = this.plan;
    return protocol !== 'downstream' ? protocol : ctx.downstreamProtocol === 'HTTP/2' || ctx.downstreamProtocol === 'HTTP/3' ? 'http2' : 'http1';
  }

  leaseRaw(host: Host, waiter: RawWaiter, client: ConnectionFacts | null): Waiting | { readonly failed: 'overflow'; readonly shed?: boolean } {
    if (host.cluster !== this) return host.cluster.leaseRaw(host, waiter, client);
    if (this.shared.words.overloaded() && this.shed.sheds(OVERLOAD.connection_pool_new_connection)) return SHED;
    const breaker = this.breakers[0];
    if (!breaker.tryAcquire(CIRCUIT_KIND.CX)) { this.stats.inc(CLUSTER.upstream_cx_overflow); return OVERFLOW; }
    return new RawConnection(this, host as HostEntry, breaker, waiter, client);
  }

  beginRequest(host: Host, priority: 'default' | 'high'): boolean {
    if (host.cluster !== this) return host.cluster.beginRequest(host, priority);
    if (!this.breakers[priority === 'high' ? 1 : 0]!.tryAcquire(CIRCUIT_KIND.RQ)) { this.stats.inc(CLUSTER.upstream_rq_active_overflow); return false; }
    // A host is as busy as the requests it was chosen for: those that still wait for a connection count for the next choice.
    this.shared.hosts.addActive((host as HostEntry).index, 1);
    (host as HostEntry).stats.inc(HOST.rq_active);
    return true;
  }
  endRequest(host: Host, priority: 'default' | 'high'): void {
    if (host.cluster !== this) { host.cluster.endRequest(host, priority); return; }
    this.breakers[priority === 'high' ? 1 : 0]!.release(CIRCUIT_KIND.RQ);
    this.shared.hosts.addActive((host as HostEntry).index, -1);
    (host as HostEntry).stats.dec(HOST.rq_active);
  }
  beginRetry(priority: 'default' | 'high'): boolean {
    const i = priority === 'high' ? 1 : 0, budget = this.plan.retryBudgets[i]!;
    if (budget === null ? this.breakers[i]!.tryAcquire(CIRCUIT_KIND.RETRY) : this.breakers[i]!.tryRetry(budget)) return true;
    this.stats.inc(CLUSTER.upstream_rq_retry_overflow);
    return false;
  }
  endRetry(priority: 'default' | 'high'): void { this.breakers[priority === 'high' ? 1 : 0]!.release(CIRCUIT_KIND.RETRY); }

  onResponse(host: Host | null, status: number, internal: boolean, canary: boolean, timeMs: number, zone = ''): void {
    this.stats.inc(CLUSTER.upstream_rq_completed);
    this.answers.charge(status, internal, canary, zone, timeMs);
    if (host !== null) this.onServed(host, status < 500);
  }

  onServed(host: Host, success: boolean): void { (host as HostEntry).stats.inc(success ? HOST.rq_success : HOST.rq_error); }
  onAnswer(host: Host, headers: ResponseHeaders, grpc: boolean): void { (host.cluster as ClusterEntry).outlier?.onAnswer(host.index, headers, grpc); }
  onTimeout(host: Host): void { (host as HostEntry).stats.inc(HOST.rq_timeout); }
  get wantsLoad(): boolean { return this.orca !== null; }
  secured(host: Host): boolean { return this.sockets.secured(host); }
  onLoad(host: Host, headers: Headers): boolean { return this.orca!.take(host.index, headers); }

  onRetriedResponse(host: Host, status: number): void {
    (host as HostEntry).stats.inc(HOST.rq_error);
    if (status !== 0) this.answers.chargeRetried(status);
  }

  onAttemptFailure(host: Host, why: 'timeout' | 'reset' | 'connect' | 'connect-timeout', _reason: ResetReason, _fault: PeerFault | null): void {
    (host.cluster as ClusterEntry).outlier?.onLocalFailure(host.index, why === 'timeout' || why === 'connect-timeout');
  }
  onReached(host: Host, final: boolean): void { (host.cluster as ClusterEntry).outlier?.onReached(host.index, final); }

  /** Lets go of everything when the cluster is replaced or removed: streams under way go on. */
  drain(): void { this.chooser?.drain(); for (const h of this.hosts) h.drain(true); }
  tryConnection(): boolean { if (this.breakers[0].tryAcquire(CIRCUIT_KIND.CX)) return true; this.stats.inc(CLUSTER.upstream_cx_overflow); return false; }
  releaseConnection(): void { this.breakers[0].release(CIRCUIT_KIND.CX); }
  available(host: Host): boolean { return !(host as HostEntry).removed && (this.shared.hosts.flags(host.index) & UNHEALTHY) === 0; }
  membership(): { readonly total: number; readonly available: number } {
    let available = 0;
    for (const h of this.hosts) if ((this.shared.hosts.flags(h.index) & UNHEALTHY) === 0) available++;
    return { total: this.hosts.length, available };
  }
  get healthChecked(): boolean { return this.plan.healthChecked; }
  failHealth(host: Host): void { this.reports.failHealth(host.index); }
}

