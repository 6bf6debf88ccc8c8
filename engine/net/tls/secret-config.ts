// Secrets from configuration: where each part comes from, and how it is loaded and checked. Loading is done again whenever one of its files changes, so what is
// wrong with a file is thrown as SecretFault: at compile time it becomes an error of the configuration, later the pair that was there stays.
import { createHash, createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import type { CompileContext, ConfigMessage, SecretSource } from '../../proto/config-message.ts';
import type { CertificateSecretPlan, TicketSecretPlan, ValidationPlan, ValidationSecretPlan } from '../../plan/tls-plan.ts';
import { certificatesOf, type Certificate } from './certificate.ts';
import { readPkcs12 } from './pkcs12.ts';
import { mustStaple, stapleOf, stapleProblem } from './ocsp.ts';
import { part, SecretFault, type Part } from './data-source-config.ts';
import { compileSpiffe } from './spiffe-config.ts';

/** Registers a source and reports what is wrong with it now. */
function register(m: ConfigMessage, ctx: CompileContext, source: SecretSource): string {
  const fault = ctx.secret(source);
  if (fault !== '') m.error('', fault);
  return source.key;
}

const keyOf = (kind: string, parts: readonly (Part | null)[], more = ''): string => `${kind}:${createHash('sha256').update(JSON.stringify([parts.map((p) => p?.id ?? ''), more])).digest('hex').slice(0, 24)}`;
const filesOf = (parts: readonly (Part | null)[]): string[] => [...new Set(parts.map((p) => p?.file ?? '').filter((f) => f !== ''))];

function loadChain(p: Part): Certificate[] {
  const text = p.read().toString('latin1');
  let list: Certificate[] = [];
  try { list = certificatesOf(text); } catch { /* said below */ }
  if (list.length === 0) throw new SecretFault(`Failed to load certificate chain from ${p.label}`);
  return list;
}

interface Pair { /** Leaf first. */ readonly list: readonly Certificate[]; readonly key: KeyObject }

function loadPair(chain: Part, key: Part, password: Part | null): Pair { const list = loadChain(chain); return { list, key: loadKey(key, password, list[0]!.x509) }; }

function loadStore(p: Part, password: Part | null): Pair {
  const store = readPkcs12(p.read(), passwordOf(password));
  if (store === null) throw new SecretFault(`Failed to load pkcs12 from ${p.label}`);
  if (store.leaf === null) throw new SecretFault(`Failed to load certificate from ${p.label}`);
  return { list: [store.leaf, ...store.chain], key: store.key! };
}

const passwordOf = (p: Part | null): string => p?.read().toString('utf8').replace(/\r?\n$/, '') ?? '';

function loadKey(p: Part, password: Part | null, leaf: X509Certificate): KeyObject {
  let key: KeyObject;
  try { key = createPrivateKey({ key: p.read(), format: 'pem', ...(password === null ? {} : { passphrase: passwordOf(password) }) }); } catch (e) {
    if (e instanceof SecretFault) throw e;
    throw new SecretFault(`Failed to load private key from ${p.label}, Cause: ${password === null ? 'the key is not PEM, or is encrypted and no password is given' : 'the key cannot be decrypted'}`);
  }
  if (!leaf.checkPrivateKey(key)) throw new SecretFault(`Failed to load private key from ${p.label}, Cause: error:0b000074:X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH`);
  return key;
}

function keyTypeOf(key: KeyObject): CertificateSecretPlan['keyType'] {
  const details = key.asymmetricKeyDetails;
  switch (key.asymmetricKeyType) {
    case 'rsa': case 'rsa-pss': if ((details?.modulusLength ?? 0) < 2048) throw new SecretFault('only RSA certificates with 2048-bit or larger keys are supported'); return 'rsa';
    case 'ec': if (!['prime256v1', 'secp384r1', 'secp521r1'].includes(details?.namedCurve ?? '')) throw new SecretFault('only P-256, P-384 or P-521 ECDSA certificates are supported'); return 'ec';
    case 'ed25519': return 'ed25519';
    default: throw new SecretFault(`keys of type ${key.asymmetricKeyType ?? 'unknown'} are not supported`);
  }
}

/** envoy TlsCertificate; gives the secret's key. */
export function compileCertificate(m: ConfigMessage, ctx: CompileContext): string {
  m.unsupported('tls_params');
  m.noop('signed_certificate_timestamp', 'Envoy does not send it either');
  const watched = m.msg('watched_directory')?.str('path');
  const chain = part(m.msg('certificate_chain'), ctx), key = part(m.msg('private_key'), ctx), store = part(m.msg('pkcs12'), ctx), password = part(m.msg('password'), ctx), ocsp = part(m.msg('ocsp_staple'), ctx);
  if (store !== null) for (const other of ['private_key', 'certificate_chain', 'private_key_provider']) if (m.msg(other) !== undefined) { m.error('pkcs12', `Certificate configuration can't have both pkcs12 and ${other}`); return ''; }
  m.unsupported('private_key_provider');
  if (store === null && chain === null) { m.error('', 'Server TlsCertificates must have a certificate specified'); return ''; }
  if (store === null && key === null) { m.error('', `Failed to load private key from ${chain!.label}, Cause: no private_key is given`); return ''; }
  if (m.msg('ocsp_staple')?.oneof('specifier') === 'inline_string') m.error('ocsp_staple', 'OCSP staple cannot be provided via inline_string');
  const parts = [chain, key, store, password, ocsp];
  let last: CertificateSecretPlan | null = null;
  return register(m, ctx, {
    key: keyOf('certificate', parts, watched), kind: 'certificate', name: '', files: [...filesOf(parts), ...(watched === undefined ? [] : [watched])], paths: { chain: (store ?? chain!).label },
    load: (): CertificateSecretPlan => {
      const { list, key: private_ } = store === null ? loadPair(chain!, key!, password) : loadStore(store, password), leaf = list[0]!;
      const dns = leaf.sans('DNS').map((n) => n.toLowerCase()), cn = leaf.commonName.toLowerCase();
      return last = { kind: 'certificate', chain: list.map((c) => c.pem).join(''), key: private_.export({ type: 'pkcs8', format: 'pem' }) as string, ocsp: ocsp === null ? null : stapleOf(ocsp.read(), leaf), mustStaple: mustStaple(leaf), names: dns.length > 0 ? dns : cn === '' ? [] : [cn], keyType: keyTypeOf(private_) };
    },
    problem: (policy) => (last === null ? '' : stapleProblem(last, policy)),
  });
}

export type ValidationRules = Omit<ValidationPlan, 'ca' | 'crl' | 'spiffe'>;

/** envoy CertificateValidationContext. `partial`: another context is merged over it. */
export function compileValidation(m: ConfigMessage, ctx: CompileContext, rules: (m: ConfigMessage) => ValidationRules, partial = false): string {
  const watched = m.msg('watched_directory')?.str('path'), plan = rules(m);
  const ca = part(m.msg('trusted_ca'), ctx), crl = part(m.msg('crl'), ctx), spiffe = compileSpiffe(m, ctx), parts = [ca, crl, ...(spiffe?.parts ?? [])];
  if (!partial && ca === null && !plan.systemRoots && spiffe === null) {
    if (plan.sans.length > 0) m.error('', 'SAN-based verification of peer certificates without trusted CA is insecure and not allowed');
    if (crl !== null) m.error('crl', `Failed to load CRL from ${crl.label} without trusted CA`);
    if (plan.allowExpired) m.error('allow_expired_certificate', 'Certificate validity period is always ignored without trusted CA');
  }
  return register(m, ctx, {
    key: keyOf('validation', parts, JSON.stringify([plan, watched, spiffe?.domains])), kind: 'validation', name: '', files: [...filesOf(parts), ...(watched === undefined ? [] : [watched])], paths: { ca: spiffe?.label ?? ca?.label ?? '' },
    load: (): ValidationSecretPlan => {
      let roots = '', revoked = '';
      // The SPIFFE validator looks at neither of them.
      if (spiffe !== null) return { kind: 'validation', validation: { ...plan, ca: '', crl: '', spiffe: spiffe.load() } };
      if (ca !== null) {
        let list: Certificate[] = [];
        try { list = certificatesOf(ca.read().toString('latin1')); } catch (e) { if (e instanceof SecretFault) throw e; }
        if (list.length === 0) throw new SecretFault(`Failed to load trusted CA certificates from ${ca.label}`);
        roots = list.map((c) => c.pem).join('');
      }
      if (crl !== null) { revoked = crl.read().toString('latin1'); if (!revoked.includes('-----BEGIN X509 CRL-----')) throw new SecretFault(`Failed to load CRL from ${crl.label}`); }
      return { kind: 'validation', validation: { ...plan, ca: roots, crl: revoked, spiffe: null } };
    },
  });
}

/** envoy TlsSessionTicketKeys: 80 bytes each, the first one encrypts. */
export function compileTickets(m: ConfigMessage, ctx: CompileContext): string {
  const parts = m.list('keys').map((k) => part(k, ctx));
  return register(m, ctx, {
    key: keyOf('tickets', parts), kind: 'tickets', name: '', files: filesOf(parts), paths: {},
    load: (): TicketSecretPlan => ({ kind: 'tickets', keys: parts.filter((p) => p !== null).map((p) => { const b = p.read(); if (b.length !== 80) throw new SecretFault(`Incorrect TLS session ticket key length. Length ${b.length}, expected length 80.`); return Uint8Array.from(b); }) }),
  });
}

/** envoy Secret: one resource of SDS or of the bootstrap. Gives the key, '' for what is none of the kinds that TLS has. */
export function compileSecret(m: ConfigMessage, ctx: CompileContext, rules: (m: ConfigMessage) => ValidationRules): string {
  switch (m.oneof('type')) {
    case 'tls_certificate': return compileCertificate(m.msg('tls_certificate')!, ctx);
    case 'validation_context': return compileValidation(m.msg('validation_context')!, ctx, rules);
    case 'session_ticket_keys': return compileTickets(m.msg('session_ticket_keys')!, ctx);
    default: m.unsupported(m.oneof('type')); return '';
  }
}
