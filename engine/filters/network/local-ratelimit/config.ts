// local_ratelimit for connections (network and listener filter) from configuration.
import { compileRuntimeFlag, compileTokenBucket } from '../../../net/limit-config.ts';
import type { ConnectionRateLimitPlan } from '../../../plan/network-filter-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileNetworkLocalRateLimit(m: ConfigMessage): ConnectionRateLimitPlan {
  return { statPrefix: m.str('stat_prefix'), bucket: compileTokenBucket(m.msg('token_bucket')), shareKey: m.str('share_key'), enabled: compileRuntimeFlag(m.msg('runtime_enabled')) };
}

export function compileListenerLocalRateLimit(m: ConfigMessage): ConnectionRateLimitPlan {
  return { statPrefix: m.str('stat_prefix'), bucket: compileTokenBucket(m.msg('token_bucket')), shareKey: '', enabled: compileRuntimeFlag(m.msg('runtime_enabled')) };
}
