// The small HTTP filters on a stream: what goes on, what is answered, and that clocks end with it.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BasicAuthFactory } from '../../../../engine/filters/http/basic-auth/filter.ts';
import { BufferFactory } from '../../../../engine/filters/http/buffer/filter.ts';
import { CorsFactory } from '../../../../engine/filters/http/cors/filter.ts';
import { CsrfFactory, hostAndPort } from '../../../../engine/filters/http/csrf/filter.ts';
import { FaultFactory } from '../../../../engine/filters/http/fault/filter.ts';
import { HealthCheckFactory } from '../../../../engine/filters/http/health-check/filter.ts';
import type { Clock } from '../../../../engine/loop/clock.ts';
import { SharedLimits } from '../../../../engine/shm/shared-limits.ts';
import { SharedRecords } from '../../../../engine/shm/shared-records.ts';
import { mutateQuery } from '../../../../engine/filters/http/header-mutation/filter.ts';
import { HeaderToMetadataFactory } from '../../../../engine/filters/http/header-to-metadata/filter.ts';
import { updated } from '../../../../engine/filters/http/set-metadata/filter.ts';
import { Headers, RequestHeaders, ResponseHeaders } from '../../../../engine/headers/headers.ts';
import { LocalReply, type HttpFilter, type StreamView } from '../../../../engine/http/filter.ts';
import { Runtime } from '../../../../engine/loop/runtime.ts';
import { HEALTH_CHECK_FILTER_SCHEMA } from '../../../../engine/observe/stats/schemas.ts';
import type { StatStore } from '../../../../engine/observe/stats/stat-block.ts';
import { ThreadStatStore } from '../../../../engine/observe/stats/thread-stat-store.ts';
import { ConnectionFacts, StreamFacts } from '../../../../engine/observe/stream-facts.ts';
import type { BasicAuthPlan, CorsPlan, FaultPlan, HeaderToMetadataPlan } from '../../../../engine/plan/http-filter-plans.ts';
import { harness, type Harness } from '../../http/stream-harness.ts';

const ALL = { key: '', numerator: 100, denominator: 100 };
const stats = (): StatStore => { let n = 0; return { column: new Float64Array(64), claimOne: () => n++ } as unknown as StatStore; };
const request = (headers: Record<string, string> = {}, method = 'GET', path = '/'): RequestHeaders => { const r = new RequestHeaders(); Object.assign(r, { method, path, authority: 'h.example', scheme: 'http' }); for (const [k, v] of Object.entries(headers)) r.add(k, v); return r; };
/** A stream for filters that only look at heads. */
const view = (headers: RequestHeaders, levels: readonly unknown[] = []): StreamView => { const facts = new StreamFacts(new ConnectionFacts()); facts.request = headers; return { facts, request: headers, random: 7, routeConfig: () => levels.at(-1), routeConfigs: () => levels } as unknown as StreamView; };
const head = (f: HttpFilter, h: RequestHeaders, levels?: readonly unknown[]): unknown => f.onRequestHeaders!(view(h, levels), h, true);

test('buffer: a request goes on when it is whole, with its length; trailers end it too; one without a body at once', () => {
  const make = (): Harness => harness([new BufferFactory('b', 0, { maxBytes: 10 }).create()]);
  const h = make();
  h.request('POST', '/', false);
  h.body('abc', false);
  assert.deepEqual(h.terminal.got.list, []);
  h.body('de', true);
  assert.deepEqual(h.terminal.got.list, ['POST /', 'abcde end']);
  assert.equal(h.stream.request.get('content-length'), '5');
  const t = make(), trailers = new Headers();
  trailers.add('t', '1');
  t.request('POST', '/', false);
  t.body('abc', false);
  t.stream.onTrailers(trailers);
  assert.deepEqual(t.terminal.got.list, ['POST /', 'abc', 'trailers t=1']);
  assert.equal(t.stream.request.get('content-length'), '3');
  const none = make();
  none.request('GET', '/', true);
  assert.deepEqual(none.terminal.got.list, ['GET / end']);
});

test('buffer: beyond the limit is 413, and nothing has gone on', () => {
  const h = harness([new BufferFactory('b', 0, { maxBytes: 4 }).create()], { limit: 1000 });
  h.request('POST', '/', false);
  h.body('abcde', false);
  assert.equal(h.stream.facts.status, 413);
  assert.deepEqual(h.terminal?.got.list ?? [], []);
});

