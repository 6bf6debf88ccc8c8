// Every extension's configuration side, by the full name of its message: the one list that the control thread compiles by.
import type { Compilers } from './control/compile/resource-compiler.ts';
import { compileAddress, compileListener } from './net/config.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';
import type { RouteTablePlan } from './plan/route-plan.ts';
import { compileRouteConfiguration } from './router/config.ts';
import { compileInternalUpstream } from './upstream/internal-upstream/config.ts';
import { compileProxyProtocolUpstream } from './upstream/proxy-protocol/config.ts';
import { compileAssignment, compileCluster, type AssignmentPlan, type CompiledCluster } from './upstream/config.ts';
import { compileEventFileSink } from './upstream/health/config.ts';
import { compileHcm } from './filters/network/http-connection-manager/config.ts';
import { compileTcpProxy } from './filters/network/tcp-proxy/config.ts';
import { compileBasicAuth, compileBasicAuthPerRoute } from './filters/http/basic-auth/config.ts';
import { compileBuffer, compileBufferPerRoute } from './filters/http/buffer/config.ts';
import { compileCorsPolicy } from './filters/http/cors/config.ts';
import { compileCsrf } from './filters/http/csrf/config.ts';
import { compileFault } from './filters/http/fault/config.ts';
import { compileGrpcHttp1Bridge } from './filters/http/grpc-http1-bridge/config.ts';
import { compileGrpcReverseBridge, compileGrpcReverseBridgeRoute } from './filters/http/grpc-http1-reverse-bridge/config.ts';
import { compileGrpcStats } from './filters/http/grpc-stats/config.ts';
import { compileGrpcWeb } from './filters/http/grpc-web/config.ts';
import { compileAdaptiveConcurrency } from './filters/http/adaptive-concurrency/config.ts';
import { compileAdmissionControl } from './filters/http/admission-control/config.ts';
import { compileHeaderMutation, compileHeaderMutationPerRoute } from './filters/http/header-mutation/config.ts';
import { compileHeaderToMetadata } from './filters/http/header-to-metadata/config.ts';
import { compileHttpSetFilterState } from './filters/http/set-filter-state/config.ts';
import { compileSetMetadata } from './filters/http/set-metadata/config.ts';
import { compileHealthCheckFilter } from './filters/http/health-check/config.ts';
import { compileNetworkDirectResponse } from './filters/network/direct-response/config.ts';
import { compileConnectionLimit } from './filters/network/connection-limit/config.ts';
import { compileListenerLocalRateLimit, compileNetworkLocalRateLimit } from './filters/network/local-ratelimit/config.ts';
import { compileNetworkSetFilterState } from './filters/network/set-filter-state/config.ts';
import { compileSniDynamicForwardProxy } from './filters/network/sni-dynamic-forward-proxy/config.ts';
import { compileUdpProxy } from './filters/udp/udp-proxy/config.ts';
import { compileNetworkRbac } from './filters/network/rbac/config.ts';
import { compileLocalRateLimit, compileLocalRateLimitPerRoute } from './filters/http/local-ratelimit/config.ts';
import { compileHttpRbac, compileRbacPerRoute } from './filters/http/rbac/config.ts';
import { compileOriginalSrc } from './filters/listener/original-src/config.ts';
import { compileProxyProtocol } from './filters/listener/proxy-protocol/config.ts';
import { compileTlsInspector } from './filters/listener/tls-inspector/config.ts';
import { compileDownstreamTls, compileUpstreamTls, rulesOf } from './net/tls/config.ts';
import { compileSecret } from './net/tls/secret-config.ts';
import { compileDynamicForwardPerRoute, compileDynamicForwardProxy } from './filters/http/dynamic-forward-proxy/config.ts';
import { compileStatefulSession, compileStatefulSessionPerRoute } from './filters/http/stateful-session/config.ts';
import { compileRouter } from './filters/http/router/config.ts';
import { compileAccessLog, compileFileLog, compileStreamLog } from './observe/accesslog/config.ts';
import type { ExtensionCompiler } from './proto/config-message.ts';

