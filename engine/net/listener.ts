// Listeners of one worker: bind, accept within the limits, match a filter chain, start the connection. A changed listener keeps its socket where the address
// stays, and its old connections stay on the old plan; a removed one closes its socket and drains its connections.
import { Seats } from '../base/seats.ts';
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import { LISTENER, LISTENER_SCHEMA, LISTENER_WORKER, LISTENER_WORKER_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock } from '../observe/stats/stat-block.ts';
import { ConnectionFacts, setStreamMetadata, StreamFacts } from '../observe/stream-facts.ts';
import { LoadShed, strikes } from './overload.ts';
import { OVERLOAD, type TimerScalePlan } from '../plan/overload-plan.ts';
import type { ExtensionPlan } from '../plan/extension-plan.ts';
import type { AdditionalAddressPlan, FilterChainPlan, ListenerPlan } from '../plan/listener-plan.ts';
import { formatAddress, ipAddress, type Address } from './address.ts';
import { AcceptCount } from './accept-count.ts';
import { AcceptingConnection, type AcceptingOwner, type PlacedListenerFilter } from './accepting-connection.ts';
import type { DataCatalog, NetworkFilterFactory } from './connection.ts';
import { AcceptedConnection, logConnection, type ListenerState } from './downstream-connection.ts';
import { DrainSequence, type DrainTime } from './drain-sequence.ts';
import { FilterChainMatcher } from './filter-chain-match.ts';
import { makeFilterDisabled } from './filter-disabled.ts';
import type { Passthrough } from './internal-network.ts';
import { ListenerLimit } from './listener-limit.ts';
import type { ProcessLimits } from './shared-limits.ts';
import type { StreamAccounts } from './stream-accounts.ts';
import { haveSocketCalls } from './transport/socket-calls.ts';
import { NOT_HERE, optionsFor, type ListenerSocket, type TcpKeepalive, type TransportSocket } from './transport/transport.ts';
import type { DownstreamSocketFactory } from './tls/contexts.ts';
import { downstreamSocket } from './transport-sockets.ts';
import { UdpListener } from './udp-listener.ts';
import { ownedEnv, type WorkerEnv } from './worker-env.ts';

/** The process-wide limit of downstream connections. */
export interface ConnectionBudget { tryConnection(): boolean; releaseConnections(count: number): void; /** The process fails its health checks: connections are not kept. */ healthFailed(): boolean; /** Strength of an overload action, 0 to 1. */ overload(action: number): number; overloaded(): boolean }

interface Chain { readonly name: string; readonly socket: DownstreamSocketFactory | null; readonly connectTimeoutMs: number; readonly factories: readonly NetworkFilterFactory[]; readonly metadata: FilterChainPlan['metadata'] }

/** What shortens timers under pressure (OverloadView). */
interface TimerScale { scaled(timer: TimerScalePlan['timer'], ms: number): number }

/** The listener for the address that a connection was meant for; null: none has it. */
type HandOff = (facts: ConnectionFacts) => ListenerVersion | null;

let nextConnectionId = 0;

/** What a listener is called in stats: its stat_prefix, or its address with ':' as '_'. */
export function listenerStatName(plan: ListenerPlan): string { return plan.statPrefix !== '' ? plan.statPrefix : (plan.internal ? `envoy_internal_${plan.name}` : formatAddress(plan.address)).replaceAll(':', '_'); }

/** One version of a listener: its chains and the connections that began with it. */
class ListenerVersion implements ListenerState, AcceptingOwner {
  readonly plan: ListenerPlan;
  readonly stats: StatBlock;
  readonly workerStats: StatBlock;
  readonly statPrefix: string;
  readonly bufferLimit: number;
  readonly accessLogs: readonly AccessLog[];
  readonly matcher: FilterChainMatcher<Chain>;
  readonly connections = new Seats<AcceptedConnection>();
  /** Those whose filter chain is not chosen yet. */
  readonly accepting = new Seats<AcceptingConnection>();
  readonly listenerFilters: readonly PlacedListenerFilter[];
  readonly listenerFiltersTimeoutMs: number;
  readonly continueOnTimeout: boolean;
  private readonly env: WorkerEnv;
  private readonly budget: ConnectionBudget;
  private drainBegun = false;
  /** Told once the last connection of a version that no listener has any more is over; null: it is in use. */
  private whenEmpty: (() => void) | null = null;
  private sequence: DrainSequence | null = null;

