// The router filter over a fake cluster: which attempts are made, what goes downstream, and that everything taken is given back.
import assert from 'node:assert/strict';
import test from 'node:test';
import { formatFlags } from '../../../engine/observe/response-flags.ts';
import type { MirrorPlan } from '../../../engine/plan/route-plan.ts';
import { RETRY_ON } from '../../../engine/http/retry-on.ts';
import { RouterPeer } from './router-peer.ts';

const NOTHING = '0 requests, 0 retries, 0 timers';

test('without a policy a 503 goes to the client', () => {
  const p = new RouterPeer().head();
  p.upstream(0).answer(503);
  assert.deepEqual(p.out, ['503 end']);
  assert.deepEqual(p.cluster.charged, [503]);
  assert.equal(p.left, NOTHING);
});

test('a 503 is tried again after a back-off below the base; only the last answer is charged', () => {
  const p = new RouterPeer({ retry: { retries: 2 } }).head();
  p.upstream(0).answer(503);
  assert.equal(p.cluster.streams.length, 1);
  assert.equal(p.cluster.retries, 1, 'the retry is held through the back-off');
  p.pass(26);
  p.upstream(1).answer(500);
  p.pass(51);
  p.upstream(2).answer(200, false);
  assert.equal(p.cluster.retries, 0, 'and given back when an answer is accepted');
  p.upstream(2).sink.onData(Buffer.from('ok'), 0, 2, true);
  assert.deepEqual(p.out, ['200', 'data ok end']);
  assert.deepEqual([p.cluster.charged, p.cluster.retried], [[200], [503, 500]]);
  assert.equal(p.left, NOTHING);
});

test('the last failure goes to the client with URX when no retry is left', () => {
  const p = new RouterPeer({ retry: {}, host: { includeAttemptCount: true, includeAttemptCountInResponse: true } }).head();
  p.upstream(0).answer(503);
  p.pass(26);
  p.upstream(1).answer(502);
  assert.deepEqual(p.out, ['502 attempts=2 end']);
  assert.equal(formatFlags(p.facts.flags), 'URX');
  assert.match(p.upstream(1).sent, /x-envoy-attempt-count=2/);
  assert.equal(p.left, NOTHING);
});

test('the circuit breaker refuses a retry: UO, and the failure goes on', () => {
  const p = new RouterPeer({ retry: {} });
  p.cluster.maxRetries = 0;
  p.head().upstream(0).answer(503);
  assert.deepEqual(p.out, ['503 end']);
  assert.equal(formatFlags(p.facts.flags), 'UO');
  assert.equal(p.left, NOTHING);
});

test('a body is kept and sent again; trailers too', () => {
  const p = new RouterPeer({ retry: {} }).head(false).data('one', false).data('two', false);
  p.filter.onRequestTrailers(undefined as never, undefined as never);
  assert.equal(p.upstream(0).sent, 'GET / x-envoy-expected-rq-timeout-ms=15000|onetwo|trailers');
  p.upstream(0).answer(503);
  p.pass(26);
  assert.equal(p.upstream(1).sent.replace(/=\d+/, ''), 'GET / x-envoy-expected-rq-timeout-ms|onetwo|trailers');
  p.upstream(1).answer(200);
  assert.deepEqual(p.out, ['200 end']);
  assert.equal(p.left, NOTHING);
});

test('an answer before the whole request is retried with what came and what comes', () => {
  const p = new RouterPeer({ retry: {} }).head(false).data('early', false);
  p.upstream(0).answer(503);
  assert.equal(p.upstream(0).resetBy, 'local', 'the first try is cut: its request was not whole');
  p.data('+backoff', false).pass(26).data('+late', true);
  assert.equal(p.upstream(1).sent, 'GET / x-envoy-expected-rq-timeout-ms=15000|early+backoff+late');
  p.upstream(1).answer(200);
  assert.deepEqual(p.out, ['200 end']);
  assert.equal(p.left, NOTHING);
});

