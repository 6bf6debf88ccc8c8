// envoy.extensions.filters.http.set_filter_state.v3.Config from configuration; the same at routes.
import { compileFilterState } from '../../../observe/filter-state/config.ts';
import type { HttpFilterStatePlan } from '../../../plan/http-filter-plans.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

export function compileHttpSetFilterState(m: ConfigMessage, ctx: CompileContext): HttpFilterStatePlan { return { values: compileFilterState(m.list('on_request_headers'), ctx), clearRoute: m.bool('clear_route_cache') }; }