  private readonly handOff: HandOff;
  private readonly timers: TimerScale;

  private readonly limit: ListenerLimit;

  constructor(plan: ListenerPlan, limit: ListenerLimit, env: WorkerEnv, catalog: DataCatalog, budget: ConnectionBudget, timers: TimerScale, handOff: HandOff) {
    this.plan = plan;
    this.limit = limit;
    this.env = env;
    this.budget = budget;
    this.handOff = handOff;
    this.timers = timers;
    this.listenerFiltersTimeoutMs = plan.listenerFiltersTimeoutMs;
    this.continueOnTimeout = plan.continueOnTimeout;
    this.statPrefix = `listener.${listenerStatName(plan)}`;
    const own = ownedEnv(env, this.statPrefix);
    this.stats = new StatBlock(own.stats, LISTENER_SCHEMA, this.statPrefix);
    this.workerStats = new StatBlock(own.stats, LISTENER_WORKER_SCHEMA, `${this.statPrefix}.worker_${env.workerId}`);
    this.bufferLimit = plan.bufferLimit;
    this.accessLogs = plan.accessLogs.map((l) => catalog.accessLog(l.kind, l.body, env));
    this.listenerFilters = plan.listenerFilters.map((f) => ({ factory: catalog.listenerFilter(f.filter.kind, f.filter.body, env, this.statPrefix), disabled: f.disabled === null ? null : makeFilterDisabled(f.disabled) }));
    const build = (c: FilterChainPlan): Chain => ({ name: c.name, socket: downstreamSocket(c.transportSocket, own, this.statPrefix), connectTimeoutMs: c.connectTimeoutMs, metadata: c.metadata, factories: c.filters.map((f) => catalog.networkFilter(f.kind, f.body, env, this.statPrefix)) });
    this.matcher = new FilterChainMatcher(plan.chains.map((c) => ({ chain: build(c), match: c.match })), plan.defaultChain === null ? null : build(plan.defaultChain), plan.matcher);
  }

  get draining(): boolean { return this.drainBegun || (this.plan.drainType === 'DEFAULT' && this.budget.healthFailed()) || (this.sequence !== null && this.sequence.closes()); }
  beginDrain(): void { this.drainBegun = true; }
  /** Answers end their connections by and by. A sequence that is under way goes on. */
  beginSequence(sequence: DrainSequence): void { this.sequence ??= sequence; }
  get size(): number { return this.connections.size + this.accepting.size; }
  /** No listener has it any more; `over` is called when its last connection is. */
  retire(over: () => void): void { this.whenEmpty = over; this.freed(); }
  private freed(): void { if (this.size === 0) this.whenEmpty?.(); }
  handshakeMs(ms: number): number { return this.timers.scaled('TRANSPORT_SOCKET_CONNECT', ms); }

  /** A socket within the limits: its chain is chosen now, or after the listener filters have seen enough. */
  accept(socket: TransportSocket, facts: ConnectionFacts, stream: StreamFacts | null = null, handedOff = false): void {
    if (this.listenerFilters.length === 0) { this.begin(socket, facts, stream); return; }
    const pending = new AcceptingConnection(socket, facts, this, this.env, stream, handedOff);
    this.accepting.add(pending);
    pending.start();
  }
  accepted(pending: AcceptingConnection, bytes: Buffer, start: number, end: number): void {
    this.accepting.delete(pending);
    const { socket, facts } = pending;
    // The listener of the restored destination goes on with it, once (Envoy: hand_off_restored_destination_connections): its own filters see all bytes that are left.
    const to = this.plan.useOriginalDst && facts.localRestored && !pending.handedOff ? this.handOff(facts) : null;
    if (to !== null && to !== this) {
      this.limit.release();
      to.limit.takes();
      to.describe(socket, facts);
      to.accept(socket, facts, null, true);
      if (end > start) socket.sink.onData(bytes, start, end);
      this.freed();
      return;
    }
    // Bytes go in by the socket's sink, whoever that is: the connection, or TLS before it.
    if (this.begin(socket, pending.facts, pending.begunStream) && end > start) socket.sink.onData(bytes, start, end);
  }
  dropped(pending: AcceptingConnection): void { if (this.accepting.delete(pending)) { this.release(); this.freed(); } }
  private release(): void { this.budget.releaseConnections(1); this.limit.release(); }

