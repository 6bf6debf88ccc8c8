// What all connections of one tcp_proxy share: its plan with everything resolved. Built when the listener is installed.
import { hashed, xxHash64 } from '../../../base/xxhash64.ts';
import { RequestHeaders } from '../../../headers/headers.ts';
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory } from '../../../net/connection.ts';
import { LoadShed, type OverloadWords } from '../../../net/overload.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import type { AccessLog, AccessLogType } from '../../../observe/accesslog/access-log.ts';
import type { Formatter } from '../../../observe/format/formatter.ts';
import { HeaderMutations, MutableContext } from '../../../observe/format/header-mutation.ts';
import { makeFormatter } from '../../../observe/format/make-formatter.ts';
import type { OperatorEnv } from '../../../observe/format/operators.ts';
import { TCP_PROXY_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { StatBlock } from '../../../observe/stats/stat-block.ts';
import { setStreamMetadata, type ConnectionFacts, type StreamFacts } from '../../../observe/stream-facts.ts';
import type { HashPolicyPlan } from '../../../plan/route-plan.ts';
import type { TcpProxyPlan } from '../../../plan/tcp-proxy-plan.ts';
import { MetadataCriteria } from '../../../upstream/metadata-criteria.ts';
import type { Cluster, ClusterDirectory, Host, PickContext } from '../../../upstream/upstream.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** Filter state that names the cluster of a connection (Envoy: PerConnectionCluster; sni_cluster and set_filter_state write it). */
export const CLUSTER_KEY = 'envoy.tcp_proxy.cluster';
/** Filter state that sets the idle timeout of a connection, 0: none; and that lets it go as raw bytes in spite of a tunneling_config. */
const IDLE_KEY = 'envoy.tcp_proxy.per_connection_idle_timeout_ms', NO_TUNNEL_KEY = 'envoy.tcp_proxy.disable_tunneling';
/** Dynamic metadata that request ids of tunnels are kept in. */
const NAMESPACE = 'envoy.filters.network.tcp_proxy';

/** The choice of a host for one connection. */
export class TcpPick implements PickContext {
  hasHash = false; hashHigh = 0; hashLow = 0;
  readonly request = null;
  readonly facts: StreamFacts;
  metadataMatch: PickContext['metadataMatch'] = null;
  avoid: PickContext['avoid'] = null;
  maxReselect = 0;
  triedPriorities = 0;
  overrideHost = null;
  overridesUsed = 0;
  constructor(facts: StreamFacts) { this.facts = facts; }
}

interface Target { readonly name: string; readonly weight: number; readonly metadataMatch: MetadataCriteria | null }

export class TcpProxyRuntime implements NetworkFilterFactory {
  readonly terminal = true;
  readonly plan: TcpProxyPlan;
  readonly env: WorkerEnv;
  readonly stats: StatBlock;
  readonly clusters: ClusterDirectory;
  readonly overload: OverloadWords;
  readonly shed: LoadShed;
  private readonly logs: readonly AccessLog[];
  private readonly targets: readonly Target[];

  private readonly tunnel: { readonly hostname: Formatter; readonly headers: HeaderMutations } | null;
  private readonly context = new MutableContext();
  /** As Envoy adds them: static values first, then formats. */
  private readonly tlvs: readonly { readonly type: number; readonly value: Uint8Array | null; readonly format: Formatter | null; readonly empty: string }[];

  constructor(plan: TcpProxyPlan, env: WorkerEnv, clusters: ClusterDirectory, logs: readonly AccessLog[], operators: OperatorEnv, overload: OverloadWords) {
    this.tunnel = plan.tunnel === null ? null : { hostname: makeFormatter(plan.tunnel.hostname, operators), headers: new HeaderMutations(plan.tunnel.headers, operators, env.clock) };
    const fixed = plan.tlvs.filter((t) => 'value' in t), formats = plan.tlvs.filter((t) => !('value' in t));
    this.tlvs = [...fixed, ...formats].map((t) => ('value' in t ? { type: t.type, value: t.value, format: null, empty: '' } : { type: t.type, value: null, format: makeFormatter(t.format, operators), empty: t.empty }));
    this.plan = plan; this.env = env; this.clusters = clusters; this.logs = logs;
    this.overload = overload; this.shed = new LoadShed(overload, env);
    this.targets = plan.clusters.map((c) => ({ name: c.name, weight: c.weight, metadataMatch: c.metadataMatch === null ? null : MetadataCriteria.of(c.metadataMatch) }));
    this.stats = new StatBlock(env.stats, TCP_PROXY_SCHEMA, `tcp.${plan.statPrefix}`);
  }

  create(connection: DownstreamConnection): NetworkFilter { return new TcpProxy(this, connection); }

  /** The cluster of a connection and what its hosts must match. */
  route(connection: DownstreamConnection): { readonly name: string; readonly metadataMatch: PickContext['metadataMatch'] } {
    const { targets: clusters, plan: { totalWeight } } = this;
    const named = connection.facts.filterState?.get(CLUSTER_KEY);
    if (typeof named === 'string') return { name: named, metadataMatch: clusters[0]!.metadataMatch };
    if (clusters.length === 1) return clusters[0]!;
    let at = this.env.random.u32() % Math.max(1, totalWeight);
    for (const c of clusters) { if (at < c.weight) return c; at -= c.weight; }
    return clusters[0]!;
  }

  /** Hash policies, the balancer's where it has any (of which those of requests say nothing here), combined as the router's: rotate left by one, xor. */
  hash(connection: DownstreamConnection, pick: TcpPick, ofBalancer: readonly HashPolicyPlan[] | undefined): void {
    for (const p of ofBalancer !== undefined && ofBalancer.length > 0 ? ofBalancer : this.plan.hashPolicies) {
      if ('terminal' in p && p.terminal && pick.hasHash) return;
      const text = p.kind === 'source-ip' ? connection.facts.remoteIp : p.kind === 'filter-state' ? connection.facts.filterState?.get(p.key) : undefined;
      if (typeof text !== 'string' || text === '') continue;
      xxHash64(text);
      if (pick.hasHash) { const h = ((pick.hashHigh << 1) | (pick.hashLow >>> 31)) >>> 0, l = ((pick.hashLow << 1) | (pick.hashHigh >>> 31)) >>> 0; pick.hashHigh = (h ^ hashed.high) >>> 0; pick.hashLow = (l ^ hashed.low) >>> 0; }
      else { pick.hashHigh = hashed.high; pick.hashLow = hashed.low; pick.hasHash = true; }
    }
  }

  /** In ms, 0: none. */
  idleTimeout(connection: DownstreamConnection): number {
    const own = connection.facts.filterState?.get(IDLE_KEY);
    return typeof own === 'string' && /^\d{1,15}$/.test(own) ? Number(own) : this.plan.idleTimeoutMs;
  }

  /** Adds our TLVs to those that upstream PROXY headers of the connection take theirs from. */
  addTlvs(facts: ConnectionFacts, stream: StreamFacts): void {
    const { tlvs, plan: { tlvMerge } } = this, theirs = facts.proxyTlvs;
    if (tlvs.length === 0 || (theirs !== null && tlvMerge === 'add-if-absent')) return;
    const context = this.context.set(stream, this.env.clock);
    const ours = tlvs.map((t) => ({ type: t.type, value: t.value ?? Buffer.from(t.format!.format(context, t.empty), 'latin1') }));
    if (theirs === null) facts.proxyTlvs = ours;
    else facts.proxyTlvs = tlvMerge === 'append' ? [...theirs, ...ours] : [...ours, ...theirs.filter((t) => !ours.some((o) => o.type === t.type))];
  }

  /** The head that a connection is carried behind; null: it goes as raw bytes. */
  tunnelHead(facts: StreamFacts, cluster: Cluster, host: Host): RequestHeaders | null {
    const { tunnel } = this, plan = this.plan.tunnel;
    if (tunnel === null || plan === null || isTrue(facts.connection.filterState?.get(NO_TUNNEL_KEY))) return null;
    const head = new RequestHeaders();
    head.method = plan.usePost ? 'POST' : 'CONNECT';
    head.authority = tunnel.hostname.format(this.context.set(facts, this.env.clock), '-');
    if (plan.usePost) { head.path = plan.postPath; head.scheme = cluster.secured(host) ? 'https' : 'http'; }
    tunnel.headers.apply(head, facts);
    if (plan.requestId !== null) {
      const id = this.env.random.uuid();
      head.set(plan.requestId.header, id);
      setStreamMetadata(facts, NAMESPACE, { [plan.requestId.metadataKey]: id });
    }
    return head;
  }

  log(facts: StreamFacts, type: AccessLogType): void { for (const l of this.logs) l.log(facts, type); }
}

/** Filter state that set_filter_state wrote is text; Envoy reads it as absl::SimpleAtob does. */
function isTrue(value: unknown): boolean { return typeof value === 'string' && /^(true|t|yes|y|1)$/i.test(value); }
