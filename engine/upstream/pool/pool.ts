// HTTP connections to one host at one priority and protocol (Envoy: ConnPoolImplBase): a request goes to the most recently used connection with room, else it waits, in
// order, for one; connections are begun as those that wait need them, as far as the circuit breakers let. One class for HTTP/1 (room for one) and HTTP/2 (for many):
// what differs is the connection's.
import { Seats } from '../../base/seats.ts';
import type { LeaseContext, Leased, LeaseWaiter, Waiting } from '../upstream.ts';
import type { ForClient } from '../../observe/stream-facts.ts';
import { CLUSTER, HOST } from '../../observe/stats/schemas.ts';
import { CIRCUIT_KIND } from '../../shm/circuit-table.ts';
import { DEGRADED, UNHEALTHY } from '../../shm/host-table.ts';
import type { Breaker, ClusterEntry } from '../cluster.ts';
import type { HostEntry } from '../host-entry.ts';
import { shouldConnect, type Tally } from './preconnect.ts';
import { OVERLOAD } from '../../plan/overload-plan.ts';
import { UpstreamConnection, type PoolProtocol } from './connection.ts';

/** Connections that one event begins at most. */
const AT_ONCE = 3;

class Waiter implements Waiting {
  readonly ctx: LeaseContext; readonly who: LeaseWaiter; private readonly pool: Pool;
  constructor(pool: Pool, ctx: LeaseContext, who: LeaseWaiter) { this.pool = pool; this.ctx = ctx; this.who = who; }
  cancel(): void { this.pool.cancel(this); }
}

const NO_POOL: Leased = { kind: 'failed', why: 'no-pool', reason: '' };
const OVERFLOW: Leased = { kind: 'failed', why: 'overflow', reason: '' };

export class Pool {
  readonly cluster: ClusterEntry;
  /** As endpoints say it last. */
  host: HostEntry;
  readonly protocol: PoolProtocol;
  /** Asked for by TLS (auto_sni), '': what the cluster asks for. */
  readonly serverName: string;
  /** Whose connections these are, where it matters; null: anybody's. */
  readonly who: ForClient | null;
  private readonly breaker: Breaker;
  /** Connections with room, the most recently used last. */
  private readonly ready: UpstreamConnection[] = [];
  private readonly connecting = new Set<UpstreamConnection>();
  /** All connections, connecting ones too. */
  private readonly all = new Seats<UpstreamConnection>();
  private readonly waiters = new Set<Waiter>();
  /** Of the cluster's pools together; null: nobody asks. */
  private readonly tally: Tally | null;
  /** Streams under way. */
  active = 0;
  private draining = false;
  /** The circuit breaker of pools counts this one: it has connections. */
  private counted = false;

  constructor(cluster: ClusterEntry, host: HostEntry, breaker: Breaker, protocol: PoolProtocol, serverName = '', who: ForClient | null = null) { this.cluster = cluster; this.host = host; this.breaker = breaker; this.protocol = protocol; this.serverName = serverName; this.who = who; this.tally = cluster.predictor?.tally ?? null; }

  lease(ctx: LeaseContext, who: LeaseWaiter): Leased {
    const { stats } = this.cluster;
    if (!this.counted && !this.count()) { stats.inc(CLUSTER.upstream_cx_pool_overflow); return NO_POOL; }
    const connection = this.withRoom(ctx.fresh);
    if (connection !== null) {
      const stream = this.open(connection, ctx);
      if (this.cluster.plan.preconnectRatio > 1) this.connectMore();
      return { kind: 'stream', stream };
    }
    if (this.shedsConnection()) { stats.inc(CLUSTER.upstream_rq_pending_total); stats.inc(CLUSTER.upstream_rq_cancelled); this.settle(); return OVERFLOW; }
    if (!this.breaker.tryAcquire(CIRCUIT_KIND.PENDING)) { stats.inc(CLUSTER.upstream_rq_pending_overflow); this.settle(); return OVERFLOW; }
    stats.inc(CLUSTER.upstream_rq_pending_total);
    stats.inc(CLUSTER.upstream_rq_pending_active);
    this.host.stats.inc(HOST.rq_pending_active);
    const waiter = new Waiter(this, ctx, who);
    this.waiters.add(waiter);
    if (this.tally !== null) this.tally.waiting++;
    this.connectMore();
    return { kind: 'waiting', waiting: waiter };
  }

