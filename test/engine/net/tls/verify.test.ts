import assert from 'node:assert/strict';
import test from 'node:test';
import { rootCertificates } from 'node:tls';
import { authoritiesOf } from '../../../../engine/net/tls/verify.ts';
import { VALIDATION } from '../../../support/tls-pair.ts';

test('the authorities of the system are trusted only where none are given', () => {
  assert.equal(authoritiesOf({ ...VALIDATION, ca: 'own', systemRoots: true }), 'own');
  assert.equal(authoritiesOf({ ...VALIDATION, systemRoots: true }), rootCertificates.join('\n'));
  assert.equal(authoritiesOf(VALIDATION), '');
});
