// Whether a peer's certificate is accepted, beyond its chain, which the engine checks: names, pins, and what Envoy calls each refusal.
// Envoy: DefaultCertValidator.
import { rootCertificates } from 'node:tls';
import type { SanMatcherPlan, TrustBundlePlan, UpstreamTlsPlan, ValidationPlan } from '../../plan/tls-plan.ts';
import { makeStringMatcher, type StringMatcher } from '../../headers/string-matcher.ts';
import { KEY_USAGE, type Certificate } from './certificate.ts';
import type { ClientOptions, TlsFault } from './engine.ts';
import { sslReason } from './failure-table.ts';

/** Envoy's dnsNameMatch: a wildcard of the certificate stands for one label. */
export function dnsNameMatch(name: string, pattern: string): boolean {
  const n = name.toLowerCase(), p = pattern.toLowerCase();
  if (n === p) return true;
  if (!p.startsWith('*.')) return false;
  const dot = n.indexOf('.');
  return dot > 0 && n.slice(dot) === p.slice(1) && p.indexOf('.', 2) > 0;
}

const SPIFFE = /^spiffe:\/\/([^/]+)\//;
/** By the first URI name, as Envoy; '' for none. */
function trustDomainOf(leaf: Certificate): string { return SPIFFE.exec(leaf.sans('URI')[0] ?? '')?.[1] ?? ''; }
/** Leaf validation of the X.509-SVID standard (5.2): no authority, and said to be none. */
function isSvid(leaf: Certificate): boolean { return !leaf.x509.ca && leaf.keyUsage >= 0 && (leaf.keyUsage & (KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign)) === 0; }

interface Matcher { readonly plan: SanMatcherPlan; readonly matcher: StringMatcher }

export function verifyFault(stat: TlsFault['stat'], detail: string): TlsFault {
  return { stat, reason: sslReason('CERTIFICATE_VERIFY_FAILED', detail === '' ? '' : `verify cert failed: ${detail}`) };
}

/** What a connection asks of its peer's names beside the validation context. */
export interface AskedNames { /** One of them (auto_san_validation); null: any. */ readonly anyOf: readonly string[] | null; /** In place of the context's matchers (auto_sni_san_validation); '': those. */ readonly sni: string }
export const NO_NAMES: AskedNames = { anyOf: null, sni: '' };
export function namesOf(plan: Pick<UpstreamTlsPlan, 'autoSniSanValidation'>, o: ClientOptions): AskedNames { return plan.autoSniSanValidation ? { anyOf: o.sans, sni: o.serverName } : o.sans === null ? NO_NAMES : { anyOf: o.sans, sni: '' }; }

/** PEM of the authorities that chains are checked by, '' for none: the system's only where none are given (CertificateValidationContext.system_root_certs). */
export function authoritiesOf(v: ValidationPlan): string { return v.ca !== '' ? v.ca : v.systemRoots ? rootCertificates.join('\n') : ''; }

export class PeerPolicy {
  readonly validation: ValidationPlan | null;
  /** Of the SPIFFE validator; null: it is the default one. */
  readonly bundles: readonly TrustBundlePlan[] | null;
  private readonly matchers: readonly Matcher[];

  constructor(validation: ValidationPlan | null) {
    this.validation = validation;
    this.bundles = validation?.spiffe ?? null;
    this.matchers = (validation?.sans ?? []).filter((plan) => this.bundles === null || plan.type === 'URI').map((plan) => ({ plan, matcher: makeStringMatcher({ kind: plan.kind, text: plan.text, ignoreCase: plan.ignoreCase }) }));
  }

  /** A server that looks for names or pins takes nobody without a certificate, whatever require_client_certificate says, as Envoy. */
  get demands(): boolean { const v = this.validation; return v !== null && (this.bundles !== null || v.hashes.length + v.spki.length + v.sans.length > 0); }
  /** The engine is to check the chain against these roots. */
  get checksChain(): boolean { const v = this.validation; return v !== null && (v.ca !== '' || v.systemRoots || this.bundles !== null); }
  /** Something is checked at all: a certificate that passes counts as validated. */
  get checks(): boolean { return this.checksChain || this.demands; }

  /** trust_chain_verification ACCEPT_UNTRUSTED; the SPIFFE validator does not look at it. */
  get acceptsAny(): boolean { return this.validation?.acceptUntrusted === true && this.bundles === null; }