test('a body beyond the limit is sent once and not retried', () => {
  const p = new RouterPeer({ retry: {}, bufferLimit: 10 }).head(false).data('0123456789', false).data('x', true);
  p.upstream(0).answer(503);
  assert.deepEqual(p.out, ['503 end']);
  assert.equal(p.upstream(0).sent, 'GET / x-envoy-expected-rq-timeout-ms=15000|0123456789x');
  assert.equal(p.left, NOTHING);
});

test('a body that grows beyond the limit during a back-off is 507', () => {
  const p = new RouterPeer({ retry: {}, bufferLimit: 10 }).head(false);
  p.upstream(0).answer(503);
  p.data('0123456789x', false);
  assert.deepEqual(p.out, ['local 507 request_payload_exceeded_retry_buffer_limit']);
  assert.equal(p.left, NOTHING);
});

test('while a connection is waited for, the body is kept, then sent', () => {
  const p = new RouterPeer();
  p.cluster.script.push('wait');
  p.head(false).data('abc', false);
  const w = p.cluster.waiters[0]!;
  w.who.onLease(p.cluster.give(w.ctx, w.host), w.host);
  p.data('def', true);
  assert.equal(p.upstream(0).sent, 'GET / x-envoy-expected-rq-timeout-ms=15000|abcdef');
  p.upstream(0).answer(200);
  assert.equal(p.left, NOTHING);
});

test('a connect failure is tried again by connect-failure, an overflow never', () => {
  const p = new RouterPeer({ retry: { on: RETRY_ON.CONNECT_FAILURE } });
  p.cluster.script.push('wait', 'overflow');
  p.head();
  p.cluster.waiters[0]!.who.onLeaseFailure('connect-failure', 'refused', p.cluster.hosts[0]!);
  assert.deepEqual(p.out, []);
  p.pass(26);
  assert.deepEqual(p.out, ['local 503 upstream_reset_before_response_started{overflow}']);
  assert.equal(p.left, NOTHING);
});

test('reset-before-request holds only while no attempt has sent anything', () => {
  const p = new RouterPeer({ retry: { on: RETRY_ON.RESET_BEFORE_REQUEST, retries: 5 } });
  p.cluster.script.push('wait');
  p.head();
  p.cluster.waiters[0]!.who.onLeaseFailure('connect-failure', '', p.cluster.hosts[0]!);
  p.pass(26);
  p.upstream(0).sink.onReset('remote', null);
  assert.deepEqual(p.out, ['local 503 upstream_reset_before_response_started{remote_reset}']);
  assert.equal(p.left, NOTHING);
});

test('the keep-alive race: a used connection that ends before an answer is replaced once, without a policy', () => {
  const p = new RouterPeer();
  p.cluster.requestsOfConnection = 2;
  p.head().upstream(0).sink.onReset('connection-end', null);
  assert.equal(p.cluster.streams.length, 2);
  p.upstream(1).sink.onReset('connection-end', null);
  assert.deepEqual(p.out, ['local 503 upstream_reset_before_response_started{connection_termination}']);
  assert.equal(p.left, NOTHING);
});

test('the keep-alive race never repeats a request with a body', () => {
  const p = new RouterPeer();
  p.cluster.requestsOfConnection = 2;
  p.head(false).data('body', true).upstream(0).sink.onReset('connection-end', null);
  assert.deepEqual(p.out, ['local 503 upstream_reset_before_response_started{connection_termination}']);
});

test('per-try timeouts are retried, then 504 with the try\'s details; the try begins when the request is sent', () => {
  const p = new RouterPeer({ retry: { perTryTimeoutMs: 100 }, host: { includeTimeoutRetry: true } }).head(false);
  p.pass(500);
  assert.equal(p.cluster.streams.length, 1);
  p.data('x', true).pass(101);
  assert.equal(p.upstream(0).resetBy, 'local');
  p.pass(26);
  assert.match(p.upstream(1).sent, /x-envoy-is-timeout-retry=true/);
  p.pass(101);
  assert.deepEqual(p.out, ['local 504 upstream_per_try_timeout']);
  assert.equal(formatFlags(p.facts.flags), 'URX,UT');
  assert.deepEqual(p.cluster.failures, ['timeout', 'timeout']);
  assert.equal(p.left, NOTHING);
});

