// What descriptors and rules do not tell: messages whose least form has a meaning, and fields whose values do. Keys: message names; 'message.field'; '*.field:kind'.
import { SAMPLE_CERTIFICATE, SAMPLE_KEY } from './sample-pair.ts';
import type { Json } from './samples.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.';
const ROUTER = { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } };
const ROUTE = { match: { prefix: '/' }, direct_response: { status: 200 } };
const HCM = { stat_prefix: 's', route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [ROUTE] }] }, http_filters: [ROUTER] };
const HCM_FILTER = { name: 'h', typed_config: { '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`, ...HCM } };
const SOCKET = { address: '127.0.0.1', port_value: 1 };
const ADDRESS = { socket_address: SOCKET };
const SOURCE = { inline_string: 'x' };
const BUCKET = { max_tokens: 1, fill_interval: '1s' };
const REGEX = { google_re2: {}, regex: 'a+' };

const PAIR = { certificate_chain: { inline_string: SAMPLE_CERTIFICATE }, private_key: { inline_string: SAMPLE_KEY } };
const ROOTS = { trusted_ca: { inline_string: SAMPLE_CERTIFICATE } };
const DOMAIN: Json = { name: 'a', trust_bundle: { inline_string: SAMPLE_CERTIFICATE } };
const TICKETS = { keys: [{ inline_bytes: Buffer.alloc(80, 1).toString('base64') }] };
const SDS = { name: 's', sds_config: { path_config_source: { path: '/dev/null' } } };

const MONITOR = { name: 'm', typed_config: { '@type': `${TYPE}resource_monitors.injected_resource.v3.InjectedResourceConfig`, filename: '/dev/null' } };
const ACTION = { name: 'envoy.overload_actions.shrink_heap', triggers: [{ name: 'm', threshold: { value: 0.5 } }] };

export const MINIMAL: Record<string, Json> = {
  'envoy.config.common.matcher.v3.MatchPredicate': { any_match: true },
  'envoy.config.bootstrap.v3.Admin': { address: ADDRESS },
  'envoy.config.overload.v3.OverloadManager': { resource_monitors: [MONITOR] },
  // The name under which the proactive resource is found; the others take any.
  'envoy.config.overload.v3.ResourceMonitor': { ...MONITOR, name: 'envoy.resource_monitors.global_downstream_max_connections' },
  'envoy.config.overload.v3.OverloadAction': ACTION,
  'envoy.config.overload.v3.LoadShedPoint': { name: 'envoy.load_shed_points.tcp_listener_accept', triggers: ACTION.triggers },
  'envoy.config.overload.v3.Trigger': ACTION.triggers[0]!,
  'envoy.config.overload.v3.ScaledTrigger': { scaling_threshold: 0.1, saturation_threshold: 0.9 },
  'envoy.config.listener.v3.Listener': { name: 'l', address: ADDRESS, filter_chains: [{ filters: [HCM_FILTER] }] },
  'envoy.config.listener.v3.FilterChain': { filters: [HCM_FILTER] },
  'envoy.config.listener.v3.Filter': HCM_FILTER,
  'envoy.config.cluster.v3.Cluster': { name: 'c', type: 'STATIC', connect_timeout: '1s', load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints: [{ endpoint: { address: ADDRESS } }] }] } },
  'envoy.config.endpoint.v3.LbEndpoint': { endpoint: { address: ADDRESS } },
  'envoy.config.endpoint.v3.LocalityLbEndpoints': { locality: { zone: 'z' }, lb_endpoints: [{ endpoint: { address: ADDRESS } }] },
  'envoy.config.endpoint.v3.Endpoint': { address: ADDRESS },
  'envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector': { keys: ['k'] },
  'envoy.config.cluster.v3.Cluster.SlowStartConfig': { slow_start_window: '1s' },
  'envoy.config.core.v3.UpstreamHttpProtocolOptions': { auto_sni: true },
  'envoy.config.core.v3.Address': ADDRESS,
  'envoy.config.core.v3.SocketAddress': SOCKET,
  'envoy.config.metrics.v3.StatsSink': { name: 'envoy.stat_sinks.dog_statsd', typed_config: { '@type': 'type.googleapis.com/envoy.config.metrics.v3.DogStatsdSink', address: ADDRESS } },
  'envoy.config.metrics.v3.StatsdSink': { address: ADDRESS },
  'envoy.config.metrics.v3.DogStatsdSink': { address: ADDRESS },
  'envoy.extensions.stat_sinks.graphite_statsd.v3.GraphiteStatsdSink': { address: ADDRESS },
  'envoy.config.metrics.v3.TagSpecifier': { tag_name: 't', fixed_value: 'v' },
  'envoy.config.core.v3.CidrRange': { address_prefix: '10.0.0.0', prefix_len: 8 },
  'envoy.config.core.v3.DataSource': SOURCE,
  'envoy.config.core.v3.ConfigSource': { path_config_source: { path: '/dev/null' } },
  'envoy.config.core.v3.PathConfigSource': { path: '/dev/null' },
  'envoy.extensions.filters.network.http_connection_manager.v3.Rds': { route_config_name: 'r', config_source: { path_config_source: { path: '/dev/null' } } },
  'envoy.config.core.v3.HttpUri': { uri: 'http://c0/x', cluster: 'c0', timeout: '1s' },
  'envoy.config.core.v3.SubstitutionFormatString': { text_format_source: SOURCE },
  'envoy.config.core.v3.HeaderValueOption': { header: { key: 'x-a', value: 'v' } },
  'envoy.config.core.v3.RuntimeFractionalPercent': { default_value: { numerator: 1 } },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager': HCM,
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter': ROUTER,
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy': { stat_prefix: 's', cluster: 'c0' },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig': { hostname: 'h', request_id_extension: { typed_config: { '@type': `${TYPE}request_id.uuid.v3.UuidRequestIdConfig` } } },
  'envoy.config.core.v3.BindConfig': { source_address: { address: '127.0.0.1', port_value: 0 } },
  'envoy.config.core.v3.ExtraSourceAddress': { address: { address: '::1', port_value: 0 } },
  'envoy.config.core.v3.ProxyProtocolPassThroughTLVs': { match_type: 'INCLUDE', tlv_type: [1] },
  'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport.MetadataValueSource': { name: 'n', kind: { host: {} } },
  'envoy.type.metadata.v3.MetadataKind': { host: {} },
  'envoy.config.core.v3.TlvEntry': { type: 1, value: 'YQ==' },
  'envoy.config.route.v3.Route': ROUTE,
  'envoy.config.route.v3.RouteMatch': { prefix: '/' },
  'envoy.config.route.v3.RouteAction': { cluster: 'c0' },
  'envoy.config.route.v3.WeightedCluster': { clusters: [{ name: 'c0', weight: 1 }] },
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': { name: 'c0', weight: 1 },
  'envoy.config.route.v3.VirtualHost': { name: 'v', domains: ['*'], routes: [ROUTE] },
  'envoy.config.route.v3.RouteConfiguration': { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [ROUTE] }] },
  'envoy.config.route.v3.HeaderMatcher': { name: 'x-a', present_match: true },
  'envoy.config.route.v3.QueryParameterMatcher': { name: 'q', present_match: true },
  'envoy.config.route.v3.RouteAction.RequestMirrorPolicy': { cluster: 'c0' },
  'envoy.config.accesslog.v3.AccessLog': { name: 'f', typed_config: { '@type': `${TYPE}access_loggers.file.v3.FileAccessLog`, path: '/dev/null' } },
  'envoy.config.accesslog.v3.AccessLogFilter': { not_health_check_filter: {} },
  'envoy.type.matcher.v3.StringMatcher': { exact: 'x' },
  'envoy.type.matcher.v3.RegexMatcher': REGEX,
  'envoy.type.matcher.v3.RegexMatchAndSubstitute': { pattern: REGEX, substitution: 'b' },
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate': PAIR,
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext': ROOTS,
  'envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys': TICKETS,
  'envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig': SDS,
  'envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher': { san_type: 'DNS', matcher: { exact: 'x' } },
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext': { tls_certificates: [PAIR] },
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext': { default_validation_context: ROOTS, validation_context_sds_secret_config: SDS },
  'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext': { common_tls_context: { tls_certificates: [PAIR] } },
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': { sni: 'x' },
  'envoy.extensions.transport_sockets.tls.v3.Secret': { name: 's', tls_certificate: PAIR },
  'envoy.extensions.transport_sockets.tls.v3.TlsKeyLog': { path: '/dev/null' },
  'envoy.config.core.v3.TransportSocket': { name: 't', typed_config: { '@type': `${TYPE}transport_sockets.tls.v3.UpstreamTlsContext`, sni: 'x' } },
  'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit': { stat_prefix: 's', token_bucket: BUCKET },
  'envoy.extensions.common.ratelimit.v3.LocalRateLimitDescriptor': { entries: [{ key: 'k', value: 'v' }], token_bucket: BUCKET },
  'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.Entry': { key: 'k', value: 'v' },
  'envoy.config.route.v3.RateLimit.HitsAddend': { number: 2 },
  'envoy.config.core.v3.KeyValueMutation': { append: { record: { key: 'k', value: 'v' } } },
  'envoy.config.core.v3.KeyValueAppend': { record: { key: 'k', value: 'v' } },
  'envoy.type.v3.HttpStatus': { code: 'NotFound' },
  'envoy.type.v3.Int64Range': { start: 1, end: 5 },
  'envoy.type.v3.DoubleRange': { start: 1, end: 5 },
  'envoy.type.v3.FractionalPercent': { numerator: 1 },
};

