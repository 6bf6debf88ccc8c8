// gRPC statuses as logs and the proxy's own answers need them.
import type { RequestHeaders } from '../headers/headers.ts';

/** HTTP status to gRPC status (Envoy: Grpc::Utility::httpToGrpcStatus). */
export function grpcStatusOf(http: number): number {
  switch (http) {
    case 400: return 13;
    case 401: return 16;
    case 403: return 7;
    case 404: return 12;
    case 429: case 502: case 503: case 504: return 14;
    default: return 2;
  }
}

export function isGrpc(request: RequestHeaders | null): boolean {
  const type = request?.get('content-type');
  return type !== undefined && type.startsWith('application/grpc') && (type.length === 16 || type[16] === '+' || type[16] === ';');
}
