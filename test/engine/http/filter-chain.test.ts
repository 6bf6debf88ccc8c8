// What filters may wish on both sides of a stream, and what becomes of the message.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Headers, ResponseHeaders } from '../../../engine/headers/headers.ts';
import { LocalReply, type HttpFilter, type StreamView } from '../../../engine/http/filter.ts';
import { activeStreams, harness, queueOf, textOf, route } from './stream-harness.ts';

const trailersOf = (name: string, value: string): Headers => { const t = new Headers(); t.add(name, value); return t; };
const forbid = new LocalReply(403, 'no', 'denied');

test('a filter that holds the head gets it again with resume: head, body and trailers go on in order', () => {
  const f: HttpFilter = { onRequestHeaders: () => 'hold' };
  const h = harness([f]);
  h.request('POST', '/a', false);
  h.body('one', false);
  h.body('two', false);
  h.stream.onTrailers(trailersOf('t', '1'));
  assert.deepEqual(h.terminal.got.list, []);
  h.stream.resume(f);
  assert.deepEqual(h.terminal.got.list, ['POST /a', 'onetwo', 'trailers t=1']);
  h.stream.resume(f);
  assert.deepEqual(h.terminal.got.list.length, 3);
});

test('a held message without a body goes on with its end', () => {
  const f: HttpFilter = { onRequestHeaders: () => 'hold' };
  const h = harness([f]);
  h.request('GET', '/a', true);
  h.stream.resume(f);
  assert.deepEqual(h.terminal.got.list, ['GET /a end']);
});

test('hold stops the source at the limit and resume starts it', () => {
  const f: HttpFilter = { onRequestHeaders: () => 'hold' };
  const h = harness([f], { limit: 4 });
  h.request('POST', '/a', false);
  h.body('1234', false);
  assert.equal(h.codec.pauses.size, 0);
  h.body('5', false);
  assert.deepEqual([...h.codec.pauses], ['filter']);
  h.stream.resume(f);
  assert.equal(h.codec.pauses.size, 0);
  h.body('6', true);
  assert.deepEqual(h.terminal.got.list, ['POST /a', '123456 end']);
});

test('hold-whole goes on by itself at the end, and is 413 over the limit', () => {
  const f: HttpFilter = { onRequestHeaders: () => 'hold-whole' };
  const h = harness([f], { limit: 4 });
  h.request('POST', '/a', false);
  h.body('12', false);
  h.body('34', true);
  assert.deepEqual(h.terminal.got.list, ['POST /a', '1234 end']);

  const over = harness([f], { limit: 4 });
  over.request('POST', '/a', false);
  over.body('12345', false);
  assert.deepEqual(over.codec.sent.list, ['413', 'Payload Too Large end']);
  assert.equal(over.stream.facts.statusDetails, 'request_payload_too_large');
  over.body('6', true);
  assert.deepEqual(over.terminal.got.list, []);
});

test('hold-whole goes on with trailers as with an end', () => {
  const h = harness([{ onRequestHeaders: () => 'hold-whole' }]);
  h.request('POST', '/a', false);
  h.body('12', false);
  h.stream.onTrailers(trailersOf('t', '1'));
  assert.deepEqual(h.terminal.got.list, ['POST /a', '12', 'trailers t=1']);
});

test('the data hook of a filter that holds the head decides: taken, held, and let go with what it lets pass', () => {
  const seen: string[] = [];
  const verdicts = ['hold', 'taken', 'next'] as const;
  const f: HttpFilter = { onRequestHeaders: () => 'hold', onRequestData: (_s, b, from, to) => { seen.push(textOf(b, from, to)); return verdicts[seen.length - 1] ?? 'next'; } };
  const h = harness([f]);
  h.request('POST', '/a', false);
  h.body('a', false); h.body('b', false);
  assert.deepEqual(h.terminal.got.list, []);
  h.body('c', false);
  assert.deepEqual(h.terminal.got.list, ['POST /a', 'ac']);
  h.body('d', true);
  assert.deepEqual(h.terminal.got.list, ['POST /a', 'acd end']);
  assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
});