test('a per-try timeout does not cut an answer that has begun; the idle one does', () => {
  const p = new RouterPeer({ retry: { perTryTimeoutMs: 100, perTryIdleTimeoutMs: 80 } }).head();
  p.upstream(0).answer(200, false);
  p.pass(60).upstream(0).sink.onData(Buffer.from('a'), 0, 1, false);
  p.pass(60);
  assert.deepEqual(p.out, ['200', 'data a']);
  p.pass(30);
  assert.deepEqual(p.out.slice(2), ['reset upstream_per_try_idle_timeout']);
  assert.equal(p.left, NOTHING);
});

test('the whole request\'s time ends it in the middle of a back-off', () => {
  const p = new RouterPeer({ forward: { timeoutMs: 50 }, retry: { baseMs: 10_000, maxMs: 10_000 } }).head();
  p.upstream(0).answer(503);
  p.pass(51);
  assert.deepEqual(p.out, ['local 504 response_timeout']);
  assert.deepEqual(p.cluster.charged, []);
  assert.equal(p.left, NOTHING);
});

test('hedging leaves the slow attempt running and takes the first good answer; the other is reset', () => {
  for (const winner of [0, 1]) {
    const p = new RouterPeer({ forward: { hedge: true }, retry: { perTryTimeoutMs: 100, retries: 3 } }).head().pass(101).pass(26);
    assert.equal(p.cluster.active, 2);
    p.upstream(winner).answer(200);
    assert.deepEqual(p.out, ['200 end']);
    assert.equal(p.upstream(1 - winner).resetBy, 'local');
    assert.equal(p.left, NOTHING);
  }
});

test('hedging: a bad answer waits for the other one', () => {
  const p = new RouterPeer({ forward: { hedge: true }, retry: { perTryTimeoutMs: 100, retries: 1 } }).head().pass(101).pass(26);
  p.upstream(0).answer(500);
  assert.deepEqual(p.out, []);
  p.upstream(1).answer(503);
  assert.deepEqual(p.out, ['503 end']);
  assert.equal(formatFlags(p.facts.flags), 'URX');
  assert.equal(p.left, NOTHING);
});

test('hedging: an answer that comes during the back-off ends it', () => {
  const p = new RouterPeer({ forward: { hedge: true }, retry: { perTryTimeoutMs: 100 } }).head().pass(101);
  p.upstream(0).answer(200);
  p.pass(100);
  assert.deepEqual([p.out, p.cluster.streams.length], [['200 end'], 1]);
  assert.equal(p.left, NOTHING);
});

test('request headers steer retries and end at this hop', () => {
  const p = new RouterPeer().head(true, { 'x-envoy-retry-on': 'nonsense,retriable-status-codes,retriable-headers', 'x-envoy-retriable-status-codes': '404,x', 'x-envoy-retriable-header-names': 'X-Again', 'x-envoy-max-retries': '3', 'x-envoy-upstream-rq-timeout-ms': '5000' });
  assert.deepEqual(p.request.flat, ['x-envoy-expected-rq-timeout-ms', '5000']);
  p.upstream(0).answer(404);
  p.pass(26).upstream(1).answer(200, true, { 'x-again': '' });
  p.pass(51).upstream(2).answer(500);
  assert.deepEqual(p.out, ['500 end']);
  assert.equal(p.left, NOTHING);
});

test('what an upstream may expect shrinks with the time that has passed', () => {
  const p = new RouterPeer({ forward: { timeoutMs: 1000 }, retry: { perTryTimeoutMs: 700 } }).head();
  assert.match(p.upstream(0).sent, /rq-timeout-ms=700/);
  p.pass(600).upstream(0).answer(503);
  p.pass(26);
  assert.match(p.upstream(1).sent, /rq-timeout-ms=3[789]\d/);
});

