// The timeouts of a request (Envoy: FilterUtility::finalTimeout): the route's, overridden by x-envoy-* of trusted requests, and by grpc-timeout where allowed.
import type { RequestHeaders } from '../headers/headers.ts';
import type { ForwardPlan } from '../plan/route-plan.ts';
import { isGrpc } from '../http/local-reply.ts';

const DEFAULT_TIMEOUT_MS = 15_000;
const RETRY_HEADERS = new Set(['x-envoy-retry-on', 'x-envoy-retry-grpc-on', 'x-envoy-max-retries', 'x-envoy-retriable-status-codes', 'x-envoy-retriable-header-names', 'x-envoy-hedge-on-per-try-timeout', 'x-envoy-upstream-alt-stat-name', 'x-envoy-upstream-stream-duration-ms', 'x-envoy-upstream-rq-timeout-alt-response']);
const UNITS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

export interface Timeouts { globalMs: number; perTryMs: number }

/** grpc-timeout in ms (gRPC over HTTP/2: up to 8 digits and a unit); -1 for none or nonsense. */
export function grpcTimeout(value: string | undefined): number {
  const m = value === undefined ? null : /^(\d{1,8})([HMSmun])$/.exec(value);
  return m === null ? -1 : Math.ceil(Number(m[1]) * UNITS[m[2]!]!);
}

/** Settles the timeouts and the headers that tell the upstream of them. 0: no timeout. */
export function settleTimeouts(plan: ForwardPlan, headers: RequestHeaders, suppress: boolean, respectExpected: boolean, out: Timeouts): void {
  out.globalMs = plan.timeoutMs < 0 ? DEFAULT_TIMEOUT_MS : plan.timeoutMs;
  out.perTryMs = plan.retry?.perTryTimeoutMs ?? 0;
  if (plan.maxGrpcTimeoutMs >= 0 && isGrpc(headers)) {
    const asked = grpcTimeout(headers.get('grpc-timeout'));
    let ms = asked < 0 ? plan.maxGrpcTimeoutMs : plan.maxGrpcTimeoutMs > 0 ? Math.min(asked, plan.maxGrpcTimeoutMs) : asked;
    if (ms > plan.grpcTimeoutOffsetMs) ms -= plan.grpcTimeoutOffsetMs;
    out.globalMs = ms;
  }
  const expected = respectExpected ? number(headers.get('x-envoy-expected-rq-timeout-ms')) : -1;
  const asked = expected >= 0 ? expected : number(headers.get('x-envoy-upstream-rq-timeout-ms'));
  if (asked >= 0) { out.globalMs = asked; headers.remove('x-envoy-upstream-rq-timeout-ms'); }
  const perTry = number(headers.get('x-envoy-upstream-rq-per-try-timeout-ms'));
  if (perTry >= 0) { out.perTryMs = perTry; headers.remove('x-envoy-upstream-rq-per-try-timeout-ms'); }
  if (out.globalMs > 0 && out.perTryMs >= out.globalMs) out.perTryMs = 0;
  const hedged = headers.get('x-envoy-hedge-on-per-try-timeout') === 'true';
  // What steers retries ends at this hop.
  headers.removeIf((name) => name.charCodeAt(0) === 120 && RETRY_HEADERS.has(name));
  const tell = out.perTryMs > 0 && !hedged ? out.perTryMs : out.globalMs;
  if (tell > 0 && !suppress) headers.set('x-envoy-expected-rq-timeout-ms', String(Math.floor(tell)));
}

function number(text: string | undefined): number { return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : -1; }
