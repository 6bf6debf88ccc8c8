// A connection for layer 4: connected with its timeout, then handed over whole.
import type { Timer } from '../../loop/timer-wheel.ts';
import type { SocketSink, TransportSocket } from '../../net/transport/transport.ts';
import { CLUSTER, HOST } from '../../observe/stats/schemas.ts';
import { CIRCUIT_KIND } from '../../shm/circuit-table.ts';
import type { RawWaiter, Waiting } from '../upstream.ts';
import { connectReason } from './h1-connection.ts';
import type { H1Pool } from './h1-pool.ts';

export class RawConnection implements SocketSink, Waiting {
  private readonly pool: H1Pool; private readonly who: RawWaiter; private readonly socket: TransportSocket; private readonly timer: Timer; private readonly startMs: number;
  private state: 'connecting' | 'given' | 'over' = 'connecting';
  private inner: SocketSink | null = null;

  constructor(pool: H1Pool, who: RawWaiter) {
    this.pool = pool; this.who = who;
    const { cluster, host } = pool, { env, plan, stats } = cluster;
    this.startMs = env.clock.nowMs();
    stats.inc(CLUSTER.upstream_cx_total); stats.inc(CLUSTER.upstream_cx_active);
    host.stats.inc(HOST.cx_total); host.stats.inc(HOST.cx_active);
    this.timer = env.wheel.after(plan.connectTimeoutMs, () => { stats.inc(CLUSTER.upstream_cx_connect_timeout); this.fail('connect-timeout', ''); });
    this.socket = env.transport.connect({ remote: host.address, bind: plan.bind, freebind: false, options: plan.socketOptions, noDelay: true, keepalive: plan.keepalive }, this);
  }

  cancel(): void { if (this.state === 'connecting') { this.socket.destroy('now'); this.over(); } }

  private fail(why: 'connect-failure' | 'connect-timeout', reason: string): void {
    this.pool.cluster.stats.inc(CLUSTER.upstream_cx_connect_fail);
    this.pool.host.stats.inc(HOST.cx_connect_fail);
    this.socket.destroy('now');
    this.over();
    this.who.onRawFailure(why, reason, this.pool.host);
  }

  /** Must be called once by the new owner when it is done with the socket. */
  private over(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    const { cluster, host, breaker } = this.pool;
    cluster.env.wheel.cancel(this.timer);
    cluster.stats.dec(CLUSTER.upstream_cx_active);
    host.stats.dec(HOST.cx_active);
    cluster.stats.inc(CLUSTER.upstream_cx_destroy);
    breaker.release(CIRCUIT_KIND.CX);
  }

  onConnect(): void {
    const { cluster, host } = this.pool;
    cluster.env.wheel.cancel(this.timer);
    cluster.stats.record(CLUSTER.upstream_cx_connect_ms, cluster.env.clock.nowMs() - this.startMs);
    this.state = 'given';
    this.who.onRawReady(this.socket, host);
    // The new owner has put its sink on the socket; ours stays before it to count the end.
    if (this.socket.sink !== this) { this.inner = this.socket.sink; this.socket.sink = this; }
  }
  onData(bytes: Buffer, start: number, end: number): void { this.pool.cluster.stats.add(CLUSTER.upstream_cx_rx_bytes_total, end - start); this.inner?.onData(bytes, start, end); }
  onEnd(): void { this.inner?.onEnd(); }
  onBlocked(): void { this.inner?.onBlocked(); }
  onDrained(): void { this.inner?.onDrained(); }
  onClose(error: string): void {
    if (this.state === 'connecting') { this.fail('connect-failure', connectReason(error)); return; }
    this.over();
    this.inner?.onClose(error);
  }
}