  /** For the SPIFFE validator: by which bundle of its list this certificate's chain is checked; -1: by none. */
  bundleOf(leaf: Certificate): number { const domain = trustDomainOf(leaf); return domain === '' || !isSvid(leaf) ? -1 : this.bundles!.findIndex((b) => b.domain === domain); }

  /** What its key usage forbids ends the handshake, whatever else is checked. `encrypts`: the key is used to decrypt the client's secret (RSA key exchange). */
  unusable(leaf: Certificate, encrypts = false): TlsFault | null {
    const { keyUsage } = leaf;
    if (keyUsage < 0 || (keyUsage & (encrypts ? KEY_USAGE.keyEncipherment : KEY_USAGE.digitalSignature)) !== 0) return null;
    return { stat: 'connection_error', reason: sslReason('KEY_USAGE_BIT_INCORRECT') };
  }

  /**
   * Judges a certificate. `chainError`: '' for a good chain (or none was checked), else what is wrong with it.
   */
  check(leaf: Certificate, chainError: string, names: AskedNames): TlsFault | null {
    const v = this.validation;
    if (v === null && names.anyOf === null && names.sni === '') return null;
    if (this.bundles !== null) return this.checkSvid(leaf, chainError, names);
    let fault = this.checksChain && chainError !== '' ? verifyFault('fail_verify_error', chainError) : null;
    fault ??= this.checkNames(leaf, names);
    if (fault === null && v !== null && v.hashes.length + v.spki.length > 0 && !v.hashes.includes(leaf.sha256) && !v.spki.includes(leaf.spki)) fault = verifyFault('fail_verify_cert_hash', 'cert hash and spki');
    return fault;
  }

  /** Envoy: SPIFFEValidator. */
  private checkSvid(leaf: Certificate, chainError: string, names: AskedNames): TlsFault | null {
    if (!isSvid(leaf)) return verifyFault('fail_verify_error', 'cert precheck');
    if (this.bundleOf(leaf) < 0) return verifyFault('fail_verify_error', 'no trust bundle store');
    if (chainError !== '') return verifyFault('fail_verify_error', chainError);
    return this.checkNames(leaf, names) === null ? null : verifyFault('fail_verify_san', 'SAN match');
  }

  private checkNames(leaf: Certificate, names: AskedNames): TlsFault | null {
    const { anyOf, sni } = names;
    if (anyOf !== null && anyOf.length > 0 && !leaf.alternatives.some((a) => anyOf.some((n) => (a.type === 'DNS' ? dnsNameMatch(n, a.value) : a.value === n)))) return verifyFault('fail_verify_san', `verify SAN list, certificate SANs are ${listed(leaf)}`);
    if (sni !== '' ? !leaf.sans('DNS').some((n) => dnsNameMatch(sni, n)) : this.matchers.length > 0 && !this.matchers.some((m) => matchesAny(m, leaf))) return verifyFault('fail_verify_san', `SAN matcher, certificate SANs are ${listed(leaf)}`);
    return null;
  }

  /** The alert for a refusal, as BoringSSL chooses it; for a pin that does not fit, what rustls can say. */
  alertOf(fault: TlsFault): number {
    if (fault.stat === 'connection_error') return 47;
    if (fault.stat === 'fail_verify_no_cert') return 116;
    if (fault.stat !== 'fail_verify_error' || this.bundles !== null) return 46;
    const { reason } = fault;
    return reason.includes('has expired') ? 45 : reason.includes('revoked') ? 44 : reason.includes('purpose') ? 43 : /not yet valid|CRL|not trusted|rejected/.test(reason) ? 42 : 48;
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
  UNHANDLED_CRITICAL_EXTENSION: 'unhandled critical extension', UNABLE_TO_GET_CRL: 'unable to get certificate CRL', CRL_HAS_EXPIRED: 'CRL has expired', CRL_NOT_YET_VALID: 'CRL is not yet valid', CRL_SIGNATURE_FAILURE: 'CRL signature failure',
};
export const EXPIRY: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/** What Envoy says of a chain that was refused with `code` (Node's names); '' for a good one. */
export function chainProblem(code: string): string {
  if (code === '') return '';
  return `X509_verify_cert: certificate verification error at depth ${code.endsWith('_IN_CHAIN') ? 1 : 0}: ${CHAIN_ERRORS[code] ?? code}`;
}