const FAULT: FaultPlan = { countsDownstream: true, delay: null, abort: null, rate: null, cluster: '', headers: [], nodes: [], maxActive: -1, metadata: {}, keys: { maxActive: 'x', delay: 'd', abort: 'a', rate: 'r', delayMs: 'm', status: 's', grpc: 'g' } };
/** The filter wants the harness's clock, so it takes its place in the chain when the harness is there. */
function faulty(plan: Partial<FaultPlan>, limits = new SharedLimits(new SharedArrayBuffer(SharedLimits.bytes(8)))): Harness {
  const chain: HttpFilter[] = [{}], h = harness(chain);
  chain[0] = new FaultFactory('f', 0, { ...FAULT, ...plan }, h.runtime.env, limits, 'http.x').create();
  return h;
}

test('fault: an abort answers, with its flag; a delay may be followed by one', () => {
  const now = faulty({ abort: { status: 418, grpc: -1, byHeader: false, share: ALL, body: '' } });
  now.request('GET', '/', true);
  assert.deepEqual([now.stream.facts.status, now.stream.facts.statusDetails], [418, 'fault_filter_abort']);
  const none = faulty({ abort: { status: 418, grpc: -1, byHeader: false, share: { ...ALL, numerator: 0 }, body: '' } });
  none.request('GET', '/', true);
  assert.deepEqual(none.terminal.got.list, ['GET / end']);
});

test('fault: by the downstream cluster that a request names faults are counted, and its runtime keys stand in place of the filter\'s', () => {
  const abort = { status: 503, grpc: -1, byHeader: false, share: ALL, body: '' };
  const ask = (plan: Partial<FaultPlan>, cluster: string | null, values: { readonly [key: string]: number } = {}): { status: number; counted: number } => {
    const h = faulty({ abort, ...plan }), { stats } = h.runtime.env, names: string[] = [], { claimOne } = stats;
    Object.assign(stats, { claimOne: (name: string, kind: 'counter') => { names.push(name); return claimOne(name, kind); } });
    h.runtime.env.runtime.install(values);
    h.request('GET', '/', true, cluster === null ? {} : { 'x-envoy-downstream-service-cluster': cluster });
    return { status: h.stream.facts.status, counted: names.filter((n) => n === 'http.x.fault.c.aborts_injected').length };
  };
  assert.deepEqual([ask({}, 'c'), ask({ countsDownstream: false }, 'c'), ask({}, null)], [{ status: 503, counted: 1 }, { status: 503, counted: 0 }, { status: 503, counted: 0 }]);
  assert.equal(ask({}, 'c', { 'fault.http.c.abort.http_status': 418, s: 400 }).status, 418);
  assert.equal(ask({}, 'd', { s: 400 }).status, 503, 'the filter\'s own keys are not looked at');
  assert.equal(ask({}, null, { s: 400 }).status, 400);
  assert.equal(ask({}, 'c', { 'fault.http.c.abort.abort_percent': 0 }).status === 503, false);
  assert.equal(ask({ abort: { ...abort, share: { ...ALL, numerator: 0 } } }, 'c', { 'fault.http.c.abort.abort_percent': 100 }).status, 503);
});

test('fault: no more than max_active_faults at a time in all workers; a delay that is over holds none', () => {
  const limits = new SharedLimits(new SharedArrayBuffer(SharedLimits.bytes(8))), delay = { ms: 1000, byHeader: false, share: ALL };
  const one = faulty({ maxActive: 1, delay, metadata: { k: 'v' } }, limits), other = faulty({ maxActive: 1, delay }, limits), third = faulty({ maxActive: 1, delay, metadata: { k: 'v' } }, limits);
  one.request('GET', '/', true);
  other.request('GET', '/', true);
  assert.deepEqual(other.terminal.got.list, ['GET / end'], 'one of another worker is let through');
  one.advance(1001);
  assert.deepEqual([one.terminal.got.list, one.stream.facts.metadata], [['GET / end'], new Map([['f', { k: 'v' }]])]);
  third.request('GET', '/', true);
  assert.deepEqual(third.terminal.got.list, []);
  third.stream.onReset('remote', null);
  assert.equal(limits.tryHold(limits.claim('faults http.x'), 1), true, 'nothing is held');
});

