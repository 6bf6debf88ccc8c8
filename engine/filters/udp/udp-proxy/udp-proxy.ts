// udp_proxy: datagrams of clients to the hosts of a cluster and back (Envoy: UdpProxyFilter). A client (address and port) is one session; its datagrams keep to one host
// while that is there and healthy, or each goes to a host of its own with per-packet load balancing.
import { hashed, xxHash64 } from '../../../base/xxhash64.ts';
import { RequestHeaders } from '../../../headers/headers.ts';
import { formatAddress, type IpAddress } from '../../../net/address.ts';
import { MatchTree } from '../../../net/match/match-tree.ts';
import type { DatagramSocket } from '../../../net/transport/datagrams.ts';
import type { UdpFilter } from '../../../net/udp-filter.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import type { AccessLog, AccessLogType } from '../../../observe/accesslog/access-log.ts';
import type { Formatter } from '../../../observe/format/formatter.ts';
import { HeaderMutations, MutableContext } from '../../../observe/format/header-mutation.ts';
import { makeFormatter } from '../../../observe/format/make-formatter.ts';
import type { OperatorEnv } from '../../../observe/format/operators.ts';
import { UDP_CLUSTER_SCHEMA, UDP_PROXY, UDP_PROXY_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { CLUSTER } from '../../../observe/stats/schemas.ts';
import { StatBlock, type StatStore } from '../../../observe/stats/stat-block.ts';
import { ConnectionFacts, setStreamMetadata, StreamFacts } from '../../../observe/stream-facts.ts';
import type { UdpProxyPlan } from '../../../plan/udp-proxy-plan.ts';
import type { Cluster, ClusterDirectory, Host, PickContext } from '../../../upstream/upstream.ts';
import { UdpSession } from './udp-session.ts';

/** cluster.NAME.udp.* */
export interface UdpClusterStats { readonly block: StatBlock }

export class UdpProxy implements UdpFilter {
  readonly plan: UdpProxyPlan;
  readonly env: WorkerEnv;
  readonly stats: StatBlock;
  private readonly clusters: ClusterDirectory;
  private readonly logs: readonly AccessLog[];
  private readonly proxyLogs: readonly AccessLog[];
  private readonly startMs: number; private readonly startWallMs: number;
  private readonly tree: MatchTree<string>;
  private readonly sessions = new Map<string, UdpSession>();
  private readonly clusterStats = new WeakMap<StatStore, UdpClusterStats>();
  private readonly tunnel: { readonly proxyHost: Formatter; readonly targetHost: Formatter; readonly headers: HeaderMutations } | null;
  private readonly context = new MutableContext();
  private closed = false;

  constructor(plan: UdpProxyPlan, env: WorkerEnv, clusters: ClusterDirectory, logs: readonly AccessLog[], proxyLogs: readonly AccessLog[], operators: OperatorEnv) {
    this.tunnel = plan.tunnel === null ? null : { proxyHost: makeFormatter(plan.tunnel.proxyHost, operators), targetHost: makeFormatter(plan.tunnel.targetHost, operators), headers: new HeaderMutations(plan.tunnel.headers, operators, env.clock) };
    this.plan = plan; this.env = env; this.clusters = clusters; this.logs = logs; this.proxyLogs = proxyLogs;
    this.startMs = env.clock.nowMs(); this.startWallMs = env.clock.wallMs();
    this.stats = new StatBlock(env.stats, UDP_PROXY_SCHEMA, `udp.${plan.statPrefix}`);
    this.tree = new MatchTree(plan.tree, (action) => action as string);
  }

  onDatagram(socket: DatagramSocket, bytes: Buffer, start: number, end: number, from: IpAddress): void {
    if (this.closed) return;
    const key = `${from.ip} ${from.port} ${socket.local.ip} ${socket.local.port}`;
    const session = this.sessions.get(key) ?? this.begin(key, socket, from);
    if (session === null) return;
    this.stats.inc(UDP_PROXY.downstream_sess_rx_datagrams);
    this.stats.add(UDP_PROXY.downstream_sess_rx_bytes, end - start);
    if (session.tunnel !== null) { session.intoTunnel(bytes, start, end); return; }
    const host = this.hostFor(session);
    if (host === null) { session.cluster.stats.inc(CLUSTER.upstream_cx_none_healthy); session.close(); return; }
    session.forward(host, bytes, start, end);
  }

  private begin(key: string, socket: DatagramSocket, from: IpAddress): UdpSession | null {
    const facts = factsOf(socket.local, from), name = this.tree.match(facts, null), cluster = name === null ? null : this.clusters.get(name);
    if (cluster === null) { this.stats.inc(UDP_PROXY.downstream_sess_no_route); return null; }
    if (!cluster.tryConnection()) return null;
    const session = new UdpSession(this, key, socket, from, cluster, this.statsOf(cluster), facts);
    this.sessions.set(key, session);
    this.stats.inc(UDP_PROXY.downstream_sess_total);
    this.stats.inc(UDP_PROXY.downstream_sess_active);
    return session;
  }

  /** The session's host as long as it is there and takes traffic; else (and for each datagram, per packet) another. */
  private hostFor(session: UdpSession): Host | null {
    const { cluster, host } = session;
    if (!this.plan.perPacket && host !== null && cluster.available(host)) return host;
    // Where no other is healthy the old one stays.
    return this.choose(session) ?? host;
  }

  /** @internal */
  choose(session: UdpSession): Host | null {
    const pick = new UdpPick();
    for (const p of this.plan.hashPolicies) { xxHash64(p.kind === 'key' ? p.key : session.facts.remoteIp); pick.hasHash = true; pick.hashHigh = hashed.high; pick.hashLow = hashed.low; }
    return session.cluster.choose(pick);
  }

  /** @internal The head that a session is carried behind. */
  tunnelHead(facts: StreamFacts, cluster: Cluster, host: Host): RequestHeaders {
    const plan = this.plan.tunnel!, { proxyHost, targetHost, headers } = this.tunnel!, context = this.context.set(facts, this.env.clock), head = new RequestHeaders();
    head.scheme = cluster.secured(host) ? 'https' : 'http';
    head.authority = proxyHost.format(context, '-') + (plan.proxyPort > 0 ? `:${plan.proxyPort}` : '');
    if (plan.usePost) { head.method = 'POST'; head.path = plan.postPath; } else {
      head.method = 'GET'; head.protocol = 'connect-udp';
      // RFC 9298 section 3: the colons of an IPv6 address are escaped.
      head.path = `/.well-known/masque/udp/${targetHost.format(context, '-').replaceAll(':', '%3A')}/${plan.targetPort}/`;
      head.add('connection', 'Upgrade'); head.add('upgrade', 'connect-udp'); head.add('capsule-protocol', '?1');
    }
    headers.apply(head, facts);
    return head;
  }

  private statsOf(cluster: Cluster): UdpClusterStats {
    let s = this.clusterStats.get(cluster.statStore);
    if (s === undefined) { s = { block: new StatBlock(cluster.statStore, UDP_CLUSTER_SCHEMA, `cluster.${cluster.statName}`) }; this.clusterStats.set(cluster.statStore, s); }
    return s;
  }

  /** @internal A session is over. */
  ended(key: string, session: UdpSession): void {
    if (this.sessions.get(key) === session) this.sessions.delete(key);
    session.cluster.releaseConnection();
    this.stats.dec(UDP_PROXY.downstream_sess_active);
    this.log(session.facts, 'UdpSessionEnd');
  }
  /** @internal */
  log(facts: StreamFacts, type: AccessLogType): void { for (const l of this.logs) l.log(facts, type); }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const s of [...this.sessions.values()]) s.close();
    if (this.proxyLogs.length > 0) this.logProxy();
  }

  /** What was counted in this worker, in the words of Envoy. */
  private logProxy(): void {
    const { stats, env } = this, facts = new StreamFacts(new ConnectionFacts()), of = (name: keyof typeof UDP_PROXY): number => stats.own(UDP_PROXY[name]);
    facts.startMs = this.startMs; facts.startWallMs = this.startWallMs; facts.endMs = env.clock.nowMs();
    setStreamMetadata(facts, 'udp.proxy.proxy', {
      bytes_received: of('downstream_sess_rx_bytes'), bytes_sent: of('downstream_sess_tx_bytes'), datagrams_received: of('downstream_sess_rx_datagrams'), datagrams_sent: of('downstream_sess_tx_datagrams'),
      errors_received: of('downstream_sess_rx_errors'), errors_sent: of('downstream_sess_tx_errors'), idle_timeout: of('idle_timeout'), no_route: of('downstream_sess_no_route'), session_total: of('downstream_sess_total'),
    });
    for (const l of this.proxyLogs) l.log(facts, 'NotSet');
  }
}

class UdpPick implements PickContext {
  hasHash = false; hashHigh = 0; hashLow = 0;
  readonly request = null; readonly facts = null; readonly metadataMatch = null;
  avoid: PickContext['avoid'] = null; maxReselect = 0; triedPriorities = 0; overrideHost: PickContext['overrideHost'] = null; overridesUsed = 0;
}

function factsOf(local: IpAddress, remote: IpAddress): ConnectionFacts {
  const f = new ConnectionFacts();
  f.remoteIp = f.directRemoteIp = remote.ip; f.remotePort = f.directRemotePort = remote.port; f.remoteText = f.directRemoteText = formatAddress(remote);
  f.localIp = f.directLocalIp = local.ip; f.localPort = f.directLocalPort = local.port; f.localText = f.directLocalText = formatAddress(local);
  return f;
}
