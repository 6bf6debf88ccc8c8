// envoy.extensions.filters.http.health_check.v3.HealthCheck from configuration.
import { compileHeaderMatcher } from '../../../headers/config.ts';
import type { HealthCheckFilterPlan } from '../../../plan/health-check-filter-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileHealthCheckFilter(m: ConfigMessage): HealthCheckFilterPlan {
  const passThrough = m.bool('pass_through_mode');
  if (!passThrough && m.has('cache_time')) m.error('cache_time', 'cache_time must not be set when path_through_mode is disabled');
  if (passThrough && m.has('cluster_min_healthy_percentages')) m.error('cluster_min_healthy_percentages', 'cluster_min_healthy_percentages must not be set when pass_through_mode is enabled');
  return { headers: m.list('headers').map(compileHeaderMatcher), passThrough, cacheMs: m.ms('cache_time', 0), minimums: m.map('cluster_min_healthy_percentages').map(([cluster, percent]) => ({ cluster, percent: percent.num('value') })) };
}