test('filters before a hold see the body, filters behind it do not until it lets go', () => {
  const order: string[] = [];
  const see = (name: string, head: 'next' | 'hold'): HttpFilter => ({ onRequestHeaders: () => { order.push(`${name} head`); return head; }, ...(head === 'next' ? { onRequestData: () => { order.push(`${name} data`); return 'next' as const; } } : {}) });
  const holder = see('b', 'hold');
  const h = harness([see('a', 'next'), holder, see('c', 'next')]);
  h.request('POST', '/a', false);
  h.body('x', true);
  assert.deepEqual(order, ['a head', 'b head', 'a data']);
  h.stream.resume(holder);
  assert.deepEqual(order, ['a head', 'b head', 'a data', 'c head', 'c data']);
  assert.deepEqual(h.terminal.got.list, ['POST /a', 'x end']);
});

test('two filters hold at the same time: nothing is lost, doubled or overtaken', () => {
  const a: HttpFilter = { onRequestData: () => 'hold' }, b: HttpFilter = { onRequestHeaders: () => 'hold' };
  const h = harness([a, b]);
  h.request('POST', '/a', false);
  h.body('x', false);
  h.stream.resume(b);
  assert.deepEqual(h.terminal.got.list, ['POST /a']);
  h.body('y', true);
  h.stream.resume(a);
  assert.deepEqual(h.terminal.got.list, ['POST /a', 'xy end']);
});

test('a filter takes bytes and pushes others, from inside its hook, in order', () => {
  const upper: HttpFilter = { onRequestData: (s, b, from, to, last) => { s.push(upper, queueOf(textOf(b, from, to).toUpperCase()), last); return 'taken'; } };
  const h = harness([upper]);
  h.request('POST', '/a', false);
  h.body('ab', false); h.body('cd', true);
  assert.deepEqual(h.terminal.got.list, ['POST /a', 'ABCD end']);
});

test('a filter gives a body to a request that had none, on release from a hold too', () => {
  const add: HttpFilter = { onRequestHeaders: (s) => { s.push(add, queueOf('new'), true); return 'next-open'; } };
  const h = harness([add]);
  h.request('GET', '/a', true);
  assert.deepEqual(h.terminal.got.list, ['GET /a', 'new end']);
  const holder: HttpFilter = { onRequestHeaders: () => 'hold' };
  const held = harness([holder, add]);
  held.request('GET', '/a', true);
  held.stream.resume(holder);
  assert.deepEqual(held.terminal.got.list, ['GET /a', 'new end']);
});

test('what is pushed before the body passes before it, though the body was held already', () => {
  const holder: HttpFilter = { onRequestHeaders: () => 'hold' };
  const before: HttpFilter = { onRequestHeaders: (s) => { s.push(before, queueOf('<'), false); return 'next'; } };
  const h = harness([holder, before]);
  h.request('POST', '/a', false);
  h.body('body', true);
  h.stream.resume(holder);
  assert.deepEqual(h.terminal.got.list, ['POST /a', '<body end']);
});

test('trailers are added to a message that had none', () => {
  const add: HttpFilter = { onResponseData: (s, _b, _from, _to, last) => { if (!last) return 'next'; s.pushTrailers(add, trailersOf('sum', '9'), 'response'); return 'next-open'; } };
  const h = harness([add]);
  h.request('GET', '/a', true);
  h.terminal.answer(200, false);
  h.terminal.body('x', true);
  assert.deepEqual(h.codec.sent.list, ['200', 'x', 'trailers sum=9']);
  assert.equal(h.ended(), 1);
});

test('trailers are held', () => {
  const f: HttpFilter = { onResponseTrailers: () => 'hold' };
  const h = harness([f]);
  h.request('GET', '/a', true);
  h.terminal.answer(200, false);
  h.stream.respondTrailers(trailersOf('t', '1'));
  assert.deepEqual(h.codec.sent.list, ['200']);
  h.stream.resume(f, 'response');
  assert.deepEqual(h.codec.sent.list, ['200', 'trailers t=1']);
});