  // ---- connections -----------------------------------------------------------------------------------------------------------

  /** A connection that takes a stream now. `fresh`: not one that lay idle, as the one before it died of that. */
  private withRoom(fresh: boolean): UpstreamConnection | null {
    const { ready } = this;
    for (let c = ready[ready.length - 1]; c !== undefined; c = ready[ready.length - 1]) {
      if (c.room > 0) { if (!fresh || c.active > 0) return c; break; }
      ready.pop();
      c.listed = false;
      this.reckon(c);
    }
    if (!fresh) return null;
    for (let i = ready.length - 2; i >= 0; i--) if (ready[i]!.room > 0 && ready[i]!.active > 0) return ready[i]!;
    return null;
  }

  private open(c: UpstreamConnection, ctx: LeaseContext): ReturnType<UpstreamConnection['open']> {
    this.streamBegins();
    const stream = c.open(ctx);
    if (c.room <= 0) this.unlist(c); else this.reckon(c);
    return stream;
  }

  /** Begins connections as waiters (and the preconnect ratio) need. A pool without any connection may always have one, as in Envoy. */
  private connectMore(): void { for (let i = 0; i < AT_ONCE && this.wantsConnection(); i++) if (!this.connectOne()) return; }

  /** For waiters, or ahead of them (the host's ratio, or the cluster's: `predictive`, 0: not that). */
  private wantsConnection(predictive = 0): boolean {
    let capacity = 0;
    for (const c of this.connecting) capacity += c.assumedRoom;
    if (this.waiters.size > capacity) return true;
    const { cluster, host } = this, ratio = predictive > 0 ? predictive : cluster.plan.preconnectRatio;
    if (ratio <= 1 || (cluster.shared.hosts.flags(host.index) & (UNHEALTHY | DEGRADED)) !== 0) return false;
    for (const c of this.ready) capacity += c.room;
    if (!shouldConnect(this.waiters.size, this.active, capacity, ratio, predictive > 0 ? 1 : 0)) return false;
    if (cluster.preconnectGate === null || cluster.preconnectGate(host.metadata)) return true;
    cluster.stats.inc(CLUSTER.upstream_cx_preconnect_skipped);
    return false;
  }

  /** What the connection brings, told to the tally where it is another than before. */
  private reckon(c: UpstreamConnection): void {
    if (this.tally === null) return;
    const brings = this.connecting.has(c) ? c.assumedRoom : c.listed ? c.room : 0;
    this.tally.capacity += brings - c.reckoned;
    c.reckoned = brings;
  }
  /** A connection for a request to come, if there are too few by the cluster's ratio; false: there are enough, or none could be begun. */
  preconnect(ratio: number): boolean {
    const begun = this.wantsConnection(ratio) && (this.counted || this.count()) && this.connectOne();
    if (!begun) this.settle();
    return begun;
  }

  /** The load shed point connection_pool_new_connection: the next one to wait would need a new connection, and is to have none. */
  private shedsConnection(): boolean {
    const { cluster } = this;
    if (!cluster.shared.words.overloaded()) return false;
    let room = 0;
    for (const c of this.connecting) room += c.assumedRoom;
    return room <= this.waiters.size && cluster.shed.sheds(OVERLOAD.connection_pool_new_connection);
  }

  private connectOne(): boolean {
    const { cluster, host } = this, limit = cluster.plan.perHostMaxConnections, hosts = cluster.shared.hosts;
    const mayHost = hosts.tryConnection(host.index, limit), may = mayHost && this.breaker.tryAcquire(CIRCUIT_KIND.CX);
    if (!may) {
      if (mayHost) hosts.addConnections(host.index, -1);
      cluster.stats.inc(CLUSTER.upstream_cx_overflow);
      if (this.all.size > 0) return false;
      this.breaker.acquire(CIRCUIT_KIND.CX);
      hosts.addConnections(host.index, 1);
    }
    const c = new UpstreamConnection(this);
    this.all.add(c);
    this.connecting.add(c);
    this.reckon(c);
    c.connect();
    return true;
  }

  /** @internal The connection is there. */
  connected(c: UpstreamConnection): void {
    this.connecting.delete(c);
    this.reckon(c);
    this.freed(c);
  }

