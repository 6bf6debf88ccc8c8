// set_filter_state for connections from configuration.
import { compileFilterState } from '../../../observe/filter-state/config.ts';
import type { SetFilterStatePlan } from '../../../plan/filter-state-plan.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

export function compileNetworkSetFilterState(m: ConfigMessage, ctx: CompileContext): SetFilterStatePlan {
  return { onConnection: compileFilterState(m.list('on_new_connection'), ctx), onData: compileFilterState(m.list('on_downstream_data'), ctx), onSecured: compileFilterState(m.list('on_downstream_tls_handshake'), ctx) };
}