  /** What is known of a connection by the listener that it is at. */
  describe(socket: TransportSocket, facts: ConnectionFacts): void {
    const { plan } = this;
    facts.listenerName = plan.name;
    facts.direction = plan.direction;
    facts.listenerMetadata = plan.metadata;
    if (plan.bufferLimit > 0) socket.highMark = plan.bufferLimit;
  }

  /** Chooses the filter chain and starts the connection on it; false where it is over at once. */
  private begin(socket: TransportSocket, facts: ConnectionFacts, stream: StreamFacts | null): boolean {
    const { stats } = this, chain = this.matcher.find(facts, stream);
    if (chain === null || chain.factories.length === 0) {
      if (chain === null) { stats.inc(LISTENER.no_filter_chain_match); facts.terminationDetails = 'filter_chain_not_found'; }
      socket.destroy('now');
      this.release();
      logConnection(this.accessLogs, stream ?? new StreamFacts(facts), this.env.clock.nowMs());
      this.freed();
      return false;
    }
    stats.inc(LISTENER.downstream_cx_total);
    stats.inc(LISTENER.downstream_cx_active);
    this.workerStats.inc(LISTENER_WORKER.downstream_cx_total);
    this.workerStats.inc(LISTENER_WORKER.downstream_cx_active);
    facts.filterChainName = chain.name;
    facts.filterChainMetadata = chain.metadata;
    const connection = new AcceptedConnection(socket, facts, this, this.env, stream);
    this.connections.add(connection);
    if (chain.socket !== null && !connection.secure(chain.socket, chain.connectTimeoutMs)) return false;
    connection.start(chain.factories);
    return connection.live;
  }

  left(connection: AcceptedConnection): void { if (this.connections.delete(connection)) { this.release(); this.freed(); } }
}

class Listener {
  version: ListenerVersion;
  readonly sockets: ListenerSocket[] = [];
  readonly limit: ListenerLimit;
  constructor(version: ListenerVersion, limit: ListenerLimit) { this.version = version; this.limit = limit; }
}

export class ListenerSet {
  private readonly env: WorkerEnv;
  private readonly catalog: DataCatalog;
  private readonly budget: ConnectionBudget;
  private readonly listeners = new Map<string, Listener>();
  private readonly old = new Set<ListenerVersion>();
  private readonly udp = new Map<string, UdpListener>();
  /** Listeners by 'ip:port', for connections whose destination was restored; made anew after each change. */
  private byAddress: Map<string, Listener> | null = null;
  /** Told of each bind: address, or errno name. */
  onBound: (name: string, addresses: readonly string[], error: string) => void = () => {};

  private readonly shed: LoadShed;
  private readonly timers: TimerScale;
  private readonly limits: ProcessLimits;
  constructor(env: WorkerEnv, catalog: DataCatalog, budget: ConnectionBudget, timers: TimerScale, limits: ProcessLimits) { this.env = env; this.limits = limits; this.catalog = catalog; this.budget = budget; this.timers = timers; this.shed = new LoadShed(budget, env); }

