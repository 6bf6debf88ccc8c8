// The HTTP RBAC filter from configuration.
import { compileRbac } from '../../../net/rbac/config.ts';
import type { RbacPlan } from '../../../plan/rbac-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileHttpRbac(m: ConfigMessage): RbacPlan { return compileRbac(m, true); }

/** Of a route: `rbac` null turns the filter off there. */
export function compileRbacPerRoute(m: ConfigMessage): { readonly rbac: RbacPlan | null } {
  const rbac = m.msg('rbac');
  return { rbac: rbac === undefined ? null : compileRbac(rbac, true) };
}