export interface ExtensionEntry { readonly category: string; /** An HTTP filter's message that also stands at routes; what compiles it there, where that is another. */ readonly perRoute?: true | ExtensionCompiler; /** An HTTP filter that also stands in upstream chains. */ readonly upstream?: true; readonly compile: ExtensionCompiler }

export const EXTENSIONS: ReadonlyMap<string, ExtensionEntry> = new Map<string, ExtensionEntry>([
  ['envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', { category: 'envoy.filters.network', compile: compileHcm }],
  ['envoy.extensions.filters.listener.http_inspector.v3.HttpInspector', { category: 'envoy.filters.listener', compile: () => ({}) }],
  ['envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit', { category: 'envoy.filters.listener', compile: compileListenerLocalRateLimit }],
  ['envoy.extensions.filters.listener.original_dst.v3.OriginalDst', { category: 'envoy.filters.listener', compile: () => ({}) }],
  ['envoy.extensions.filters.listener.original_src.v3.OriginalSrc', { category: 'envoy.filters.listener', compile: compileOriginalSrc }],
  ['envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol', { category: 'envoy.filters.listener', compile: compileProxyProtocol }],
  ['envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', { category: 'envoy.filters.listener', compile: compileTlsInspector }],
  ['envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit', { category: 'envoy.filters.network', compile: compileConnectionLimit }],
  ['envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit', { category: 'envoy.filters.network', compile: compileNetworkLocalRateLimit }],
  ['envoy.extensions.filters.network.direct_response.v3.Config', { category: 'envoy.filters.network', compile: compileNetworkDirectResponse }],
  ['envoy.extensions.filters.network.echo.v3.Echo', { category: 'envoy.filters.network', compile: () => ({}) }],
  ['envoy.extensions.filters.network.rbac.v3.RBAC', { category: 'envoy.filters.network', compile: compileNetworkRbac }],
  ['envoy.extensions.filters.network.set_filter_state.v3.Config', { category: 'envoy.filters.network', compile: compileNetworkSetFilterState }],
  ['envoy.extensions.filters.network.sni_cluster.v3.SniCluster', { category: 'envoy.filters.network', compile: () => ({}) }],
  ['envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig', { category: 'envoy.filters.network', compile: compileSniDynamicForwardProxy }],
  ['envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig', { category: 'envoy.filters.udp_listener', compile: compileUdpProxy }],
  ['envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', { category: 'envoy.filters.network', compile: compileTcpProxy }],
  ['envoy.extensions.filters.http.basic_auth.v3.BasicAuth', { category: 'envoy.filters.http', compile: compileBasicAuth }],
  ['envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute', { category: 'envoy.filters.http.per_route', compile: compileBasicAuthPerRoute }],
  ['envoy.extensions.filters.http.buffer.v3.Buffer', { category: 'envoy.filters.http', upstream: true, compile: compileBuffer }],
  ['envoy.extensions.filters.http.buffer.v3.BufferPerRoute', { category: 'envoy.filters.http.per_route', compile: compileBufferPerRoute }],
  ['envoy.extensions.filters.http.cors.v3.Cors', { category: 'envoy.filters.http', compile: () => ({}) }],
  ['envoy.extensions.filters.http.cors.v3.CorsPolicy', { category: 'envoy.filters.http.per_route', compile: compileCorsPolicy }],
  ['envoy.extensions.filters.http.csrf.v3.CsrfPolicy', { category: 'envoy.filters.http', perRoute: true, compile: compileCsrf }],
  ['envoy.extensions.filters.http.fault.v3.HTTPFault', { category: 'envoy.filters.http', perRoute: true, compile: compileFault }],
  ['envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig', { category: 'envoy.filters.http', compile: compileDynamicForwardProxy }],
  ['envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig', { category: 'envoy.filters.http.per_route', compile: compileDynamicForwardPerRoute }],
  ['envoy.extensions.filters.http.grpc_http1_bridge.v3.Config', { category: 'envoy.filters.http', compile: compileGrpcHttp1Bridge }],
  ['envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfig', { category: 'envoy.filters.http', compile: compileGrpcReverseBridge }],
  ['envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfigPerRoute', { category: 'envoy.filters.http.per_route', compile: compileGrpcReverseBridgeRoute }],
  ['envoy.extensions.filters.http.grpc_stats.v3.FilterConfig', { category: 'envoy.filters.http', compile: compileGrpcStats }],
  ['envoy.extensions.filters.http.grpc_web.v3.GrpcWeb', { category: 'envoy.filters.http', compile: compileGrpcWeb }],
  ['envoy.extensions.filters.http.admission_control.v3.AdmissionControl', { category: 'envoy.filters.http', upstream: true, compile: compileAdmissionControl }],
  ['envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', { category: 'envoy.filters.http', upstream: true, compile: compileHeaderMutation }],
  ['envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency', { category: 'envoy.filters.http', compile: compileAdaptiveConcurrency }],
  ['envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute', { category: 'envoy.filters.http.per_route', compile: compileHeaderMutationPerRoute }],
  ['envoy.extensions.filters.http.header_to_metadata.v3.Config', { category: 'envoy.filters.http', perRoute: true, compile: compileHeaderToMetadata }],
  ['envoy.extensions.filters.http.health_check.v3.HealthCheck', { category: 'envoy.filters.http', compile: compileHealthCheckFilter }],
  ['envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', { category: 'envoy.filters.http', perRoute: compileLocalRateLimitPerRoute, compile: compileLocalRateLimit }],
  ['envoy.extensions.filters.http.rbac.v3.RBAC', { category: 'envoy.filters.http', upstream: true, compile: compileHttpRbac }],
  ['envoy.extensions.filters.http.rbac.v3.RBACPerRoute', { category: 'envoy.filters.http.per_route', compile: compileRbacPerRoute }],
  ['envoy.extensions.filters.http.stateful_session.v3.StatefulSession', { category: 'envoy.filters.http', compile: compileStatefulSession }],
  ['envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute', { category: 'envoy.filters.http.per_route', compile: compileStatefulSessionPerRoute }],
  ['envoy.extensions.filters.http.router.v3.Router', { category: 'envoy.filters.http', compile: compileRouter }],
  ['envoy.extensions.filters.http.set_filter_state.v3.Config', { category: 'envoy.filters.http', perRoute: true, compile: compileHttpSetFilterState }],
  ['envoy.extensions.filters.http.set_metadata.v3.Config', { category: 'envoy.filters.http', compile: compileSetMetadata }],
  ['envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec', { category: 'envoy.filters.http.upstream', compile: () => ({}) }],
  ['envoy.extensions.access_loggers.file.v3.FileAccessLog', { category: 'envoy.access_loggers', compile: compileFileLog }],
  ['envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', { category: 'envoy.access_loggers', compile: compileStreamLog('stdout') }],
  ['envoy.extensions.access_loggers.stream.v3.StderrAccessLog', { category: 'envoy.access_loggers', compile: compileStreamLog('stderr') }],
  ['envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink', { category: 'envoy.health_check.event_sinks', compile: compileEventFileSink }],
  ['envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', { category: 'envoy.transport_sockets.downstream', compile: compileDownstreamTls }],
  ['envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport', { category: 'envoy.transport_sockets.upstream', compile: compileInternalUpstream }],
  ['envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport', { category: 'envoy.transport_sockets.upstream', compile: compileProxyProtocolUpstream }],
  ['envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', { category: 'envoy.transport_sockets.upstream', compile: compileUpstreamTls }],
]);

/** The rooms' compilers of listeners, clusters and routes. */
export const COMPILERS: Compilers<ListenerPlan, CompiledCluster, RouteTablePlan, AssignmentPlan> = { listener: compileListener, cluster: compileCluster, routes: compileRouteConfiguration, assignment: compileAssignment, accessLog: compileAccessLog, address: compileAddress, secret: (m, ctx) => compileSecret(m, ctx, rulesOf), extensions: EXTENSIONS };