  /** Installs a listener, or a new version of one. Binding goes on in the background; `onBound` tells. */
  install(plan: ListenerPlan): void {
    if (plan.udp !== null) { this.installUdp(plan, plan.udp); return; }
    this.byAddress = null;
    const known = this.listeners.get(plan.name), limit = known?.limit ?? new ListenerLimit(plan.name, this.env.runtime.cell(`envoy.resource_limits.listener.${plan.name}.connection_limit`), this.limits, this.env.stats.owned(`listener.${listenerStatName(plan)}`));
    const version = new ListenerVersion(plan, limit, this.env, this.catalog, this.budget, this.timers, (facts) => this.listenerAt(facts));
    if (this.sequence !== null && (this.sequence.all || plan.direction === 'INBOUND')) version.beginSequence(this.sequence.drain);
    if (known !== undefined) {
      const before = known.version;
      known.version = version;
      this.retire(before);
      if (sameSockets(before.plan, plan)) { this.onBound(plan.name, known.sockets.map((s) => formatAddress(s.local)), ''); return; }
      for (const s of known.sockets) s.close();
      known.sockets.length = 0;
      this.env.internal.close(plan.name);
      void this.bind(known);
      return;
    }
    const listener = new Listener(version, limit);
    this.listeners.set(plan.name, listener);
    void this.bind(listener);
  }

  private installUdp(plan: ListenerPlan, filter: ExtensionPlan): void {
    const made = this.catalog.udpFilter(filter.kind, filter.body, this.env), known = this.udp.get(plan.name);
    if (known !== undefined) known.replace(plan, made); else this.udp.set(plan.name, new UdpListener(plan, made, this.env, (addresses, error) => this.onBound(plan.name, addresses, error)));
  }

  private bind(listener: Listener): Promise<void> {
    const { plan } = listener.version, { transport, workerId } = this.env;
    if (plan.internal) { this.env.internal.listen(plan.name, (socket, passthrough) => this.acceptInternal(listener, socket, passthrough)); this.onBound(plan.name, [], ''); return Promise.resolve(); }
    if (!plan.bindToPort) { this.onBound(plan.name, [], ''); return Promise.resolve(); }
    // node:net cannot be asked for the destination where koffi does not load.
    if (plan.useOriginalDst && transport.name === 'node' && !haveSocketCalls()) { this.onBound(plan.name, [], NOT_HERE); return Promise.resolve(); }
    // One socket for all: worker 0 has it, and hands connections over to the others.
    const socketless = (address: Address): boolean => !(plan.reusePort && address.kind === 'ip') && workerId !== 0;
    const one = ({ address, options }: Pick<AdditionalAddressPlan, 'address' | 'options'>, index: number): Promise<ListenerSocket | { readonly error: string }> => {
      const reusePort = plan.reusePort && address.kind === 'ip', count = new AcceptCount(this.env.later, () => listener.version.stats);
      return transport.listen({
        address, backlog: plan.backlog, reusePort, transparent: plan.transparent, freebind: plan.freebind, ipv6Only: plan.ipv6Only, maxAcceptsPerTurn: plan.acceptsPerTurn, options: optionsFor(options, address), mptcp: plan.mptcp,
        share: { group: `${plan.name} ${formatAddress(address)}`, exact: plan.exactBalance, socketless: socketless(address) },
      }, (socket) => { count.one(); this.accept(listener, socket, index); });
    };
    return Promise.all([{ address: plan.address, options: plan.options }, ...plan.additional].map(one)).then((results) => {
      const failed = results.find((r) => 'error' in r);
      this.byAddress = null;
      for (const r of results) if (!('error' in r)) { listener.sockets.push(r); if (this.stopped && !plan.bypassOverload) r.pause(); }
      this.onBound(plan.name, socketless(plan.address) ? [] : listener.sockets.map((s) => formatAddress(s.local)), failed !== undefined && 'error' in failed ? failed.error : '');
    });
  }

  /** The listener of exactly that address, else of that port on all addresses of its IP version. */
  private listenerAt({ localIp, localPort }: ConnectionFacts): ListenerVersion | null {
    if (this.byAddress === null) {
      this.byAddress = new Map();
      for (const l of this.listeners.values()) for (const a of [l.version.plan.address, ...l.version.plan.additional.map((x) => x.address), ...l.sockets.map((s) => s.local)]) this.byAddress.set(formatAddress(a), l);
    }
    const at = formatAddress(ipAddress(localIp, localPort)), any = localIp.includes(':') ? `[::]:${localPort}` : `0.0.0.0:${localPort}`;
    return (this.byAddress.get(at) ?? this.byAddress.get(any))?.version ?? null;
  }

