// One upstream connection of a pool: connect with its timeout, streams as its protocol lets, idle timeout, greatest age, end. An HTTP/1 connection has room for one
// stream at a time, an HTTP/2 one for as many as both sides let. Bytes or an end while an HTTP/1 connection is idle close it: one that spoke out of turn is never used.
//
//   connecting ──▶ open ──told to go, used up, too old──▶ retired ──last stream──▶ closed          any ──fault, end──▶ closed
import type { Seated } from '../../base/seats.ts';
import { Kept, keepLast } from '../../base/kept.ts';
import type { PeerFault } from '../../base/fault.ts';
import type { ClientCodec, ClientHost, ClientStream, CodecOutput } from '../../codec/codec.ts';
import { H1ClientCodec } from '../../codec/h1/client-codec.ts';
import { H2ClientCodec } from '../../codec/h2/client-codec.ts';
import type { H2Stat } from '../../codec/h2/faults.ts';
import { Timer } from '../../loop/timer-wheel.ts';
import { formatAddress } from '../../net/address.ts';
import { tlsOf } from '../../net/tls/contexts.ts';
import type { TransportSocket } from '../../net/transport/transport.ts';
import { CLUSTER, HOST, HTTP2 } from '../../observe/stats/schemas.ts';
import type { TlsFacts } from '../../observe/stream-facts.ts';
import type { LeaseContext } from '../upstream.ts';
import { AddressRace, noteReached, type RaceOwner } from './address-race.ts';
import type { Pool } from './pool.ts';

let nextId = 1;
/** Numbers upstream connections of this worker, for %UPSTREAM_CONNECTION_ID%. */
export function nextConnectionId(): number { return nextId++; }

/** Envoy's words for a failed connect. */
export function connectReason(error: string): string {
  const text: Record<string, string> = { ECONNREFUSED: 'Connection refused', ECONNRESET: 'Connection reset by peer', ENETUNREACH: 'Network is unreachable', EHOSTUNREACH: 'No route to host', ETIMEDOUT: 'Connection timed out', ENOENT: 'No such file or directory', EACCES: 'Permission denied', EMFILE: 'Too many open files' };
  return error === '' ? '' : error.startsWith('TLS') || error.startsWith('immediate ') ? error : `delayed connect error: ${text[error] ?? error}`;
}

/** 'auto': what ALPN gives, HTTP/1 without it. */
export type PoolProtocol = 'http1' | 'http2' | 'auto';

export class UpstreamConnection implements RaceOwner, ClientHost, CodecOutput, Seated {
  seat = -1;
  readonly id = nextConnectionId();
  private readonly pool: Pool;
  private socket!: TransportSocket;
  /** Of a host with several addresses. */
  private race: AddressRace | null = null;
  private codec: ClientCodec | null = null;
  private h2: H2ClientCodec | null = null;
  private state: 'connecting' | 'open' | 'retired' | 'closed' = 'connecting';
  /** The connect timeout, then the idle timeout. */
  private readonly timer: Timer;
  private age: Timer | null = null;
  private pings: Timer | null = null;
  private readonly startMs: number;
  private connectedMs = -1;
  private idleSince: number;
  private requests = 0;
  private localText = '';
  private tls: TlsFacts | null = null;
  private remoteEnded = false;
  /** Streams under way. */
  active = 0;
  /** @internal The pool has it among those with room. */
  listed = false;
  /** @internal What the pool has told of its room (Tally). */
  reckoned = 0;

  constructor(pool: Pool) {
    keepLast(Kept.upstream, this);
    this.pool = pool;
    const { cluster, host } = pool, { env, stats } = cluster;
    this.startMs = this.idleSince = env.clock.nowMs();
    stats.inc(CLUSTER.upstream_cx_total);
    stats.inc(CLUSTER.upstream_cx_active);
    host.stats.inc(HOST.cx_total);
    host.stats.inc(HOST.cx_active);
    this.timer = new Timer(() => this.timedOut());
  }