test('previous_hosts goes elsewhere; previous_priorities names what was tried', () => {
  const p = new RouterPeer({ retry: { hosts: [{ kind: 'previous' }], reselects: 3, retries: 3, priorityFrequency: 2 }, priorities: [0, 1, 2] });
  p.head().upstream(0).answer(503);
  p.pass(26);
  assert.equal(p.filter.routed!.choice.triedPriorities, 0, 'one attempt is below update_frequency');
  assert.notEqual(p.upstream(1).host, p.upstream(0).host);
  p.upstream(1).answer(503);
  p.pass(51);
  assert.equal(p.filter.routed!.choice.triedPriorities, 0b11);
  assert.notEqual(p.upstream(2).host, p.upstream(0).host);
});

test('the client goes away at each step: everything is given back', () => {
  const steps: ((p: RouterPeer) => void)[] = [
    () => {}, (p) => { p.upstream(0).answer(503); }, (p) => { p.upstream(0).answer(503); p.pass(26); }, (p) => { p.pass(101); }, (p) => { p.pass(101).pass(26); }, (p) => { p.upstream(0).answer(200, false); },
  ];
  for (const hedge of [false, true]) {
    for (const step of steps) {
      const p = new RouterPeer({ forward: { hedge }, retry: { retries: 5, perTryTimeoutMs: 100, perTryIdleTimeoutMs: 5000 } }).head();
      step(p);
      p.filter.onEnd(undefined as never, 'downstream-closed');
      assert.equal(p.left, NOTHING);
      p.pass(60_000);
      assert.equal(p.left, NOTHING);
    }
  }
  const waiting = new RouterPeer();
  waiting.cluster.script.push('wait');
  waiting.head().filter.onEnd(undefined as never, 'downstream-closed');
  assert.equal(waiting.cluster.waiters[0]!.cancelled, true);
  assert.equal(waiting.left, NOTHING);
});

test('the upstream\'s longest stream duration: 504, or 408 before the request is whole; cut when the answer has begun', () => {
  const make = (end: boolean): RouterPeer => { const p = new RouterPeer(); p.cluster.maxStreamDurationMs = 100; return p.head(end); };
  assert.deepEqual(make(true).pass(101).out, ['local 504 upstream_max_stream_duration_reached']);
  assert.deepEqual(make(false).pass(101).out, ['local 408 upstream_max_stream_duration_reached']);
  const p = make(true);
  p.upstream(0).answer(200, false);
  assert.deepEqual(p.pass(101).out, ['200', 'reset upstream_max_stream_duration_reached']);
  assert.equal(p.left, NOTHING);
});

test('no host at the retry: 503 UH, counted once', () => {
  const p = new RouterPeer({ retry: {} }).head();
  p.cluster.hosts.length = 0;
  p.upstream(0).answer(503);
  p.pass(26);
  assert.deepEqual(p.out, ['local 503 no_healthy_upstream']);
  assert.equal(p.left, NOTHING);
});

const MIRROR: MirrorPlan = { cluster: 'm', header: '', fraction: null, suffix: true, host: '', mutations: [] };

test('a mirror gets a copy of head, body and trailers; its answer and its failure change nothing', () => {
  for (const status of [200, 500, 0]) {
    const p = new RouterPeer({ forward: { mirrors: [MIRROR] } }).head(false).data('ab', false).data('c', true);
    const [mirror, real] = [p.upstream(0), p.upstream(1)];
    assert.deepEqual([mirror.sent.replace(/^\S+ \S+ \S+\|/, ''), real.sent.replace(/^\S+ \S+ \S+\|/, '')], ['abc', 'abc']);
    if (status === 0) mirror.sink.onReset('remote', null); else mirror.answer(status);
    real.answer(201);
    assert.deepEqual(p.out, ['201 end']);
    assert.deepEqual(p.cluster.charged, [status || 503, 201]);
    assert.equal(p.left, NOTHING);
  }
});