test('responses pass the filters in reverse order; one that is held stops its source at the limit', () => {
  const order: string[] = [];
  const a: HttpFilter = { onResponseHeaders: () => { order.push('a'); return 'next'; } };
  const b: HttpFilter = { onResponseHeaders: () => { order.push('b'); return 'hold'; } };
  const h = harness([a, b], { limit: 3 });
  h.request('GET', '/a', true);
  h.terminal.answer(200, false);
  assert.deepEqual(order, ['b']);
  h.terminal.body('abcd', false);
  assert.equal(h.terminal.blocked, 1);
  h.stream.onBlocked();
  h.stream.resume(b, 'response');
  assert.equal(h.terminal.blocked, 1, 'the socket still stops it');
  h.stream.onDrained();
  assert.equal(h.terminal.blocked, 0);
  h.terminal.body('e', true);
  assert.deepEqual(h.codec.sent.list, ['200', 'abcde end']);
});

test('a response source that comes while the way is blocked is told', () => {
  const h = harness([]);
  h.stream.onBlocked();
  h.request('GET', '/a', true);
  h.terminal.answer(200, false);
  assert.equal(h.terminal.blocked, 1);
});

test('hold-whole over the limit on the response side is 500, without the filters', () => {
  let heads = 0;
  const f: HttpFilter = { onResponseHeaders: () => { heads++; return 'hold-whole'; } };
  const h = harness([f], { limit: 3 });
  h.request('GET', '/a', true);
  h.terminal.answer(200, false);
  h.terminal.body('abcd', false);
  assert.deepEqual(h.codec.sent.list, ['500', 'Internal Server Error end']);
  assert.equal(h.stream.facts.statusDetails, 'response_payload_too_large');
  h.terminal.body('e', true);
  assert.equal(heads, 1);
});

test('a local reply passes the response filters, even of filters that the request never reached', () => {
  const seen: string[] = [];
  const first: HttpFilter = { onRequestHeaders: () => forbid }, second: HttpFilter = { onResponseHeaders: (_s, r) => { seen.push(String(r.status)); return 'next'; }, onResponseData: (_s, b, from, to) => { seen.push(textOf(b, from, to)); return 'next'; } };
  const h = harness([first, second]);
  h.request('GET', '/a', true);
  assert.deepEqual(h.codec.sent.list, ['403', 'no end']);
  assert.deepEqual(seen, ['403', 'no']);
});

test('a local reply can be held by a response filter; a late answer of the upstream does not mix into it', () => {
  const f: HttpFilter = { onResponseHeaders: () => 'hold' };
  const h = harness([f]);
  h.request('GET', '/a', true);
  h.stream.reply(f, forbid);
  h.terminal.answer(200, false);
  h.terminal.body('upstream', true);
  h.stream.resume(f, 'response');
  assert.deepEqual(h.codec.sent.list, ['403', 'no end']);
});

test('a reply from a response hook replaces a response whose head has not gone out, and passes no filter', () => {
  let heads = 0;
  const outer: HttpFilter = { onResponseHeaders: () => { heads++; return 'next'; } }, inner: HttpFilter = { onResponseHeaders: () => forbid };
  const h = harness([outer, inner]);
  h.request('GET', '/a', true);
  h.terminal.answer(200, false);
  assert.deepEqual(h.codec.sent.list, ['403', 'no end']);
  assert.equal(heads, 0);
});

test('a reply after the head has gone out cuts the stream', () => {
  const f: HttpFilter = { onResponseData: () => forbid };
  const h = harness([f]);
  h.request('GET', '/a', true);
  h.terminal.answer(200, false);
  h.terminal.body('x', false);
  assert.deepEqual(h.codec.sent.list, ['200', 'reset local']);
  assert.equal(h.terminal.ends, 1);
});

test('a filter ends the stream from inside a hook: after the hook, once', () => {
  const f: HttpFilter = { onRequestHeaders: (s) => { s.reset('local'); return 'next'; } };
  const h = harness([f]);
  h.request('GET', '/a', true);
  assert.deepEqual(h.codec.sent.list, ['reset local']);
  assert.deepEqual([h.ended(), h.logged(), h.terminal.ends], [1, 1, 1]);
});

