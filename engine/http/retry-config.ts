// RetryPolicy and HedgePolicy from configuration.
import { compileHeaderMatcher } from '../headers/config.ts';
import type { RetryHostPlan, RetryPlan } from '../plan/route-plan.ts';
import type { ConfigMessage } from '../proto/config-message.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import { parseRetryGrpcOn, parseRetryOn, unknownRetryOn } from './retry-on.ts';

function compileHostPredicate(m: ConfigMessage): RetryHostPlan | null {
  const name = m.str('name'), config = m.any('typed_config');
  // Envoy finds these by name where there is no typed_config.
  const type = config?.typeName ?? '';
  if (type.endsWith('.previous_hosts.v3.PreviousHostsPredicate') || (config === undefined && name === 'envoy.retry_host_predicates.previous_hosts')) return { kind: 'previous' };
  if (type.endsWith('.omit_canary_hosts.v3.OmitCanaryHostsPredicate') || (config === undefined && name === 'envoy.retry_host_predicates.omit_canary_hosts')) return { kind: 'canary' };
  if (config !== undefined && type.endsWith('.omit_host_metadata.v3.OmitHostMetadataConfig')) {
    const fields = config.msg('metadata_match')?.json('filter_metadata') as { readonly [ns: string]: { readonly [key: string]: MetadataValue } } | undefined;
    return { kind: 'metadata', match: fields?.['envoy.lb'] ?? {} };
  }
  if (config === undefined) m.unregistered('name', name, undefined); else m.unsupported('typed_config', type);
  return null;
}

/** update_frequency of previous_priorities; 0: none. */
function compilePriority(m: ConfigMessage | undefined): number {
  if (m === undefined) return 0;
  m.str('name');
  const config = m.any('typed_config');
  if (config === undefined || !config.typeName.endsWith('.previous_priorities.v3.PreviousPrioritiesConfig')) { m.unsupported('typed_config', config?.typeName ?? ''); return 0; }
  return config.num('update_frequency');
}

export function compileRetry(m: ConfigMessage | undefined): RetryPlan | null {
  if (m === undefined) return null;
  m.unsupported('retry_options_predicates');
  const on = m.str('retry_on');
  const unknown = unknownRetryOn(on);
  if (unknown.length > 0) m.warn('retry_on', `unknown: ${unknown.join(', ')}; it has no effect`);
  const backOff = m.msg('retry_back_off'), limited = m.msg('rate_limited_retry_back_off');
  // Envoy: at least 1 ms; ten times the base where there is no maximum.
  const baseMs = Math.max(1, backOff?.ms('base_interval', 25) ?? 25), maxMs = Math.max(1, backOff?.ms('max_interval', baseMs * 10) ?? baseMs * 10);
  if (maxMs < baseMs) backOff!.error('max_interval', 'retry_policy.max_interval must greater than or equal to the base_interval');
  return {
    on: parseRetryOn(on) | parseRetryGrpcOn(on), retries: m.num('num_retries', 1), perTryTimeoutMs: m.ms('per_try_timeout', 0), perTryIdleTimeoutMs: m.ms('per_try_idle_timeout', 0), statusCodes: m.nums('retriable_status_codes'),
    headers: m.list('retriable_headers').map(compileHeaderMatcher), requestHeaders: m.list('retriable_request_headers').map(compileHeaderMatcher), baseMs, maxMs,
    hosts: m.list('retry_host_predicate').map(compileHostPredicate).filter((p) => p !== null), reselects: m.num('host_selection_retry_max_attempts') || 1, priorityFrequency: compilePriority(m.msg('retry_priority')),
    resets: limited?.list('reset_headers').map((r) => ({ name: r.str('name').toLowerCase(), timestamp: r.enum('format') === 'UNIX_TIMESTAMP' })) ?? [], resetMaxMs: limited?.ms('max_interval', 300_000) ?? 300_000, refreshCluster: m.bool('refresh_cluster_on_retry'),
  };
}

/** hedge_on_per_try_timeout; null: no policy. */
export function compileHedge(m: ConfigMessage | undefined): boolean | null {
  if (m === undefined) return null;
  m.noop('initial_requests', 'Envoy has no effect for it either'); m.noop('additional_request_chance', 'Envoy has no effect for it either');
  return m.bool('hedge_on_per_try_timeout');
}
