// Secrets on their way to the workers. Rings are shared memory that is never wiped, so what goes through them is sealed under a key that the threads were started
// with (AES-256-GCM, a key of the process's life). A memory dump of the shared tables shows no private key.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const NONCE = 12, TAG = 16;

export function seal(key: Uint8Array, clear: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE), cipher = createCipheriv('aes-256-gcm', key, nonce);
  return Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
}

/** Throws for bytes that were not sealed under this key: our own fault, as both ends are of one process. */
export function unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const open = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE));
  open.setAuthTag(sealed.subarray(sealed.length - TAG));
  return Buffer.concat([open.update(sealed.subarray(NONCE, sealed.length - TAG)), open.final()]);
}
