// What retry policies retry: by status, header, gRPC status, kind of reset; where not; and after how long.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { RequestHeaders, ResponseHeaders } from '../../../engine/headers/headers.ts';
import { parseRetryGrpcOn, parseRetryOn, unknownRetryOn } from '../../../engine/http/retry-on.ts';
import { rejectedBy, RetryPolicy, RetryRules, type ResetKind } from '../../../engine/router/retry-policy.ts';
import type { RetryPlan } from '../../../engine/plan/route-plan.ts';
import type { Host } from '../../../engine/upstream/upstream.ts';
import { RETRY } from './router-peer.ts';

function rules(plan: Partial<RetryPlan>, request: Record<string, string> = {}): RetryRules {
  const h = new RequestHeaders();
  for (const [k, v] of Object.entries(request)) h.add(k, v);
  return new RetryRules(new RetryPolicy({ ...RETRY, ...plan }), h);
}
function response(status: number, headers: Record<string, string> = {}): ResponseHeaders {
  const h = new ResponseHeaders();
  h.status = status;
  for (const [k, v] of Object.entries(headers)) h.add(k, v);
  return h;
}

test('retry_on by status', () => {
  const table: [string, number[], number[]][] = [
    ['5xx', [500, 503, 504, 599], [200, 404, 409]], ['gateway-error', [502, 503, 504], [500, 505]], ['retriable-4xx', [409], [404, 429]], ['retriable-status-codes', [418], [404, 500]], ['reset,connect-failure', [], [500, 503]],
  ];
  for (const [on, yes, no] of table) {
    const r = rules({ on: parseRetryOn(on), statusCodes: [418] });
    for (const s of yes) assert.equal(r.wantsAnother(response(s)), true, `${on} ${s}`);
    for (const s of no) assert.equal(r.wantsAnother(response(s)), false, `${on} ${s}`);
  }
});

test('an answer of a rate-limiting Envoy is retried by envoy-ratelimited alone', () => {
  const limited = response(503, { 'x-envoy-ratelimited': 'true' });
  assert.equal(rules({ on: parseRetryOn('5xx') }).wantsAnother(limited), false);
  assert.equal(rules({ on: parseRetryOn('envoy-ratelimited') }).wantsAnother(limited), true);
});

test('gRPC statuses by their names, in headers only', () => {
  for (const [name, status] of [['cancelled', '1'], ['deadline-exceeded', '4'], ['resource-exhausted', '8'], ['internal', '13'], ['unavailable', '14']] as const) {
    const r = rules({ on: parseRetryGrpcOn(name) });
    for (const s of ['0', '1', '2', '4', '8', '13', '14', 'x', '']) assert.equal(r.wantsAnother(response(200, { 'grpc-status': s })), s === status, `${name} ${s}`);
    assert.equal(r.wantsAnother(response(503)), false);
  }
});

test('resets by kind', () => {
  const table: [string, ResetKind[]][] = [['5xx', ['connect', 'refused', 'other']], ['gateway-error', ['connect', 'refused', 'other']], ['reset', ['connect', 'refused', 'other']], ['connect-failure', ['connect']], ['refused-stream', ['refused']], ['retriable-4xx', []]];
  for (const [on, kinds] of table) for (const k of ['overflow', 'connect', 'refused', 'other'] as const) assert.equal(rules({ on: parseRetryOn(on) }).wantsAfterReset(k, true), kinds.includes(k), `${on} ${k}`);
  assert.equal(rules({ on: parseRetryOn('reset-before-request') }).wantsAfterReset('other', false), true);
  assert.equal(rules({ on: parseRetryOn('reset-before-request') }).wantsAfterReset('other', true), false);
});

test('the request adds conditions, codes and header names; x-envoy-max-retries replaces the number', () => {
  const r = rules({ on: 0, retries: 1 }, { 'x-envoy-retry-on': 'retriable-status-codes, retriable-headers', 'x-envoy-retriable-status-codes': '404, 405', 'x-envoy-retriable-header-names': 'X-A, x-b', 'x-envoy-max-retries': '7' });
  assert.equal(r.retries, 7);
  assert.deepEqual([404, 405, 406].map((s) => r.wantsAnother(response(s))), [true, true, false]);
  assert.equal(r.wantsAnother(response(200, { 'x-a': '' })), true);
  assert.equal(rules({ on: 0, retries: 1 }, { 'x-envoy-max-retries': '7' }).retries, 1, 'without a condition it means nothing');
  assert.equal(rules({}, { 'x-envoy-max-retries': '-1' }).retries, 1);
});

test('retriable_request_headers limit which requests are retried at all', () => {
  const requestHeaders = [{ name: 'x-safe', match: { kind: 'present', present: true }, invert: false, missingAsEmpty: false }] as const;
  assert.equal(rules({ requestHeaders }).on, 0);
  assert.equal(rules({ requestHeaders }, { 'x-retry-on': '5xx' }).on, 0);
  assert.notEqual(rules({ requestHeaders }, { 'x-safe': '' }).on, 0);
});

test('rate-limited back-off: seconds or a time, the first header within the maximum', () => {
  const r = rules({ resets: [{ name: 'retry-after', timestamp: false }, { name: 'x-reset', timestamp: true }], resetMaxMs: 10_000 });
  const now = 1_000_000_000;
  assert.equal(r.resetInterval(response(429, { 'retry-after': '3' }), now), 3000);
  assert.equal(r.resetInterval(response(429, { 'retry-after': '60', 'x-reset': '1000004' }), now), 4000);
  assert.equal(r.resetInterval(response(429, { 'x-reset': '999999' }), now), -1, 'in the past');
  assert.equal(r.resetInterval(response(429, { 'retry-after': 'Wed, 21 Oct' }), now), -1);
  assert.equal(r.resetInterval(response(429), now), -1);
});

test('host predicates: tried before, canaries, metadata', () => {
  const host = (text: string, lb: Record<string, string | boolean> | null): Host => ({ text, metadata: lb === null ? null : { 'envoy.lb': lb } }) as unknown as Host;
  const a = host('a', { canary: true, stage: 'x', more: 'y' }), b = host('b', null);
  assert.equal(rejectedBy([{ kind: 'previous' }], a, [b, a]), true);
  assert.equal(rejectedBy([{ kind: 'previous' }], a, [b]), false);
  assert.equal(rejectedBy([{ kind: 'canary' }], a, []), true);
  assert.equal(rejectedBy([{ kind: 'canary' }], b, []), false);
  assert.equal(rejectedBy([{ kind: 'metadata', match: { stage: 'x' } }], a, []), true);
  assert.equal(rejectedBy([{ kind: 'metadata', match: { stage: 'z' } }], a, []), false);
  assert.equal(rejectedBy([{ kind: 'metadata', match: {} }], a, []), false);
});

test('lists of conditions of any form are read without fault', () => {
  assert.equal(parseRetryOn(' 5xx ,reset'), parseRetryOn('reset,5xx'));
  assert.deepEqual(unknownRetryOn('5xx,unavailable,,toString, x'), ['toString', 'x']);
  fc.assert(fc.property(fc.string(), (s) => Number.isInteger(parseRetryOn(s)) && Number.isInteger(parseRetryGrpcOn(s)) && rules({ on: 1 }, { 'x-envoy-retry-on': s, 'x-envoy-max-retries': s, 'x-envoy-retriable-status-codes': s, 'x-envoy-retriable-header-names': s }).retries >= 0), { numRuns: 300 });
});
