// envoy.extensions.filters.http.router.v3.Router from configuration.
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';
import type { RouterConfig } from '../../../plan/router-plan.ts';

export function compileRouter(m: ConfigMessage, ctx: CompileContext): RouterConfig {
  m.noop('dynamic_stats', 'statistics by code are always kept'); m.noop('start_child_span', 'nothing is traced yet');
  const upstreamFilters = m.list('upstream_http_filters');
  m.noop('suppress_grpc_request_failure_code_stats', 'gRPC failures are not counted apart');
  const upstreamLogs = ctx.accessLogs(m.list('upstream_log')), options = m.msg('upstream_log_options');
  options?.unsupported('upstream_log_flush_interval');
  return { rejectEarlyConnect: m.bool('reject_connect_request_early_data'), suppressEnvoyHeaders: m.bool('suppress_envoy_headers'), respectExpectedTimeout: m.bool('respect_expected_rq_timeout'), strictHeaders: m.strings('strict_check_headers'), upstreamLogs, upstreamLogAtStart: options?.bool('flush_upstream_log_on_upstream_stream') ?? false, upstreamFilters: upstreamFilters.length === 0 ? null : ctx.httpFilters(upstreamFilters, 'router upstream http') };
}
