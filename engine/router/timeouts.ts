// The timeouts of a request (Envoy: FilterUtility::finalTimeout, finalHedgingParams, setTimeoutHeaders): the route's, overridden by x-envoy-* of trusted requests, and
// by grpc-timeout where allowed.
import type { RequestHeaders } from '../headers/headers.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';
import type { ForwardPlan } from '../plan/route-plan.ts';
import { isGrpc } from '../http/local-reply.ts';
import type { RetryPolicy } from './retry-policy.ts';
import { unknownGrpc, unknownHttp } from '../http/retry-on.ts';

const DEFAULT_TIMEOUT_MS = 15_000;
/** What steers timeouts and retries of this hop; taken off before the request goes on. (x-envoy-upstream-rq-timeout-ms stays where x-envoy-expected-rq-timeout-ms is obeyed in its place, as in Envoy.) */
const STEERING = new Set(['x-envoy-retry-on', 'x-envoy-retry-grpc-on', 'x-envoy-max-retries', 'x-envoy-retriable-status-codes', 'x-envoy-retriable-header-names', 'x-envoy-hedge-on-per-try-timeout', 'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-stream-duration-ms', 'x-envoy-upstream-rq-timeout-alt-response']);
const LOOKED_AT = new Set([...STEERING, 'x-envoy-upstream-rq-timeout-ms', 'x-envoy-upstream-rq-per-try-timeout-ms', 'x-envoy-expected-rq-timeout-ms']);
const UNITS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

/** Times in ms, 0: none. `timeoutStatus`: of the reply when time is up. `tellsGrpc`: the upstream is told by grpc-timeout too. */
export class Timeouts { tellsGrpc = false; globalMs = 0; perTryMs = 0; perTryIdleMs = 0; streamDurationMs = 0; hedge = false; timeoutStatus = 504 }

/** grpc-timeout in ms (gRPC over HTTP/2: up to 8 digits and a unit); -1 for none or nonsense. */
export function grpcTimeout(value: string | undefined): number {
  const m = value === undefined ? null : /^(\d{1,8})([HMSmun])$/.exec(value);
  return m === null ? -1 : Math.ceil(Number(m[1]) * UNITS[m[2]!]!);
}

/** The same in the header's form. */
export function toGrpcTimeout(ms: number): string {
  for (const [unit, of] of [['m', 1], ['S', 1000], ['M', 60_000]] as const) if (ms / of < 1e8) return `${Math.floor(ms / of)}${unit}`;
  return `${Math.min(99_999_999, Math.floor(ms / 3_600_000))}H`;
}

/** Whether a request carries any header that steers timeouts or retries. */
export function hasSteering(headers: RequestHeaders): boolean {
  const { flat } = headers;
  for (let i = 0; i < flat.length; i += 2) { const name = flat[i]!; if (name.charCodeAt(0) === 120 && name.charCodeAt(2) === 101 && LOOKED_AT.has(name)) return true; }
  return false;
}

/** Takes off what steers retries. */
export function dropSteering(headers: RequestHeaders): void { headers.removeIf((name) => name.charCodeAt(0) === 120 && STEERING.has(name)); }

/** Settles the timeouts of a request. `steered`: hasSteering. */
export function settleTimeouts(plan: ForwardPlan, retry: RetryPolicy | null, hedge: boolean, headers: RequestHeaders, steered: boolean, respectExpected: boolean, out: Timeouts): void {
  // With a max_stream_duration the route's timeout does not hold: the connection manager ends the stream.
  out.globalMs = plan.newTimeouts ? 0 : plan.timeoutMs < 0 ? DEFAULT_TIMEOUT_MS : plan.timeoutMs;
  out.perTryMs = retry === null ? 0 : retry.plan.perTryTimeoutMs;
  out.perTryIdleMs = retry === null ? 0 : retry.plan.perTryIdleTimeoutMs;
  out.hedge = hedge;
  out.streamDurationMs = 0;
  out.timeoutStatus = 504;
  out.tellsGrpc = plan.maxGrpcTimeoutMs >= 0 && !plan.newTimeouts && isGrpc(headers);
  if (out.tellsGrpc) out.globalMs = ofGrpc(plan, headers);
  if (steered) override(headers, respectExpected, out);
  if (out.globalMs > 0 && out.perTryMs >= out.globalMs) out.perTryMs = 0;
}

