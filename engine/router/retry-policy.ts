// A retry policy resolved (Envoy: RetryPolicy), one object per route; and what one request made of it and of its own x-envoy-* headers (Envoy: RetryStateImpl):
// whether to try again, when, and where not.
import { HeaderMatcher } from '../headers/header-matcher.ts';
import { type Headers, RequestHeaders, type ResponseHeaders } from '../headers/headers.ts';
import type { RetryHostPlan, RetryPlan } from '../plan/route-plan.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { Host } from '../upstream/upstream.ts';
import { GRPC_ANY, GRPC_BIT, RETRY_ON, parseRetryGrpcOn, parseRetryOn } from '../http/retry-on.ts';

/** How an attempt without an answer ended, as far as retries look at it. */
export type ResetKind = 'overflow' | 'connect' | 'refused' | 'other';

const NO_HEADERS = new RequestHeaders();

export class RetryPolicy {
  readonly plan: RetryPlan;
  readonly requestHeaders: readonly HeaderMatcher[];
  readonly headers: readonly HeaderMatcher[];
  private unasked: RetryRules | null = null;
  constructor(plan: RetryPlan) {
    this.plan = plan;
    this.headers = plan.headers.map((h) => new HeaderMatcher(h));
    this.requestHeaders = plan.requestHeaders.map((h) => new HeaderMatcher(h));
  }
  /** For one request. `asks`: it may have headers that steer retries; where it has none, the same rules hold for all. */
  rulesFor(request: RequestHeaders, asks: boolean): RetryRules {
    if (asks || this.requestHeaders.length > 0) return new RetryRules(this, request);
    return this.unasked ??= new RetryRules(this, NO_HEADERS);
  }
}

/** Envoy's default policy, for requests that ask for retries by header alone. */
export const DEFAULT_POLICY = new RetryPolicy({
  on: 0, retries: 1, perTryTimeoutMs: 0, perTryIdleTimeoutMs: 0, statusCodes: [], headers: [], requestHeaders: [], baseMs: 25, maxMs: 250, hosts: [], reselects: 1, priorityFrequency: 0, resets: [], resetMaxMs: 300_000, refreshCluster: false,
});

/** What of a policy holds for one request: the policy, overridden and added to by the request's headers. */
export class RetryRules {
  readonly policy: RetryPolicy;
  readonly on: number;
  /** How many at most. */
  readonly retries: number;
  private readonly statusCodes: readonly number[];
  /** Names that make an answer retriable when they are there (x-envoy-retriable-header-names). */
  private readonly headerNames: readonly string[];

  constructor(policy: RetryPolicy, request: RequestHeaders) {
    this.policy = policy;
    let on = policy.plan.on;
    const more = request.get('x-envoy-retry-on'), grpc = request.get('x-envoy-retry-grpc-on');
    if (more !== undefined) on |= parseRetryOn(more);
    if (grpc !== undefined) on |= parseRetryGrpcOn(grpc);
    if (policy.requestHeaders.length > 0 && !policy.requestHeaders.some((h) => h.matches(request))) on = 0;
    this.on = on;
    const max = request.get('x-envoy-max-retries');
    this.retries = on !== 0 && max !== undefined && /^\d{1,9}$/.test(max) ? Number(max) : policy.plan.retries;
    this.statusCodes = [...policy.plan.statusCodes, ...list(request.get('x-envoy-retriable-status-codes')).filter((c) => /^\d{1,9}$/.test(c)).map(Number)];
    this.headerNames = list(request.get('x-envoy-retriable-header-names')).map((n) => n.toLowerCase());
  }

  /** Whether an answer with these headers is to be tried again. */
  wantsAnother(headers: ResponseHeaders): boolean {
    const { on } = this, { status } = headers;
    if (headers.has('x-envoy-ratelimited')) return (on & RETRY_ON.ENVOY_RATE_LIMITED) !== 0;
    if (on & RETRY_ON.FIVE_XX && status >= 500 && status < 600) return true;
    if (on & RETRY_ON.GATEWAY_ERROR && status >= 502 && status <= 504) return true;
    if (on & RETRY_ON.RETRIABLE_4XX && status === 409) return true;
    if (on & RETRY_ON.STATUS_CODES && this.statusCodes.includes(status)) return true;
    if (on & RETRY_ON.HEADERS && (this.policy.headers.some((h) => h.matches(headers)) || this.headerNames.some((n) => headers.has(n)))) return true;
    return (on & GRPC_ANY) !== 0 && (on & (GRPC_BIT[headers.get('grpc-status') ?? ''] ?? 0)) !== 0;
  }

  /** Whether an attempt that ended without an answer is to be tried again. `started`: bytes of the request have gone out in some attempt. */
  wantsAfterReset(kind: ResetKind, started: boolean): boolean {
    const { on } = this;
    if (kind === 'overflow') return false;
    if (on & RETRY_ON.RESET_BEFORE_REQUEST && !started) return true;
    if (on & (RETRY_ON.RESET | RETRY_ON.FIVE_XX | RETRY_ON.GATEWAY_ERROR)) return true;
    return (kind === 'refused' && (on & RETRY_ON.REFUSED_STREAM) !== 0) || (kind === 'connect' && (on & RETRY_ON.CONNECT_FAILURE) !== 0);
  }

  /** Milliseconds that the answer asks to wait (rate_limited_retry_back_off); -1: it does not, or for too long. */
  resetInterval(headers: Headers, wallMs: number): number {
    const { resets, resetMaxMs } = this.policy.plan;
    for (const r of resets) {
      const value = headers.get(r.name);
      if (value === undefined || !/^\d{1,12}$/.test(value)) continue;
      const ms = r.timestamp ? Number(value) * 1000 - wallMs : Number(value) * 1000;
      if (ms >= 0 && ms <= resetMaxMs) return ms;
    }
    return -1;
  }
}

function list(text: string | undefined): string[] { return text === undefined ? [] : text.split(',').map((t) => t.trim()).filter((t) => t !== ''); }

/** Whether a host predicate rejects `host` after attempts at `tried`. */
export function rejectedBy(predicates: readonly RetryHostPlan[], host: Host, tried: readonly Host[]): boolean {
  for (const p of predicates) {
    switch (p.kind) {
      case 'previous': for (const t of tried) if (t.text === host.text) return true; break;
      case 'canary': if (lb(host)?.['canary'] === true) return true; break;
      case 'metadata': if (includes(lb(host), p.match)) return true; break;
    }
  }
  return false;
}

type Fields = { readonly [key: string]: MetadataValue };
function lb(host: Host): Fields | null {
  const fields = host.metadata?.['envoy.lb'];
  return fields !== null && typeof fields === 'object' && !Array.isArray(fields) ? fields as Fields : null;
}
/** Every wanted field is there with an equal value; nothing wanted matches nothing. */
function includes(have: Fields | null, want: Fields): boolean {
  const keys = Object.keys(want);
  if (have === null || keys.length === 0) return false;
  return keys.every((k) => Object.hasOwn(have, k) && JSON.stringify(have[k]) === JSON.stringify(want[k]));
}
