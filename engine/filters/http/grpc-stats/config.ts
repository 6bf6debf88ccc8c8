// envoy.extensions.filters.http.grpc_stats.v3.FilterConfig from configuration.
import type { GrpcStatsPlan } from '../../../plan/grpc-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileGrpcStats(m: ConfigMessage): GrpcStatsPlan {
  const list = m.msg('individual_method_stats_allowlist');
  const methods = list?.list('services').flatMap((s) => { const name = s.str('name'); return s.strings('method_names').map((method) => `${name}/${method}`); }) ?? [];
  return { emitFilterState: m.bool('emit_filter_state'), methods: m.bool('stats_for_all_methods') ? null : methods, upstreamTime: m.bool('enable_upstream_stats'), replaceDots: m.bool('replace_dots_in_grpc_service_name') };
}
