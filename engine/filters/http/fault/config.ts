// envoy.extensions.filters.http.fault.v3.HTTPFault from configuration; the same at routes.
import { compileHeaderMatcher } from '../../../headers/config.ts';
import { toByteString } from '../../../headers/headers.ts';
import { compilePercent } from '../../../observe/match/config.ts';
import type { FaultPlan } from '../../../plan/http-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

function compileDelay(m: ConfigMessage | undefined): FaultPlan['delay'] {
  if (m === undefined) return null;
  const kind = m.oneof('fault_delay_secifier');
  if (kind === 'header_delay') m.has('header_delay');
  return { ms: m.ms('fixed_delay', 0), byHeader: kind === 'header_delay', share: compilePercent(m.msg('percentage')) };
}
function compileAbort(m: ConfigMessage | undefined): FaultPlan['abort'] {
  if (m === undefined) return null;
  const kind = m.oneof('error_type');
  if (kind === 'header_abort') m.has('header_abort');
  return { status: m.num('http_status'), grpc: kind === 'grpc_status' ? m.num('grpc_status') : -1, byHeader: kind === 'header_abort', share: compilePercent(m.msg('percentage')), body: toByteString(m.str('response_body')) };
}
function compileRate(m: ConfigMessage | undefined): FaultPlan['rate'] {
  if (m === undefined) return null;
  const kind = m.oneof('limit_type');
  if (kind === 'header_limit') m.has('header_limit');
  return { kbps: m.msg('fixed_limit')?.num('limit_kbps') ?? 0, byHeader: kind === 'header_limit', share: compilePercent(m.msg('percentage')) };
}

export function compileFault(m: ConfigMessage): FaultPlan {
  const key = (field: string, name: string): string => m.str(field) || name;
  return {
    countsDownstream: !m.bool('disable_downstream_cluster_stats'), maxActive: m.has('max_active_faults') ? m.num('max_active_faults') : -1, metadata: (m.json('filter_metadata') ?? {}) as FaultPlan['metadata'],
    delay: compileDelay(m.msg('delay')), abort: compileAbort(m.msg('abort')), rate: compileRate(m.msg('response_rate_limit')), cluster: m.str('upstream_cluster'), headers: m.list('headers').map(compileHeaderMatcher), nodes: m.strings('downstream_nodes'),
    keys: {
      maxActive: key('max_active_faults_runtime', 'fault.http.max_active_faults'),
      delay: key('delay_percent_runtime', 'fault.http.delay.fixed_delay_percent'), abort: key('abort_percent_runtime', 'fault.http.abort.abort_percent'), rate: key('response_rate_limit_percent_runtime', 'fault.http.rate_limit.response_percent'),
      delayMs: key('delay_duration_runtime', 'fault.http.delay.fixed_duration_ms'), status: key('abort_http_status_runtime', 'fault.http.abort.http_status'), grpc: key('abort_grpc_status_runtime', 'fault.http.abort.grpc_status'),
    },
  };
}
