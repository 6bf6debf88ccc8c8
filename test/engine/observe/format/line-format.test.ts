import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestHeaders, ResponseHeaders, toByteString } from '../../../../engine/headers/headers.ts';
import { LineBuffer } from '../../../../engine/observe/accesslog/line-buffer.ts';
import { jsonLine, textLine } from '../../../../engine/observe/format/line-format.ts';
import { makeFormatter, makeJsonFormatter, type JsonPlan } from '../../../../engine/observe/format/make-formatter.ts';
import { parseFormat } from '../../../../engine/observe/format/parse.ts';
import { ConnectionFacts, StreamFacts } from '../../../../engine/observe/stream-facts.ts';

const ENV = { hostname: 'h', environment: () => undefined };

function facts(values: Record<string, string> = {}): StreamFacts {
  const f = new StreamFacts(new ConnectionFacts());
  f.request = new RequestHeaders(); f.request.method = 'GET'; f.request.path = '/p?q=1'; f.request.authority = 'a.example';
  f.response = new ResponseHeaders(); f.response.status = 200; f.response.add('x-r', 'one'); f.response.add('x-r', 'two');
  for (const [k, v] of Object.entries(values)) f.request.add(k, v);
  f.startWallMs = 1_700_000_000_007.9; f.status = 200; f.responseBodyBytes = 128; f.endMs = 5; f.startMs = 2;
  return f;
}
const context = (f: StreamFacts): { facts: StreamFacts; wallMs: number; nowMs: number; accessLogType: string } => ({ facts: f, wallMs: 0, nowMs: 0, accessLogType: 'DownstreamEnd' });
function line(format: string, f: StreamFacts, empty = '-'): string { const out = new LineBuffer(4); textLine(parseFormat(format), ENV, empty)(out, context(f)); return out.bytes.latin1Slice(0, out.length); }
function json(plan: JsonPlan, f: StreamFacts, omit = false): string { const out = new LineBuffer(4); jsonLine(plan, ENV, omit)(out, context(f)); return out.bytes.latin1Slice(0, out.length); }

test('a line is what its pieces say: literals, headers in one pass, their fallbacks, numbers, times, limits', () => {
  const f = facts({ 'x-b': 'bee', 'x-long': 'abcdefgh', 'x-b2': 'other' });
  assert.equal(line('[%START_TIME%] %REQ(:METHOD)% %REQ(x-a?x-b)% %REQ(X-LONG):4% %REQ(x-none)% %RESP(x-r)% %RESPONSE_CODE% %BYTES_SENT% %DURATION% %RESPONSE_FLAGS% %REQ(HOST)%\n', f), '[2023-11-14T22:13:20.007Z] GET bee abcd - one 200 128 3 - -\n');
  assert.equal(line('%TRAILER(x)%|%UPSTREAM_HOST%', f, ''), '|');
});

test('values of the stream before do not stay in the line after it', () => {
  const write = textLine(parseFormat('%REQ(x-a)% %RESP(x-r)%;'), ENV, '-'), out = new LineBuffer(4), bare = facts();
  bare.response = null;
  write(out, context(facts({ 'x-a': '1' }))); write(out, context(bare));
  assert.equal(out.bytes.latin1Slice(0, out.length), '1 one;- -;');
});

test('JSON keeps types, escapes what must be, nests, and nulls or leaves out what is absent', () => {
  const f = facts({ 'x-text': 'quote " back\\slash tab\t', 'x-utf': toByteString('grün') });
  const plan: JsonPlan = { object: [['a', { format: parseFormat('%REQ(x-none)%') }], ['code', { format: parseFormat('%RESPONSE_CODE%') }], ['deep', { object: [['l', { list: [{ format: parseFormat('%PROTOCOL%') }, { literal: 1 }, { literal: null }] }], ['t', { format: parseFormat('%REQ(x-text)%') }]] }], ['mixed', { format: parseFormat('code %RESPONSE_CODE% %REQ(x-none)%') }], ['u', { format: parseFormat('%REQ(x-utf)%') }]] };
  assert.deepEqual(JSON.parse(Buffer.from(json(plan, f), 'latin1').toString('utf8')), { a: null, code: 200, deep: { l: [null, 1, null], t: 'quote " back\\slash tab\t' }, mixed: 'code 200 -', u: 'grün' });
  assert.equal(json({ object: [['a', { format: parseFormat('%REQ(x-none)%') }], ['b', { literal: 2 }]] }, f, true), '{"b":2}\n');
});

test('for any header value the buffer writes the same as the string formatters, text and JSON', () => {
  const values = fc.record({ 'x-a': fc.string({ unit: 'binary', maxLength: 80 }).map(toByteString), 'x-b': fc.string({ maxLength: 5 }).map(toByteString) });
  const text = parseFormat('%REQ(x-a?x-b)% %REQ(x-b):3% %PROTOCOL%'), plan: JsonPlan = { object: [['a', { format: parseFormat('%REQ(x-a)%') }], ['m', { format: text }]] };
  const asText = makeFormatter(text, ENV), asJson = makeJsonFormatter(plan, ENV, false);
  fc.assert(fc.property(values, (v) => {
    const f = facts(v), out = new LineBuffer(1);
    textLine(text, ENV, '-')(out, context(f));
    assert.equal(out.bytes.latin1Slice(0, out.length), asText.format(context(f), '-'));
    assert.deepEqual(JSON.parse(Buffer.from(json(plan, f), 'latin1').toString('utf8')), JSON.parse(Buffer.from(asJson(context(f)), 'latin1').toString('utf8')));
  }), { numRuns: 300 });
});

test('numbers are written as String has them', () => {
  const out = new LineBuffer(1);
  for (const n of [0, 7, 10, 99, 100, 2147483647, 2147483648, -5, 1.5]) { out.number(n); out.byte(32); }
  assert.equal(out.bytes.latin1Slice(0, out.length), '0 7 10 99 100 2147483647 2147483648 -5 1.5 ');
});
