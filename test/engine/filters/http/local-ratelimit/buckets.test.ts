// Which bucket of a local rate limit a request takes from, and what is left.
import assert from 'node:assert/strict';
import test from 'node:test';
import { RateBuckets } from '../../../../../engine/filters/http/local-ratelimit/buckets.ts';
import { ConnectionFacts } from '../../../../../engine/observe/stream-facts.ts';
import type { LocalRateLimitPlan } from '../../../../../engine/plan/rate-limit-plan.ts';
import { SharedLimits } from '../../../../../engine/shm/shared-limits.ts';

const hour = (maxTokens: number): NonNullable<LocalRateLimitPlan['bucket']> => ({ maxTokens, tokensPerFill: 1, fillIntervalMs: 3_600_000 });
const PLAN = { statPrefix: 's', key: 'k', bucket: hour(3), descriptors: [], alwaysDefault: true, perConnection: false } as unknown as LocalRateLimitPlan;
const limits = (): SharedLimits => new SharedLimits(new SharedArrayBuffer(SharedLimits.bytes(64)));
const NOW = 1_790_000_000_000, bob = [['user', 'bob'], ['path', '/']] as const, amy = [['user', 'amy']] as const;

test('the default bucket is one for all workers, or one for each connection', () => {
  const shared = limits(), a = new RateBuckets(PLAN, shared), b = new RateBuckets(PLAN, shared), c = new ConnectionFacts();
  assert.deepEqual([a, b, a, b].map((x) => x.take(c, [], NOW).allowed), [true, true, true, false]);
  const own = new RateBuckets({ ...PLAN, perConnection: true }, shared), other = new ConnectionFacts();
  assert.deepEqual([c, c, c, c, other].map((x) => own.take(x, [], NOW).allowed), [true, true, true, false, true]);
});

test('a descriptor is matched by its entries in any order, and refuses before the default bucket does', () => {
  const r = new RateBuckets({ ...PLAN, descriptors: [{ entries: [['path', '/'], ['user', 'bob']], bucket: hour(1), shadow: false }] } as LocalRateLimitPlan, limits()), c = new ConnectionFacts();
  assert.deepEqual([r.take(c, [bob], NOW).allowed, r.take(c, [bob], NOW).allowed], [true, false]);
  assert.deepEqual([r.take(c, [amy], NOW).allowed, r.take(c, [amy], NOW).allowed, r.take(c, [amy], NOW).allowed], [true, true, false], 'bob took one of the default bucket');
});

test('a shadow descriptor refuses nobody; the default bucket may be left to those without a descriptor', () => {
  const c = new ConnectionFacts(), shadow = new RateBuckets({ ...PLAN, descriptors: [{ entries: bob, bucket: hour(1), shadow: true }] } as LocalRateLimitPlan, limits());
  assert.deepEqual([1, 2, 3, 4].map(() => shadow.take(c, [bob], NOW).allowed), [true, true, true, false]);
  const apart = new RateBuckets({ ...PLAN, bucket: hour(1), alwaysDefault: false, descriptors: [{ entries: bob, bucket: hour(2), shadow: false }] } as LocalRateLimitPlan, limits());
  assert.deepEqual([apart.take(c, [bob], NOW).allowed, apart.take(c, [bob], NOW).allowed, apart.take(c, [amy], NOW).allowed, apart.take(c, [amy], NOW).allowed], [true, true, true, false]);
});
