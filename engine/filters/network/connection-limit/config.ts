// connection_limit from configuration.
import { compileRuntimeFlag } from '../../../net/limit-config.ts';
import type { ConnectionLimitPlan } from '../../../plan/network-filter-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileConnectionLimit(m: ConfigMessage): ConnectionLimitPlan {
  return { statPrefix: m.str('stat_prefix'), maxConnections: m.num('max_connections'), delayMs: Math.max(0, m.ms('delay', 0)), enabled: compileRuntimeFlag(m.msg('runtime_enabled')) };
}
