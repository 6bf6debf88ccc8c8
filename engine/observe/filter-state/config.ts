// envoy.extensions.filters.common.set_filter_state.v3 from configuration.
import type { FilterStateValuePlan } from '../../plan/filter-state-plan.ts';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';
import { compileSubstitution } from '../format/config.ts';

/** Objects that mean something here, or nothing but themselves. Others would be parsed and ignored. */
const KNOWN = new Set(['envoy.string', 'envoy.hashable_string', 'envoy.tcp_proxy.cluster', 'envoy.tcp_proxy.disable_tunneling', 'envoy.tcp_proxy.per_connection_idle_timeout_ms']);

/** A list of FilterStateValue. */
export function compileFilterState(list: readonly ConfigMessage[], ctx: CompileContext): FilterStateValuePlan[] {
  return list.map((v) => {
    const key = v.str('object_key'), factory = v.str('factory_key') || key, format = v.msg('format_string');
    if (!KNOWN.has(factory)) v.error(v.has('factory_key') ? 'factory_key' : 'object_key', `'${factory}' does not have an object factory that is supported yet`);
    v.noop('read_only', 'values that are set are not changed again');
    const plan = format === undefined ? null : compileSubstitution(format, ctx);
    if (plan !== null && plan.kind !== 'text') format!.error('json_format', 'filter state values are text');
    return { key, format: plan?.kind === 'text' ? plan.format : [], empty: plan?.omitEmpty === true ? '' : '-', skipIfEmpty: v.bool('skip_if_empty'), shared: v.enum('shared_with_upstream') as FilterStateValuePlan['shared'] };
  });
}
