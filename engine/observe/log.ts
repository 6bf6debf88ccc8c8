// The application log's writing side: levels by component (Envoy's logger ids), lines in Envoy's format. The thread's host gives the sink.

export type LogLevel = 'trace' | 'debug' | 'info' | 'warning' | 'error' | 'critical' | 'off';
export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'];

/** Envoy's logger ids, in its order, and 'tls'. */
export const LOG_COMPONENTS = [
  'a2a', 'admin', 'ai_protocol_manager', 'alternate_protocols_cache', 'aws', 'assert', 'backtrace', 'basic_auth', 'cache_filter', 'client', 'config', 'connection', 'conn_handler', 'compression', 'credential_injector', 'decompression', 'dns', 'dubbo', 'envoy_bug',
  'ext_authz', 'ext_proc', 'rocketmq', 'file', 'filter', 'forward_proxy', 'geolocation', 'grpc', 'happy_eyeballs', 'hc', 'health_checker', 'http', 'http2', 'hystrix', 'init', 'io', 'jwt', 'json_rpc', 'kafka', 'key_value_store', 'lua', 'local_rate_limit', 'main',
  'matcher', 'mcp', 'misc', 'mongo', 'multi_connection', 'notification', 'oauth2', 'quic', 'quic_stream', 'pool', 'rate_limit_quota', 'rbac', 'rds', 'redis', 'router', 'runtime', 'stats', 'secret', 'sse', 'tap', 'testing', 'thrift', 'tls', 'tracing', 'upstream', 'udp',
  'wasm', 'websocket', 'golang',
] as const;
export type LogComponent = (typeof LOG_COMPONENTS)[number];

export interface Logger {
  /** Cheap test before a message is built. */
  enabled(component: LogComponent, level: LogLevel): boolean;
  log(component: LogComponent, level: LogLevel, message: string): void;
}
