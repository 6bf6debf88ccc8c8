// Every extension's data side, by the full name of its message: how a worker makes runtime objects of compiled plans.
import type { Cluster, ClusterDirectory } from './upstream/upstream.ts';
import { BasicAuthFactory } from './filters/http/basic-auth/filter.ts';
import { BufferFactory } from './filters/http/buffer/filter.ts';
import { CorsFactory } from './filters/http/cors/filter.ts';
import { CsrfFactory } from './filters/http/csrf/filter.ts';
import { FaultFactory } from './filters/http/fault/filter.ts';
import { GrpcHttp1BridgeFactory } from './filters/http/grpc-http1-bridge/filter.ts';
import { GrpcReverseBridgeFactory } from './filters/http/grpc-http1-reverse-bridge/filter.ts';
import { GrpcStatsFactory } from './filters/http/grpc-stats/filter.ts';
import { GrpcWebFactory } from './filters/http/grpc-web/filter.ts';
import type { GrpcHttp1BridgePlan, GrpcReverseBridgePlan, GrpcStatsPlan } from './plan/grpc-filter-plans.ts';
import { AdaptiveConcurrencyFactory } from './filters/http/adaptive-concurrency/filter.ts';
import type { AdaptiveConcurrencyPlan } from './plan/adaptive-concurrency-plan.ts';
import { AdmissionControlFactory } from './filters/http/admission-control/filter.ts';
import type { AdmissionControlPlan } from './plan/admission-control-plan.ts';
import { HeaderMutationFactory } from './filters/http/header-mutation/filter.ts';
import { HeaderToMetadataFactory } from './filters/http/header-to-metadata/filter.ts';
import { HttpSetFilterStateFactory } from './filters/http/set-filter-state/filter.ts';
import { SetMetadataFactory } from './filters/http/set-metadata/filter.ts';
import type { BasicAuthPlan, BufferPlan, CsrfPlan, FaultPlan, HeaderMutationFilterPlan, HeaderToMetadataPlan, HttpFilterStatePlan, SetMetadataPlan } from './plan/http-filter-plans.ts';
import { HealthCheckFactory } from './filters/http/health-check/filter.ts';
import type { FilterList, MakeHttpFilter } from './http/filter-list.ts';
import type { HttpFilterFactory } from './http/filter.ts';
import type { HealthCheckFilterPlan } from './plan/health-check-filter-plan.ts';
import { HttpConnectionManagerFactory } from './http/connection-manager.ts';
import type { NodeNames } from './http/request-preparation.ts';
import { HcmRuntime, type BodyFormatter, type HcmParts } from './http/hcm-runtime.ts';
import { makeAccessLog, type AccessLogEnv } from './observe/accesslog/make-access-log.ts';
import { makeLogFilter } from './observe/accesslog/log-filter.ts';
import type { AccessLog } from './observe/accesslog/access-log.ts';
import { HeaderMutations, MutableContext } from './observe/format/header-mutation.ts';
import { makeFormatter, makeJsonFormatter, type JsonPlan } from './observe/format/make-formatter.ts';
import { fromByteString } from './headers/headers.ts';
import type { DataCatalog, NetworkFilterFactory } from './net/connection.ts';
import type { ListenerFilterFactory } from './net/listener-filter.ts';
import { HttpInspectorFactory } from './filters/listener/http-inspector/http-inspector.ts';
import { OriginalDstFactory } from './filters/listener/original-dst/original-dst.ts';
import { OriginalSrcFactory } from './filters/listener/original-src/original-src.ts';
import { ProxyProtocolFactory } from './filters/listener/proxy-protocol/proxy-protocol.ts';
import { DirectResponseFactory } from './filters/network/direct-response/direct-response.ts';
import { EchoFactory } from './filters/network/echo/echo.ts';
import { ConnectionLimitFactory } from './filters/network/connection-limit/connection-limit.ts';
import { ListenerLocalRateLimitFactory, NetworkLocalRateLimitFactory } from './filters/network/local-ratelimit/local-ratelimit.ts';
import { SetFilterStateFactory } from './filters/network/set-filter-state/set-filter-state.ts';
import { SniDynamicForwardProxyFactory } from './filters/network/sni-dynamic-forward-proxy/sni-dynamic-forward-proxy.ts';
import { SniClusterFactory } from './filters/network/sni-cluster/sni-cluster.ts';
import type { UdpFilter } from './net/udp-filter.ts';
import { UdpProxy } from './filters/udp/udp-proxy/udp-proxy.ts';
import type { UdpProxyPlan } from './plan/udp-proxy-plan.ts';
import { NetworkRbacFactory } from './filters/network/rbac/rbac.ts';
import { LocalRateLimitFactory } from './filters/http/local-ratelimit/local-ratelimit.ts';
import type { LocalRateLimitPlan } from './plan/rate-limit-plan.ts';
import { HttpRbacFactory } from './filters/http/rbac/rbac.ts';
import { DynamicForwardProxyFactory } from './filters/http/dynamic-forward-proxy/filter.ts';
import type { DynamicForwardPlan, SniForwardPlan } from './plan/dynamic-forward-plan.ts';
import type { DnsCaches } from './upstream/dns-caches.ts';
import { StatefulSessionFactory } from './filters/http/stateful-session/filter.ts';
import type { StatefulSessionPlan } from './plan/stateful-session-plan.ts';
import { TlsInspectorFactory } from './filters/listener/tls-inspector/tls-inspector.ts';
import { TcpProxyRuntime } from './filters/network/tcp-proxy/tcp-proxy-runtime.ts';
import type { OverloadView } from './net/overload.ts';
import { ownedEnv, type WorkerEnv } from './net/worker-env.ts';
import { listenerFilterScopes, networkFilterOwner } from './observe/stats/l4-schemas.ts';
import type { AccessLogFilterPlan, AccessLogPlan } from './plan/accesslog-plan.ts';
import type { BodyFormatPlan, HcmPlan } from './plan/hcm-plan.ts';
import type { RouterConfig } from './plan/router-plan.ts';
import type { OriginalSrcPlan, ProxyProtocolPlan, TlsInspectorPlan } from './plan/listener-filter-plan.ts';
import type { ProcessLimits, ProcessRecords } from './net/shared-limits.ts';
import type { ConnectionLimitPlan, ConnectionRateLimitPlan, DirectResponsePlan } from './plan/network-filter-plan.ts';
import type { NetworkRbacPlan, RbacPlan } from './plan/rbac-plan.ts';
import type { SetFilterStatePlan } from './plan/filter-state-plan.ts';
import type { TcpProxyPlan } from './plan/tcp-proxy-plan.ts';
import type { RouteTables } from './router/route-table.ts';
import { RouterFactory, upstreamList } from './router/router-factory.ts';

