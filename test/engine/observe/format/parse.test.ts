import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clientCertValue } from '../../../../engine/headers/client-cert-value.ts';
import { toByteString } from '../../../../engine/headers/headers.ts';
import { LineBuffer } from '../../../../engine/observe/accesslog/line-buffer.ts';
import { textLine } from '../../../../engine/observe/format/line-format.ts';
import { FormatError, parseFormat } from '../../../../engine/observe/format/parse.ts';
import { ConnectionFacts, StreamFacts } from '../../../../engine/observe/stream-facts.ts';

const ENV = { hostname: 'h', environment: () => undefined };
const context = { facts: new StreamFacts(new ConnectionFacts()), wallMs: 0, nowMs: 0, accessLogType: '' };
function write(format: string): string { const out = new LineBuffer(16); textLine(parseFormat(format), ENV, '-')(out, context); return out.bytes.latin1Slice(0, out.length); }

test('literals, doubled percent signs, arguments and limits', () => {
  assert.deepEqual(parseFormat('a%%b %REQ(X-A?X-B):5% %START_TIME(%Y:%m)%'), [{ text: 'a%b ' }, { op: 'REQ', args: ['X-A?X-B'], max: 5 }, { text: ' ' }, { op: 'START_TIME', args: ['%Y:%m'], max: -1 }]);
  assert.equal(write('ü %PROTOCOL%'), toByteString('ü -'));
});

test('what Envoy refuses is refused with its words', () => {
  for (const [format, wanted] of [
    ['%NOPE%', /Not supported field in StreamInfo: NOPE/], ['100%', /Couldn't find valid command at position 3/], ['%REQ%', /REQ requires parameters/], ['%COMMON_DURATION(a)%', /Invalid common duration/], ['%COALESCE%', /COALESCE requires parameters/],
    ['%COALESCE({"operators": []})%', /list that is not empty/], ['%COALESCE({"operators": ["NOPE"]})%', /'NOPE' is no operator/], ['%REQUESTED_SERVER_NAME(HOST_ONLY)%', /only 'SNI_ONLY'/], ['%VIRTUAL_HOST_NAME%', /Not supported/],
  ] as const) assert.throws(() => parseFormat(format), (e) => e instanceof FormatError && wanted.test(e.message), format);
});

test('any text is a format that writes without a throw, or a FormatError', () => {
  const piece = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('%', '%%', '(', ')', ':', '%REQ(', ')%', '%PROTOCOL%', '%START_TIME(', '%COALESCE({"operators": ["', '"]})%', '%DYNAMIC_METADATA(a:b):', '%PATH(', '9%'));
  fc.assert(fc.property(fc.array(piece, { maxLength: 8 }).map((p) => p.join('')), (format) => {
    try { write(format); } catch (e) { assert.ok(e instanceof FormatError, `${format}: ${String(e)}`); }
  }), { numRuns: 3000 });
});

test('a text without percent signs is written as it is', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('%')), (s) => assert.equal(write(s), toByteString(s))), { numRuns: 500 });
});

// Each as Envoy 1.40 answered it.
test('a value of x-forwarded-client-cert is the first under its key, of the first element that has it', () => {
  const long = String.raw`By=http://fe;Hash=abc;Subject="/C=US/CN=T;a,b=\"q\"";URI=u1;DNS=d1;DNS=d2,By=two;URI=u2;Hash=h2`;
  for (const [header, key, wanted] of [
    [long, 'uri', 'u1'], [long, 'By', 'http://fe'], [long, 'hash', 'abc'], [long, 'Subject', '/C=US/CN=T;a,b="q"'], [long, 'DNS', 'd1'], [long, 'Cert', undefined],
    ['By=only', 'uri', undefined], ['URI="";Hash=;bad', 'URI', ''], ['URI="";Hash=;bad', 'Hash', ''], ['Hash="un', 'Hash', undefined], ['URI=a;URI=b,URI=c,Hash=z', 'Hash', 'z'], ['URI= sp ; Hash=x y;  By = q', 'by', 'q'], ['', 'by', undefined],
  ] as const) assert.equal(clientCertValue(header, key), wanted, `${key} of ${header}`);
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('U', 'R', 'I', '=', ';', ',', '"', '\\', ' ', 'x') }), (h) => { assert.match(typeof clientCertValue(h, 'uri'), /^(string|undefined)$/); }), { numRuns: 500 });
});

test('operators that are nothing without a parameter are refused without one', () => {
  for (const op of ['CEL', 'TYPED_CEL', 'CLUSTER_METADATA', 'UPSTREAM_METADATA', 'UPSTREAM_FILTER_STATE', 'STREAM_INFO_REQ']) assert.throws(() => parseFormat(`%${op}%`), new RegExp(`${op} requires parameters`));
  assert.throws(() => parseFormat('%XFCC_VALUE%'), /XFCC_VALUE command requires a subcommand/);
});
