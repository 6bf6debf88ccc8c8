// Which bucket of a local rate limit a request takes from, and what is left.
import assert from 'node:assert/strict';
import test from 'node:test';
import { RateBuckets } from '../../../../../engine/filters/http/local-ratelimit/buckets.ts';
import type { Descriptor } from '../../../../../engine/http/rate-limit/rate-limits.ts';
import { ConnectionFacts } from '../../../../../engine/observe/stream-facts.ts';
import type { LocalRateLimitPlan } from '../../../../../engine/plan/rate-limit-plan.ts';
import { SharedLimits } from '../../../../../engine/shm/shared-limits.ts';

const hour = (maxTokens: number): NonNullable<LocalRateLimitPlan['bucket']> => ({ maxTokens, tokensPerFill: 1, fillIntervalMs: 3_600_000 });
const PLAN = { statPrefix: 's', key: 'k', bucket: hour(3), descriptors: [], alwaysDefault: true, perConnection: false } as unknown as LocalRateLimitPlan;
const limits = (): SharedLimits => new SharedLimits(new SharedArrayBuffer(SharedLimits.bytes(64)));
const of = (entries: Descriptor['entries'], more: Partial<Descriptor> = {}): Descriptor => ({ entries, hits: 1, refill: false, tells: null, ...more });
const NOW = 1_790_000_000_000, bob = of([['user', 'bob'], ['path', '/']]), amy = of([['user', 'amy']]);

test('the default bucket is one for all workers, or one for each connection', () => {
  const shared = limits(), a = new RateBuckets(PLAN, shared), b = new RateBuckets(PLAN, shared), c = new ConnectionFacts();
  assert.deepEqual([a, b, a, b].map((x) => x.take(c, [], NOW).allowed), [true, true, true, false]);
  const own = new RateBuckets({ ...PLAN, perConnection: true }, shared), other = new ConnectionFacts();
  assert.deepEqual([c, c, c, c, other].map((x) => own.take(x, [], NOW).allowed), [true, true, true, false, true]);
});

test('a descriptor is matched by its entries in their order, and refuses before the default bucket does', () => {
  const r = new RateBuckets({ ...PLAN, descriptors: [{ entries: bob.entries, bucket: hour(1), shadow: false }] } as LocalRateLimitPlan, limits()), c = new ConnectionFacts();
  assert.deepEqual([r.take(c, [bob], NOW).allowed, r.take(c, [bob], NOW).allowed], [true, false]);
  const turned = of([['path', '/'], ['user', 'bob']]);
  assert.equal(r.take(c, [turned], NOW).allowed, true, 'another descriptor');
  assert.deepEqual([r.take(c, [amy], NOW).allowed, r.take(c, [amy], NOW).allowed], [true, false], 'bob and his turned descriptor took two of the default bucket');
});

test('a shadow descriptor refuses nobody; the default bucket may be left to those without a descriptor', () => {
  const c = new ConnectionFacts(), shadow = new RateBuckets({ ...PLAN, descriptors: [{ entries: bob.entries, bucket: hour(1), shadow: true }] } as LocalRateLimitPlan, limits());
  assert.deepEqual([1, 2, 3, 4].map(() => { const d = shadow.take(c, [bob], NOW); return [d.allowed, d.shadowed ?? false]; }), [[true, false], [true, true], [true, true], [false, false]], 'counted as shadow_mode and rate_limited');
  const apart = new RateBuckets({ ...PLAN, bucket: hour(1), alwaysDefault: false, descriptors: [{ entries: bob.entries, bucket: hour(2), shadow: false }] } as LocalRateLimitPlan, limits());
  assert.deepEqual([apart.take(c, [bob], NOW).allowed, apart.take(c, [bob], NOW).allowed, apart.take(c, [amy], NOW).allowed, apart.take(c, [amy], NOW).allowed], [true, true, true, false]);
});

test('a request takes as many tokens as its descriptor says, or puts them back; one that takes none is refused', () => {
  const c = new ConnectionFacts(), r = new RateBuckets({ ...PLAN, alwaysDefault: false, descriptors: [{ entries: bob.entries, bucket: hour(5), shadow: false }] } as LocalRateLimitPlan, limits());
  const take = (hits: number, refill = false): unknown => { const d = r.take(c, [of(bob.entries, { hits, refill, tells: true })], NOW); return [d.allowed, Math.round(d.bucket!.left(0, NOW)), d.tells]; };
  assert.deepEqual([take(3), take(3), take(1, true), take(3), take(9, true), take(0)], [[true, 2, true], [false, 2, true], [true, 3, true], [true, 0, true], [true, 5, true], [false, 5, true]]);
});

