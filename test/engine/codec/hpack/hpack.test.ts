import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { HpackDecoder } from '../../../../engine/codec/hpack/decoder.ts';
import { HpackEncoder } from '../../../../engine/codec/hpack/encoder.ts';
import { huffmanDecode, huffmanEncode, huffmanLength } from '../../../../engine/codec/hpack/huffman.ts';

const hex = (s: string): Buffer => Buffer.from(s.replace(/\s/g, ''), 'hex');
const decode = (d: HpackDecoder, b: Buffer): [string, string][] | string => {
  const lines: [string, string][] = [];
  return d.decode(b, 0, b.length, { onLine: (n, v) => { lines.push([n, v]); return true; } }) ?? lines;
};

test('the examples of RFC 7541 appendix C.4: requests with Huffman coding and a growing table', () => {
  const d = new HpackDecoder();
  assert.deepEqual(decode(d, hex('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')), [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'www.example.com']]);
  assert.deepEqual(decode(d, hex('8286 84be 5886 a8eb 1064 9cbf')), [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'www.example.com'], ['cache-control', 'no-cache']]);
  assert.deepEqual(decode(d, hex('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')), [[':method', 'GET'], [':scheme', 'https'], [':path', '/index.html'], [':authority', 'www.example.com'], ['custom-key', 'custom-value']]);
  assert.equal(d.tableBytes, 164);
});

test('appendix C.6: responses with a table of 256 bytes evict the oldest lines', () => {
  const d = new HpackDecoder(256);
  decode(d, hex('4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3'));
  assert.deepEqual(decode(d, hex('4883 640e ffc1 c0bf')), [[':status', '307'], ['cache-control', 'private'], ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'], ['location', 'https://www.example.com']]);
  assert.equal(d.tableBytes, 222);
});

test('every byte string survives the Huffman code', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    const text = Buffer.from(bytes).latin1Slice();
    const out = new Uint8Array(huffmanLength(text));
    assert.equal(huffmanEncode(text, out, 0), out.length);
    assert.equal(huffmanDecode(out, 0, out.length), text);
  }), { numRuns: 500 });
});

test('bad padding, EOS and an unfinished code are refused', () => {
  assert.equal(huffmanDecode(hex('ffffffff'), 0, 4), null);
  assert.equal(huffmanDecode(hex('1fff'), 0, 2), null); // 'a' and 11 bits of padding
  assert.equal(huffmanDecode(hex('18'), 0, 1), null); // 'a' padded with zeros
});

test('indexes that do not exist, sizes too large, late size updates and truncation are faults', () => {
  assert.equal(decode(new HpackDecoder(), hex('80')), 'hpack_bad_index');
  assert.equal(decode(new HpackDecoder(), hex('be')), 'hpack_bad_index');
  assert.equal(decode(new HpackDecoder(), hex('3fe2ff01')), 'hpack_bad_table_size');
  assert.equal(decode(new HpackDecoder(), hex('8220')), 'hpack_bad_table_size');
  assert.equal(decode(new HpackDecoder(), hex('4085')), 'hpack_truncated');
  assert.equal(decode(new HpackDecoder(), hex('ffffffffffff7f')), 'hpack_bad_integer');
  assert.equal(decode(new HpackDecoder(4096, 100), hex('407f9a0a')), 'hpack_too_long');
});

test('what the encoder writes the decoder reads, across messages, evictions and size changes in the middle', () => {
  const text = fc.string({ unit: fc.integer({ min: 32, max: 255 }).map((n) => String.fromCharCode(n)), maxLength: 40 });
  const name = fc.constantFrom('x-a', 'x-b', 'cookie', ':path', 'content-type', 'authorization', 'x-long-name-that-is-not-in-any-table', 'accept');
  const message = fc.record({ lines: fc.array(fc.tuple(name, text), { maxLength: 12 }), size: fc.option(fc.integer({ min: 0, max: 4096 }), { nil: undefined }) });
  fc.assert(fc.property(fc.array(message, { maxLength: 12 }), (messages) => {
    const e = new HpackEncoder(), d = new HpackDecoder();
    for (const m of messages) {
      if (m.size !== undefined) { e.setTableSize(m.size); }
      e.begin();
      for (const [n, v] of m.lines) e.line(n, v);
      assert.deepEqual(decode(d, Buffer.from(e.end())), m.lines);
    }
  }), { numRuns: 300 });
});

test('random bytes never throw', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
    const d = new HpackDecoder();
    for (const b of blocks) decode(d, Buffer.from(b));
  }), { numRuns: 2000 });
});

test('a repeated line costs one byte, a secret is never indexed', () => {
  const e = new HpackEncoder();
  e.begin(); e.line('x-same', 'value'); e.end();
  e.begin(); e.line('x-same', 'value'); assert.equal(e.end().length, 1);
  e.begin(); e.line('authorization', 'Bearer x'); assert.equal(e.end()[0]! & 0xf0, 0x10);
});
