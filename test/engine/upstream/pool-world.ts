// A cluster on a virtual clock with sockets that a test drives: for tests of pools and of clusters that find hosts themselves.
import type { ResetReason, ResponseSink, ClientStream } from '../../../engine/codec/codec.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../../../engine/headers/headers.ts';
import { ipAddress } from '../../../engine/net/address.ts';
import type { ConnectOptions, SocketSink, Transport, TransportSocket } from '../../../engine/net/transport/transport.ts';
import { CLUSTER } from '../../../engine/observe/stats/schemas.ts';
import { UpstreamFacts } from '../../../engine/observe/stream-facts.ts';
import type { ClusterPlan, HostPlan } from '../../../engine/plan/cluster-plan.ts';
import { HTTP1_DEFAULTS } from '../../../engine/plan/http1-options-plan.ts';
import { HTTP2_DEFAULTS } from '../../../engine/plan/http2-options-plan.ts';
import { packCluster, packHosts } from '../../../engine/plan/cluster-wire.ts';
import { CIRCUIT_KIND, CircuitTable, type CircuitLimits } from '../../../engine/shm/circuit-table.ts';
import { HostTable } from '../../../engine/shm/host-table.ts';
import { SharedLimits } from '../../../engine/shm/shared-limits.ts';
import { SharedRecords } from '../../../engine/shm/shared-records.ts';
import { SharedWords } from '../../../engine/shm/shared-words.ts';
import { BALANCER } from '../../../engine/upstream/balancer-config.ts';
import { ClusterSet } from '../../../engine/upstream/cluster-set.ts';
import { DnsCaches } from '../../../engine/upstream/dns-caches.ts';
import type { ClusterEntry } from '../../../engine/upstream/cluster.ts';
import type { Host, LeaseContext, LeaseWaiter, PickContext, Waiting } from '../../../engine/upstream/upstream.ts';
import { FakeSocket, fakeEnv, type FakeEnv } from '../../support/fake-socket.ts';

export const PLAN: ClusterPlan = {
  name: 'c', statName: 'c', connectTimeoutMs: 1000, balancer: BALANCER, kind: null, panicPercent: 50, overprovisioning: 140, weightedHealth: false, overrideStatus: ['HEALTHY', 'UNKNOWN'], bufferLimit: 1 << 20, protocol: 'http1', http1: HTTP1_DEFAULTS, http2: HTTP2_DEFAULTS,
  autoSni: null, autoSanValidation: false, closeOnHostSetChange: false, closeOnHealthFailure: false, poolPerConnection: false, idleTimeoutMs: 60_000, maxConnectionDurationMs: 0, maxRequestsPerConnection: 0, maxStreamDurationMs: -1, upstreamFilters: null, hashPolicies: [], retryPolicy: null, mirrors: [], preconnectRatio: 1, preconnect: null, eyeballs: { family: 0, count: 1 }, keepalive: null, bind: null, socketOptions: [], metadata: null,
  circuits: [0, 1], hostRecord: -1, perHostMaxConnections: 0, trackSizes: false, trackBudgets: false, retryBudgets: [null, null], outlier: null, healthChecked: false, transportSocket: null, transportSocketMatches: [],
};

/** A request: what became of its lease and of its answer. */
export class Request implements LeaseWaiter, ResponseSink, LeaseContext {
  readonly priority = 'default';
  readonly facts = new UpstreamFacts();
  readonly downstreamProtocol = 'HTTP/1.1';
  readonly client = null; readonly source = null; readonly shared = null;
  readonly request = new RequestHeaders();
  fresh = false;
  stream: ClientStream | null = null;
  waiting: Waiting | null = null;
  log: string[] = [];
  get sink(): ResponseSink { return this; }
  constructor(authority = 'x') { this.request.method = 'GET'; this.request.path = '/'; this.request.authority = authority; this.request.scheme = 'http'; }
  take(stream: ClientStream): void { this.stream = stream; this.log.push('stream'); stream.headers(this.request, true); }
  onLease(stream: ClientStream): void { this.waiting = null; this.take(stream); }
  onLeaseFailure(why: string, reason: string): void { this.waiting = null; this.log.push(`${why}${reason && `: ${reason}`}`); }
  onInformational(): void {}
  onHeaders(h: ResponseHeaders, end: boolean): void { this.log.push(`${h.status}${end ? ' end' : ''}`); }
  onData(_b: Uint8Array, _s: number, _e: number, last: boolean): void { if (last) this.log.push('end'); }
  onTrailers(_t: Headers): void { this.log.push('trailers'); }
  onReset(reason: ResetReason): void { this.log.push(`reset ${reason}`); }
  onBlocked(): void {}
  onDrained(): void {}
}

