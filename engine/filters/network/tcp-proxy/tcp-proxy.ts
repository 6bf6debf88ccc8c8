// One proxied TCP connection (Envoy: tcp_proxy): a host is chosen, connected to as often as max_connect_attempts lets, and bytes go both ways until both sides
// have ended or one of them is gone. A terminal network filter; ends when the downstream connection does.
//
//   idle ─▶ connecting ◀─▶ backoff        over: the downstream connection has ended
//              │
//              ▼
//            open: each direction ends on its own (FIN is passed on), back-pressure by pausing the other side's reading
import { ByteQueue } from '../../../base/byte-queue.ts';
import { backoffMs } from '../../../loop/random.ts';
import { Timer } from '../../../loop/timer-wheel.ts';
import { formatAddress } from '../../../net/address.ts';
import type { DownstreamConnection, NetworkFilter, NetworkVerdict } from '../../../net/connection.ts';
import type { SocketSink } from '../../../net/transport/transport.ts';
import { OVERLOAD } from '../../../plan/overload-plan.ts';
import { flagBit } from '../../../observe/response-flags.ts';
import { TCP_PROXY } from '../../../observe/stats/l4-schemas.ts';
import { CLUSTER } from '../../../observe/stats/schemas.ts';
import type { StatBlock } from '../../../observe/stats/stat-block.ts';
import { UpstreamFacts, type StreamFacts } from '../../../observe/stream-facts.ts';
import { noteReached } from '../../../upstream/pool/address-race.ts';
import type { Cluster, Host, RawUpstream, RawWaiter, Waiting } from '../../../upstream/upstream.ts';
import { HttpTunnel } from './http-tunnel.ts';
import { TcpPick, type TcpProxyRuntime } from './tcp-proxy-runtime.ts';

const UF = flagBit('UF'), UH = flagBit('UH'), UO = flagBit('UO'), URX = flagBit('URX'), NR = flagBit('NR'), NC = flagBit('NC'), DT = flagBit('DT'), DC = flagBit('DC'), OM = flagBit('OM');

export class TcpProxy implements NetworkFilter, RawWaiter {
  private readonly runtime: TcpProxyRuntime;
  private readonly connection: DownstreamConnection;
  private readonly facts: StreamFacts;
  private readonly stats: StatBlock;
  private state: 'idle' | 'connecting' | 'backoff' | 'open' | 'over' = 'idle';
  private cluster: Cluster | null = null;
  private upstream: RawUpstream | null = null;
  private waiting: Waiting | null = null;
  private attempts = 0;
  /** Bytes of the client before the upstream is there (max_early_data_bytes). */
  private early: ByteQueue | null = null;
  private downstreamEnded = false;
  private upstreamEnded = false;
  /** Last time that bytes went either way; the idle timer looks at it when it fires, so bytes arm nothing. */
  private lastMs = 0;
  private idleMs = 0;
  private idle: Timer | null = null;
  private tunnel: HttpTunnel | null = null;
  private lifetime: Timer | null = null;
  private periodic: Timer | null = null;
  private retry: Timer | null = null;

  constructor(runtime: TcpProxyRuntime, connection: DownstreamConnection) {
    this.runtime = runtime; this.connection = connection; this.facts = connection.stream; this.stats = runtime.stats;
  }

  // ---- downstream ------------------------------------------------------------------------------------------------------------