test('a mirror names its host after the request\'s, with a port too, and says that it is internal', () => {
  for (const [authority, want] of [['h', 'h-shadow'], ['h:81', 'h-shadow:81'], ['[::1]:81', '[::1]-shadow:81']] as const) {
    const p = new RouterPeer({ forward: { mirrors: [MIRROR] } });
    p.request.authority = authority;
    p.head();
    const mirrored = p.upstream(0).request!;
    assert.deepEqual([mirrored.authority, mirrored.get('x-envoy-internal'), mirrored.get('x-forwarded-for'), p.request.authority, p.request.has('x-envoy-internal')], [want, 'true', '10.1.1.1', authority, false]);
  }
});

test('a mirror by fraction, by a header\'s cluster, and none', () => {
  const count = (mirror: Partial<MirrorPlan>, headers: Record<string, string> = {}): number => new RouterPeer({ forward: { mirrors: [{ ...MIRROR, ...mirror }] } }).head(true, headers).cluster.streams.length;
  assert.equal(count({ fraction: { key: '', numerator: 7, denominator: 100 } }), 1, 'the stream\'s number is 7');
  assert.equal(count({ fraction: { key: '', numerator: 8, denominator: 100 } }), 2);
  assert.equal(count({ cluster: '', header: 'x-m' }), 1);
  assert.equal(count({ cluster: '', header: 'x-m' }, { 'x-m': 'm' }), 2);
});

test('a mirror that was given the whole request outlives it until its time is up; one that was not ends with it', () => {
  const whole = new RouterPeer({ forward: { mirrors: [MIRROR], timeoutMs: 1000 } }).head();
  whole.upstream(1).answer(200);
  assert.equal(whole.left, '1 requests, 0 retries, 1 timers');
  whole.pass(1001);
  assert.equal(whole.upstream(0).resetBy, 'local');
  assert.equal(whole.left, NOTHING);
  const part = new RouterPeer({ forward: { mirrors: [MIRROR] } }).head(false).data('x', false);
  part.filter.onEnd(undefined as never, 'downstream-closed');
  assert.deepEqual([part.upstream(0).resetBy, part.left], ['local', NOTHING]);
});

test('a mirror that falls behind by more than the buffer limit is given up', () => {
  const p = new RouterPeer({ forward: { mirrors: [MIRROR] }, bufferLimit: 10 });
  p.cluster.script.push('wait');
  p.head(false).data('0123456789', false).data('x', true);
  assert.equal(p.cluster.waiters[0]!.cancelled, true);
  p.upstream(0).answer(200);
  assert.deepEqual(p.out, ['200 end']);
  assert.equal(p.left, NOTHING);
});

const REDIRECTS = { max: 1, codes: [302, 303], crossScheme: false, copy: ['x-copy'], predicates: [] };
const to = (location: string, more: Record<string, string> = {}): Record<string, string> => ({ location, ...more });

test('a redirect is followed as a new pass with the body that was kept', () => {
  const p = new RouterPeer({ forward: { redirects: REDIRECTS } }).head(false, { 'x-copy': 'old' }).data('body', true);
  p.upstream(0).answer(302, false, to('http://u:p@other:81/b?q#f', { 'x-copy': 'new' }));
  assert.deepEqual(p.out, ['recreated 302 GET http://other:81/b?q body']);
  assert.deepEqual([p.request.getAll('x-copy'), p.request.get('x-envoy-original-url')], [['new'], 'http://h/']);
  assert.equal(p.upstream(0).resetBy, 'local', 'the rest of the answer is not wanted');
  assert.deepEqual(p.cluster.charged, []);
  assert.equal(p.left, NOTHING);
});

