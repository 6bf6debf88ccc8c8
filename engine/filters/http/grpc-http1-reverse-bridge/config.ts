// envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfig and FilterConfigPerRoute from configuration.
import type { GrpcReverseBridgePlan, GrpcReverseBridgeRoutePlan } from '../../../plan/grpc-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileGrpcReverseBridge(m: ConfigMessage): GrpcReverseBridgePlan {
  const sizeHeader = m.str('response_size_header').toLowerCase(), withhold = m.bool('withhold_grpc_frames');
  if (sizeHeader !== '' && !withhold) m.warn('response_size_header', 'it has an effect with withhold_grpc_frames only');
  return { contentType: m.str('content_type'), withhold, sizeHeader };
}
export function compileGrpcReverseBridgeRoute(m: ConfigMessage): GrpcReverseBridgeRoutePlan { return { disabled: m.bool('disabled') }; }
