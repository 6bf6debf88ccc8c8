// ScopedRoutes from configuration: inline tables only.
import { toByteString } from '../../../headers/headers.ts';
import type { ScopeFragmentPlan, ScopesPlan } from '../../../plan/hcm-plan.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

function compileFragment(m: ConfigMessage): ScopeFragmentPlan {
  const e = m.msg('header_value_extractor'), element = e?.msg('element'), separator = toByteString(e?.str('element_separator') ?? '');
  const byIndex = e?.oneof('extract_type') === 'index', index = byIndex ? e!.num('index') : 0;
  if (byIndex && separator === '' && index > 0) e!.error('index', 'Index > 0 for empty string element separator.');
  return { header: (e?.str('name') ?? '').toLowerCase(), separator, index, key: element === undefined ? null : toByteString(element.str('key')), keySeparator: toByteString(element?.str('separator') ?? '') };
}

/** null: there is none. */
export function compileScopedRoutes(m: ConfigMessage | undefined, ctx: CompileContext): ScopesPlan | null {
  if (m === undefined) return null;
  m.unsupported('scoped_rds'); m.unsupported('rds_config_source');
  const seen = new Set<string>(), list = m.msg('scoped_route_configurations_list')?.list('scoped_route_configurations') ?? [];
  const tables = list.map((s) => {
    s.str('name');
    s.unsupported('route_configuration_name'); s.unsupported('on_demand');
    const fragments = s.msg('key')?.list('fragments').map((f) => toByteString(f.str('string_key'))) ?? [], key = fragments.join('\0');
    if (seen.has(key)) s.error('key', `scope key conflict found, first scope is of an earlier entry`);
    seen.add(key);
    const routes = s.msg('route_configuration');
    if (routes === undefined && !s.has('route_configuration_name')) s.error('', 'You must specify a route_configuration with inline scoped routes.');
    return { fragments, routesKey: routes === undefined ? '' : ctx.routes(routes) };
  });
  return { name: m.str('name'), fragments: m.msg('scope_key_builder')?.list('fragments').map(compileFragment) ?? [], tables };
}