/** max_grpc_timeout: the request's own deadline, less the offset, up to the maximum (0: none). */
function ofGrpc(plan: ForwardPlan, headers: RequestHeaders): number {
  const { maxGrpcTimeoutMs: max, grpcTimeoutOffsetMs: offset } = plan;
  let ms = Math.max(0, grpcTimeout(headers.get('grpc-timeout')));
  if (offset < ms) ms -= offset;
  if (max !== 0 && (ms === 0 || ms > max)) ms = max;
  return ms;
}

function override(headers: RequestHeaders, respectExpected: boolean, out: Timeouts): void {
  const expected = respectExpected ? number(headers.get('x-envoy-expected-rq-timeout-ms')) : -1;
  if (expected >= 0) out.globalMs = expected;
  else { const asked = number(headers.get('x-envoy-upstream-rq-timeout-ms')); if (asked >= 0) out.globalMs = asked; headers.remove('x-envoy-upstream-rq-timeout-ms'); }
  const perTry = number(headers.get('x-envoy-upstream-rq-per-try-timeout-ms'));
  if (perTry >= 0) out.perTryMs = perTry;
  headers.remove('x-envoy-upstream-rq-per-try-timeout-ms');
  const duration = number(headers.get('x-envoy-upstream-stream-duration-ms'));
  if (duration > 0) out.streamDurationMs = duration;
  const hedge = headers.get('x-envoy-hedge-on-per-try-timeout');
  if (hedge === 'true') out.hedge = true; else if (hedge === 'false') out.hedge = false;
  if (headers.has('x-envoy-upstream-rq-timeout-alt-response')) out.timeoutStatus = 204;
}

/** What an upstream may expect to have, ms: of the try, or (none, or the try may go on beside another) of the whole, less what has passed of it. 0: no limit. */
function expectedTimeout(t: Timeouts, elapsedMs: number): number {
  const ms = t.hedge || t.perTryMs === 0 ? t.globalMs : t.perTryMs;
  if (ms === 0 || t.globalMs === 0) return ms;
  return elapsedMs >= t.globalMs ? 1 : Math.min(ms, t.globalMs - elapsedMs);
}

/** Percent of a time limit that was used (FilterUtility::percentageOfTimeout): of none, none. */
export function noteBudget(stats: StatBlock, which: number, usedMs: number, limitMs: number): void { stats.record(which, limitMs === 0 ? 0 : Math.floor((Math.floor(usedMs) * 100) / limitMs)); }

/** Tells the upstream of it. */
export function tellTimeout(headers: RequestHeaders, t: Timeouts, elapsedMs: number, suppress: boolean): void {
  const ms = expectedTimeout(t, elapsedMs);
  if (ms <= 0) return;
  if (!suppress) headers.set('x-envoy-expected-rq-timeout-ms', String(Math.floor(ms)));
  if (t.tellsGrpc) headers.set('grpc-timeout', toGrpcTimeout(ms));
}

function number(text: string | undefined): number { return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : -1; }

/** Name of the first of `names` that the request carries malformed (strict_check_headers); '' for none. */
export function badSteering(names: readonly string[], headers: RequestHeaders): string {
  for (const name of names) {
    const value = headers.get(name);
    if (value === undefined) continue;
    const good = name === 'x-envoy-retry-on' ? unknownHttp(value).length === 0 : name === 'x-envoy-retry-grpc-on' ? unknownGrpc(value).length === 0 : number(value) >= 0;
    if (!good) return name;
  }
  return '';
}
