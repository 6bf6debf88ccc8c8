import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestHeaders, ResponseHeaders } from '../../../../engine/headers/headers.ts';
import { CelExpression } from '../../../../engine/observe/cel/expression.ts';
import { ConnectionFacts, StreamFacts } from '../../../../engine/observe/stream-facts.ts';

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

test('what does not parse, and attributes that are not there, are faults', () => {
  assert.notEqual(CelExpression.faultOf('1 +'), '');
  assert.match(CelExpression.faultOf('request.duration > x'), /'request\.duration' is not supported yet/);
  assert.equal(CelExpression.faultOf('true'), '');
});

test('any text is an expression with a value or without, or a fault', () => {
  const part = fc.oneof(fc.constantFrom('request', '.', 'path', 'headers', '[', ']', "'x'", '(', ')', '==', '&&', '1', '+', 'response.code', 'in', '?', ':', '{', '}'), fc.string({ maxLength: 3 }));
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }).map((p) => p.join(' ')), (text) => { if (CelExpression.faultOf(text) === '') new CelExpression(text).value(facts()); }), { numRuns: 400 });
});