/** What factories may reach in a worker. */
export interface CatalogParts { readonly limits: ProcessLimits; readonly records: ProcessRecords; readonly overload: OverloadView; /** /healthcheck/fail was called. */ healthFailed(): boolean; readonly clusters: ClusterDirectory; readonly dns: DnsCaches; readonly routes: RouteTables; readonly logs: AccessLogEnv; readonly machineAddress: string; readonly node: () => NodeNames }

/** What a network filter's factory is made with. */
interface NetworkParts { readonly catalog: WorkerCatalog; readonly parts: CatalogParts; readonly env: WorkerEnv; readonly listenerStatPrefix: string }
type NetworkFilterMaker = (body: unknown, p: NetworkParts) => NetworkFilterFactory;
/** What an HTTP filter's factory is made with. `name` is the filter's name in its chain, `index` its place there (StreamView.routeConfig). */
interface HttpParts { readonly catalog: WorkerCatalog; readonly parts: CatalogParts; readonly env: WorkerEnv; /** Of the connection manager; of a cluster whose filter it is, the cluster's name. */ readonly hcm: { readonly statPrefix: string }; /** What its statistics are under: 'http.PREFIX', 'cluster.NAME'. */ readonly scope: string; readonly name: string; readonly index: number }
type HttpFilterMaker = (body: unknown, p: HttpParts) => HttpFilterFactory;

