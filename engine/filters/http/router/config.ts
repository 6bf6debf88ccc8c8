// envoy.extensions.filters.http.router.v3.Router from configuration.
import type { ConfigMessage } from '../../../proto/config-message.ts';
import type { RouterConfig } from '../../../plan/router-plan.ts';

export function compileRouter(m: ConfigMessage): RouterConfig {
  m.noop('dynamic_stats', 'statistics by code are always kept'); m.noop('start_child_span', 'nothing is traced yet');
  for (const f of ['upstream_log', 'upstream_log_options', 'upstream_http_filters', 'reject_connect_request_early_data']) { m.unsupported(f); }
  m.noop('suppress_grpc_request_failure_code_stats', 'gRPC failures are not counted apart');
  return { suppressEnvoyHeaders: m.bool('suppress_envoy_headers'), respectExpectedTimeout: m.bool('respect_expected_rq_timeout'), strictHeaders: m.strings('strict_check_headers') };
}
