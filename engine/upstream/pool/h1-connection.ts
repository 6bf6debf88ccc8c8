// One HTTP/1.1 upstream connection: connect with its timeout, requests one after the other, idle timeout, end. Bytes or an end while idle close it: a connection
// that spoke out of turn is never given a request.
import type { PeerFault } from '../../base/fault.ts';
import type { ClientHost, ClientStream, CodecOutput } from '../../codec/codec.ts';
import { H1ClientCodec } from '../../codec/h1/client-codec.ts';
import { Timer } from '../../loop/timer-wheel.ts';
import { tlsOf } from '../../net/tls/contexts.ts';
import { formatAddress } from '../../net/address.ts';
import type { SocketSink, TransportSocket } from '../../net/transport/transport.ts';
import { CLUSTER, HOST } from '../../observe/stats/schemas.ts';
import type { LeaseContext } from '../upstream.ts';
import type { H1Pool } from './h1-pool.ts';

let nextId = 1;
/** Numbers upstream connections of this worker, for %UPSTREAM_CONNECTION_ID%. */
export function nextConnectionId(): number { return nextId++; }

/** Envoy's words for a failed connect. */
export function connectReason(error: string): string {
  const text: Record<string, string> = { ECONNREFUSED: 'Connection refused', ECONNRESET: 'Connection reset by peer', ENETUNREACH: 'Network is unreachable', EHOSTUNREACH: 'No route to host', ETIMEDOUT: 'Connection timed out', ENOENT: 'No such file or directory', EACCES: 'Permission denied', EMFILE: 'Too many open files' };
  return error === '' ? '' : error.startsWith('TLS') ? error : `delayed connect error: ${text[error] ?? error}`;
}

export class H1Connection implements SocketSink, ClientHost, CodecOutput {
  private readonly pool: H1Pool;
  private readonly socket: TransportSocket;
  private readonly codec: H1ClientCodec;
  private state: 'connecting' | 'busy' | 'idle' | 'closed' = 'connecting';
  private readonly timer: Timer;
  private readonly startMs: number;
  private requests = 0;
  private idleSince = 0;
  readonly id = nextConnectionId();

  constructor(pool: H1Pool) {
    this.pool = pool;
    const { cluster, host } = pool, { env, plan, stats } = cluster;
    this.startMs = env.clock.nowMs();
    this.codec = new H1ClientCodec(this, this, plan.http1);
    stats.inc(CLUSTER.upstream_cx_total);
    stats.inc(CLUSTER.upstream_cx_active);
    stats.inc(CLUSTER.upstream_cx_http1_total);
    host.stats.inc(HOST.cx_total);
    host.stats.inc(HOST.cx_active);
    cluster.shared.hosts.addConnections(host.index, 1);
    this.timer = new Timer(() => this.timedOut());
    env.wheel.arm(this.timer, plan.connectTimeoutMs);
    this.socket = cluster.sockets.connect(host, this);
  }

  /** Opens a stream for a request; the connection is idle, or just there. */
  open(ctx: LeaseContext): ClientStream {
    this.state = 'busy';
    this.requests++;
    const { facts } = ctx;
    facts.connectionId = this.id;
    facts.requestsOfConnection = this.requests;
    facts.tls = tlsOf(this.socket);
    const local = this.socket.local;
    facts.localText = formatAddress(local);
    if (local.kind === 'ip') { facts.localIp = local.ip; facts.localPort = local.port; }
    if (this.requests === 1) { facts.connectStartMs = this.startMs; facts.connectEndMs = this.connectedMs; }
    const stream = this.codec.open(ctx.sink);
    if (stream === 'full') throw new Error('a busy connection was leased');
    return stream;
  }
  private connectedMs = -1;

  becomeIdle(): void {
    const { env, plan } = this.pool.cluster;
    this.state = 'idle';
    this.idleSince = env.clock.nowMs();
    // The timer is moved only when it fires: an active connection arms nothing per request.
    if (plan.idleTimeoutMs > 0 && !this.timer.armed) env.wheel.arm(this.timer, plan.idleTimeoutMs);
  }

  private timedOut(): void {
    const { cluster } = this.pool, { env, plan, stats } = cluster;
    if (this.state === 'connecting') {
      stats.inc(CLUSTER.upstream_cx_connect_timeout);
      this.connectFailed('connect-timeout', '');
      return;
    }
    if (this.state !== 'idle') { if (plan.idleTimeoutMs > 0) env.wheel.arm(this.timer, plan.idleTimeoutMs); return; }
    const left = this.idleSince + plan.idleTimeoutMs - env.clock.nowMs();
    if (left > 0) { env.wheel.arm(this.timer, left); return; }
    stats.inc(CLUSTER.upstream_cx_idle_timeout);
    this.close();
  }

