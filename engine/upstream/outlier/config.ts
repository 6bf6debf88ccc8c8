// Outlier detection from configuration (envoy.config.cluster.v3.OutlierDetection), with Envoy's defaults.
import { compileHeaderMatcher } from '../../headers/config.ts';
import type { ErrorMatcherPlan, OutlierPlan, OutlierVotingPlan } from '../../plan/health-plan.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';

export function compileOutlier(m: ConfigMessage | undefined): OutlierPlan | null {
  if (m === undefined) return null;
  // Envoy 1.40 knows none of their types (not-implemented-hide), and looks at no others.
  for (const t of m.list('monitors')) { const type = t.any('typed_config')?.typeName ?? ''; if (type.startsWith('envoy.extensions.outlier_detection_monitors.')) t.error('typed_config', `could not find @type 'type.googleapis.com/${type}'`); }
  m.noop('monitors', 'Envoy 1.40 has no monitors');
  const baseEjectionMs = m.ms('base_ejection_time', 30_000);
  const maxEjectionMs = m.ms('max_ejection_time', Math.max(300_000, baseEjectionMs));
  if (maxEjectionMs < baseEjectionMs) m.error('max_ejection_time', 'outlier detector\'s max_ejection_time cannot be smaller than base_ejection_time');
  return {
    consecutive5xx: m.num('consecutive_5xx', 5), consecutiveGatewayFailure: m.num('consecutive_gateway_failure', 5), consecutiveLocalOriginFailure: m.num('consecutive_local_origin_failure', 5),
    intervalMs: m.ms('interval', 10_000), baseEjectionMs, maxEjectionMs, jitterMs: m.ms('max_ejection_time_jitter', 0), maxEjectionPercent: Math.min(100, m.num('max_ejection_percent', 10)), alwaysEjectOne: m.bool('always_eject_one_host'),
    enforcing: {
      consecutive5xx: m.num('enforcing_consecutive_5xx', 100), gateway: m.num('enforcing_consecutive_gateway_failure', 0), localOrigin: m.num('enforcing_consecutive_local_origin_failure', 100),
      successRate: m.num('enforcing_success_rate', 100), localSuccessRate: m.num('enforcing_local_origin_success_rate', 100), failurePercentage: m.num('enforcing_failure_percentage', 0), localFailurePercentage: m.num('enforcing_failure_percentage_local_origin', 0),
    },
    successRateMinimumHosts: m.num('success_rate_minimum_hosts', 5), successRateRequestVolume: m.num('success_rate_request_volume', 100), successRateStdevFactor: m.num('success_rate_stdev_factor', 1900) / 1000,
    failurePercentageThreshold: m.num('failure_percentage_threshold', 85), failurePercentageMinimumHosts: m.num('failure_percentage_minimum_hosts', 5), failurePercentageRequestVolume: m.num('failure_percentage_request_volume', 50),
    splitLocalOrigin: m.bool('split_external_local_origin_errors'), unejectByHealthCheck: m.bool('successful_active_health_check_uneject_host', true), detectDegraded: m.bool('detect_degraded_hosts'),
  };
}

/** The part that workers count by. */
export function votingOf(o: OutlierPlan | null, errors: ErrorMatcherPlan | null): OutlierVotingPlan | null {
  return o === null ? null : { consecutive5xx: o.consecutive5xx, consecutiveGatewayFailure: o.consecutiveGatewayFailure, consecutiveLocalOriginFailure: o.consecutiveLocalOriginFailure, splitLocalOrigin: o.splitLocalOrigin, detectDegraded: o.detectDegraded, errors };
}

/** HttpProtocolOptions.outlier_detection.error_matcher (envoy.config.common.matcher.v3.MatchPredicate). */
export function compileErrorMatcher(m: ConfigMessage): ErrorMatcherPlan {
  const kind = m.oneof('rule');
  switch (kind) {
    case 'or_match': case 'and_match': return { kind: kind === 'or_match' ? 'or' : 'and', rules: m.msg(kind)!.list('rules').map(compileErrorMatcher) };
    case 'not_match': return { kind: 'not', rule: compileErrorMatcher(m.msg('not_match')!) };
    case 'any_match': return { kind: 'constant', matches: m.bool('any_match') };
    case 'http_response_headers_match': return { kind: 'headers', headers: m.msg(kind)!.list('headers').map(compileHeaderMatcher) };
    default: m.noop(kind, 'only the headers of answers are looked at: it never matches, as in Envoy'); return { kind: 'constant', matches: false };
  }
}
