// Listeners of one worker: bind, accept within the limits, match a filter chain, start the connection. A changed listener keeps its socket where the address
// stays, and its old connections stay on the old plan; a removed one closes its socket and drains its connections.
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import { LISTENER, LISTENER_SCHEMA, LISTENER_WORKER, LISTENER_WORKER_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock } from '../observe/stats/stat-block.ts';
import { ConnectionFacts } from '../observe/stream-facts.ts';
import { runtimeNumber, type RuntimeCell } from '../loop/runtime.ts';
import type { FilterChainPlan, ListenerPlan } from '../plan/listener-plan.ts';
import { formatAddress, type Address } from './address.ts';
import type { DataCatalog, NetworkFilterFactory } from './connection.ts';
import { AcceptedConnection, type ListenerState } from './downstream-connection.ts';
import { FilterChainMatcher } from './filter-chain-match.ts';
import type { ListenerSocket, TransportSocket } from './transport/transport.ts';
import type { WorkerEnv } from './worker-env.ts';

/** The process-wide limit of downstream connections. */
export interface ConnectionBudget { tryConnection(): boolean; releaseConnections(count: number): void; /** The process fails its health checks: connections are not kept. */ healthFailed(): boolean }

interface Chain { readonly name: string; readonly factories: readonly NetworkFilterFactory[]; readonly metadata: FilterChainPlan['metadata'] }

let nextConnectionId = 0;

/** What a listener is called in stats: its stat_prefix, or its address with ':' as '_'. */
export function listenerStatName(plan: ListenerPlan): string { return plan.statPrefix !== '' ? plan.statPrefix : formatAddress(plan.address).replaceAll(':', '_'); }

/** One version of a listener: its chains and the connections that began with it. */
class ListenerVersion implements ListenerState {
  readonly plan: ListenerPlan;
  readonly stats: StatBlock;
  readonly workerStats: StatBlock;
  readonly statPrefix: string;
  readonly bufferLimit: number;
  readonly accessLogs: readonly AccessLog[];
  readonly matcher: FilterChainMatcher<Chain>;
  readonly connections = new Set<AcceptedConnection>();
  private readonly budget: ConnectionBudget;
  private drainBegun = false;

  constructor(plan: ListenerPlan, env: WorkerEnv, catalog: DataCatalog, budget: ConnectionBudget) {
    this.plan = plan;
    this.budget = budget;
    this.statPrefix = `listener.${listenerStatName(plan)}`;
    this.stats = new StatBlock(env.stats, LISTENER_SCHEMA, this.statPrefix);
    this.workerStats = new StatBlock(env.stats, LISTENER_WORKER_SCHEMA, `${this.statPrefix}.worker_${env.workerId}`);
    this.bufferLimit = plan.bufferLimit;
    this.accessLogs = plan.accessLogs.map((l) => catalog.accessLog(l.kind, l.body, env));
    const build = (c: FilterChainPlan): Chain => ({ name: c.name, metadata: c.metadata, factories: c.filters.map((f) => catalog.networkFilter(f.kind, f.body, env, this.statPrefix)) });
    this.matcher = new FilterChainMatcher(plan.chains.map((c) => ({ chain: build(c), match: c.match })), plan.defaultChain === null ? null : build(plan.defaultChain));
  }

  get draining(): boolean { return this.drainBegun || (this.plan.drainType === 'DEFAULT' && this.budget.healthFailed()); }
  beginDrain(): void { this.drainBegun = true; }

  left(connection: AcceptedConnection): void { if (this.connections.delete(connection)) this.budget.releaseConnections(1); }
}

class Listener {
  version: ListenerVersion;
  readonly sockets: ListenerSocket[] = [];
  readonly limit: RuntimeCell;
  constructor(version: ListenerVersion, limit: RuntimeCell) { this.version = version; this.limit = limit; }
}

export class ListenerSet {
  private readonly env: WorkerEnv;
  private readonly catalog: DataCatalog;
  private readonly budget: ConnectionBudget;
  private readonly listeners = new Map<string, Listener>();
  private readonly old = new Set<ListenerVersion>();
  /** Told of each bind: address, or errno name. */
  onBound: (name: string, addresses: readonly string[], error: string) => void = () => {};

  constructor(env: WorkerEnv, catalog: DataCatalog, budget: ConnectionBudget) { this.env = env; this.catalog = catalog; this.budget = budget; }

  /** Installs a listener, or a new version of one. Binding goes on in the background; `onBound` tells. */
  install(plan: ListenerPlan): void {
    const version = new ListenerVersion(plan, this.env, this.catalog, this.budget);
    const known = this.listeners.get(plan.name);
    if (known !== undefined) {
      const before = known.version;
      known.version = version;
      if (before.connections.size > 0) this.old.add(before);
      if (sameSockets(before.plan, plan)) { this.onBound(plan.name, known.sockets.map((s) => formatAddress(s.local)), ''); return; }
      for (const s of known.sockets) s.close();
      known.sockets.length = 0;
      void this.bind(known);
      return;
    }
    const listener = new Listener(version, this.env.runtime.cell(`envoy.resource_limits.listener.${plan.name}.connection_limit`));
    this.listeners.set(plan.name, listener);
    void this.bind(listener);
  }

