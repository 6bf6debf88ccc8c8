// OCSP responses as configuration brings them: what is read of a good one, and what the real Envoy calls the others.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Certificate, certificatesOf } from '../../../../engine/net/tls/certificate.ts';
import { mustStaple, readOcspResponse, stapleOf, stapleOutcome, stapleProblem } from '../../../../engine/net/tls/ocsp.ts';
import type { StaplePolicy } from '../../../../engine/plan/tls-plan.ts';
import { certificates } from '../../../support/certificates.ts';
import { certificateSecret } from '../../../support/tls-pair.ts';

const certs = certificates(), leaf = new Certificate(certificatesOf(certs.server.cert)[0]!.raw);
const hour = certs.ca.respond(60, certs.server), endless = certs.ca.respond(0, certs.server), two = certs.ca.respond(60, certs.server, certs.second);

test('a response says which certificate it is of, and until when it is good', () => {
  const r = readOcspResponse(hour);
  assert.ok(typeof r === 'object');
  assert.equal(r.serial, leaf.serial.replace(/^0/, ''));
  assert.equal(r.nextUpdateMs! - r.thisUpdateMs, 3_600_000);
  assert.ok(Math.abs(r.thisUpdateMs - new Date().getTime()) < 600_000);
  assert.equal((readOcspResponse(endless) as { nextUpdateMs: number | null }).nextUpdateMs, null);
});

test('what is no response to be stapled, in Envoy\'s words', () => {
  for (const [bytes, message] of [
    ['', 'Data contained more than a single OCSP response'], ['000000', 'Data contained more than a single OCSP response'], [`${hour.toString('hex')}00`, 'Data contained more than a single OCSP response'],
    ['30030a0106', 'OCSP response was unsuccessful'], ['30030a0100', 'OCSP response has no body'], ['30030a0109', 'Unknown OCSP Response Status variant: 9'], ['3003020100', 'OCSP ResponseStatus is not a well-formed ASN.1 ENUMERATED'],
    ['300e0a0100a00930070603550403 0400'.replace(' ', ''), 'Unknown OCSP Response type with OID: 2.5.4.3'], [two.toString('hex'), 'OCSP Response must be for one certificate only'],
  ] as const) assert.equal(readOcspResponse(Buffer.from(bytes, 'hex')), message, bytes);
  assert.equal(stapleOf(hour, certificatesOf(certs.second.cert)[0]!).fault, 'OCSP response does not match its TLS certificate');
  assert.equal(stapleOf(hour, leaf).fault, '');
});

test('a server without a staple that it must have is refused', () => {
  const must = certs.ca.issue('must-staple', 'DNS:x.example.com', { extension: 'tlsfeature=status_request' });
  assert.equal(mustStaple(certificatesOf(must.cert)[0]!), true);
  assert.equal(stapleProblem(certificateSecret(must), 'LENIENT_STAPLING'), 'OCSP response is required for must-staple certificate');
  assert.equal(stapleProblem(certificateSecret(certs.server), 'MUST_STAPLE'), 'Required OCSP response is missing from TLS context');
  for (const policy of ['LENIENT_STAPLING', 'STRICT_STAPLING'] as StaplePolicy[]) assert.equal(stapleProblem(certificateSecret(certs.server), policy), '');
  assert.equal(stapleProblem(certificateSecret({ ...certs.second, staple: hour }), 'LENIENT_STAPLING'), 'OCSP response does not match its TLS certificate');
});

test('a staple is shown up to the second of its end', () => {
  const secret = certificateSecret({ ...certs.server, staple: hour }), until = secret.ocsp!.nextUpdateMs!;
  assert.equal(stapleOutcome(secret, 'STRICT_STAPLING', until), 'staple');
  assert.equal(stapleOutcome(secret, 'STRICT_STAPLING', until + 1), 'fail');
  assert.equal(stapleOutcome(secret, 'LENIENT_STAPLING', until + 1), 'none');
});

test('broken responses of any kind are read without a fault of ours', () => {
  fc.assert(fc.property(fc.nat({ max: hour.length - 1 }), fc.nat({ max: 255 }), fc.nat({ max: hour.length }), (at, value, end) => { const b = Buffer.from(hour); b[at] = value; readOcspResponse(b); readOcspResponse(b.subarray(0, end)); }), { numRuns: 5000, interruptAfterTimeLimit: 1500, markInterruptAsFailure: false });
});
