// The ClientHello parser over bytes: what clients sent, and broken ones, with the fingerprints and refusals that the real Envoy gave for them (hellos.json).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { ClientHelloReader } from '../../../../../engine/net/tls/client-hello.ts';
import { ja3, ja4 } from '../../../../../engine/filters/listener/tls-inspector/fingerprints.ts';

interface Vector { readonly what: string; readonly hex: string; readonly name?: string; readonly ja3?: string; readonly ja4?: string; readonly fault?: string }
const vectors = JSON.parse(readFileSync(new URL('hellos.json', import.meta.url), 'utf8')) as Vector[];

/** What a reader makes of bytes that come in the given pieces. */
function readIn(bytes: Buffer, cuts: readonly number[]): string {
  const reader = new ClientHelloReader();
  for (const end of [...cuts, bytes.length]) {
    // A slab of its own each time, so that nothing may lean on where the bytes lay before.
    const state = reader.read(Buffer.concat([Buffer.from('..'), bytes.subarray(0, end)]), 2, 2 + end);
    if (state === 'done') { const h = reader.hello!; return `${h.serverName} ${ja3(h)} ${ja4(h)}`; }
    if (state === 'not-tls') return reader.fault;
  }
  return 'more';
}

for (const v of vectors) {
  test(`${v.what}: whole and cut at every byte`, () => {
    const bytes = Buffer.from(v.hex, 'hex'), expected = v.fault ?? `${v.name} ${v.ja3} ${v.ja4}`;
    assert.equal(readIn(bytes, []), expected);
    for (let cut = 0; cut < bytes.length; cut += bytes.length > 300 ? 7 : 1) assert.equal(readIn(bytes, [cut]), expected, `cut at ${cut}`);
    assert.equal(readIn(bytes, Array.from(bytes.keys())), expected, 'byte by byte');
  });
}

test('a message that never becomes whole stays "more", one that claims to be too long is refused', () => {
  const record = (payload: Buffer): Buffer => Buffer.concat([Buffer.from([22, 3, 1, payload.length >> 8, payload.length & 255]), payload]);
  assert.equal(readIn(record(Buffer.from([1, 0, 0x40, 0, 1])), []), 'more');
  assert.equal(readIn(record(Buffer.from([1, 0, 0x40, 1, 1])), []), 'EXCESSIVE_MESSAGE_SIZE');
  assert.equal(readIn(Buffer.concat(Array.from({ length: 33 }, () => record(Buffer.alloc(0)))), []), 'TOO_MANY_EMPTY_FRAGMENTS');
});

test('arbitrary bytes and broken hellos never throw, and the cuts make no difference', () => {
  const base = vectors.filter((v) => v.fault === undefined).map((v) => Buffer.from(v.hex, 'hex'));
  const broken = fc.tuple(fc.constantFrom(...base), fc.array(fc.tuple(fc.nat(700), fc.nat(255)), { maxLength: 6 })).map(([b, edits]) => { const out = Buffer.from(b); for (const [at, value] of edits) if (at < out.length) out[at] = value; return out; });
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }).map((b) => Buffer.from(b)), broken), fc.array(fc.nat(700), { maxLength: 4 }), (bytes, cuts) => {
    const sorted = cuts.filter((c) => c < bytes.length).sort((a, b) => a - b);
    assert.equal(readIn(bytes, sorted), readIn(bytes, []));
  }), { numRuns: 3000 });
});