/** An extension of the type, under a name. */
const extension = (type: string, fields: Json): Json => ({ name: 'x', typed_config: { '@type': `type.googleapis.com/${type}`, ...fields } });
const SPECIFIER = (cluster: string): Json => extension('envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier', { cluster_matcher: { on_no_match: { action: extension('envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction', { cluster }) } } });
const BODY = [{ inline_string: 'a' }, { inline_string: 'b' }];
export const VALUES: Record<string, readonly unknown[]> = {
  'envoy.config.overload.v3.OverloadAction.name': ['envoy.overload_actions.shrink_heap', 'envoy.overload_actions.disable_http_keepalive'],
  'envoy.config.overload.v3.LoadShedPoint.name': ['envoy.load_shed_points.tcp_listener_accept', 'envoy.load_shed_points.tcp_proxy_on_data'],
  'envoy.config.overload.v3.Trigger.name': ['m', 'envoy.resource_monitors.global_downstream_max_connections'],
  'envoy.config.overload.v3.ScaledTrigger.scaling_threshold': [0.2, 0.3], 'envoy.config.overload.v3.ScaledTrigger.saturation_threshold': [0.7, 0.8],
  'envoy.config.core.v3.BindConfig.additional_source_addresses': [{ address: '::1', port_value: 0 }],
  'envoy.config.core.v3.SocketAddress.address': ['127.0.0.1', '127.0.0.2'],
  'envoy.config.core.v3.CidrRange.address_prefix': ['10.0.0.0', '11.0.0.0'],
  'envoy.config.core.v3.PathConfigSource.path': ['/dev/null', '/dev/zero'], 'envoy.config.core.v3.ConfigSource.path': ['/dev/null', '/dev/zero'],
  'envoy.config.core.v3.DataSource.filename': ['/dev/null', '/dev/null'],
  'envoy.config.core.v3.DataSource.environment_variable': ['PATH', 'PATH'],
  'envoy.config.core.v3.SubstitutionFormatString.text_format': ['%PROTOCOL%', '%METHOD%'],
  'envoy.config.metrics.v3.StatsdSink.tcp_cluster_name': ['c0', 'c1'],
  'envoy.config.route.v3.RouteAction.cluster': ['c0', 'c1'],
  'envoy.config.route.v3.WeightedCluster.ClusterWeight.name': ['c0', 'c1'],
  'envoy.config.route.v3.RouteAction.RequestMirrorPolicy.cluster': ['c0', 'c1'],
  'envoy.config.route.v3.DirectResponseAction.body': BODY,
  'envoy.config.route.v3.DirectResponseAction.status': [200, 404],
  'envoy.config.route.v3.RateLimit.Action.extension': ['x-a', 'x-b'].map((header_name) => extension('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { header_name })),
  'envoy.config.route.v3.RateLimit.HitsAddend.format': ['%REQ(a)%', '%REQ(b)%'],
  'envoy.config.route.v3.RouteMatch.path_match_policy': ['/{a}', '/{b}'].map((path_template) => extension('envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig', { path_template })),
  'envoy.config.route.v3.RouteAction.inline_cluster_specifier_plugin': ['c0', 'c1'].map((c) => ({ extension: SPECIFIER(c) })),
  'envoy.config.route.v3.RouteAction.early_data_policy': [extension('envoy.extensions.early_data.v3.DefaultEarlyDataPolicy', {})],
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.forward_client_cert_matcher': ['SANITIZE', 'FORWARD_ONLY'].map((d) => ({ on_no_match: { action: extension('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ForwardClientCertConfig', { forward_client_cert_details: d }) } })),
  'envoy.config.core.v3.KeyValuePair.value': ['a', 'b'],
  'envoy.type.matcher.v3.RegexMatcher.regex': ['a+', 'b+'],
  'envoy.config.route.v3.RouteMatch.prefix': ['/a', '/b'], 'envoy.config.route.v3.RouteMatch.path': ['/a', '/b'], 'envoy.config.route.v3.RouteMatch.path_separated_prefix': ['/a', '/b'],
  'envoy.config.cluster.v3.Cluster.MaglevLbConfig.table_size': [101, 103],
  'envoy.extensions.load_balancing_policies.maglev.v3.Maglev.table_size': [101, 103],
  'envoy.config.route.v3.RouteAction.prefix_rewrite': ['/a', '/b'],
  'envoy.config.route.v3.RetryPolicy.retry_on': ['5xx', 'reset'],
  '*.typed_dns_resolver_config:message': [1, 2].map((query_tries) => extension('envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig', { query_tries })),
  'envoy.config.core.v3.ProxyProtocolConfig.version': ['V1', 'V2'],
  'envoy.config.listener.v3.FilterChain.transport_socket': [{ name: 't', typed_config: { '@type': `${TYPE}transport_sockets.tls.v3.DownstreamTlsContext`, common_tls_context: { tls_certificates: [PAIR] } } }],
  'envoy.extensions.transport_sockets.tls.v3.TlsParameters.cipher_suites': ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES256-GCM-SHA384'], 'envoy.extensions.transport_sockets.tls.v3.TlsParameters.ecdh_curves': ['X25519', 'P-256'],
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.verify_certificate_hash': ['a'.repeat(64), 'b'.repeat(64)],
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.verify_certificate_spki': [`${'a'.repeat(43)}=`, `${'b'.repeat(43)}=`],
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.trusted_ca': [{ inline_string: SAMPLE_CERTIFICATE }, { inline_string: `${SAMPLE_CERTIFICATE}\n` }],
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.custom_validator_config': ['a', 'b'].map((name) => ({ name: 'envoy.tls.cert_validator.spiffe', typed_config: { '@type': `${TYPE}transport_sockets.tls.v3.SPIFFECertValidatorConfig`, trust_domains: [{ ...DOMAIN, name }] } })),
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate.certificate_chain': [{ inline_string: SAMPLE_CERTIFICATE }, { inline_string: `${SAMPLE_CERTIFICATE}\n` }],
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate.private_key': [{ inline_string: SAMPLE_KEY }, { inline_string: `${SAMPLE_KEY}\n` }],
  'envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys.keys': [{ inline_bytes: Buffer.alloc(80, 2).toString('base64') }, { inline_bytes: Buffer.alloc(80, 3).toString('base64') }],
  '*.cluster:scalar': ['c0', 'c1'], '*.cluster_name:scalar': ['c0', 'c1'],
};

/** Fields that may not stand beside another, though no oneof says so. */
export const EXCLUDES: Record<string, readonly string[]> = { 'envoy.config.route.v3.RateLimit.HitsAddend.format': ['number'], 'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.tls_certificate_sds_secret_configs': ['tls_certificates'], 'envoy.config.route.v3.WeightedCluster.ClusterWeight.cluster_header': ['name'] };

/** Places where what a message says changes nothing in the sample: the password of a key that is not encrypted; an extension that must be of one name and type. They are not looked at for it. */
export const IDLE_EDGES: ReadonlySet<string> = new Set(['envoy.extensions.transport_sockets.tls.v3.TlsCertificate.password', 'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.custom_validator_config']);

/** Fields that are read, work, and change nothing of the plan in the sample, each with its reason. Anything else that is read without an effect is a fault. */
export const CHECKED_ONLY: Record<string, string> = {
  'envoy.config.core.v3.ConfigSource.resource_api_version': 'only V3 is there',
  'envoy.config.core.v3.SocketOption.description': 'a remark',
  'envoy.config.core.v3.SocketOption.state': 'options are set before binding; another state is a warning',
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds.priority': 'the sample has no limits',
  'envoy.config.route.v3.RouteConfiguration.validate_clusters': 'decides what is a fault',
  'envoy.config.route.v3.RouteConfiguration.max_direct_response_body_size_bytes': 'decides what is a fault',
  'envoy.config.core.v3.JsonFormatOptions.sort_properties': 'keys are always sorted',
};
