// The names of retry_on (Envoy: x-envoy-retry-on, x-envoy-retry-grpc-on) as bits of one set.

export const RETRY_ON = {
  FIVE_XX: 1, GATEWAY_ERROR: 2, CONNECT_FAILURE: 4, RETRIABLE_4XX: 8, REFUSED_STREAM: 16, STATUS_CODES: 32, RESET: 64, HEADERS: 128, ENVOY_RATE_LIMITED: 256, RESET_BEFORE_REQUEST: 512, HTTP3_POST_CONNECT: 1024,
  GRPC_CANCELLED: 1 << 16, GRPC_DEADLINE: 1 << 17, GRPC_EXHAUSTED: 1 << 18, GRPC_UNAVAILABLE: 1 << 19, GRPC_INTERNAL: 1 << 20,
} as const;

/** Any of the gRPC statuses. */
export const GRPC_ANY = RETRY_ON.GRPC_CANCELLED | RETRY_ON.GRPC_DEADLINE | RETRY_ON.GRPC_EXHAUSTED | RETRY_ON.GRPC_UNAVAILABLE | RETRY_ON.GRPC_INTERNAL;

const HTTP: Readonly<Record<string, number>> = {
  '5xx': RETRY_ON.FIVE_XX, 'gateway-error': RETRY_ON.GATEWAY_ERROR, 'connect-failure': RETRY_ON.CONNECT_FAILURE, 'retriable-4xx': RETRY_ON.RETRIABLE_4XX, 'refused-stream': RETRY_ON.REFUSED_STREAM,
  'retriable-status-codes': RETRY_ON.STATUS_CODES, reset: RETRY_ON.RESET, 'retriable-headers': RETRY_ON.HEADERS, 'envoy-ratelimited': RETRY_ON.ENVOY_RATE_LIMITED, 'reset-before-request': RETRY_ON.RESET_BEFORE_REQUEST,
  'http3-post-connect-failure': RETRY_ON.HTTP3_POST_CONNECT,
};
const GRPC: Readonly<Record<string, number>> = {
  cancelled: RETRY_ON.GRPC_CANCELLED, 'deadline-exceeded': RETRY_ON.GRPC_DEADLINE, 'resource-exhausted': RETRY_ON.GRPC_EXHAUSTED, unavailable: RETRY_ON.GRPC_UNAVAILABLE, internal: RETRY_ON.GRPC_INTERNAL,
};
/** Bit of each gRPC status that can be retried. */
export const GRPC_BIT: Readonly<Record<string, number>> = { 1: RETRY_ON.GRPC_CANCELLED, 4: RETRY_ON.GRPC_DEADLINE, 8: RETRY_ON.GRPC_EXHAUSTED, 13: RETRY_ON.GRPC_INTERNAL, 14: RETRY_ON.GRPC_UNAVAILABLE };

function parse(text: string, names: Readonly<Record<string, number>>): number {
  let bits = 0;
  for (const name of text.split(',')) { const t = name.trim(); if (Object.hasOwn(names, t)) bits |= names[t]!; }
  return bits;
}

/** A comma-separated list; unknown names have no effect, as in Envoy. */
export function parseRetryOn(text: string): number { return parse(text, HTTP); }
export function parseRetryGrpcOn(text: string): number { return parse(text, GRPC); }
const without = (text: string, ...known: readonly Readonly<Record<string, number>>[]): string[] => text.split(',').map((n) => n.trim()).filter((n) => n !== '' && !known.some((k) => Object.hasOwn(k, n)));
/** Names of a list that are none of ours. */
export function unknownHttp(text: string): string[] { return without(text, HTTP); }
export function unknownGrpc(text: string): string[] { return without(text, GRPC); }
export function unknownRetryOn(text: string): string[] { return without(text, HTTP, GRPC); }
