// direct_response from configuration.
import type { DirectResponsePlan } from '../../../plan/network-filter-plan.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

export function compileNetworkDirectResponse(m: ConfigMessage, ctx: CompileContext): DirectResponsePlan {
  const source = m.msg('response');
  return { body: (source === undefined ? undefined : ctx.dataSource(source)) ?? new Uint8Array(0) };
}