  /** Begins to connect; called once by the pool. */
  connect(): void {
    const { cluster, host } = this.pool;
    cluster.env.wheel.arm(this.timer, cluster.plan.connectTimeoutMs);
    const { protocol, serverName, who } = this.pool, { addresses } = host;
    if (protocol !== 'auto') this.countAs(protocol === 'http2');
    if (addresses === null) { this.socket = cluster.sockets.connect(host, this, protocol, serverName, null, who); return; }
    this.race = new AddressRace(cluster.env, addresses, (address, sink) => cluster.sockets.connect(host, sink, protocol, serverName, null, who, address), this);
  }
  raceGoesOn(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_cx_total); this.pool.host.stats.inc(HOST.cx_total); }
  raceWon(socket: TransportSocket): void { this.socket = socket; this.onConnect(); }
  raceLost(error: string): void { this.onClose(error); }

  get closed(): boolean { return this.state === 'closed'; }
  /** It had a stream before. */
  get used(): boolean { return this.requests > 0; }
  /** Streams that it takes now. */
  get room(): number {
    if (this.state !== 'open') return 0;
    const { h2 } = this;
    if (h2 === null) return 1 - this.active;
    return h2.exhausted ? 0 : Math.min(h2.streamLimit - this.active, this.left);
  }
  /** Room that a connection under way is thought to bring. */
  get assumedRoom(): number { return this.pool.protocol === 'http1' ? 1 : Math.min(this.pool.cluster.plan.http2.maxConcurrentStreams, this.left); }
  /** Requests until max_requests_per_connection. */
  private get left(): number { const most = this.pool.cluster.plan.maxRequestsPerConnection; return most > 0 ? most - this.requests : Infinity; }

  /** Opens a stream for a request. There must be room. */
  open(ctx: LeaseContext): ClientStream {
    const { cluster } = this.pool;
    if (this.h2 !== null && this.active === 0 && this.h2.keepalive.wanted) this.pingIfIdle();
    this.requests++;
    this.active++;
    const { facts } = ctx;
    facts.connectionId = this.id;
    facts.requestsOfConnection = this.requests;
    const { local } = this.socket;
    facts.localText = this.localText;
    facts.tls = this.tls;
    if (this.race !== null) noteReached(facts, this.socket.remote);
    if (local.kind === 'ip') { facts.localIp = local.ip; facts.localPort = local.port; }
    if (this.requests === 1) { facts.connectStartMs = this.startMs; facts.connectEndMs = this.connectedMs; }
    const stream = this.codec!.open(ctx.sink);
    if (stream === 'full') throw new Error('a connection without room was leased');
    if (this.left === 0) { cluster.stats.inc(CLUSTER.upstream_cx_max_requests); this.state = 'retired'; }
    return stream;
  }

  /** @internal No stream is under way; the idle timeout runs. */
  becomeIdle(): void {
    const { env, plan } = this.pool.cluster;
    this.idleSince = env.clock.nowMs();
    // The timer is moved only when it fires: an active connection arms nothing per request.
    if (plan.idleTimeoutMs > 0 && !this.timer.armed) env.wheel.arm(this.timer, plan.idleTimeoutMs);
  }

  /** Takes no new streams; closes now, or after the last one. */
  retire(): void {
    if (this.state !== 'open' && this.state !== 'retired') return;
    this.state = 'retired';
    this.pool.unlist(this);
    if (this.active === 0) this.close();
  }

  /** Closes from our side. */
  close(): void { this.end(true, 'flush', ''); }

  // ---- timers ----------------------------------------------------------------------------------------------------------------

  private timedOut(): void {
    const { env, plan, stats } = this.pool.cluster;
    if (this.state === 'connecting') { stats.inc(CLUSTER.upstream_cx_connect_timeout); this.connectFailed('connect-timeout', '', true); return; }
    const left = this.active > 0 ? plan.idleTimeoutMs : this.idleSince + plan.idleTimeoutMs - env.clock.nowMs();
    if (left > 0) { env.wheel.arm(this.timer, left); return; }
    stats.inc(CLUSTER.upstream_cx_idle_timeout);
    this.close();
  }

  private tooOld(): void {
    this.pool.cluster.stats.inc(CLUSTER.upstream_cx_max_duration_reached);
    this.retire();
  }

  /** connection_keepalive of HTTP/2: pings, and the end of a connection that does not answer. */
  private ping(): void {
    const { env, http2Stats } = this.pool.cluster, next = this.h2!.keepalive.tick(env.clock.nowMs(), env.random.unit());
    if (next === -2) { http2Stats.inc(HTTP2.keepalive_timeout); this.end(true, 'now', ''); return; }
    if (next >= 0) env.wheel.arm(this.pings!, Math.max(1, next));
  }
  private pingIfIdle(): void {
    const { env } = this.pool.cluster, now = env.clock.nowMs();
    if (this.h2!.keepalive.used(now, now - this.idleSince)) this.ping();
  }

  // ---- the end ---------------------------------------------------------------------------------------------------------------

  private connectFailed(why: 'connect-failure' | 'connect-timeout', reason: string, local: boolean): void {
    const { cluster, host } = this.pool;
    this.state = 'closed';
    if (this.race === null) this.socket.destroy('now'); else this.race.cancel();
    cluster.stats.inc(CLUSTER.upstream_cx_connect_fail);
    host.stats.inc(HOST.cx_connect_fail);
    this.letGo(local);
    this.pool.failed(this, why, reason);
  }

  private letGo(local: boolean): void {
    const { stats, env } = this.pool.cluster;
    env.wheel.cancel(this.timer);
    if (this.age !== null) env.wheel.cancel(this.age);
    if (this.pings !== null) env.wheel.cancel(this.pings);
    stats.inc(CLUSTER.upstream_cx_destroy);
    stats.inc(local ? CLUSTER.upstream_cx_destroy_local : CLUSTER.upstream_cx_destroy_remote);
    stats.record(CLUSTER.upstream_cx_length_ms, env.clock.nowMs() - this.startMs);
    stats.dec(CLUSTER.upstream_cx_active);
    this.pool.host.stats.dec(HOST.cx_active);
  }

  /** `cut`: exchanges under way end with it, and not before it. */
  private end(local: boolean, how: 'flush' | 'now' | 'gone', error: string, cut = true): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    const { stats } = this.pool.cluster, under = this.active;
    this.active = 0;
    if (how !== 'gone') this.socket.destroy(how);
    if (under > 0 && cut) { stats.inc(CLUSTER.upstream_cx_destroy_with_active_rq); stats.inc(local ? CLUSTER.upstream_cx_destroy_local_with_active_rq : CLUSTER.upstream_cx_destroy_remote_with_active_rq); }
    if (under > 0) this.pool.streamOver(under);
    stats.record(CLUSTER.upstream_rq_per_cx, this.requests);
    this.letGo(local);
    this.pool.unlist(this);
    this.pool.ended(this);
    this.codec?.close(error);
  }

  // ---- SocketSink ------------------------------------------------------------------------------------------------------------

  onConnect(): void {
    if (this.state !== 'connecting') return;
    const { cluster } = this.pool, { env, stats, plan } = cluster;
    env.wheel.cancel(this.timer);
    this.state = 'open';
    this.connectedMs = env.clock.nowMs();
    this.localText = formatAddress(this.socket.local);
    this.tls = tlsOf(this.socket);
    stats.record(CLUSTER.upstream_cx_connect_ms, this.connectedMs - this.startMs);
    const http2 = this.isHttp2();
    if (this.pool.protocol === 'auto') this.countAs(http2);
    if (http2) this.startHttp2(); else this.startHttp1();
    if (plan.maxConnectionDurationMs > 0) this.age = env.wheel.after(plan.maxConnectionDurationMs, () => this.tooOld());
    this.pool.connected(this);
  }

  private isHttp2(): boolean { return this.pool.protocol === 'http2' || (this.pool.protocol === 'auto' && this.tls?.alpn === 'h2'); }

  /** A connection counts for its protocol once that is known, whether or not it comes about. */
  private countAs(http2: boolean): void {
    const { stats, http1Stats, http2Stats } = this.pool.cluster;
    if (!http2) { http1Stats.touch(); stats.inc(CLUSTER.upstream_cx_http1_total); return; }
    http2Stats.touch();
    this.count('nghttp2_upstream_connections', 1); // Envoy's name for the codec that serves h2
    stats.inc(CLUSTER.upstream_cx_http2_total);
  }
  private startHttp1(): void { this.codec = new H1ClientCodec(this, this, this.pool.cluster.plan.http1); }
  private startHttp2(): void {
    this.codec = this.h2 = new H2ClientCodec(this, this, this.pool.cluster.plan.http2, this);
    this.h2.start();
    if (this.h2.keepalive.wanted) { this.pings = new Timer(() => this.ping()); this.ping(); }
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.pool.cluster.stats.add(CLUSTER.upstream_cx_rx_bytes_total, end - start);
    this.codec?.receive(bytes, start, end);
  }
  onEnd(): void {
    this.remoteEnded = true;
    if (this.codec === null || (this.h2 === null && this.active === 0)) { this.end(false, 'flush', ''); return; }
    this.codec.receiveEnd();
  }
  onBlocked(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_flow_control_backed_up_total); this.codec?.onBlocked(); }
  onDrained(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_flow_control_drained_total); this.codec?.onDrained(); }
  onClose(error: string): void {
    if (this.state === 'connecting') this.connectFailed('connect-failure', connectReason(error), false);
    else this.end(false, 'gone', error);
  }

  // ---- CodecOutput, H2Owner ----------------------------------------------------------------------------------------------------

  writeLatin1(text: string): void { this.pool.cluster.stats.add(CLUSTER.upstream_cx_tx_bytes_total, text.length); this.socket.writeLatin1(text); }
  write(bytes: Uint8Array, start: number, end: number): void { this.pool.cluster.stats.add(CLUSTER.upstream_cx_tx_bytes_total, end - start); this.socket.write(bytes, start, end); }
  endWriting(): void { this.socket.end(); }
  get pendingBytes(): number { return this.socket.pendingBytes; }
  pauseReading(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_flow_control_paused_reading_total); this.socket.pause(); }
  resumeReading(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_flow_control_resumed_reading_total); this.socket.resume(); }
  private flush: (() => void) | null = null;
  flushSoon(): void { this.pool.cluster.env.later.soon(this.flush ??= () => { if (this.state !== 'closed') this.h2!.flush(); }); }
  count(stat: H2Stat, by: number): void { this.pool.cluster.http2Stats.add(HTTP2[stat], by); }

  // ---- ClientHost --------------------------------------------------------------------------------------------------------------

  onStreamDone(reusable: boolean): void {
    if (this.state === 'closed') return;
    this.active--;
    this.pool.streamOver(1);
    if (!reusable && this.state === 'open') {
      if (this.h2 === null) this.pool.cluster.stats.inc(CLUSTER.upstream_cx_close_notify);
      this.state = 'retired';
      this.pool.unlist(this);
    }
    if (this.state === 'retired') { if (this.active === 0) this.close(); return; }
    this.pool.freed(this);
  }
  onConnectionClose(how: 'flush' | 'now', fault: PeerFault | null): void {
    if (fault !== null) this.pool.cluster.stats.inc(CLUSTER.upstream_cx_protocol_error);
    this.end(!this.remoteEnded, how, '', fault === null || this.h2 === null);
  }
  onGoAway(): void {
    this.pool.cluster.stats.inc(CLUSTER.upstream_cx_close_notify);
    this.retire();
  }
  onStreamLimit(): void { if (this.state === 'open') this.pool.freed(this); }
}