  /** @internal The connection has (again) room, or more of it than before: the next waiters', then it is listed. */
  freed(c: UpstreamConnection): void {
    for (const w of this.waiters) {
      if (c.room <= 0) break;
      if (w.ctx.fresh && c.active === 0 && c.used) continue;
      this.waiters.delete(w);
      this.leaveQueue();
      w.who.onLease(this.open(c, w.ctx), this.host);
    }
    if (c.closed) return;
    if (this.draining || this.cluster.removed) { c.retire(); if (c.closed) return; }
    if (c.room > 0 && !c.listed) { c.listed = true; this.ready.push(c); }
    this.reckon(c);
    if (c.active === 0) c.becomeIdle();
    if (this.waiters.size > 0) this.connectMore();
  }

  /** @internal A stream of it is over. */
  streamOver(count: number): void {
    this.active -= count;
    if (this.tally !== null) this.tally.active -= count;
    this.cluster.stats.add(CLUSTER.upstream_rq_active, -count);
  }

  /** A request counts from when it has a connection (Envoy: attachStreamToClient): one that finds none was never there. */
  private streamBegins(): void {
    const { cluster, host } = this;
    this.active++;
    if (this.tally !== null) this.tally.active++;
    this.breaker.began();
    cluster.stats.inc(CLUSTER.upstream_rq_total);
    cluster.stats.inc(CLUSTER.upstream_rq_active);
    host.stats.inc(HOST.rq_total);
  }

  /** @internal A connection could not be had: with it all that wait, as in Envoy. */
  failed(c: UpstreamConnection, why: 'connect-failure' | 'connect-timeout', reason: string): void {
    this.gone(c);
    const list = [...this.waiters];
    this.waiters.clear();
    for (const w of list) { this.leaveQueue(); this.cluster.stats.inc(CLUSTER.upstream_rq_pending_failure_eject); w.who.onLeaseFailure(why, reason, this.host); }
    this.settle();
  }

  /** @internal A connection that was there has ended. */
  ended(c: UpstreamConnection): void {
    this.gone(c);
    if (this.waiters.size > 0) this.connectMore();
    this.settle();
  }

  private gone(c: UpstreamConnection): void {
    this.connecting.delete(c);
    this.all.delete(c);
    this.unlist(c);
    this.reckon(c);
    this.breaker.release(CIRCUIT_KIND.CX);
    this.cluster.shared.hosts.addConnections(this.host.index, -1);
  }

  /** @internal Takes no further streams. */
  unlist(c: UpstreamConnection): void {
    if (!c.listed) return;
    c.listed = false;
    const { ready } = this;
    if (ready[ready.length - 1] === c) ready.pop(); else ready.splice(ready.indexOf(c), 1);
    this.reckon(c);
  }

  // ---- waiting ---------------------------------------------------------------------------------------------------------------

  /** @internal */
  cancel(w: Waiter): void {
    if (!this.waiters.delete(w)) return;
    this.leaveQueue();
    this.settle();
  }

  private leaveQueue(): void {
    if (this.tally !== null) this.tally.waiting--;
    this.breaker.release(CIRCUIT_KIND.PENDING);
    this.cluster.stats.dec(CLUSTER.upstream_rq_pending_active);
    this.host.stats.dec(HOST.rq_pending_active);
  }

  // ---- the pool itself -------------------------------------------------------------------------------------------------------

  /** max_connection_pools: one that has connections, or is about to, counts. */
  private count(): boolean {
    if (!this.breaker.tryAcquire(CIRCUIT_KIND.POOL)) return false;
    this.counted = true;
    return true;
  }
  private settle(): void {
    if (this.all.size > 0 || this.waiters.size > 0) return;
    if (this.counted) this.breaker.release(CIRCUIT_KIND.POOL);
    this.counted = false;
    // Names come from requests: only pools in use are kept.
    if (this.serverName !== '' || this.who !== null) this.host.forgetNamed(this);
  }

  /** No new use of the connections that are there: idle ones close, others after their streams. `forGood`: nor of any that are made later. */
  drain(forGood: boolean): void {
    if (forGood) this.draining = true;
    for (const c of this.all.values()) if (!this.connecting.has(c)) c.retire();
  }
}