/** One line an extension, in the order of their names. */
const NETWORK_FILTERS: ReadonlyMap<string, NetworkFilterMaker> = new Map<string, NetworkFilterMaker>([
  ['envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', (body, p) => new HttpConnectionManagerFactory(new HcmRuntime(body as HcmPlan, p.env, p.catalog.hcmParts(body as HcmPlan, p.env), p.listenerStatPrefix))],
  ['envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit', (body, p) => new ConnectionLimitFactory(body as ConnectionLimitPlan, p.env, p.parts.limits, p.listenerStatPrefix)],
  ['envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit', (body, p) => new NetworkLocalRateLimitFactory(body as ConnectionRateLimitPlan, p.env, p.parts.limits, p.listenerStatPrefix)],
  ['envoy.extensions.filters.network.direct_response.v3.Config', (body) => new DirectResponseFactory(body as DirectResponsePlan)],
  ['envoy.extensions.filters.network.echo.v3.Echo', () => new EchoFactory()],
  ['envoy.extensions.filters.network.rbac.v3.RBAC', (body, p) => new NetworkRbacFactory(body as NetworkRbacPlan, p.env)],
  ['envoy.extensions.filters.network.set_filter_state.v3.Config', (body, p) => new SetFilterStateFactory(body as SetFilterStatePlan, p.env, p.parts.logs.operators)],
  ['envoy.extensions.filters.network.sni_cluster.v3.SniCluster', () => new SniClusterFactory()],
  ['envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig', (body, p) => new SniDynamicForwardProxyFactory(body as SniForwardPlan, p.parts.dns)],
  ['envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', (body, p) => { const plan = body as TcpProxyPlan; return new TcpProxyRuntime(plan, p.env, p.parts.clusters, plan.accessLogs.map((l) => p.catalog.accessLog(l.kind, l.body, p.env)), p.parts.logs.operators, p.parts.overload); }],
]);

type ListenerFilterMaker = (body: unknown, p: NetworkParts) => ListenerFilterFactory;
const LISTENER_FILTERS: ReadonlyMap<string, ListenerFilterMaker> = new Map<string, ListenerFilterMaker>([
  ['envoy.extensions.filters.listener.http_inspector.v3.HttpInspector', (_body, p) => new HttpInspectorFactory(p.env)],
  ['envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit', (body, p) => new ListenerLocalRateLimitFactory(body as ConnectionRateLimitPlan, p.env, p.parts.limits, p.listenerStatPrefix)],
  ['envoy.extensions.filters.listener.original_dst.v3.OriginalDst', () => new OriginalDstFactory()],
  ['envoy.extensions.filters.listener.original_src.v3.OriginalSrc', (body) => new OriginalSrcFactory(body as OriginalSrcPlan)],
  ['envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol', (body, p) => new ProxyProtocolFactory(body as ProxyProtocolPlan, p.env)],
  ['envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', (body, p) => new TlsInspectorFactory(body as TlsInspectorPlan, p.env)],
]);

type UdpFilterMaker = (body: unknown, p: NetworkParts) => UdpFilter;
const UDP_FILTERS: ReadonlyMap<string, UdpFilterMaker> = new Map<string, UdpFilterMaker>([
  ['envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig', (body, p) => { const plan = body as UdpProxyPlan, made = (l: UdpProxyPlan['accessLogs'][number]): AccessLog => p.catalog.accessLog(l.kind, l.body, p.env); return new UdpProxy(plan, p.env, p.parts.clusters, plan.accessLogs.map(made), plan.proxyLogs.map(made), p.parts.logs.operators); }],
]);

