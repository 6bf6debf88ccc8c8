// envoy.extensions.filters.http.grpc_web.v3.GrpcWeb from configuration: it has no fields.
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileGrpcWeb(_m: ConfigMessage): null { return null; }
