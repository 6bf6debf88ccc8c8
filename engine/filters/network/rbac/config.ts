// The network RBAC filter from configuration.
import { compileRbac } from '../../../net/rbac/config.ts';
import type { NetworkRbacPlan } from '../../../plan/rbac-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileNetworkRbac(m: ConfigMessage): NetworkRbacPlan {
  return { ...compileRbac(m, false), statPrefix: m.str('stat_prefix'), continuous: m.enum('enforcement_type') === 'CONTINUOUS', delayDenyMs: Math.max(0, m.ms('delay_deny', 0)) };
}