const HTTP_FILTERS: ReadonlyMap<string, HttpFilterMaker> = new Map<string, HttpFilterMaker>([
  ['envoy.extensions.filters.http.basic_auth.v3.BasicAuth', (body, p) => new BasicAuthFactory(p.name, p.index, body as BasicAuthPlan, p.env.stats, `http.${p.hcm.statPrefix}`)],
  ['envoy.extensions.filters.http.buffer.v3.Buffer', (body, p) => new BufferFactory(p.name, p.index, body as BufferPlan)],
  ['envoy.extensions.filters.http.cors.v3.Cors', (_body, p) => new CorsFactory(p.name, p.index, p.env.runtime, p.env.stats, `http.${p.hcm.statPrefix}`)],
  ['envoy.extensions.filters.http.csrf.v3.CsrfPolicy', (body, p) => new CsrfFactory(p.name, p.index, body as CsrfPlan, p.env.runtime, p.env.stats, `http.${p.hcm.statPrefix}`)],
  ['envoy.extensions.filters.http.fault.v3.HTTPFault', (body, p) => new FaultFactory(p.name, p.index, body as FaultPlan, p.env, p.parts.limits, `http.${p.hcm.statPrefix}`)],
  ['envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig', (body, p) => new DynamicForwardProxyFactory(p.name, p.index, body as DynamicForwardPlan, p.parts)],
  ['envoy.extensions.filters.http.grpc_http1_bridge.v3.Config', (body, p) => new GrpcHttp1BridgeFactory(p.name, body as GrpcHttp1BridgePlan)],
  ['envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfig', (body, p) => new GrpcReverseBridgeFactory(p.name, p.index, body as GrpcReverseBridgePlan)],
  ['envoy.extensions.filters.http.grpc_stats.v3.FilterConfig', (body, p) => new GrpcStatsFactory(p.name, body as GrpcStatsPlan, p.env.stats)],
  ['envoy.extensions.filters.http.grpc_web.v3.GrpcWeb', (_body, p) => new GrpcWebFactory(p.name, p.env.stats)],
  ['envoy.extensions.filters.http.admission_control.v3.AdmissionControl', (body, p) => new AdmissionControlFactory(p.name, body as AdmissionControlPlan, p.env, p.scope)],
  ['envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency', (body, p) => new AdaptiveConcurrencyFactory(p.name, body as AdaptiveConcurrencyPlan, p.env, p.parts, p.hcm.statPrefix)],
  ['envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', (body, p) => new HeaderMutationFactory(p.name, p.index, body as HeaderMutationFilterPlan, p.parts.logs.operators, p.env.clock)],
  ['envoy.extensions.filters.http.header_to_metadata.v3.Config', (body, p) => new HeaderToMetadataFactory(p.name, p.index, body as HeaderToMetadataPlan)],
  ['envoy.extensions.filters.http.health_check.v3.HealthCheck', (body, p) => new HealthCheckFactory(p.name, body as HealthCheckFilterPlan, { clock: p.env.clock, stats: p.env.stats, scope: p.scope, records: p.parts.records, place: `${p.scope} ${p.name} ${p.index}`, clusters: p.parts.clusters, nodeCluster: p.parts.node().cluster, healthFailed: () => p.parts.healthFailed() })],
  ['envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', (body, p) => new LocalRateLimitFactory(p.name, p.index, body as LocalRateLimitPlan, { env: p.env, limits: p.parts.limits, operators: p.parts.logs.operators, nodeCluster: () => p.parts.node().cluster, localMembers: () => p.parts.clusters.localMembers })],
  ['envoy.extensions.filters.http.rbac.v3.RBAC', (body, p) => new HttpRbacFactory(p.name, p.index, body as RbacPlan, p.env.stats, p.scope)],
  ['envoy.extensions.filters.http.stateful_session.v3.StatefulSession', (body, p) => new StatefulSessionFactory(p.name, p.index, body as StatefulSessionPlan, p.env.clock, p.env.stats, p.scope)],
  ['envoy.extensions.filters.http.router.v3.Router', (body, p) => new RouterFactory(p.name, body as RouterConfig, { env: p.env, accessLog: (kind, log) => p.catalog.accessLog(kind, log, p.env), clusters: p.parts.clusters, machineAddress: p.parts.machineAddress, upstreamFilter: p.catalog.filterMaker(p.env, p.hcm, p.scope), clusterFilters: (cluster) => p.catalog.clusterFilters(cluster, p.env), renderBody: (entry, facts) => { const action = entry.plan.action; return action.kind === 'direct' && action.format !== null ? p.catalog.render(action.format, p.env, facts) : null; } }, p.hcm.statPrefix)],
  ['envoy.extensions.filters.http.set_filter_state.v3.Config', (body, p) => new HttpSetFilterStateFactory(p.name, p.index, body as HttpFilterStatePlan, p.parts.logs.operators, p.env.clock)],
  ['envoy.extensions.filters.http.set_metadata.v3.Config', (body, p) => new SetMetadataFactory(p.name, body as SetMetadataPlan, p.env.stats, `http.${p.hcm.statPrefix}`)],
]);

function maker<M>(table: ReadonlyMap<string, M>, kind: string): M {
  const m = table.get(kind);
  if (m === undefined) throw new Error(`no factory for ${kind}`); // the control thread refuses what it does not know, so this is our bug
  return m;
}

export class WorkerCatalog implements DataCatalog {
  private readonly parts: CatalogParts;
  constructor(parts: CatalogParts) { this.parts = parts; }