  onConnection(): NetworkVerdict {
    const { plan, env } = this.runtime, { connection, stats } = this;
    stats.inc(TCP_PROXY.downstream_cx_total);
    this.lastMs = env.clock.nowMs();
    this.facts.requestId = env.random.uuid();
    if (plan.maxDurationMs > 0) {
      const ms = plan.maxDurationMs * (1 + (plan.maxDurationJitterPercent > 0 ? env.random.unit() * plan.maxDurationJitterPercent / 100 : 0));
      this.lifetime = env.wheel.after(ms, () => { stats.inc(TCP_PROXY.max_downstream_connection_duration); this.facts.flags |= DT; connection.close('now'); });
    }
    this.idleMs = this.runtime.idleTimeout(connection);
    if (this.idleMs > 0) { this.idle = new Timer(() => this.idleFired()); env.wheel.arm(this.idle, this.idleMs); }
    if (plan.logIntervalMs > 0) this.periodic = env.wheel.every(plan.logIntervalMs, () => this.log('TcpPeriodic'));
    if (plan.logOnStart) this.log('TcpConnectionStart');
    // Without early data nothing is read before the upstream is there: it may never be.
    if (plan.maxEarlyDataBytes < 0) connection.pauseReading('upstream-wait');
    if (plan.connectMode === 'immediate' || (plan.connectMode === 'on-tls-handshake' && this.handshakeOver())) this.connect();
    return 'stop';
  }

  private handshakeOver(): boolean { const { facts } = this.connection; return !facts.tlsTerminated || facts.tls !== null; }
  onSecured(): void { if (this.state === 'idle' && this.runtime.plan.connectMode === 'on-tls-handshake') this.connect(); }

  onData(bytes: Buffer, start: number, end: number): NetworkVerdict {
    if (this.sheds(OVERLOAD.tcp_proxy_on_data)) return 'stop';
    const n = end - start;
    this.stats.add(TCP_PROXY.downstream_cx_rx_bytes_total, n);
    this.facts.requestBodyBytes += n;
    this.lastMs = this.runtime.env.clock.nowMs();
    if (this.upstream !== null) this.send(bytes, start, end); else this.keepEarly(bytes, start, end);
    return 'stop';
  }

  private send(bytes: Uint8Array, start: number, end: number): void {
    // A tunnel's bytes are counted by the connection that carries it.
    if (this.tunnel === null) this.cluster!.stats.add(CLUSTER.upstream_cx_tx_bytes_total, end - start);
    this.facts.upstream!.bytesSent += end - start;
    this.upstream!.socket.write(bytes, start, end);
  }

  private keepEarly(bytes: Buffer, start: number, end: number): void {
    if (this.state === 'over') return;
    this.stats.inc(TCP_PROXY.early_data_received_count_total);
    (this.early ??= new ByteQueue()).pushCopy(bytes, start, end);
    if (this.early.length >= this.runtime.plan.maxEarlyDataBytes) this.connection.pauseReading('upstream-wait');
    if (this.state === 'idle' && this.runtime.plan.connectMode === 'on-data') this.connect();
  }

  onEnd(): void {
    if (this.downstreamEnded) return;
    this.downstreamEnded = true;
    // Passed on when it is there. A client that ends without a byte never makes it be there (on-data): the idle timeout ends its connection.
    if (this.upstream === null) { if (this.runtime.plan.maxEarlyDataBytes >= 0) this.stats.inc(TCP_PROXY.early_data_received_count_total); return; }
    if (this.upstreamEnded) this.bothEnded(); else this.upstream.socket.end();
  }

  onBlocked(): void { if (this.upstream !== null) { this.cluster!.stats.inc(CLUSTER.upstream_flow_control_paused_reading_total); this.upstream.socket.pause(); } }
  onDrained(): void { if (this.upstream !== null) { this.cluster!.stats.inc(CLUSTER.upstream_flow_control_resumed_reading_total); this.upstream.socket.resume(); } }
  onDrain(): void { if (this.runtime.plan.drainClose) { this.stats.inc(TCP_PROXY.downstream_cx_drain_close); this.connection.close('flush'); } }

  onClose(_error: string, local: boolean): void {
    if (this.state === 'over') return;
    const { wheel } = this.runtime.env;
    if (this.tunnel?.asking === true) this.facts.flags |= UF;
    else if (this.upstream === null && !local && this.state !== 'idle') this.facts.flags |= DC;
    this.state = 'over';
    for (const t of [this.idle, this.lifetime, this.periodic, this.retry]) if (t !== null) wheel.cancel(t);
    this.waiting?.cancel();
    this.waiting = null;
    if (this.upstream !== null) this.closeUpstream(local && !this.upstreamEnded ? 'now' : 'flush');
    this.early?.clear();
    this.facts.endMs = this.runtime.env.clock.nowMs();
    this.log('TcpConnectionEnd');
  }

