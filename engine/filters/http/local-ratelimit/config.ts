// LocalRateLimit from configuration; a route's own is the same message.
import { compileOwnRateLimits } from '../../../http/rate-limit/config.ts';
import { compileRefusalStatus } from '../../../http/status-config.ts';
import { compileTokenBucket } from '../../../net/limit-config.ts';
import { compileHeaderAdd } from '../../../observe/format/config.ts';
import { compileFraction, compilePercent } from '../../../observe/match/config.ts';
import { toByteString } from '../../../headers/headers.ts';
import type { LocalRateLimitPlan } from '../../../plan/rate-limit-plan.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

/** Without a share no request is of it. */
const NONE = compilePercent(undefined);

/** A route's own, which has to have a bucket. */
export function compileLocalRateLimitPerRoute(m: ConfigMessage, ctx: CompileContext): LocalRateLimitPlan {
  if (!m.has('token_bucket')) m.error('', 'local rate limit token bucket must be set for per filter configs');
  return compileLocalRateLimit(m, ctx);
}

export function compileLocalRateLimit(m: ConfigMessage, ctx: CompileContext): LocalRateLimitPlan {
  const bucket = m.msg('token_bucket'), limits = m.list('rate_limits');
  const ofLocalCluster = m.msg('local_cluster_rate_limit') !== undefined, perConnection = m.bool('local_rate_limit_per_downstream_connection');
  if (ofLocalCluster && perConnection) m.error('local_cluster_rate_limit', 'local_cluster_rate_limit is set and local_rate_limit_per_downstream_connection is set to true');
  else if (ofLocalCluster && ctx.bootstrap.localCluster === '') m.error('local_cluster_rate_limit', 'local_cluster_rate_limit is set but no local cluster name is present');
  const seen = new Set<string>();
  for (const d of m.list('descriptors')) {
    const name = d.list('entries').map((e) => `${e.str('key')}=${e.str('value')}`).join(', ');
    if (seen.has(name)) d.error('', `duplicate descriptor in the local rate descriptor: ${name}`);
    seen.add(name);
  }
  return {
    statPrefix: m.str('stat_prefix'), key: `${ctx.resource} ${m.path}`, bucket: bucket === undefined ? null : compileTokenBucket(bucket),
    descriptors: m.list('descriptors').map((d) => ({
      entries: d.list('entries').map((e) => [toByteString(e.str('key')), toByteString(e.str('value'))] as const),
      bucket: compileTokenBucket(d.msg('token_bucket'), 'local rate limit descriptor'), shadow: d.bool('shadow_mode'),
    })),
    enabled: compileFraction(m.msg('filter_enabled')) ?? NONE, enforced: compileFraction(m.msg('filter_enforced')) ?? NONE, status: compileRefusalStatus(m.msg('status'), 429),
    responseHeaders: { add: m.list('response_headers_to_add').map(compileHeaderAdd), remove: [] }, requestHeaders: { add: m.list('request_headers_to_add_when_not_enforced').map(compileHeaderAdd), remove: [] },
    stage: m.num('stage'), perConnection, maxDynamic: m.num('max_dynamic_descriptors', 20), ofLocalCluster, rateLimitHeaders: m.enum('enable_x_ratelimit_headers') === 'DRAFT_VERSION_03', retryAfter: m.bool('enable_retry_after_header'),
    hostLimits: m.enum('vh_rate_limits').toLowerCase() as 'override', alwaysDefault: m.bool('always_consume_default_token_bucket', true), resourceExhausted: m.bool('rate_limited_as_resource_exhausted'),
    rateLimits: limits.length === 0 ? null : compileOwnRateLimits(limits),
  };
}
