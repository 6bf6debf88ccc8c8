// One client's datagrams through udp_proxy: a socket of its own towards the host (or one for each host, with per-packet load balancing), until no datagram has gone
// either way for the idle timeout. What comes before that socket is open waits, as far as LIMIT goes.
import { Timer } from '../../../loop/timer-wheel.ts';
import { formatAddress, type IpAddress } from '../../../net/address.ts';
import type { DatagramSocket } from '../../../net/transport/datagrams.ts';
import { flagBit } from '../../../observe/response-flags.ts';
import { UDP_CLUSTER, UDP_PROXY } from '../../../observe/stats/l4-schemas.ts';
import { CLUSTER } from '../../../observe/stats/schemas.ts';
import { setStreamMetadata, StreamFacts, UpstreamFacts, type ConnectionFacts } from '../../../observe/stream-facts.ts';
import type { Cluster, Host } from '../../../upstream/upstream.ts';
import type { UdpClusterStats, UdpProxy } from './udp-proxy.ts';
import { UdpTunnel } from './udp-tunnel.ts';

const SI = flagBit('SI');
/** Datagrams kept while the session's socket opens. */
const LIMIT = 64;

export class UdpSession {
  readonly facts: StreamFacts;
  readonly cluster: Cluster;
  private readonly proxy: UdpProxy;
  private readonly listener: DatagramSocket;
  private readonly client: IpAddress;
  private readonly clusterStats: UdpClusterStats;
  private readonly key: string;
  /** By host: one with session affinity. */
  private readonly sockets = new Map<Host, DatagramSocket | Buffer[]>();
  private readonly idle: Timer;
  private periodic: Timer | null = null;
  private lastMs: number;
  private over = false;
  private received = 0; private sent = 0; private sendErrors = 0;
  host: Host | null = null;
  /** Where it is carried in an HTTP exchange. */
  readonly tunnel: UdpTunnel | null;

  constructor(proxy: UdpProxy, key: string, listener: DatagramSocket, client: IpAddress, cluster: Cluster, clusterStats: UdpClusterStats, connection: ConnectionFacts) {
    this.proxy = proxy; this.key = key; this.listener = listener; this.client = client; this.cluster = cluster; this.clusterStats = clusterStats;
    const { env } = proxy;
    const facts = this.facts = new StreamFacts(connection);
    facts.startMs = this.lastMs = env.clock.nowMs(); facts.startWallMs = env.clock.wallMs();
    facts.remoteIp = connection.remoteIp; facts.remotePort = connection.remotePort; facts.remoteText = connection.remoteText;
    facts.requestId = env.random.uuid();
    facts.upstream = new UpstreamFacts();
    this.tunnel = proxy.plan.tunnel === null ? null : new UdpTunnel(proxy, this, proxy.plan.tunnel);
    this.idle = new Timer(() => this.idleFired());
    const { idleTimeoutMs, logIntervalMs } = proxy.plan;
    if (idleTimeoutMs > 0) env.wheel.arm(this.idle, idleTimeoutMs);
    if (logIntervalMs > 0) this.periodic = env.wheel.every(logIntervalMs, () => { this.describe(); proxy.log(facts, 'UdpPeriodic'); });
  }

  private noteReceived(bytes: number): void {
    this.lastMs = this.proxy.env.clock.nowMs();
    this.received++;
    this.facts.requestBodyBytes += bytes;
  }

  /** A datagram of the client, for its tunnel. */
  intoTunnel(bytes: Buffer, start: number, end: number): void { this.noteReceived(end - start); this.tunnel!.send(bytes, start, end); }
  /** @internal The tunnel stands. */
  tunnelOpen(): void {
    this.count(UDP_CLUSTER['udp.sess_tunnel_success']);
    this.describe();
    if (this.proxy.plan.logOnTunnel) this.proxy.log(this.facts, 'UdpTunnelUpstreamConnected');
  }
  /** @internal */
  count(stat: number): void { this.clusterStats.block.inc(stat); }
  /** @internal Its host, for the log. */
  reached(host: Host, local: IpAddress | null): void {
    const up = this.facts.upstream!;
    this.host = host;
    up.hostText = host.text; up.hostName = host.hostname;
    if (local !== null) up.localText = formatAddress(local);
  }