  private connectFailed(why: 'connect-failure' | 'connect-timeout', reason: string): void {
    const { cluster, host } = this.pool;
    this.state = 'closed';
    cluster.env.wheel.cancel(this.timer);
    this.socket.destroy('now');
    cluster.stats.inc(CLUSTER.upstream_cx_connect_fail);
    host.stats.inc(HOST.cx_connect_fail);
    this.uncount();
    this.pool.failed(this, why, reason);
  }

  private uncount(): void {
    const { cluster, host } = this.pool;
    cluster.stats.dec(CLUSTER.upstream_cx_active);
    host.stats.dec(HOST.cx_active);
    cluster.shared.hosts.addConnections(host.index, -1);
  }

  /** Closes from our side. */
  close(): void { this.end(true, 'flush', ''); }

  private end(local: boolean, how: 'flush' | 'now' | 'gone', error: string): void {
    if (this.state === 'closed') return;
    const active = this.state === 'busy';
    this.state = 'closed';
    const { cluster } = this.pool, { stats, env } = cluster;
    env.wheel.cancel(this.timer);
    if (how !== 'gone') this.socket.destroy(how);
    stats.inc(CLUSTER.upstream_cx_destroy);
    stats.inc(local ? CLUSTER.upstream_cx_destroy_local : CLUSTER.upstream_cx_destroy_remote);
    if (active) { stats.inc(CLUSTER.upstream_cx_destroy_with_active_rq); stats.inc(local ? CLUSTER.upstream_cx_destroy_local_with_active_rq : CLUSTER.upstream_cx_destroy_remote_with_active_rq); }
    stats.record(CLUSTER.upstream_cx_length_ms, env.clock.nowMs() - this.startMs);
    stats.record(CLUSTER.upstream_rq_per_cx, this.requests);
    this.uncount();
    this.codec.close(error);
    this.pool.closed(this);
  }

  // SocketSink
  onConnect(): void {
    const { cluster } = this.pool, { env, stats, plan } = cluster;
    if (this.state !== 'connecting') return;
    env.wheel.cancel(this.timer);
    this.connectedMs = env.clock.nowMs();
    stats.record(CLUSTER.upstream_cx_connect_ms, this.connectedMs - this.startMs);
    if (plan.maxConnectionDurationMs > 0) env.wheel.after(plan.maxConnectionDurationMs, () => { this.retired = true; stats.inc(CLUSTER.upstream_cx_max_duration_reached); if (this.state === 'idle') this.close(); });
    this.pool.connected(this);
  }
  private retired = false;
  private remoteEnded = false;
  onData(bytes: Buffer, start: number, end: number): void {
    this.pool.cluster.stats.add(CLUSTER.upstream_cx_rx_bytes_total, end - start);
    this.codec.receive(bytes, start, end);
  }
  onEnd(): void {
    this.remoteEnded = true;
    if (this.state === 'idle') { this.end(false, 'flush', ''); return; }
    this.codec.receiveEnd();
  }
  onBlocked(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_flow_control_backed_up_total); this.codec.onBlocked(); }
  onDrained(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_flow_control_drained_total); this.codec.onDrained(); }
  onClose(error: string): void {
    if (this.state === 'connecting') this.connectFailed('connect-failure', connectReason(error));
    else this.end(false, 'gone', error);
  }

  // CodecOutput
  writeLatin1(text: string): void { this.pool.cluster.stats.add(CLUSTER.upstream_cx_tx_bytes_total, text.length); this.socket.writeLatin1(text); }
  write(bytes: Uint8Array, start: number, end: number): void { this.pool.cluster.stats.add(CLUSTER.upstream_cx_tx_bytes_total, end - start); this.socket.write(bytes, start, end); }
  pauseReading(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_flow_control_paused_reading_total); this.socket.pause(); }
  resumeReading(): void { this.pool.cluster.stats.inc(CLUSTER.upstream_flow_control_resumed_reading_total); this.socket.resume(); }

  // ClientHost
  onStreamDone(reusable: boolean): void {
    if (this.state !== 'busy') return;
    const { plan, stats } = this.pool.cluster;
    if (plan.maxRequestsPerConnection > 0 && this.requests >= plan.maxRequestsPerConnection) { stats.inc(CLUSTER.upstream_cx_max_requests); reusable = false; }
    if (!reusable || this.retired) { this.state = 'idle'; stats.inc(CLUSTER.upstream_cx_close_notify); this.close(); return; }
    this.state = 'idle';
    this.pool.ready(this);
  }
  onConnectionClose(how: 'flush' | 'now', fault: PeerFault | null): void {
    if (fault !== null) this.pool.cluster.stats.inc(CLUSTER.upstream_cx_protocol_error);
    this.end(!this.remoteEnded, how, '');
  }
  onGoAway(): void { /* HTTP/1 has none */ }
}
