// PKCS #12 files as openssl writes them, today's and older ones, and what is none.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { readPkcs12, type KeyStore } from '../../../../engine/net/tls/pkcs12.ts';
import { certificates } from '../../../support/certificates.ts';

const certs = certificates();
const names = (s: KeyStore | null): readonly string[] | null => (s === null ? null : [s.leaf?.commonName ?? '', ...s.chain.map((c) => c.commonName)]);

test('key, certificate and chain come out under the password; the leaf is the one that fits the key', () => {
  for (const more of [[], ['-legacy'], ['-descert', '-legacy'], ['-keypbe', 'AES-128-CBC', '-certpbe', 'AES-192-CBC', '-macalg', 'sha512'], ['-keypbe', 'PBE-SHA1-2DES', '-certpbe', 'PBE-SHA1-RC2-128', '-legacy'], ['-keypbe', 'NONE', '-certpbe', 'NONE'], ['-iter', '1', '-macalg', 'sha1']]) {
    const s = readPkcs12(certs.ca.store(certs.server, 'sécret', ...more), 'sécret');
    assert.deepEqual(names(s), ['server', 'ca'], more.join(' '));
    assert.equal(s!.leaf!.x509.checkPrivateKey(s!.key!), true);
  }
  assert.equal(readPkcs12(certs.ca.store(certs.rsa, ''), '')!.key!.asymmetricKeyType, 'rsa');
});

test('another password, a file without MAC, a cut one and one without a key', () => {
  const file = certs.ca.store(certs.server, 'secret');
  assert.equal(readPkcs12(file, 'Secret'), null);
  assert.equal(readPkcs12(file, ''), null);
  assert.equal(readPkcs12(file.subarray(0, 100), 'secret'), null);
  assert.equal(readPkcs12(certs.ca.store(certs.server, 'secret', '-nomac'), 'secret'), null);
  assert.deepEqual(names(readPkcs12(certs.ca.store(certs.server, 'secret', '-nokeys'), 'secret')), ['', 'server', 'ca']);
});

test('broken files are no fault of ours', () => {
  const file = certs.ca.store(certs.server, 'secret', '-iter', '1');
  fc.assert(fc.property(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 }), (at, value) => { const b = Buffer.from(file); b[at] = value; const s = readPkcs12(b, 'secret'); assert.ok(s === null || s.leaf === null || s.leaf.commonName !== ''); }), { numRuns: 400, interruptAfterTimeLimit: 1500, markInterruptAsFailure: false });
});