  private acceptInternal(listener: Listener, socket: TransportSocket, passthrough: Passthrough | null): void {
    const { version } = listener, facts = this.admit(listener, socket, null);
    if (facts === null) return;
    let stream: StreamFacts | null = null;
    if (passthrough !== null) {
      stream = new StreamFacts(facts);
      for (const [namespace, value] of passthrough.metadata) setStreamMetadata(stream, namespace, value);
      for (const [key, { value, transitive }] of passthrough.state) { (facts.filterState ??= new Map()).set(key, value); if (transitive) (facts.sharedState ??= new Map()).set(key, { value, transitive }); }
    }
    version.accept(socket, facts, stream);
  }

  /** At the listener's address of that number. */
  private accept(listener: Listener, socket: TransportSocket, index: number): void {
    const { version } = listener, facts = this.admit(listener, socket, index === 0 ? version.plan.keepalive : version.plan.additional[index - 1]?.keepalive ?? null);
    if (facts !== null) version.accept(socket, facts);
  }

  /** Within the limits: what is known of the connection; null: it is refused. */
  private admit(listener: Listener, socket: TransportSocket, keepalive: TcpKeepalive | null): ConnectionFacts | null {
    const version = listener.version, { stats, plan } = version;
    if (!plan.bypassOverload && this.rejects()) { stats.inc(LISTENER.downstream_cx_overload_reject); socket.destroy('now'); return null; }
    if (!listener.limit.admits()) { stats.inc(LISTENER.downstream_cx_overflow); socket.destroy('now'); return null; }
    if (!this.budget.tryConnection()) {
      if (!plan.ignoreGlobalLimit) { listener.limit.release(); stats.inc(LISTENER.downstream_global_cx_overflow); socket.destroy('now'); return null; }
      this.budget.releaseConnections(-1);
    }
    if (keepalive !== null) socket.setKeepalive(keepalive);
    const facts = this.factsOf(socket);
    version.describe(socket, facts);
    return facts;
  }

  /** reject_incoming_connections and the load shed point at its place: by chance, as strong as they are. */
  private rejects(): boolean {
    if (!this.budget.overloaded()) return false;
    return strikes(this.budget.overload(OVERLOAD.reject_incoming_connections), this.env.random) || this.shed.sheds(OVERLOAD.tcp_listener_accept);
  }

  /** stop_accepting_connections: what comes meanwhile waits in the kernel's queue. */
  private get stopped(): boolean { return this.budget.overload(OVERLOAD.stop_accepting_connections) >= 1; }
  onOverload(): void {
    for (const l of this.listeners.values()) if (!l.version.plan.bypassOverload) for (const s of l.sockets) if (this.stopped) s.pause(); else s.resume();
  }
  /** reduce_timeouts has become stronger or weaker. */
  onTimersScaled(): void { for (const v of this.versions()) for (const c of v.connections.values()) c.timersScaled(); }
  /** reset_high_memory_stream looks for large streams; as in Envoy at listeners that bypass the overload manager too. */
  collectAccounts(accounts: StreamAccounts): void { for (const v of this.versions()) for (const c of v.connections.values()) c.collectAccounts(accounts); }
  private versions(): ListenerVersion[] { return [...[...this.listeners.values()].map((l) => l.version), ...this.old]; }

  private factsOf(socket: TransportSocket): ConnectionFacts {
    const facts = new ConnectionFacts();
    facts.id = nextConnectionId++;
    facts.startMs = this.env.clock.nowMs();
    facts.startWallMs = this.env.clock.wallMs();
    const remote = socket.remote, local = socket.local;
    facts.remoteText = facts.directRemoteText = formatAddress(remote);
    if (remote.kind === 'ip') { facts.remoteIp = facts.directRemoteIp = remote.ip; facts.remotePort = facts.directRemotePort = remote.port; }
    facts.localText = facts.directLocalText = formatAddress(local);
    if (local.kind === 'ip') { facts.localIp = facts.directLocalIp = local.ip; facts.localPort = facts.directLocalPort = local.port; }
    return facts;
  }