  private closeUpstream(how: 'flush' | 'now'): void {
    const { upstream } = this;
    this.upstream = null;
    if (how === 'flush' && upstream!.socket.pendingBytes > 0) this.stats.inc(TCP_PROXY.upstream_flush_total);
    upstream!.close(how);
  }

  private log(type: 'TcpConnectionStart' | 'TcpUpstreamConnected' | 'TcpPeriodic' | 'TcpConnectionEnd'): void {
    this.facts.wireReceived = this.connection.facts.bytesReceived;
    this.facts.wireSent = this.connection.facts.bytesSent;
    this.runtime.log(this.facts, type);
  }

  // ---- the upstream ----------------------------------------------------------------------------------------------------------

  /** Chooses a host and begins to connect. Each attempt chooses anew, as Envoy does. */
  private connect(): void {
    const { runtime, connection, facts } = this, { plan } = runtime;
    this.state = 'connecting';
    if (this.sheds(OVERLOAD.tcp_proxy_upstream_connect)) return;
    const target = runtime.route(connection), cluster = this.cluster = runtime.clusters.get(target.name);
    if (cluster === null) { this.stats.inc(TCP_PROXY.downstream_cx_no_route); this.give(target.name === '' ? NR : NC); return; }
    const up = facts.upstream ??= new UpstreamFacts();
    up.cluster = cluster.name; up.clusterRaw = cluster.name; up.clusterMetadata = cluster.metadata;
    if (this.attempts >= plan.maxConnectAttempts) { cluster.stats.inc(CLUSTER.upstream_cx_connect_attempts_exceeded); this.give(URX); return; }
    const pick = new TcpPick(facts);
    pick.metadataMatch = target.metadataMatch;
    runtime.hash(connection, pick, cluster.balancerHash);
    const host = cluster.choose(pick);
    if (host === null) { cluster.stats.inc(CLUSTER.upstream_cx_none_healthy); this.give(UH); return; }
    this.attempts++;
    up.attempts = this.attempts;
    hostFacts(up, host);
    if (this.attempts === 1) runtime.addTlvs(connection.facts, facts);
    const head = runtime.tunnelHead(facts, cluster, host);
    this.tunnel = head === null ? null : new HttpTunnel(runtime.env, plan.tunnel!, cluster, host, this, head, connection.facts);
    const leased = this.tunnel === null ? cluster.leaseRaw(host, this, connection.facts) : this.tunnel.begin();
    if ('failed' in leased) this.give('shed' in leased && leased.shed === true ? URX : UO); else this.waiting = leased;
  }

  /** A load shed point: the connection ends where there is pressure. */
  private sheds(point: number): boolean {
    const { overload, shed } = this.runtime;
    if (!overload.overloaded() || this.connection.bypassOverload || !shed.sheds(point)) return false;
    this.stats.inc(TCP_PROXY.downstream_cx_overload_close);
    this.give(OM);
    return true;
  }

  /** No upstream: the client's connection ends. */
  private give(flag: number): void { this.facts.flags |= flag; this.connection.close('now'); }

