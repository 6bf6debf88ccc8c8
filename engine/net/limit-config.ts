// Token buckets, back-off and runtime switches from configuration.
import type { RuntimeNumberPlan } from '../plan/cluster-plan.ts';
import type { RuntimeFlagPlan } from '../plan/network-filter-plan.ts';
import type { ConfigMessage } from '../proto/config-message.ts';
import type { TokenBucketPlan } from './shared-limits.ts';

/** envoy.type.v3.TokenBucket; Envoy wants fills of 50 ms and more. */
export function compileTokenBucket(m: ConfigMessage | undefined, who = 'local rate limit'): TokenBucketPlan {
  const fillIntervalMs = m?.ms('fill_interval', 0) ?? 0;
  if (m !== undefined && fillIntervalMs < 50) m.error('fill_interval', `${who} token bucket fill timer must be >= 50ms`);
  return { maxTokens: m?.num('max_tokens') ?? 1, tokensPerFill: m?.num('tokens_per_fill', 1) ?? 1, fillIntervalMs: Math.max(1, fillIntervalMs) };
}

/** backoff_options of a message (envoy.config.core.v3.BackoffStrategy): between attempts at a host; null: none is given. */
export function compileBackoff(of: ConfigMessage | undefined): { readonly baseMs: number; readonly maxMs: number } | null {
  const m = of?.msg('backoff_options');
  if (of === undefined || m === undefined) return null;
  const baseMs = m.ms('base_interval', 0), maxMs = m.ms('max_interval', baseMs * 10);
  if (maxMs < baseMs) of.error('backoff_options', 'max_backoff_interval must be greater or equal to base_backoff_interval');
  return { baseMs, maxMs };
}

/** envoy.config.core.v3.RuntimeDouble or RuntimeUInt32; `absent` where there is none. */
export function compileRuntimeNumber(m: ConfigMessage | undefined, absent: number): RuntimeNumberPlan { return m === undefined ? { value: absent, key: '' } : { value: m.num('default_value'), key: m.str('runtime_key') }; }

/** envoy.config.core.v3.RuntimePercent, whose default is a message. */
export function compileRuntimePercent(m: ConfigMessage | undefined, absent: number): RuntimeNumberPlan { return m === undefined ? { value: absent, key: '' } : { value: m.msg('default_value')?.num('value') ?? 0, key: m.str('runtime_key') }; }

/** envoy.config.core.v3.RuntimeFeatureFlag. */
export function compileRuntimeFlag(m: ConfigMessage | undefined): RuntimeFlagPlan { return { key: m?.str('runtime_key') ?? '', on: m?.bool('default_value', true) ?? true }; }
