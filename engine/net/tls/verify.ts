// Whether a peer's certificate is accepted, beyond its chain, which the engine checks: names, pins, and what Envoy calls each refusal.
// Envoy: DefaultCertValidator.
import type { SanMatcherPlan, ValidationPlan } from '../../plan/tls-plan.ts';
import { makeStringMatcher, type StringMatcher } from '../../headers/string-matcher.ts';
import type { Certificate } from './certificate.ts';
import type { TlsFault } from './engine.ts';
import { sslReason } from './failure-table.ts';

/** Envoy's dnsNameMatch: a wildcard of the certificate stands for one label. */
export function dnsNameMatch(name: string, pattern: string): boolean {
  const n = name.toLowerCase(), p = pattern.toLowerCase();
  if (n === p) return true;
  if (!p.startsWith('*.')) return false;
  const dot = n.indexOf('.');
  return dot > 0 && n.slice(dot) === p.slice(1) && p.indexOf('.', 2) > 0;
}

interface Matcher { readonly plan: SanMatcherPlan; readonly matcher: StringMatcher }

export function verifyFault(stat: TlsFault['stat'], detail: string): TlsFault {
  return { stat, reason: sslReason('CERTIFICATE_VERIFY_FAILED', detail === '' ? '' : `verify cert failed: ${detail}`) };
}

export class PeerPolicy {
  readonly validation: ValidationPlan | null;
  private readonly matchers: readonly Matcher[];

  constructor(validation: ValidationPlan | null) {
    this.validation = validation;
    this.matchers = (validation?.sans ?? []).map((plan) => ({ plan, matcher: makeStringMatcher({ kind: plan.kind, text: plan.text, ignoreCase: plan.ignoreCase }) }));
  }

  /** The engine is to check the chain against these roots. */
  get checksChain(): boolean { const v = this.validation; return v !== null && (v.ca !== '' || v.systemRoots); }
  /** Something is checked at all: a certificate that passes counts as validated. */
  get checks(): boolean { const v = this.validation; return v !== null && (this.checksChain || v.hashes.length > 0 || v.spki.length > 0 || v.sans.length > 0); }

  /**
   * Judges a certificate. `chainError`: '' for a good chain (or none was checked), else what is wrong with it. `names`: one of them must be in the certificate, null for any.
   */
  check(leaf: Certificate, chainError: string, names: readonly string[] | null): TlsFault | null {
    const v = this.validation;
    if (v === null && names === null) return null;
    let fault = this.checksChain && chainError !== '' ? verifyFault('fail_verify_error', chainError) : null;
    fault ??= this.checkNames(leaf, names);
    if (fault === null && v !== null && v.hashes.length + v.spki.length > 0 && !v.hashes.includes(leaf.sha256) && !v.spki.includes(leaf.spki)) fault = verifyFault('fail_verify_cert_hash', 'cert hash and spki');
    return fault;
  }

  private checkNames(leaf: Certificate, names: readonly string[] | null): TlsFault | null {
    if (names !== null && names.length > 0 && !leaf.alternatives.some((a) => names.some((n) => (a.type === 'DNS' ? dnsNameMatch(n, a.value) : a.value === n)))) return verifyFault('fail_verify_san', `verify SAN list, certificate SANs are ${listed(leaf)}`);
    if (this.matchers.length > 0 && !this.matchers.some((m) => matchesAny(m, leaf))) return verifyFault('fail_verify_san', `SAN matcher, certificate SANs are ${listed(leaf)}`);
    return null;
  }
}

const listed = (leaf: Certificate): string => `[${leaf.alternatives.map((a) => a.value).join(', ')}]`;

function matchesAny(m: Matcher, leaf: Certificate): boolean {
  const { type, kind, text, oid } = m.plan;
  return leaf.alternatives.some((a) => a.type === type && (type !== 'OTHER_NAME' || a.oid === oid) && (type === 'DNS' && kind === 'exact' ? dnsNameMatch(text, a.value) : m.matcher.matches(a.value)));
}

/** Of OpenSSL's verification errors, in BoringSSL's words. */
const CHAIN_ERRORS: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: 'unable to get issuer certificate', UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unable to get local issuer certificate', UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unable to get local issuer certificate', CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not yet valid', DEPTH_ZERO_SELF_SIGNED_CERT: 'self signed certificate', SELF_SIGNED_CERT_IN_CHAIN: 'self signed certificate in certificate chain', CERT_REVOKED: 'certificate revoked', CERT_UNTRUSTED: 'certificate not trusted',
  CERT_REJECTED: 'certificate rejected', INVALID_CA: 'invalid CA certificate', PATH_LENGTH_EXCEEDED: 'path length constraint exceeded', INVALID_PURPOSE: 'unsupported certificate purpose', CERT_SIGNATURE_FAILURE: 'certificate signature failure', CERT_CHAIN_TOO_LONG: 'certificate chain too long',
  UNABLE_TO_GET_CRL: 'unable to get certificate CRL', CRL_HAS_EXPIRED: 'CRL has expired', CRL_NOT_YET_VALID: 'CRL is not yet valid', CRL_SIGNATURE_FAILURE: 'CRL signature failure',
};
const EXPIRY = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/** What Envoy says of a chain that was refused with `code` (Node's names); '' for one that is accepted. */
export function chainProblem(code: string, validation: ValidationPlan | null): string {
  if (code === '' || (validation?.allowExpired === true && EXPIRY.has(code))) return '';
  return `X509_verify_cert: certificate verification error at depth ${code.endsWith('_IN_CHAIN') ? 1 : 0}: ${CHAIN_ERRORS[code] ?? code}`;
}