test('health_check: an answer that was passed through stands for all workers as long as cache_time', () => {
  const records = new SharedRecords(new SharedArrayBuffer(SharedRecords.bytes(2)));
  let nowMs = 3e12;
  const column = new SharedArrayBuffer(1 << 16), names = new Map<string, number>(), store = new ThreadStatStore(column, (c) => { if (c.kind === 'stat-block') HEALTH_CHECK_FILTER_SCHEMA.names.forEach((n, i) => names.set(`${c.prefix}.${n}`, c.base + i)); });
  const worker = (): HealthCheckFactory => new HealthCheckFactory('h', { headers: [], passThrough: true, cacheMs: 1000, minimums: [] }, { stats: store, scope: 'http.x', clock: { wallMs: () => nowMs } as Clock, records, place: 'http.x h 0', clusters: { get: () => null } as never, nodeCluster: '', healthFailed: () => false });
  const one = worker(), other = worker();
  assert.equal(other.answersItself, false);
  one.remember(503, true);
  nowMs += 999;
  assert.deepEqual([other.answersItself, other.reply().status, other.reply().details, other.reply().headers !== null], [true, 503, 'health_check_cached', true]);
  nowMs += 1;
  assert.deepEqual([one.answersItself, other.answersItself], [false, false]);
  other.remember(200, false);
  assert.deepEqual([one.reply().status, one.reply().flags, one.reply().headers], [200, 0, null]);
  const counted = Object.fromEntries([...names].map(([n, at]) => [n.slice('http.x.health_check.'.length), store.column[at]]));
  assert.deepEqual(counted, { cached_response: 6, degraded: 3, failed: 3, failed_cluster_empty: 0, failed_cluster_not_found: 0, failed_cluster_unhealthy: 0, ok: 3, request_total: 6 });
});

test('fault: a client that goes away during a delay leaves no clock behind', () => {
  const h = faulty({ delay: { ms: 1000, byHeader: false, share: ALL } });
  h.request('GET', '/', true);
  assert.deepEqual(h.terminal?.got.list ?? [], []);
  h.stream.onReset('remote', null);
  assert.equal(h.wheel.size, 0);
});

test('fault: a slowed answer goes out in slices, its trailers behind it, at the rate that was asked for', () => {
  const h = faulty({ rate: { kbps: 16, byHeader: false, share: ALL } });
  h.request('GET', '/', true);
  h.terminal.answer(200, false);
  h.terminal.body('x'.repeat(4096), false);
  const trailers = new Headers();
  trailers.add('t', '1');
  h.terminal.entry.respondTrailers(trailers);
  const sent = (): number => h.codec.sent.list.join('').replace(/[^x]/g, '').length;
  assert.equal(sent(), 1024, 'one slice at once');
  h.advance(63);
  assert.equal(sent(), 2048);
  h.advance(63);
  h.advance(63);
  assert.equal(sent(), 4096);
  assert.match(h.codec.sent.list.at(-1)!, /t=1/);
  h.codec.sink?.onComplete();
  assert.equal(h.wheel.size, 0);
});

test('fault: a slowed answer that is reset leaves no clock behind', () => {
  const h = faulty({ rate: { kbps: 1, byHeader: false, share: ALL } });
  h.request('GET', '/', true);
  h.terminal.answer(200, false);
  h.terminal.body('x'.repeat(500), true);
  h.stream.onReset('remote', null);
  assert.equal(h.wheel.size, 0);
});

test('csrf: host and port of origins', () => {
  for (const [url, want] of [['http://a', 'a'], ['https://a:8443/x?y', 'a:8443'], ['http://u:p@a/', 'a'], ['null', ''], ['a.example', 'a.example'], [undefined, ''], ['http://[::1]:80/', '[::1]:80']] as const) assert.equal(hostAndPort(url), want);
  const f = new CsrfFactory('c', 0, { enabled: null, shadow: null, origins: [{ kind: 'suffix', text: '.ok', ignoreCase: false }] }, new Runtime(), stats(), 'http.x');
  const ask = (headers: Record<string, string>, method = 'POST'): boolean => head(f, request(headers, method)) === 'next';
  assert.deepEqual([ask({ origin: 'http://h.example' }), ask({ origin: 'http://x.ok' }), ask({ origin: 'http://evil' }), ask({}), ask({ referer: 'http://h.example/p' }), ask({ origin: 'http://evil' }, 'GET')], [true, true, false, false, true, true]);
});

const CORS: CorsPlan = { origins: [], methods: '', headers: '', expose: '', maxAge: '', credentials: null, privateNetwork: null, forwardNotMatching: null, enabled: null, shadow: null };
test('cors: what a route does not say, its virtual host says; preflights that match nothing are answered where that is wanted', () => {
  const f = new CorsFactory('c', 0, new Runtime(), stats(), 'http.x');
  const levels = [{ ...CORS, origins: [{ kind: 'exact' as const, text: 'http://ok', ignoreCase: false }], headers: 'x-a', credentials: true, forwardNotMatching: false }, { ...CORS, methods: '*' }].map((p) => f.routeConfig(p));
  const preflight = (origin: string): Record<string, string> | string => {
    const v = f.create().onRequestHeaders!(view(request({ origin, 'access-control-request-method': 'PUT' }, 'OPTIONS'), levels), request({ origin, 'access-control-request-method': 'PUT' }, 'OPTIONS'), true);
    if (!(v instanceof LocalReply)) return String(v);
    const h = new ResponseHeaders();
    v.headers?.(h, undefined as never);
    return Object.fromEntries(Array.from({ length: h.size }, (_, i) => [h.flat[2 * i]!, h.flat[2 * i + 1]!]));
  };
  assert.deepEqual(preflight('http://ok'), { 'access-control-allow-methods': 'PUT', 'access-control-allow-headers': 'x-a' });
  assert.deepEqual(preflight('http://bad'), {});
});