  networkFilter(kind: string, body: unknown, env: WorkerEnv, listenerStatPrefix: string): NetworkFilterFactory {
    return maker(NETWORK_FILTERS, kind)(body, { catalog: this, parts: this.parts, env: ownedEnv(env, networkFilterOwner(kind, body) ?? listenerStatPrefix), listenerStatPrefix });
  }

  listenerFilter(kind: string, body: unknown, env: WorkerEnv, listenerStatPrefix: string): ListenerFilterFactory {
    return maker(LISTENER_FILTERS, kind)(body, { catalog: this, parts: this.parts, env: ownedEnv(env, listenerFilterScopes(kind, body)[0]?.[1] ?? listenerStatPrefix), listenerStatPrefix });
  }

  udpFilter(kind: string, body: unknown, env: WorkerEnv): UdpFilter { return maker(UDP_FILTERS, kind)(body, { catalog: this, parts: this.parts, env: ownedEnv(env, `udp.${(body as { readonly statPrefix?: string }).statPrefix ?? ''}`), listenerStatPrefix: '' }); }

  accessLog(_kind: string, body: unknown, _env: WorkerEnv): AccessLog { return makeAccessLog(body as AccessLogPlan, this.parts.logs); }

  /** @internal Makes the HTTP filters of one chain. */
  filterMaker(env: WorkerEnv, hcm: { readonly statPrefix: string }, scope: string): MakeHttpFilter {
    return (kind, body, name, index) => maker(HTTP_FILTERS, kind)(body, { catalog: this, parts: this.parts, env, hcm, scope, name, index });
  }

  private readonly ofClusters = new WeakMap<Cluster, FilterList | null>();
  /** @internal The filters of a cluster that has its own, one list a worker. */
  clusterFilters(cluster: Cluster, env: WorkerEnv): FilterList | null {
    let list = this.ofClusters.get(cluster);
    if (list === undefined) { list = upstreamList(cluster.upstreamFilters!, this.filterMaker({ ...env, stats: cluster.statStore }, { statPrefix: cluster.statName }, `cluster.${cluster.statName}`)); this.ofClusters.set(cluster, list); }
    return list;
  }

  /** @internal What a connection manager is made with. */
  hcmParts(plan: HcmPlan, env: WorkerEnv): HcmParts {
    const { parts } = this;
    return {
      httpFilter: this.filterMaker(env, plan, `http.${plan.statPrefix}`),
      accessLog: (kind, body) => this.accessLog(kind, body, env),
      routes: (key) => parts.routes.cell(key),
      mutation: (m) => new HeaderMutations(m, parts.logs.operators, env.clock),
      mapper: (m) => {
        const filter = makeLogFilter(m.filter as AccessLogFilterPlan, parts.logs), headers = new HeaderMutations(m.headers, parts.logs.operators, env.clock);
        return { matches: (facts) => filter(facts, 'NotSet', env.clock.nowMs()), status: m.status, body: m.body, format: m.format === null ? null : this.bodyFormatter(m.format, env), headers };
      },
      bodyFormat: (f) => this.bodyFormatter(f, env),
      overload: parts.overload,
      machineAddress: parts.machineAddress,
      node: parts.node(),
    };
  }

  private readonly formatters = new WeakMap<BodyFormatPlan, BodyFormatter>();
  /** @internal */
  render(format: BodyFormatPlan, env: WorkerEnv, facts: Parameters<BodyFormatter['format']>[0]): { body: string; contentType: string } {
    let made = this.formatters.get(format);
    if (made === undefined) { made = this.bodyFormatter(format, env); this.formatters.set(format, made); }
    return { body: fromByteString(made.format(facts)), contentType: made.contentType };
  }

  private bodyFormatter(f: BodyFormatPlan, env: WorkerEnv): BodyFormatter {
    const context = new MutableContext(), { operators } = this.parts.logs;
    if (f.kind === 'json') { const json = makeJsonFormatter(f.json as JsonPlan, operators, false); return { contentType: f.contentType, format: (facts) => `${json(context.set(facts, env.clock))}\n` }; }
    const text = makeFormatter(f.format, operators);
    return { contentType: f.contentType, format: (facts) => text.format(context.set(facts, env.clock), '-') };
  }
}