  onRawReady(upstream: RawUpstream): void {
    const { connection, facts, runtime } = this, up = facts.upstream!, { env, plan } = runtime;
    this.waiting = null;
    this.upstream = upstream;
    this.state = 'open';
    this.cluster!.onReached(upstream.host, true);
    upstream.sink = new UpstreamSide(this);
    const local = upstream.socket.local;
    up.connectionId = upstream.id;
    up.localText = formatAddress(local);
    if (local.kind === 'ip') { up.localIp = local.ip; up.localPort = local.port; }
    if (this.tunnel !== null) up.tls = this.tunnel.facts.tls;
    if (upstream.reached) noteReached(up, upstream.reached);
    up.connectStartMs = upstream.connectStartMs; up.connectEndMs = up.poolReadyMs = upstream.connectEndMs;
    this.lastMs = env.clock.nowMs();
    if (plan.logOnConnected) this.log('TcpUpstreamConnected');
    for (let b = this.early?.shift(); b !== undefined; b = this.early!.shift()) this.send(b, 0, b.length);
    if (this.downstreamEnded) upstream.socket.end();
    connection.resumeReading('upstream-wait');
  }

  onRawFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout', reason: string, host: Host): void {
    const { env, plan } = this.runtime;
    this.waiting = null;
    if (this.state === 'over') return;
    if (why === 'overflow') { this.give(UO); return; }
    this.cluster!.onAttemptFailure(host, why === 'connect-timeout' ? why : 'connect', 'connection-failure', null);
    this.facts.flags |= UF;
    this.facts.firstFlag = UF;
    this.facts.upstream!.transportFailure = reason;
    if (plan.backoff === null || this.attempts >= plan.maxConnectAttempts) { this.connect(); return; }
    this.state = 'backoff';
    this.retry = env.wheel.after(backoffMs(env.random, plan.backoff, this.attempts), () => this.connect());
  }

  /** @internal Bytes from the upstream. */
  fromUpstream(bytes: Buffer, start: number, end: number): void {
    const n = end - start, { facts, connection } = this;
    this.stats.add(TCP_PROXY.downstream_cx_tx_bytes_total, n);
    facts.responseBodyBytes += n;
    facts.upstream!.bytesReceived += n;
    connection.facts.bytesSent += n;
    this.lastMs = this.runtime.env.clock.nowMs();
    connection.socket.write(bytes, start, end);
  }

  /** @internal */
  upstreamEnd(): void {
    if (this.upstreamEnded) return;
    this.upstreamEnded = true;
    if (this.downstreamEnded) this.bothEnded(); else this.connection.socket.end();
  }
  private bothEnded(): void { this.closeUpstream('flush'); this.connection.close('flush'); }

  /** @internal The upstream is gone: what it sent still reaches the client. */
  upstreamGone(): void { this.upstream = null; this.connection.close('flush'); }
  /** @internal */
  upstreamBlocked(): void { this.stats.inc(TCP_PROXY.downstream_flow_control_paused_reading_total); this.connection.pauseReading('upstream-full'); }
  /** @internal */
  upstreamDrained(): void { this.stats.inc(TCP_PROXY.downstream_flow_control_resumed_reading_total); this.connection.resumeReading('upstream-full'); }

  private idleFired(): void {
    const { env } = this.runtime, left = this.lastMs + this.idleMs - env.clock.nowMs();
    if (left > 0) { env.wheel.arm(this.idle!, left); return; }
    this.stats.inc(TCP_PROXY.idle_timeout);
    this.connection.close('now');
  }
}

/** The sink of the upstream socket: both sides have a hook for bytes, so each needs an object of its own. */
class UpstreamSide implements SocketSink {
  private readonly proxy: TcpProxy;
  constructor(proxy: TcpProxy) { this.proxy = proxy; }
  onConnect(): void { /* it is connected */ }
  onData(bytes: Buffer, start: number, end: number): void { this.proxy.fromUpstream(bytes, start, end); }
  onEnd(): void { this.proxy.upstreamEnd(); }
  onBlocked(): void { this.proxy.upstreamBlocked(); }
  onDrained(): void { this.proxy.upstreamDrained(); }
  onClose(): void { this.proxy.upstreamGone(); }
}

function hostFacts(up: UpstreamFacts, host: Host): void {
  up.hostText = host.text; up.hostName = host.hostname; up.metadata = host.metadata; up.locality = host.locality;
  if (host.address.kind === 'ip') { up.hostIp = host.address.ip; up.hostPort = host.address.port; }
}
