import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestHeaders, ResponseHeaders } from '../../../../engine/headers/headers.ts';
import { CelExpression } from '../../../../engine/observe/cel/expression.ts';
import { celText, celTyped, duration, durationText } from '../../../../engine/observe/cel/values.ts';
import { ConnectionFacts, StreamFacts, UpstreamFacts } from '../../../../engine/observe/stream-facts.ts';

function facts(): StreamFacts {
  const f = new StreamFacts(new ConnectionFacts());
  f.request = new RequestHeaders(); f.request.method = 'GET'; f.request.path = '/a/b?q=1'; f.request.authority = 'host.example'; f.request.add('x-b', 'one'); f.request.add('x-b', 'two');
  f.response = new ResponseHeaders(); f.response.status = 404; f.status = 404; f.responseBodyBytes = 12; f.statusDetails = 'route_not_found'; f.remoteText = '10.0.0.1:5'; f.remotePort = 5;
  f.metadata = new Map([['my', { k: 'v', n: 2 }]]);
  return f;
}

test('attributes of the request, the response, the peer and metadata', () => {
  for (const [text, wanted] of [
    ["request.method == 'GET' && request.url_path == '/a/b' && request.query == 'q=1'", true], ["request.headers['x-b']", 'one,two'], ["request.headers[':authority']", 'host.example'], ['response.code >= 400 && response.code < 500', true],
    ['response.size', 12n], ["response.code_details.startsWith('route')", true], ['source.port', 5n], ["metadata.filter_metadata['my']['k']", 'v'], ["'x-none' in request.headers", false], ['connection.mtls', false], ['has(upstream.address)', false],
  ] as const) assert.deepEqual(new CelExpression(text).value(facts()), wanted, text);
});

test('what is absent or of another type has no value and matches nothing', () => {
  for (const text of ["request.headers['x-none']", 'nope.x', 'upstream.port > 1', 'response.code + 1', "response.code == '404'"]) assert.equal(new CelExpression(text).matches(facts()), false, text);
  assert.equal(new CelExpression('nope.x').value(facts()), undefined);
});

test('what does not parse is a fault', () => {
  assert.notEqual(CelExpression.faultOf('1 +'), '');
  assert.equal(CelExpression.faultOf('true'), '');
});

test('any text is an expression with a value or without, or a fault', () => {
  const part = fc.oneof(fc.constantFrom('request', '.', 'path', 'headers', '[', ']', "'x'", '(', ')', '==', '&&', '1', '+', 'response.code', 'in', '?', ':', '{', '}'), fc.string({ maxLength: 3 }));
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }).map((p) => p.join(' ')), (text) => { if (CelExpression.faultOf(text) === '') new CelExpression(text).value(facts()); }), { numRuns: 400 });
});

test('times of a request and of its upstream are timestamps and durations, a connection has its number; text and JSON are as Envoy writes them', () => {
  const f = facts(), u = f.upstream = new UpstreamFacts();
  f.startWallMs = 1_795_959_693_681.5; f.startMs = 1000; f.endMs = 1002.612348; u.poolReadyMs = 1000.427372; u.firstTxMs = 1001; u.lastRxMs = 2561.5; f.connection.id = 7;
  const printed = (text: string): unknown[] => { const v = new CelExpression(text).value(f); return [celText(v), celTyped(v)]; };
  for (const [text, plain, typed] of [
    ['request.time', '2026-11-29T13:41:33.6815+00:00', '2026-11-29T13:41:33.6815Z'], ["request.time - duration('1s')", '2026-11-29T13:41:32.6815+00:00', '2026-11-29T13:41:32.6815Z'], ['request.time.getFullYear()', '2026', 2026],
    ["request.duration > duration('1ms')", 'true', true], ['request.duration.getMilliseconds()', '2', 2], ['response.backend_latency', '1.5605s', '1.560500s'], ["upstream.cx_pool_ready_duration < duration('1s')", 'true', true],
    ['connection.id', '7', 7], ['connection.id + 1u', '8', 8], ['type(connection.id)', 'CelType value', undefined], ["[1, 'a']", 'CelList value', [1, 'a']], ["{'b': 1.5, 'a': 'x'}", 'CelMap value', { a: 'x', b: 1.5 }],
  ] as const) assert.deepEqual(printed(text), [plain, typed], text);
  f.endMs = -1; f.upstream = null;
  for (const text of ['request.duration', 'response.backend_latency', 'upstream.cx_pool_ready_duration']) assert.equal(new CelExpression(text).value(f), undefined, text);
  assert.deepEqual([0, 0.000_001, 0.427_372, 2.612, 1500, 60_000, 3_723_500, -1.5].map((ms) => durationText(duration(ms))), ['0', '1ns', '427.372us', '2.612ms', '1.5s', '1m', '1h2m3.5s', '-1.5ms']);
});