export class PoolWorld {
  readonly env: FakeEnv;
  readonly sockets: FakeSocket[] = [];
  readonly remotes: string[] = [];
  /** From where, and with how many socket options. */
  readonly sources: string[] = [];
  /** Names that control was asked for. */
  readonly wanted: string[] = [];
  readonly shared = { hosts: new HostTable(new SharedArrayBuffer(HostTable.bytes(64))), circuits: new CircuitTable(new SharedArrayBuffer(CircuitTable.bytes(16))), words: new SharedWords(new SharedArrayBuffer(SharedWords.bytes)), limits: new SharedLimits(new SharedArrayBuffer(SharedLimits.bytes(4))), records: new SharedRecords(new SharedArrayBuffer(SharedRecords.bytes(4))) };
  readonly clusters: ClusterSet;
  readonly ctx: PickContext = { hasHash: false, hashHigh: 0, hashLow: 0, request: null, facts: null, metadataMatch: null, avoid: null, maxReselect: 0, triedPriorities: 0, overrideHost: null, overridesUsed: 0 };

  constructor(plan: Partial<ClusterPlan> = {}, limits: CircuitLimits = [1024, 1024, 1024, 3, 1024], hosts = 1) {
    const transport = { connect: (o: ConnectOptions, sink: SocketSink): TransportSocket => { const s = new FakeSocket(); s.sink = sink; this.sockets.push(s); if (o.remote.kind === 'ip') { this.remotes.push(`${o.remote.ip}:${o.remote.port}`); this.sources.push(`${o.bind?.kind === 'ip' ? o.bind.ip : ''}/${o.options.length}${o.freebind ? ' free' : ''}`); } return s; } } as unknown as Transport;
    this.env = { ...fakeEnv(), transport };
    this.clusters = new ClusterSet(this.env, this.shared, { vote: () => {}, failHealth: () => {} }, new DnsCaches((cache, host) => this.wanted.push(`${cache} ${host}`), this.env.clock));
    this.install(plan, limits, Array.from({ length: hosts }, (_, i) => this.host(i)));
  }

  host(index: number, more: Partial<HostPlan> = {}): HostPlan { return { index, address: ipAddress(`10.0.0.${index + 1}`, 80), hostname: '', weight: 1, priority: 0, locality: { region: '', zone: '', subZone: '' }, localityWeight: 0, metadata: null, health: 'UNKNOWN', ...more }; }
  install(plan: Partial<ClusterPlan>, limits: CircuitLimits, hosts: readonly HostPlan[]): void {
    const whole: ClusterPlan = { ...PLAN, ...plan };
    for (const c of whole.circuits) this.shared.circuits.setLimits(c, limits);
    this.clusters.install(whole.name, packCluster(whole));
    this.clusters.installHosts(whole.name, packHosts(hosts));
  }

  get cluster(): ClusterEntry { return this.clusters.member('c')!; }
  /** Takes a stream for a new request, as the router does. */
  ask(r = new Request(), host: Host = this.cluster.choose(this.ctx)!): Request {
    const leased = this.cluster.lease(host, r, r);
    if (leased.kind === 'stream') r.take(leased.stream); else if (leased.kind === 'waiting') { r.waiting = leased.waiting; r.log.push('waits'); } else r.log.push(leased.why);
    this.env.later.run();
    return r;
  }
  /** The nth socket is connected. */
  connect(n: number): FakeSocket { this.sockets[n]!.sink.onConnect(); this.env.later.run(); return this.sockets[n]!; }
  receive(n: number, text: string): void { this.sockets[n]!.receive(text); this.env.later.run(); }
  close(n: number, error = ''): void { this.sockets[n]!.sink.onClose(error); this.env.later.run(); }
  answer(n: number): void { this.receive(n, 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'); }
  count(name: keyof typeof CLUSTER): number { return this.cluster.stats.own(CLUSTER[name]); }
  /** What the circuit breakers hold now: connections, waiting, pools. */
  held(): number[] { return [CIRCUIT_KIND.CX, CIRCUIT_KIND.PENDING, CIRCUIT_KIND.POOL].map((k) => this.shared.circuits.value(0, k)); }
}