  /** A datagram of the client, for `host`. */
  forward(host: Host, bytes: Buffer, start: number, end: number): void {
    this.host = host;
    this.noteReceived(end - start);
    let socket = this.sockets.get(host);
    if (socket === undefined) { socket = []; this.sockets.set(host, socket); this.open(host); }
    if (Array.isArray(socket)) { if (socket.length < LIMIT) socket.push(Buffer.from(bytes.subarray(start, end))); else this.clusterStats.block.inc(UDP_CLUSTER['udp.sess_tx_errors']); } else this.send(socket, host, bytes, start, end);
  }

  private open(host: Host): void {
    const family = host.address.kind === 'ip' ? host.address.family : 4;
    void this.proxy.env.transport.datagrams({ bind: null, family, reusePort: false }, (b, s, e, from) => this.answer(host, b, s, e, from)).then((opened) => {
      const waiting = this.sockets.get(host);
      if ('error' in opened) { this.sockets.delete(host); this.clusterStats.block.inc(UDP_CLUSTER['udp.sess_tx_errors']); return; }
      if (this.over || !Array.isArray(waiting)) { opened.close(); return; }
      this.sockets.set(host, opened);
      opened.onError = () => { this.sendErrors++; this.clusterStats.block.inc(UDP_CLUSTER['udp.sess_rx_errors']); };
      this.reached(host, opened.local);
      for (const b of waiting) this.send(opened, host, b, 0, b.length);
    });
  }

  private send(socket: DatagramSocket, host: Host, bytes: Buffer, start: number, end: number): void {
    if (host.address.kind !== 'ip') return;
    this.clusterStats.block.inc(UDP_CLUSTER['udp.sess_tx_datagrams']);
    this.cluster.stats.add(CLUSTER.upstream_cx_tx_bytes_total, end - start);
    socket.send(bytes, start, end, host.address);
  }

  /** A datagram of the host: others' are none of ours. */
  private answer(host: Host, bytes: Buffer, start: number, end: number, from: IpAddress): void {
    const a = host.address;
    if (this.over || a.kind !== 'ip' || from.port !== a.port || from.ip !== a.ip) return;
    this.count(UDP_CLUSTER['udp.sess_rx_datagrams']);
    this.cluster.stats.add(CLUSTER.upstream_cx_rx_bytes_total, end - start);
    this.toClient(bytes, start, end);
  }

  /** @internal */
  toClient(bytes: Buffer, start: number, end: number): void {
    const { proxy } = this, n = end - start;
    this.lastMs = proxy.env.clock.nowMs();
    this.sent++;
    this.facts.responseBodyBytes += n;
    proxy.stats.inc(UDP_PROXY.downstream_sess_tx_datagrams);
    proxy.stats.add(UDP_PROXY.downstream_sess_tx_bytes, n);
    this.listener.send(bytes, start, end, this.client);
  }

  private idleFired(): void {
    const { env, plan, stats } = this.proxy, left = this.lastMs + plan.idleTimeoutMs - env.clock.nowMs();
    if (left > 0) { env.wheel.arm(this.idle, left); return; }
    stats.inc(UDP_PROXY.idle_timeout);
    if (this.tunnel !== null) this.facts.flags |= SI;
    this.close();
  }

  /** Ends the session, once. */
  close(): void {
    if (this.over) return;
    this.over = true;
    const { proxy, facts } = this;
    proxy.env.wheel.cancel(this.idle);
    if (this.periodic !== null) proxy.env.wheel.cancel(this.periodic);
    this.tunnel?.close();
    for (const s of this.sockets.values()) if (!Array.isArray(s)) s.close();
    this.sockets.clear();
    facts.endMs = proxy.env.clock.nowMs();
    this.describe();
    proxy.ended(this.key, this);
  }

  /** The dynamic metadata that its records have. */
  private describe(): void {
    const { facts } = this;
    setStreamMetadata(facts, 'udp.proxy.session', { bytes_received: facts.requestBodyBytes, bytes_sent: facts.responseBodyBytes, cluster_name: this.cluster.name, datagrams_received: this.received, datagrams_sent: this.sent, errors_sent: this.sendErrors });
  }
}
