import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { StatefulSessionFactory } from '../../../../../engine/filters/http/stateful-session/filter.ts';
import { decodeSession, encodeSession } from '../../../../../engine/filters/http/stateful-session/host-cookie.ts';
import { RequestHeaders, ResponseHeaders } from '../../../../../engine/headers/headers.ts';
import type { StreamView } from '../../../../../engine/http/filter.ts';
import { ManualClock } from '../../../../../engine/loop/clock.ts';
import { ConnectionFacts, StreamFacts, UpstreamFacts } from '../../../../../engine/observe/stream-facts.ts';
import type { StatefulSessionPlan } from '../../../../../engine/plan/stateful-session-plan.ts';

const MORE = { missingStatus: 0, statPrefix: '' };
const COOKIE: StatefulSessionPlan = { state: { kind: 'cookie', name: 'keep', path: '/app', ttlS: 60, attributes: [['SameSite', 'Lax'], ['Secure', '']] }, strict: false, ...MORE };
const clock = new ManualClock();

/** One exchange: the host that was asked for, and what the answer of `met` sets. */
function exchange(plan: StatefulSessionPlan, sent: readonly (readonly [string, string])[], met: string, path = '/app/x', route?: StatefulSessionPlan): { asked: unknown; set: string | undefined } {
  const factory = new StatefulSessionFactory('s', 0, plan, clock, undefined as never, 'http.in'), filter = factory.create();
  const request = new RequestHeaders(), response = new ResponseHeaders(), facts = new StreamFacts(new ConnectionFacts());
  request.path = path;
  for (const [n, v] of sent) request.add(n, v);
  const s = { facts, routeConfig: () => (route === undefined ? undefined : factory.routeConfig(route)) } as unknown as StreamView;
  filter.onRequestHeaders!(s, request, true);
  facts.upstream = new UpstreamFacts();
  facts.upstream.hostText = met;
  filter.onResponseHeaders!(s, response, true);
  return { asked: facts.overrideHost, set: response.get('set-cookie') ?? response.get('x-session') };
}

test('the first answer sets the cookie, later requests ask for the host, and nothing is set again', () => {
  const first = exchange(COOKIE, [], '10.0.0.1:80');
  assert.equal(first.asked, null);
  assert.match(first.set!, /^keep="[A-Za-z0-9+/=]+"; Max-Age=60; Path=\/app; SameSite=Lax; Secure; HttpOnly$/);
  const cookie = `a=1; ${first.set!.split(';')[0]!}`;
  assert.deepEqual(exchange(COOKIE, [['cookie', cookie]], '10.0.0.1:80'), { asked: { address: '10.0.0.1:80', strict: false, missingStatus: 0 }, set: undefined });
  assert.match(exchange(COOKIE, [['cookie', cookie]], '10.0.0.2:80').set!, /^keep=/);
  assert.deepEqual((exchange({ ...COOKIE, strict: true }, [['cookie', cookie]], '').asked as { strict: boolean }).strict, true);
});

test('a cookie that is too old, broken, or for another path asks for nothing; the old form, an address alone, is read', () => {
  const make = (expires: number): [string, string] => ['cookie', `keep=${Buffer.from(encodeSession('10.0.0.1:80', expires), 'latin1').toString('base64')}`], now = clock.wallMs() / 1000;
  assert.equal(exchange(COOKIE, [make(Math.floor(now) - 5)], '').asked, null);
  assert.notEqual(exchange(COOKIE, [make(Math.floor(now) + 5)], '').asked, null);
  assert.equal(exchange(COOKIE, [['cookie', 'keep="not base64!"']], '').asked, null);
  assert.deepEqual(exchange(COOKIE, [make(0)], '10.0.0.9:80', '/apple'), { asked: null, set: undefined });
  assert.notEqual(exchange(COOKIE, [make(0)], '', '/app?q').asked, null);
  assert.deepEqual(exchange(COOKIE, [['cookie', `keep=${Buffer.from('10.0.0.7:80').toString('base64')}`]], '').asked, { address: '10.0.0.7:80', strict: false, missingStatus: 0 });
});

test('a session in a header', () => {
  const plan: StatefulSessionPlan = { state: { kind: 'header', name: 'x-session' }, strict: false, ...MORE };
  const { set } = exchange(plan, [], '10.0.0.1:80');
  assert.equal(set, Buffer.from('10.0.0.1:80').toString('base64'));
  assert.deepEqual(exchange(plan, [['x-session', set!]], '10.0.0.1:80'), { asked: { address: '10.0.0.1:80', strict: false, missingStatus: 0 }, set: undefined });
});

test('a route may switch it off or have a session of its own', () => {
  assert.deepEqual(exchange(COOKIE, [], '10.0.0.1:80', '/app', { state: null, strict: false, ...MORE }), { asked: null, set: undefined });
  assert.notEqual(exchange({ state: null, strict: false, ...MORE }, [], '10.0.0.1:80', '/app', COOKIE).set, undefined);
});

test('any bytes decode to a session or to none, and what is encoded is decoded', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (b) => { const r = decodeSession(Buffer.from(b).toString('latin1')); return r === null || typeof r.address === 'string'; }), { numRuns: 2000 });
  fc.assert(fc.property(fc.string({ maxLength: 60, unit: 'binary-ascii' }), fc.integer({ min: 1, max: 2 ** 40 }), (a, e) => { const r = decodeSession(encodeSession(a, e)); return r?.address === a && r.expires === e; }), { numRuns: 500 });
});