  /** Stops listening; what began with it, with whatever version, drains, and is closed when the time is over. */
  remove(name: string, time: DrainTime): void {
    this.udp.get(name)?.close();
    this.udp.delete(name);
    const listener = this.listeners.get(name);
    if (listener === undefined) return;
    this.listeners.delete(name);
    this.byAddress = null;
    this.env.internal.close(name);
    for (const s of listener.sockets) s.close();
    this.retire(listener.version);
    const going = [...this.old].filter((v) => v.plan.name === name), sequence = new DrainSequence(time, this.env);
    if (going.length === 0) return;
    for (const v of going) v.beginSequence(sequence);
    this.env.wheel.after(time.ms, () => { for (const v of going) closeVersion(v); });
  }

  /** These are all that there are to be. */
  keepOnly(names: ReadonlySet<string>, time: DrainTime): void { for (const name of [...this.listeners.keys(), ...this.udp.keys()]) if (!names.has(name)) this.remove(name, time); }

  /** Kept as long as it has connections, which drains and overload concern too. */
  private retire(version: ListenerVersion): void { this.old.add(version); version.retire(() => this.old.delete(version)); }

  /** Process drain: sockets close, connections finish what they do. */
  drain(): void {
    for (const l of this.listeners.values()) { this.stop(l); this.drainVersion(l.version); }
    for (const v of this.old) this.drainVersion(v);
    for (const u of this.udp.values()) u.close();
  }

  /** /drain_listeners: sockets close at once and connections are left alone; or (graceful) answers end their connections and sockets close after the time, never with `skipExit`. */
  drainListeners(o: { readonly inboundOnly: boolean; readonly graceful: boolean; readonly skipExit: boolean }, time: DrainTime): void {
    const concerns = (direction: ListenerPlan['direction']): boolean => !o.inboundOnly || direction === 'INBOUND';
    const stop = (): void => {
      for (const l of this.listeners.values()) if (concerns(l.version.plan.direction)) this.stop(l);
      for (const u of this.udp.values()) if (concerns(u.direction)) u.close();
    };
    if (!o.graceful && !o.skipExit) { stop(); return; }
    // Where a sequence is under way, another one changes nothing, as in Envoy; one for all may follow one for inbound listeners.
    if (this.sequence !== null && (this.sequence.all || o.inboundOnly)) return;
    const drain = new DrainSequence(time, this.env);
    this.sequence = { drain, all: !o.inboundOnly };
    for (const v of this.versions()) if (concerns(v.plan.direction)) v.beginSequence(drain);
    if (!o.skipExit) this.env.wheel.after(time.ms, stop);
  }
  /** Of /drain_listeners; listeners that come meanwhile join it. */
  private sequence: { readonly drain: DrainSequence; readonly all: boolean } | null = null;

  /** Accepts no more; connections live on. */
  private stop(l: Listener): void { for (const s of l.sockets) s.close(); l.sockets.length = 0; if (l.version.plan.internal) this.env.internal.close(l.version.plan.name); }

  private drainVersion(version: ListenerVersion): void {
    version.beginDrain();
    for (const c of version.connections.values()) c.drain();
  }

  /** Versions in use, and those of before that have connections still. */
  get versionCount(): number { return this.listeners.size + this.old.size; }

  close(): void {
    for (const l of this.listeners.values()) { for (const s of l.sockets) s.close(); closeVersion(l.version); }
    for (const v of this.old) closeVersion(v);
    for (const u of this.udp.values()) u.close();
  }
}

function closeVersion(v: ListenerVersion): void {
  for (const p of v.accepting.values()) p.drop('now');
  for (const c of v.connections.values()) c.close('now');
}

function sameSockets(a: ListenerPlan, b: ListenerPlan): boolean {
  const key = (p: ListenerPlan): string => JSON.stringify([p.address, p.additional, p.bindToPort, p.reusePort, p.backlog, p.transparent, p.freebind, p.ipv6Only, p.options, p.acceptsPerTurn, p.internal, p.exactBalance, p.mptcp]);
  return key(a) === key(b);
}
