// Envoy's default tags (docs: "Statistics", "Tag extraction"): where in a stat's name a part stands that Prometheus and others get as a label. The order is that of the labels.
// A pattern of tokens: '*' is any one, '$' the one taken out, a last '**' any rest. A regex takes out its first group; the value is the second where there is one.

export type TagRule = { readonly tag: string } & ({ readonly tokens: string } | { readonly regex: RegExp });

const VALUE = '[^.]+';

export const DEFAULT_TAGS: readonly TagRule[] = [
  { tag: 'envoy.response_code', regex: /_rq(_(\d{3}))$/d },
  { tag: 'envoy.response_code_class', regex: /_rq_((\d))xx$/d },
  { tag: 'envoy.dynamo_operation', regex: new RegExp(`^http\\.${VALUE}\\.dynamodb\\.(?:operation|table\\.${VALUE}\\.capacity)(\\.(${VALUE}))(?:\\.|$)`, 'd') },
  { tag: 'envoy.mongo_callsite', tokens: 'mongo.*.collection.*.callsite.$.query.**' },
  { tag: 'envoy.dynamo_table', regex: new RegExp(`^http\\.${VALUE}\\.dynamodb\\.(?:table|error)\\.((${VALUE})\\.)`, 'd') },
  { tag: 'envoy.mongo_collection', tokens: 'mongo.*.collection.$.**' },
  { tag: 'envoy.mongo_cmd', tokens: 'mongo.*.cmd.$.**' },
  { tag: 'envoy.grpc_bridge_method', tokens: 'cluster.*.grpc.*.$.**' },
  { tag: 'envoy.http_user_agent', tokens: 'http.*.user_agent.$.**' },
  { tag: 'envoy.virtual_cluster', tokens: 'vhost.*.vcluster.$.**' },
  { tag: 'envoy.fault_downstream_cluster', tokens: 'http.*.fault.$.**' },
  { tag: 'envoy.ssl_cipher', regex: /^listener\..*?\.ssl\.cipher(\.([0-9A-Za-z_-]+))$/d },
  { tag: 'cipher_suite', regex: /^cluster\.[^.]+\.ssl\.ciphers(\.([0-9A-Za-z_-]+))$/d },
  { tag: 'envoy.grpc_bridge_service', tokens: 'cluster.*.grpc.$.**' },
  { tag: 'envoy.tcp_prefix', tokens: 'tcp.$.**' },
  { tag: 'envoy.udp_prefix', tokens: 'udp.$.**' },
  { tag: 'envoy.clientssl_prefix', tokens: 'auth.clientssl.$.**' },
  { tag: 'envoy.ratelimit_prefix', tokens: 'ratelimit.$.**' },
  { tag: 'envoy.cluster_name', tokens: 'cluster.$.**' },
  { tag: 'envoy.http_conn_manager_prefix', regex: /^listener\..*?\.http\.(([^.]+)\.)/d },
  { tag: 'envoy.http_conn_manager_prefix', tokens: 'http.$.**' },
  { tag: 'envoy.worker_id', regex: /^(?:listener|server|thread_local_cluster_manager|listener_manager)\.(?:.*?\.)?worker(_(\d+))\./d },
  { tag: 'envoy.listener_address', regex: /^listener\.(([_.\d]+|[_[\]a-fA-F\d]+)\.)/d },
  { tag: 'envoy.virtual_host', tokens: 'vhost.$.**' },
  { tag: 'envoy.mongo_prefix', tokens: 'mongo.$.**' },
  { tag: 'envoy.rds_route_config', regex: new RegExp(`^http\\.${VALUE}\\.rds\\.(([\\w.-]+?)\\.)\\w+$`, 'd') },
  { tag: 'envoy.scoped_rds_config', regex: new RegExp(`^http\\.${VALUE}\\.scoped_rds\\.(([\\w.-]+?)\\.)\\w+$`, 'd') },
  { tag: 'envoy.route', tokens: 'vhost.*.route.$.**' },
  { tag: 'envoy.ext_authz_prefix', tokens: '*.*.ext_authz.$.**' },
  { tag: 'envoy.rbac_prefix', tokens: '$.rbac.**' },
  { tag: 'envoy.rbac_http_prefix', regex: /^http\.[^.]+\.rbac\.(?:(.+?)\.)(?:allowed|denied|shadow_allowed|shadow_denied)$/d },
  { tag: 'envoy.local_http_ratelimit_prefix', tokens: '$.http_local_rate_limit.**' },
  { tag: 'envoy.local_network_ratelimit_prefix', tokens: 'local_rate_limit.$.**' },
  { tag: 'envoy.local_listener_ratelimit_prefix', tokens: 'listener_local_ratelimit.$.**' },
  { tag: 'envoy.connection_limit_prefix', tokens: 'connection_limit.$.**' },
  { tag: 'envoy.dns_filter_prefix', tokens: 'dns_filter.$.**' },
  { tag: 'envoy.thrift_prefix', tokens: 'thrift.$.**' },
  { tag: 'envoy.redis_prefix', tokens: 'redis.$.**' },
  { tag: 'envoy.proxy_protocol_prefix', regex: /^proxy_proto\.((.+?)\.)(?:versions\.v\d\.)?[a-z_]+$/d },
  { tag: 'envoy.proxy_protocol_version', regex: /^proxy_proto\.(?:.+?\.)?versions(\.v(\d))\./d },
];