test('header_mutation: query parameters', () => {
  const m = (action: 'append' | 'add-if-absent' | 'overwrite-or-add' | 'overwrite-if-exists') => ({ remove: '', name: 'a', value: [], action });
  assert.equal(mutateQuery('b&a=1', [[m('append'), 'x y']]), 'a=1&a=x%20y&b=', 'in the order of the names');
  assert.equal(mutateQuery('', [[m('append'), "&='~*"]]), 'a=%26%3D%27%7E*');
  assert.equal(mutateQuery('a', [[m('add-if-absent'), 'x']]), 'a=');
  assert.equal(mutateQuery('a=1&b=2&a=3', [[m('overwrite-or-add'), 'x']]), 'a=x&b=2');
  assert.equal(mutateQuery('b=2', [[m('overwrite-if-exists'), 'x']]), 'b=2');
  assert.equal(mutateQuery('a=1&a', [[{ ...m('append'), remove: 'a' }, '']]), '');
});

test('set_metadata: structs are merged, lists joined, the rest replaced', () => {
  assert.deepEqual(updated({ a: 1, s: { x: 1 }, l: [1] }, { a: 2, s: { y: 2 }, l: [2], n: null }), { a: 2, s: { x: 1, y: 2 }, l: [1, 2], n: null });
});

test('header_to_metadata: numbers, rewrites, cookies, removal, values too long', () => {
  const write = (key: string, more: object = {}) => ({ namespace: 'n', key, value: '', rewrite: null, number: false, base64: false, ...more });
  const plan: HeaderToMetadataPlan = { response: [], request: [
    { header: 'x-n', cookie: '', present: write('n', { number: true }), missing: null, remove: true }, { header: 'x-p', cookie: '', present: write('p', { rewrite: { regex: '^/([^/]+)/.*', substitution: '\\1' } }), missing: write('p', { value: 'none' }), remove: false },
    { header: '', cookie: 'who', present: write('c'), missing: null, remove: false }, { header: 'x-b', cookie: '', present: write('b', { base64: true }), missing: null, remove: false },
  ] };
  const f = new HeaderToMetadataFactory('m', 0, plan);
  const run = (headers: Record<string, string>): unknown => { const r = request(headers), s = view(r); f.onRequestHeaders(s, r); return [s.facts.metadata?.get('n') ?? {}, r.has('x-n')]; };
  assert.deepEqual(run({ 'x-n': '12.5', 'x-p': '/one/two', cookie: 'a=1; who="me"', 'x-b': 'aGk=' }), [{ n: 12.5, p: 'one', c: 'me', b: 'hi' }, false]);
  assert.deepEqual(run({ 'x-n': 'many' }), [{ p: 'none' }, false]);
  assert.deepEqual(run({ 'x-p': 'x'.repeat(9000) }), [{}, false]);
});

test('basic_auth: only whole base64 of a known name and its password passes; hostile credentials are refused without fault', () => {
  const plan: BasicAuthPlan = { users: [['amy', 'W6ph5Mm5Pz8GgiULbPgzG37mj9g=']], realm: '', header: 'authorization', forward: 'x-user', allowMissing: false, metadata: false };
  const f = new BasicAuthFactory('a', 0, plan, stats(), 'http.x');
  const ask = (authorization: string): RequestHeaders | null => { const r = request({ authorization }); return head(f, r) === 'next' ? r : null; };
  const basic = (s: string): string => `Basic ${Buffer.from(s, 'latin1').toString('base64')}`;
  assert.equal(ask(basic('amy:password'))?.get('x-user'), 'amy');
  for (const bad of [basic('amy:wrong'), basic('eve:password'), basic('amy'), 'Basic !!!', 'basic YW15OnBhc3N3b3Jk', 'Basic YW15OnBhc3N3b3Jk=', '']) assert.equal(ask(bad), null, bad);
  fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (s) => ask(`Basic ${s}`) === null), { numRuns: 300 });
});
