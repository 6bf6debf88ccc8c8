// envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency from configuration, with Envoy's defaults.
import { compileRefusalStatus } from '../../../http/status-config.ts';
import { compileRuntimeFlag } from '../../../net/limit-config.ts';
import type { AdaptiveConcurrencyPlan, GradientPlan } from '../../../plan/adaptive-concurrency-plan.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

function compileGradient(m: ConfigMessage | undefined): GradientPlan {
  const limits = m?.msg('concurrency_limit_params'), rtt = m?.msg('min_rtt_calc_params');
  const minRttIntervalMs = rtt?.ms('interval', 0) ?? 0, fixedMinRttMs = rtt?.ms('fixed_value', 0) ?? 0;
  // The word of Envoy's message names the wrong field; it is what its users search for.
  if (rtt !== undefined && minRttIntervalMs < 1 && fixedMinRttMs <= 0) rtt.error('interval', 'adaptive_concurrency: neither `concurrency_update_interval` nor `fixed_value` set');
  return {
    percentile: m?.msg('sample_aggregate_percentile')?.num('value') ?? 50,
    maxLimit: limits?.num('max_concurrency_limit', 1000) ?? 1000, minLimit: limits?.num('min_concurrency_limit', 0) ?? 0, updateIntervalMs: Math.max(1, limits?.ms('concurrency_update_interval', 0) ?? 0),
    minRttIntervalMs, fixedMinRttMs, requestCount: rtt?.num('request_count', 50) ?? 50, jitter: rtt?.msg('jitter')?.num('value') ?? 15, minConcurrency: rtt?.num('min_concurrency', 3) ?? 3, buffer: rtt?.msg('buffer')?.num('value') ?? 25,
  };
}

export function compileAdaptiveConcurrency(m: ConfigMessage, ctx: CompileContext): AdaptiveConcurrencyPlan {
  return { key: `${ctx.resource} ${m.path}`, enabled: compileRuntimeFlag(m.msg('enabled')), status: compileRefusalStatus(m.msg('concurrency_limit_exceeded_status'), 503), gradient: compileGradient(m.msg('gradient_controller_config')) };
}