  private bind(listener: Listener): Promise<void> {
    const { plan } = listener.version;
    if (!plan.bindToPort || (!plan.reusePort && this.env.workerId !== 0)) { this.onBound(plan.name, [], ''); return Promise.resolve(); }
    const one = (address: Address): Promise<ListenerSocket | { readonly error: string }> => this.env.transport.listen({
      address, backlog: plan.backlog, reusePort: plan.reusePort && address.kind === 'ip', transparent: plan.transparent, freebind: plan.freebind, ipv6Only: plan.ipv6Only, maxAcceptsPerTurn: plan.acceptsPerTurn, options: plan.options,
    }, (socket) => this.accept(listener, socket));
    return Promise.all([plan.address, ...plan.additional].map(one)).then((results) => {
      const failed = results.find((r) => 'error' in r);
      for (const r of results) if (!('error' in r)) listener.sockets.push(r);
      this.onBound(plan.name, listener.sockets.map((s) => formatAddress(s.local)), failed !== undefined && 'error' in failed ? failed.error : '');
    });
  }

  private accept(listener: Listener, socket: TransportSocket): void {
    const version = listener.version, { stats, plan } = version;
    stats.inc(LISTENER.downstream_cx_total);
    if (version.connections.size >= runtimeNumber(listener.limit, Infinity)) { this.refuse(version, socket, LISTENER.downstream_cx_overflow); return; }
    if (!this.budget.tryConnection()) {
      if (!plan.ignoreGlobalLimit) { this.refuse(version, socket, LISTENER.downstream_global_cx_overflow); return; }
      this.budget.releaseConnections(-1);
    }
    stats.inc(LISTENER.downstream_cx_active);
    version.workerStats.inc(LISTENER_WORKER.downstream_cx_total);
    version.workerStats.inc(LISTENER_WORKER.downstream_cx_active);
    if (plan.keepalive !== null) socket.setKeepalive(plan.keepalive);
    if (plan.bufferLimit > 0) socket.highMark = plan.bufferLimit;
    const facts = this.factsOf(socket, plan);
    const connection = new AcceptedConnection(socket, facts, version, this.env);
    version.connections.add(connection);
    const chain = version.matcher.find(facts);
    if (chain === null) { stats.inc(LISTENER.no_filter_chain_match); connection.close('now', 'filter_chain_not_found'); return; }
    facts.filterChainName = chain.name;
    facts.filterChainMetadata = chain.metadata;
    connection.start(chain.factories);
  }

  private refuse(version: ListenerVersion, socket: TransportSocket, stat: number): void {
    version.stats.inc(stat);
    version.stats.inc(LISTENER.downstream_cx_destroy);
    socket.destroy('now');
  }

  private factsOf(socket: TransportSocket, plan: ListenerPlan): ConnectionFacts {
    const facts = new ConnectionFacts();
    facts.id = nextConnectionId++;
    facts.startMs = this.env.clock.nowMs();
    facts.startWallMs = this.env.clock.wallMs();
    facts.listenerName = plan.name;
    facts.direction = plan.direction;
    facts.listenerMetadata = plan.metadata;
    const remote = socket.remote, local = socket.local;
    facts.remoteText = facts.directRemoteText = formatAddress(remote);
    if (remote.kind === 'ip') { facts.remoteIp = facts.directRemoteIp = remote.ip; facts.remotePort = facts.directRemotePort = remote.port; }
    facts.localText = formatAddress(local);
    if (local.kind === 'ip') { facts.localIp = local.ip; facts.localPort = local.port; }
    return facts;
  }

  /** Stops listening and drains what began with it. */
  remove(name: string): void {
    const listener = this.listeners.get(name);
    if (listener === undefined) return;
    this.listeners.delete(name);
    for (const s of listener.sockets) s.close();
    this.drainVersion(listener.version);
    if (listener.version.connections.size > 0) this.old.add(listener.version);
  }

  /** /drain_listeners and process drain: connections finish what they do; sockets close now, or at once with the call where not graceful. */
  drain(inboundOnly: boolean, closeSockets: boolean): void {
    for (const l of this.listeners.values()) {
      if (inboundOnly && l.version.plan.direction !== 'INBOUND') continue;
      if (closeSockets) { for (const s of l.sockets) s.close(); l.sockets.length = 0; }
      this.drainVersion(l.version);
    }
    for (const v of this.old) this.drainVersion(v);
  }

  private drainVersion(version: ListenerVersion): void {
    version.beginDrain();
    for (const c of [...version.connections]) c.drain();
  }

  get connections(): number {
    let n = 0;
    for (const l of this.listeners.values()) n += l.version.connections.size;
    for (const v of this.old) { if (v.connections.size === 0) this.old.delete(v); n += v.connections.size; }
    return n;
  }

  close(): void {
    for (const l of this.listeners.values()) { for (const s of l.sockets) s.close(); for (const c of [...l.version.connections]) c.close('now'); }
    for (const v of this.old) for (const c of [...v.connections]) c.close('now');
  }
}

function sameSockets(a: ListenerPlan, b: ListenerPlan): boolean {
  const key = (p: ListenerPlan): string => JSON.stringify([p.address, p.additional, p.bindToPort, p.reusePort, p.backlog, p.transparent, p.freebind, p.ipv6Only, p.options, p.acceptsPerTurn]);
  return key(a) === key(b);
}
