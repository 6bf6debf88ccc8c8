// A connection for layer 4: one socket, connected with its timeout, then handed over whole to one owner. Counted as a connection and, as Envoy's TCP pools do,
// as one request of its host. Ends once: cancelled, failed, closed by its owner or by the other side.
import type { Timer } from '../../loop/timer-wheel.ts';
import { NO_SINK, type SocketSink, type TransportSocket } from '../../net/transport/transport.ts';
import { CLUSTER, HOST } from '../../observe/stats/schemas.ts';
import type { ConnectionFacts } from '../../observe/stream-facts.ts';
import { CIRCUIT_KIND } from '../../shm/circuit-table.ts';
import type { Breaker, ClusterEntry } from '../cluster.ts';
import type { HostEntry } from '../host-entry.ts';
import type { RawUpstream, RawWaiter, Waiting } from '../upstream.ts';
import type { Address } from '../../net/address.ts';
import { AddressRace, type RaceOwner } from './address-race.ts';
import { connectReason, nextConnectionId } from './connection.ts';

export class RawConnection implements RaceOwner, Waiting, RawUpstream {
  readonly id = nextConnectionId();
  readonly host: HostEntry;
  socket!: TransportSocket;
  /** Of a host with several addresses. */
  private readonly race: AddressRace | null = null;
  sink: SocketSink = NO_SINK;
  readonly connectStartMs: number;
  connectEndMs = -1;
  private readonly cluster: ClusterEntry; private readonly breaker: Breaker; private readonly who: RawWaiter; private readonly timer: Timer;
  private state: 'connecting' | 'given' | 'over' = 'connecting';

  constructor(cluster: ClusterEntry, host: HostEntry, breaker: Breaker, who: RawWaiter, client: ConnectionFacts | null) {
    this.cluster = cluster; this.host = host; this.breaker = breaker; this.who = who;
    const { env, plan, stats } = cluster;
    this.connectStartMs = env.clock.nowMs();
    stats.inc(CLUSTER.upstream_cx_total); stats.inc(CLUSTER.upstream_cx_active);
    stats.inc(CLUSTER.upstream_rq_pending_total); stats.inc(CLUSTER.upstream_rq_pending_active);
    host.stats.inc(HOST.cx_total); host.stats.inc(HOST.cx_active);
    cluster.shared.hosts.addConnections(host.index, 1);
    host.raw?.add(this);
    this.timer = env.wheel.after(plan.connectTimeoutMs, () => { stats.inc(CLUSTER.upstream_cx_connect_timeout); this.fail('connect-timeout', 'connection timeout'); });
    const { addresses } = host, of = client === null ? null : { client, source: client.upstreamSource, shared: client.sharedState };
    if (addresses === null) this.socket = cluster.sockets.connect(host, this, null, '', null, of);
    else this.race = new AddressRace(env, addresses, (address, sink) => cluster.sockets.connect(host, sink, null, '', null, of, address), this);
  }
  raceGoesOn(): void { this.cluster.stats.inc(CLUSTER.upstream_cx_total); this.host.stats.inc(HOST.cx_total); }
  raceWon(socket: TransportSocket): void { this.socket = socket; this.onConnect(); }
  raceLost(error: string): void { this.onClose(error); }
  get reached(): Address | null { return this.race === null ? null : this.socket.remote; }

  cancel(): void { if (this.state === 'connecting') { this.cluster.stats.inc(CLUSTER.upstream_rq_cancelled); this.end(true, 'now'); } }
  close(how: 'flush' | 'now' | 'reset'): void { this.end(true, how); }

  /** The host was found bad, and connections to it are to end with that. */
  hostFailed(): void {
    if (this.state === 'connecting') { this.fail('connect-failure', ''); return; }
    this.end(true, 'now');
    this.sink.onClose('');
  }

  private fail(why: 'connect-failure' | 'connect-timeout', reason: string): void {
    const { stats } = this.cluster;
    stats.inc(CLUSTER.upstream_cx_connect_fail);
    stats.inc(CLUSTER.upstream_rq_pending_failure_eject);
    this.host.stats.inc(HOST.cx_connect_fail);
    this.end(why === 'connect-timeout', 'now');
    this.who.onRawFailure(why, reason, this.host);
  }

  private end(local: boolean, how: 'flush' | 'now' | 'reset' | 'gone'): void {
    if (this.state === 'over') return;
    const given = this.state === 'given';
    this.state = 'over';
    const { cluster, host } = this, { env, stats } = cluster;
    env.wheel.cancel(this.timer);
    if (this.race !== null && !given) this.race.cancel(); else if (how !== 'gone') this.socket.destroy(how);
    stats.dec(CLUSTER.upstream_cx_active);
    host.stats.dec(HOST.cx_active);
    cluster.shared.hosts.addConnections(host.index, -1);
    host.raw?.delete(this);
    stats.inc(CLUSTER.upstream_cx_destroy);
    stats.inc(local ? CLUSTER.upstream_cx_destroy_local : CLUSTER.upstream_cx_destroy_remote);
    if (given) {
      stats.inc(CLUSTER.upstream_cx_destroy_with_active_rq);
      stats.inc(local ? CLUSTER.upstream_cx_destroy_local_with_active_rq : CLUSTER.upstream_cx_destroy_remote_with_active_rq);
      stats.record(CLUSTER.upstream_cx_length_ms, env.clock.nowMs() - this.connectStartMs);
      stats.dec(CLUSTER.upstream_rq_active);
      host.stats.dec(HOST.rq_active);
      cluster.shared.hosts.addActive(host.index, -1);
    } else stats.dec(CLUSTER.upstream_rq_pending_active);
    this.breaker.release(CIRCUIT_KIND.CX);
  }

  onConnect(): void {
    if (this.state !== 'connecting') return;
    const { cluster, host } = this, { env, stats } = cluster;
    env.wheel.cancel(this.timer);
    this.connectEndMs = env.clock.nowMs();
    stats.record(CLUSTER.upstream_cx_connect_ms, this.connectEndMs - this.connectStartMs);
    this.state = 'given';
    this.breaker.began();
    stats.dec(CLUSTER.upstream_rq_pending_active);
    stats.inc(CLUSTER.upstream_rq_total); stats.inc(CLUSTER.upstream_rq_active);
    host.stats.inc(HOST.rq_total); host.stats.inc(HOST.rq_active);
    cluster.shared.hosts.addActive(host.index, 1);
    this.who.onRawReady(this);
  }
  onData(bytes: Buffer, start: number, end: number): void { this.cluster.stats.add(CLUSTER.upstream_cx_rx_bytes_total, end - start); this.sink.onData(bytes, start, end); }
  onEnd(): void { this.sink.onEnd(); }
  onBlocked(): void { this.cluster.stats.inc(CLUSTER.upstream_flow_control_backed_up_total); this.sink.onBlocked(); }
  onDrained(): void { this.cluster.stats.inc(CLUSTER.upstream_flow_control_drained_total); this.sink.onDrained(); }
  onClose(error: string): void {
    if (this.state === 'connecting') { this.fail('connect-failure', connectReason(error)); return; }
    this.end(false, 'gone');
    this.sink.onClose(error);
  }
}