test('filters stop and start the source for queues of their own', () => {
  const a: HttpFilter = {}, b: HttpFilter = {};
  const h = harness([a, b]);
  h.request('POST', '/a', false);
  h.stream.pause(a); h.stream.pause(b); h.stream.unpause(a);
  assert.equal(h.codec.pauses.size, 1);
  h.stream.unpause(b);
  assert.equal(h.codec.pauses.size, 0);
});

test('a held body can be looked at and changed', () => {
  const f: HttpFilter = { onRequestHeaders: () => 'hold' };
  const h = harness([f]);
  h.request('POST', '/a', false);
  h.body('secret', true);
  const body = h.stream.heldBody(f)!;
  assert.equal(Buffer.from(body.takeAll()).toString(), 'secret');
  h.stream.push(f, queueOf('changed'), true);
  h.stream.resume(f);
  assert.deepEqual(h.terminal.got.list, ['POST /a', 'changed end']);
});

test('per-route configuration by index: the most specific, all levels, switched off and on; matched again after the cache is cleared', () => {
  const seen: unknown[] = [];
  const f: HttpFilter = { onRequestHeaders: (s, r) => {
    seen.push(s.routeConfig(0), s.routeConfigs(0).length);
    r.path = '/b'; s.clearRoute();
    seen.push(s.routeConfig(0), s.route!.name);
    return 'next';
  } };
  const off: HttpFilter = { onRequestHeaders: () => { throw new Error('switched off here'); } };
  let on = 0;
  const optional: HttpFilter = { onRequestHeaders: () => { on++; return 'next'; } };
  const a = route([{ all: ['table', 'host', 'route'] }, { disabled: true, all: [] }, { disabled: false, all: [] }, { all: [] }]), b = route([{ all: ['b'] }], { name: 'second' });
  const h = harness([f, off, optional], { route: (path) => (path === '/a' ? a : b), disabled: [false, false, true] });
  h.request('GET', '/a', true);
  assert.deepEqual(seen, ['route', 3, 'b', 'second']);
  assert.equal(on, 1);
  assert.equal(h.stream.facts.routeName, 'second');
});

test("a route's body limit and a filter's hold instead of the connection's", () => {
  const f: HttpFilter = { onRequestHeaders: () => 'hold-whole' };
  const h = harness([f], { limit: 100, route: () => route(null, { bufferLimit: 3 }) });
  h.request('POST', '/a', false);
  h.body('1234', true);
  assert.deepEqual(h.codec.sent.list, ['413', 'Payload Too Large end']);
  const wide: HttpFilter = { onRequestHeaders: (s: StreamView) => { s.setBufferLimit(10); return 'hold-whole'; } };
  const w = harness([wide], { limit: 3 });
  w.request('POST', '/a', false);
  w.body('12345678', true);
  assert.deepEqual(w.terminal.got.list, ['POST /a', '12345678 end']);
  w.terminal.answer(204, true);
  assert.equal(activeStreams(w), 0);
});

test('a stream begun anew takes over exchange, request and filter state; the first one ends once and is logged', () => {
  const seen: string[] = [];
  const f: HttpFilter = { onRequestHeaders: (s, r) => { seen.push(`${r.path} ${String(s.facts.filterState?.get('k') ?? '')}`); return 'next'; }, onEnd: (_s, how) => { seen.push(how); } };
  const h = harness([f]);
  h.request('POST', '/a', false);
  h.body('body', true);
  const first = h.terminal;
  h.stream.facts.filterState = new Map([['k', 'v']]);
  h.stream.request.path = '/b';
  const redirect = new ResponseHeaders();
  redirect.status = 302;
  first.entry.recreate(redirect, queueOf('body'), null);
  assert.deepEqual(seen, ['/a ', 'recreated', '/b v']);
  assert.deepEqual([h.ended(), h.logged(), h.stream.facts.statusDetails, h.stream.facts.status], [1, 1, 'internal_redirect', 302]);
  assert.deepEqual(h.terminal.got.list, ['POST /b', 'body end']);
  assert.equal(h.codec.sink, h.recreated());
  h.terminal.answer(200, true);
  h.codec.sink!.onComplete();
  assert.deepEqual([h.ended(), h.logged(), activeStreams(h)], [2, 2, 0]);
});
