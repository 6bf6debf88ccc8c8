// PROXY headers over bytes: what the real Envoy takes and refuses, cut anywhere; written ones read back.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formatAddress, ipAddress } from '../../../engine/net/address.ts';
import { readProxyHeader, writeV1, writeV2 } from '../../../engine/net/proxy-protocol.ts';

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n', A = '\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x08\xae';
const u16 = (n: number): string => String.fromCharCode(n >> 8, n & 255);
const v2 = (command: number, family: number, addresses: string, tlvs = ''): string => `${SIGNATURE}${String.fromCharCode(command, family)}${u16(addresses.length + tlvs.length)}${addresses}${tlvs}`;
const tlv = (type: number, value: string): string => `${String.fromCharCode(type)}${u16(value.length)}${value}`;

function read(text: string): string {
  const b = Buffer.from(`..${text}`, 'latin1'), r = readProxyHeader(b, 2, b.length);
  if (r.kind !== 'header') return r.kind === 'bad' ? `bad ${r.version}` : 'more';
  const { header: h } = r;
  return `${h.version} ${h.length} ${h.remote === null ? '-' : formatAddress(h.remote)} ${h.local === null ? '-' : formatAddress(h.local)}${h.tlvs.map((t) => ` ${t.type}=${Buffer.from(t.value).toString('latin1')}`).join('')}`;
}

const HEADERS: [string, string][] = [
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n', '1 38 1.2.3.4:1111 5.6.7.8:2222'],
  ['PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 1 65535\r\n', '1 48 [2001:db8::1]:1 [2001:db8::2]:65535'],
  ['PROXY UNKNOWN\r\n', '1 15 - -'],
  ['PROXY UNKNOWN whatever it says\r\n', '1 32 - -'],
  [v2(0x21, 0x11, A), '2 28 1.2.3.4:1111 5.6.7.8:2222'],
  [v2(0x21, 0x12, A), '2 28 1.2.3.4:1111 5.6.7.8:2222'],
  [v2(0x21, 0x11, A, tlv(2, 'hello') + tlv(9, '')), '2 39 1.2.3.4:1111 5.6.7.8:2222 2=hello 9='],
  [v2(0x20, 0, '', tlv(2, 'zz')), '2 21 - -'],
  [v2(0x21, 0x21, `\x20\x01\x0d\xb8${'\0'.repeat(11)}\x01\x20\x01\x0d\xb8${'\0'.repeat(11)}\x02\0\x01\0\x02`), '2 52 [2001:db8::1]:1 [2001:db8::2]:2'],
];

test('headers are read whole, with what follows left alone, and wait for every byte', () => {
  for (const [text, expected] of HEADERS) {
    assert.equal(read(text), expected);
    assert.equal(read(`${text}GET / HTTP/1.1\r\n`), expected);
    for (let cut = 0; cut < text.length; cut++) assert.equal(read(text.slice(0, cut)), 'more', `${JSON.stringify(text)} cut at ${cut}`);
  }
});

test('broken headers are refused, under the version that they tried to be', () => {
  for (const bad of ['PROXY TCP4 nonsense\r\n', 'PROXY TCP4 1.2.3.4 5.6.7.8 99999 1\r\n', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n', 'PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n', 'PROXY TCP4 ::1 ::2 1 2\r\n', 'PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n', 'PROXY TCP4 0.0.0.0 5.6.7.8 1 2\r\n',
    'PROXY TCP4 1.2.3.4 224.0.0.1 1 2\r\n', 'PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n', 'PROXY\r\n', `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`, `PROXY ${'x'.repeat(110)}`, 'GET /\r\n']) assert.equal(read(bad), 'bad 1', JSON.stringify(bad));
  for (const bad of [v2(0x11, 0x11, A), v2(0x22, 0x11, A), v2(0x21, 0x01, A), v2(0x21, 0x31, A), v2(0x21, 0x13, A), v2(0x21, 0x11, A.slice(0, 8)), v2(0x21, 0x11, A, '\x02\0'), v2(0x21, 0x11, A, '\x02\0\x05ab'), v2(0x21, 0x11, `\0\0\0\0${A.slice(4)}`), v2(0x21, 0x11, `\xe0\0\0\x01${A.slice(4)}`)]) assert.equal(read(bad), 'bad 2', JSON.stringify(bad));
  assert.equal(read('GET / HTTP/1.1 and more'), 'bad 0');
});

test('what is written is read back', () => {
  const four = [ipAddress('1.2.3.4', 5), ipAddress('6.7.8.9', 10)] as const, six = [ipAddress('2001:db8::1', 5), ipAddress('::1', 10)] as const;
  assert.equal(writeV1(...four), 'PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n');
  assert.equal(writeV1(four[0], six[1]), 'PROXY UNKNOWN\r\n');
  assert.equal(read(writeV2(...four, [{ type: 2, value: Buffer.from('hi') }])!.toString('latin1')), '2 33 1.2.3.4:5 6.7.8.9:10 2=hi');
  assert.equal(read(writeV2(...six, [])!.toString('latin1')), '2 52 [2001:db8::1]:5 [::1]:10');
  assert.equal(read(writeV2(null, null, [])!.toString('latin1')), '2 16 - -');
  assert.equal(writeV2(...four, [{ type: 2, value: new Uint8Array(65535) }]), null);
});

test('arbitrary bytes never throw, and a refusal stands whatever follows', () => {
  const pieces = fc.oneof(fc.constantFrom(SIGNATURE, 'PROXY ', 'TCP4 ', '1.2.3.4 ', '\r\n', A), fc.uint8Array({ maxLength: 30 }).map((b) => Buffer.from(b).toString('latin1')));
  fc.assert(fc.property(fc.array(pieces, { maxLength: 6 }), fc.array(fc.nat(255), { maxLength: 20 }), (parts, more) => {
    const text = parts.join(''), first = read(text);
    if (first !== 'more') { const then = read(text + String.fromCharCode(...more)); assert.equal(then.startsWith('bad') ? 'bad' : then, first.startsWith('bad') ? 'bad' : first); }
  }), { numRuns: 3000 });
});