test('a 303 makes a GET without a body of other methods', () => {
  const p = new RouterPeer({ forward: { redirects: REDIRECTS } });
  p.request.method = 'PUT';
  p.head(false, { 'content-length': '4' }).data('body', true).upstream(0).answer(303, true, to('http://other'));
  assert.deepEqual(p.out, ['recreated 303 GET http://other/ -']);
  assert.equal(p.request.has('content-length'), false);
});

test('what is not followed goes downstream, the request as it was', () => {
  const table: [string, (p: RouterPeer) => void, Record<string, string>, number][] = [
    ['another code', () => {}, to('http://x/'), 307], ['no location', () => {}, {}, 302], ['no URL', () => {}, to('/relative'), 302], ['another scheme', () => {}, to('https://x/'), 302],
    ['no route', (p) => { p.routeNow = null; }, to('http://x/'), 302], ['too many', (p) => { p.facts.filterState = new Map([['num_internal_redirects', 1]]); }, to('http://x/'), 302],
  ];
  for (const [what, set, headers, status] of table) {
    const p = new RouterPeer({ forward: { redirects: REDIRECTS } }).head();
    set(p);
    p.upstream(0).answer(status, true, headers);
    assert.deepEqual(p.out, [`${status} end`], what);
    assert.deepEqual([p.request.path, p.request.authority, p.request.has('x-envoy-original-url')], ['/', 'h', false], what);
    assert.equal(p.left, NOTHING);
  }
});

test('a redirect before the request is whole, or of a body too large to keep, goes downstream', () => {
  const early = new RouterPeer({ forward: { redirects: REDIRECTS } }).head(false);
  early.upstream(0).answer(302, true, to('http://x/'));
  assert.deepEqual(early.out, ['302 end']);
  const large = new RouterPeer({ forward: { redirects: REDIRECTS }, bufferLimit: 3 }).head(false).data('body', true);
  large.upstream(0).answer(302, true, to('http://x/'));
  assert.deepEqual(large.out, ['302 end']);
});

test('redirect predicates: listed routes, routes seen before, no step down from or up to TLS', () => {
  const follows = (predicates: Parameters<typeof make>[0], location = 'http://x/', seen?: string[]): boolean => make(predicates, location, seen).out[0]!.startsWith('recreated');
  const make = (predicates: NonNullable<NonNullable<ConstructorParameters<typeof RouterPeer>[0]>['forward']>['redirects'] extends infer R ? R extends { predicates: infer P } ? P : never : never, location: string, seen?: string[]): RouterPeer => {
    const p = new RouterPeer({ forward: { redirects: { ...REDIRECTS, crossScheme: true, predicates } } }).head();
    if (seen !== undefined) p.facts.filterState = new Map([['envoy.internal_redirect.previous_routes_predicate_state.r', seen]]);
    p.upstream(0).answer(302, true, to(location));
    return p;
  };
  assert.deepEqual([follows([{ kind: 'allow-listed', routes: ['r'] }]), follows([{ kind: 'allow-listed', routes: ['q'] }])], [true, false]);
  assert.deepEqual([follows([{ kind: 'previous' }]), follows([{ kind: 'previous' }], 'http://x/', ['r'])], [true, false]);
  assert.deepEqual([follows([{ kind: 'safe-cross-scheme' }]), follows([{ kind: 'safe-cross-scheme' }], 'https://x/')], [true, false]);
});

test('strict_check_headers refuses malformed steering headers', () => {
  for (const [name, bad, good] of [['x-envoy-upstream-rq-timeout-ms', '10s', '10'], ['x-envoy-max-retries', '-1', '2'], ['x-envoy-retry-on', '5xx,foo', '5xx,reset'], ['x-envoy-retry-grpc-on', '5xx', 'internal']] as const) {
    assert.deepEqual(new RouterPeer({ strict: [name] }).head(true, { [name]: bad }).out, [`local 400 request_headers_failed_strict_check{${name}}`]);
    assert.deepEqual(new RouterPeer({ strict: [name] }).head(true, { [name]: good }).out, []);
    assert.deepEqual(new RouterPeer().head(true, { [name]: bad }).out, []);
  }
});
