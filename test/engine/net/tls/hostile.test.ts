// Hostile bytes into TLS sessions: whatever comes, a session says a fault or waits for more, never throws, and is of no harm to its neighbours.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { certificates } from '../../../support/certificates.ts';
import { pathProblem } from '../../../../engine/net/tls/certificate-path.ts';
import { alternativeNames, criticalExtensions, extensions } from '../../../../engine/net/tls/der.ts';
import { Certificate, certificatesOf } from '../../../../engine/net/tls/certificate.ts';
import { CLIENT, contexts, engines, pump, Recorder, secrets, SERVER, settle } from '../../../support/tls-pair.ts';

const certs = certificates();
const LIMIT = { interruptAfterTimeLimit: 2500, markInterruptAsFailure: false } as const;

for (const engine of engines) {
  const server = engine.server({ side: 'server', plan: SERVER, secrets: secrets([certs.server], { ca: certs.ca.cert }), nowMs: () => 0, onKeyLines: () => {} });
  const client = engine.client({ side: 'client', plan: CLIENT, secrets: secrets([], { ca: certs.ca.cert }), nowMs: () => 0, onKeyLines: () => {} });
  const accept = (): Recorder => { const r = new Recorder(); r.session = server.accept(r); return r; };
  const hello = async (): Promise<Buffer> => { const r = new Recorder(); r.session = client.connect(r, { serverName: 'example.com', alpn: null, sans: null }); r.session.start(); await settle(); r.session.close(); return Buffer.concat(r.out); };
  const feed = async (r: Recorder, bytes: Uint8Array): Promise<void> => { const b = Buffer.from(bytes); r.session.receive(b, 0, b.length); r.session.receive(b, 0, 0); await settle(); assert.equal(r.facts, null); r.session.close(); r.session.close(); r.session.receive(b, 0, b.length); r.session.send(b, 0, b.length); };

  test(`${engine.name}: random bytes to a server`, async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), async (bytes) => { await feed(accept(), bytes); }), { numRuns: 3000, ...LIMIT });
  });

  test(`${engine.name}: records with random content to a server`, async () => {
    const record = fc.tuple(fc.constantFrom(20, 21, 22, 23, 24), fc.constantFrom(0, 1, 2, 3, 4, 255), fc.uint8Array({ maxLength: 600 })).map(([type, minor, body]) => Buffer.concat([Buffer.from([type, 3, minor, body.length >> 8, body.length & 255]), body]));
    await fc.assert(fc.asyncProperty(fc.array(record, { maxLength: 8 }), async (list) => { await feed(accept(), Buffer.concat(list)); }), { numRuns: 3000, ...LIMIT });
  });

  test(`${engine.name}: hellos that are cut at every byte, or have one byte changed`, async () => {
    const whole = await hello();
    for (let n = 0; n < whole.length; n++) { const r = accept(); const b = Buffer.from(whole.subarray(0, n)); r.session.receive(b, 0, b.length); r.session.receiveEnd(); if (n % 16 === 0) await settle(); r.session.close(); }
    await fc.assert(fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, value) => { const b = Buffer.from(whole); b[at] = value; await feed(accept(), b); }), { numRuns: 2000, ...LIMIT });
  });

  test(`${engine.name}: random answers to a client`, async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 2048 }), async (bytes) => { const r = new Recorder(); r.session = client.connect(r, { serverName: 'example.com', alpn: null, sans: null }); r.session.start(); await feed(r, bytes); }), { numRuns: 1000, ...LIMIT });
  });

  test(`${engine.name}: a session that meets garbage after its handshake ends, and others go on`, async () => {
    const { open } = contexts(engine, engine, { pairs: [certs.server] }, {});
    const good = await open();
    for (let i = 0; i < 20; i++) {
      const bad = await open();
      const garbage = Buffer.from([23, 3, 3, 0, 32, ...new Array<number>(32).fill(i)]);
      bad.server.session.receive(garbage, 0, garbage.length);
      await settle();
      assert.match(bad.server.fault!.reason, /DECRYPTION_FAILED_OR_BAD_RECORD_MAC/);
      bad.server.session.close(); bad.client.session.close();
    }
    good.client.session.send(Buffer.from('still here'), 0, 10);
    await pump(good.server, good.client);
    assert.equal(good.server.text, 'still here');
    good.server.session.close(); good.client.session.close();
  });

  test(`${engine.name}: a hello that never ends is bounded`, async () => {
    const r = accept();
    const part = Buffer.concat([Buffer.from([22, 3, 1, 0x3f, 0xf0]), Buffer.from([1, 0xff, 0xff, 0xff]), Buffer.alloc(0x3fec)]), more = Buffer.concat([Buffer.from([22, 3, 1, 0x3f, 0xf0]), Buffer.alloc(0x3ff0)]);
    r.session.receive(part, 0, part.length);
    for (let i = 0; i < 64 && r.fault === null; i++) { r.session.receive(Buffer.from(more), 0, more.length); await settle(); }
    assert.notEqual(r.fault, null, '1 MiB of hello');
    r.session.close();
  });
}

test('the reader of certificates takes any bytes', () => {
  const real = certificatesOf(certs.client.cert)[0]!.raw;
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (b) => { alternativeNames(b); extensions(b); criticalExtensions(b); }), { numRuns: 5000, ...LIMIT });
  fc.assert(fc.property(fc.nat(real.length - 1), fc.nat(255), (at, v) => { const b = Buffer.from(real); b[at] = v; alternativeNames(b); criticalExtensions(b); void new Certificate(b).keyUsage; void new Certificate(b).alternatives; }), { numRuns: 5000, ...LIMIT });
  for (let n = 0; n < real.length; n++) alternativeNames(real.subarray(0, n));
});

test('a certificate with one byte changed leads to no authority', () => {
  const real = certificatesOf(certs.client.cert)[0]!.raw, anchors = certificatesOf(certs.ca.cert), rules = { nowMs: Date.now() + 60_000, allowExpired: true, ofClient: true, maxDepth: 100 };
  assert.equal(pathProblem([new Certificate(real)], anchors, rules), '');
  fc.assert(fc.property(fc.nat(real.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
    const b = Buffer.from(real), c = new Certificate(b);
    b[at]! ^= flip;
    try { void c.x509; } catch { return; }
    assert.notEqual(pathProblem([c], anchors, rules), '', `byte ${at}`);
  }), { numRuns: 1500, ...LIMIT });
});
