// envoy.extensions.filters.http.grpc_http1_bridge.v3.Config from configuration.
import type { GrpcHttp1BridgePlan } from '../../../plan/grpc-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileGrpcHttp1Bridge(m: ConfigMessage): GrpcHttp1BridgePlan { return { upgradeProtobuf: m.bool('upgrade_protobuf_to_grpc'), ignoreQuery: m.bool('ignore_query_parameters') }; }