test('what answers tell of is the slowest bucket that a request took from', () => {
  const c = new ConnectionFacts(), r = new RateBuckets({ ...PLAN, descriptors: [{ entries: amy.entries, bucket: { ...hour(9), tokensPerFill: 2 }, shadow: false }, { entries: bob.entries, bucket: hour(5), shadow: false }] } as LocalRateLimitPlan, limits());
  const d = r.take(c, [amy, bob], NOW);
  assert.deepEqual([d.allowed, d.bucket?.plan.maxTokens, Math.round(d.bucket!.left(0, NOW))], [true, 5, 4]);
});

const user = (value: string, ...more: Descriptor['entries']): Descriptor => of([['user', value], ...more]);
function anyUser(most: number, tokens = 1, more: object[] = []): LocalRateLimitPlan { return { ...PLAN, bucket: null, maxDynamic: most, descriptors: [...more, { entries: [['user', '']], bucket: hour(tokens), shadow: false }] } as LocalRateLimitPlan; }

test('a descriptor without a value has a bucket for each value, the same in all workers, and the value that is asked for least recently makes room', () => {
  const shared = limits(), a = new RateBuckets(anyUser(2), shared), b = new RateBuckets(anyUser(2), shared), c = new ConnectionFacts();
  const ask = (r: RateBuckets, name: string): boolean => r.take(c, [user(name)], NOW).allowed;
  assert.deepEqual([ask(a, 'bob'), ask(b, 'amy'), ask(b, 'bob'), ask(a, 'amy')], [true, true, false, false]);
  assert.equal(ask(a, 'bob'), false, 'now amy is the least recent');
  assert.equal(ask(b, 'eve'), true);
  assert.deepEqual([ask(a, 'bob'), ask(b, 'amy')], [false, true], 'only amy had to go');
  const own = new RateBuckets({ ...anyUser(2), perConnection: true }, shared), other = new ConnectionFacts();
  assert.deepEqual([c, c, other].map((x) => own.take(x, [user('bob')], NOW).allowed), [true, false, true]);
  assert.deepEqual(['amy', 'eve', 'bob'].map((n) => own.take(c, [user(n)], NOW).allowed), [true, true, true], 'bob was forgotten');
});

test('a value that is named goes before any value; keys, their order and their number have to be the same', () => {
  const r = new RateBuckets(anyUser(9, 1, [{ entries: [['user', 'bob']], bucket: hour(3), shadow: false }, { entries: [['user', ''], ['path', '/a']], bucket: hour(2), shadow: false }]), limits()), c = new ConnectionFacts();
  const times = (d: Descriptor): number => { let n = 0; while (n < 9 && r.take(c, [d], NOW).allowed) n++; return n; };
  assert.deepEqual([times(user('bob')), times(user('amy')), times(user('amy', ['path', '/a'])), times(user('amy', ['path', '/b'])), times(of([['path', '/a'], ['user', 'amy']])), times(user(''))], [3, 1, 2, 9, 9, 1]);
});

test('many values keep their buckets while there is room, and a full table leaves them to each worker', () => {
  const many = new RateBuckets(anyUser(500), new SharedLimits(new SharedArrayBuffer(SharedLimits.bytes(2048)))), c = new ConnectionFacts();
  const names = Array.from({ length: 500 }, (_, i) => user(`user-${i}`)), allowed = (r: RateBuckets): number => names.filter((d) => r.take(c, [d], NOW).allowed).length;
  assert.equal(allowed(many), 500);
  assert.ok(allowed(many) <= 10, 'nearly all are known still');
  const full = new RateBuckets(anyUser(500), limits());
  assert.deepEqual([allowed(full), allowed(full)], [500, 0]);
});

test('what the buckets give is shared by the members of a local cluster', () => {
  const r = new RateBuckets({ ...PLAN, bucket: hour(8), alwaysDefault: false, descriptors: [{ entries: bob.entries, bucket: hour(6), shadow: false }] } as LocalRateLimitPlan, limits()), c = new ConnectionFacts();
  assert.deepEqual([1, 2, 3].map(() => { const d = r.take(c, [bob], NOW, 3); return [d.allowed, Math.round(d.bucket!.left(0, NOW))]; }), [[true, 3], [true, 0], [false, 0]]);
  assert.deepEqual([1, 2].map(() => r.take(c, [], NOW, 5).allowed), [true, false]);
});
