// HTTP/1.1 connections to one host at one priority: the most recently used idle one first, one request on each. What cannot be served at once waits in order for a
// connection; a new one is begun for each that waits, as far as the circuit breakers let.
import type { LeaseContext, Leased, LeaseWaiter, Waiting } from '../upstream.ts';
import { CLUSTER, HOST } from '../../observe/stats/schemas.ts';
import { CIRCUIT_KIND } from '../../shm/circuit-table.ts';
import type { Breaker, ClusterEntry, HostEntry } from '../cluster.ts';
import { H1Connection } from './h1-connection.ts';

class Waiter implements Waiting {
  readonly ctx: LeaseContext; readonly who: LeaseWaiter; private readonly pool: H1Pool; over = false;
  constructor(pool: H1Pool, ctx: LeaseContext, who: LeaseWaiter) { this.pool = pool; this.ctx = ctx; this.who = who; }
  cancel(): void { this.pool.cancel(this); }
}

export class H1Pool {
  readonly cluster: ClusterEntry;
  readonly host: HostEntry;
  readonly breaker: Breaker;
  private readonly idle: H1Connection[] = [];
  private readonly connecting = new Set<H1Connection>();
  private readonly busy = new Set<H1Connection>();
  private waiters: Waiter[] = [];
  private draining = false;

  constructor(cluster: ClusterEntry, host: HostEntry, breaker: Breaker) { this.cluster = cluster; this.host = host; this.breaker = breaker; cluster.http1Stats.touch(); }

  lease(ctx: LeaseContext, who: LeaseWaiter): Leased {
    const connection = ctx.fresh ? undefined : this.idle.pop();
    if (connection !== undefined) { this.busy.add(connection); return { kind: 'stream', stream: connection.open(ctx) }; }
    const { stats } = this.cluster;
    if (!this.breaker.tryAcquire(CIRCUIT_KIND.PENDING)) { stats.inc(CLUSTER.upstream_rq_pending_overflow); return OVERFLOW; }
    stats.inc(CLUSTER.upstream_rq_pending_total);
    stats.inc(CLUSTER.upstream_rq_pending_active);
    this.host.stats.inc(HOST.rq_pending_active);
    const waiter = new Waiter(this, ctx, who);
    this.waiters.push(waiter);
    this.connectFor();
    return { kind: 'waiting', waiting: waiter };
  }

  /** Begins connections as waiters need. A pool without any connection may always have one, as in Envoy. */
  private connectFor(): void {
    while (this.connecting.size < Math.ceil(this.waiters.length * this.cluster.plan.preconnectRatio)) {
      if (!this.breaker.tryAcquire(CIRCUIT_KIND.CX)) {
        this.cluster.stats.inc(CLUSTER.upstream_cx_overflow);
        if (this.connecting.size + this.busy.size + this.idle.length > 0) return;
        this.breaker.acquire(CIRCUIT_KIND.CX);
      }
      this.connecting.add(new H1Connection(this));
    }
  }

  /** @internal */
  connected(c: H1Connection): void {
    this.connecting.delete(c);
    this.ready(c, true);
  }

  /** @internal A connection is free: the next waiter's, or idle. */
  ready(c: H1Connection, isNew = false): void {
    this.busy.delete(c);
    const at = isNew || this.waiters.length === 0 ? 0 : this.waiters.findIndex((w) => !w.ctx.fresh);
    const waiter = at < 0 ? undefined : this.waiters[at];
    if (waiter !== undefined) {
      this.waiters.splice(at, 1);
      this.leaveQueue(waiter);
      this.busy.add(c);
      waiter.who.onLease(c.open(waiter.ctx), this.host);
      return;
    }
    if (this.draining) { c.close(); return; }
    this.idle.push(c);
    c.becomeIdle();
  }

  /** @internal A connection failed before it was there: with it the waiter that it was begun for. */
  failed(c: H1Connection, why: 'connect-failure' | 'connect-timeout', reason: string): void {
    this.connecting.delete(c);
    this.breaker.release(CIRCUIT_KIND.CX);
    // Envoy fails all that wait when a connection attempt fails.
    const list = this.waiters;
    this.waiters = [];
    for (const w of list) { this.leaveQueue(w); this.cluster.stats.inc(CLUSTER.upstream_rq_pending_failure_eject); w.who.onLeaseFailure(why, reason, this.host); }
  }

  /** @internal A connection is gone. */
  closed(c: H1Connection): void {
    this.busy.delete(c);
    const at = this.idle.indexOf(c);
    if (at >= 0) this.idle.splice(at, 1);
    this.breaker.release(CIRCUIT_KIND.CX);
    if (this.waiters.length > 0) this.connectFor();
  }

  /** @internal */
  cancel(w: Waiter): void {
    const at = this.waiters.indexOf(w);
    if (at < 0) return;
    this.waiters.splice(at, 1);
    this.leaveQueue(w);
  }

  private leaveQueue(w: Waiter): void {
    if (w.over) return;
    w.over = true;
    this.breaker.release(CIRCUIT_KIND.PENDING);
    this.cluster.stats.dec(CLUSTER.upstream_rq_pending_active);
    this.host.stats.dec(HOST.rq_pending_active);
  }

  /** No new use: idle ones close, busy ones after their request. */
  drain(): void {
    this.draining = true;
    for (const c of this.idle.splice(0)) c.close();
  }
}

const OVERFLOW: Leased = { kind: 'failed', why: 'overflow', reason: '' };
