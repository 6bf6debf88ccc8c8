// TLS contexts as workers install them. They name their secrets; the secrets themselves come as sealed records (sealed.ts) and change on their own.

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

export interface TlsParamsPlan {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL's names, in order of preference; names of equal preference are joined by '|'. Empty: the engine's own. TLS 1.3 suites are not chosen by it. */
  readonly ciphers: readonly string[];
  readonly curves: readonly string[];
  readonly signatures: readonly string[];
  /** compliance_policies FIPS_202205: versions, suites and curves above are those of the policy already; engines leave ChaCha20 and other signatures out. */
  readonly fips: boolean;
}

export interface KeyLogPlan { readonly path: string; readonly local: readonly { readonly ip: string; readonly bits: number }[]; readonly remote: readonly { readonly ip: string; readonly bits: number }[] }

export interface CommonTlsPlan {
  readonly params: TlsParamsPlan;
  readonly alpn: readonly string[];
  /** Keys of certificate secrets, in order. */
  readonly certificates: readonly string[];
  /** Keys of validation secrets, later ones merged over earlier ones (combined_validation_context); empty: the peer's certificate is not checked. */
  readonly validation: readonly string[];
  readonly keyLog: KeyLogPlan | null;
}

export interface DownstreamTlsPlan extends CommonTlsPlan {
  readonly requireClientCertificate: boolean;
  readonly requireSni: boolean;
  /** Key of the secret with session ticket keys, '' for keys of the process's own. */
  readonly ticketKeys: string;
  readonly statelessResumption: boolean;
  readonly statefulResumption: boolean;
  /** Life of a session, s; 0: the engine's own. */
  readonly sessionTimeoutS: number;
  readonly fullScan: boolean;
  readonly preferClientCiphers: boolean;
  readonly staplePolicy: StaplePolicy;
}

export interface UpstreamTlsPlan extends CommonTlsPlan {
  readonly sni: string;
  /** SNI from the endpoint's host name. */
  readonly autoHostSni: boolean;
  /** The certificate must bear the name that was asked for. */
  readonly autoSniSanValidation: boolean;
  /** Sessions kept for resumption; 0: none. */
  readonly maxSessionKeys: number;
}

export type SanType = 'EMAIL' | 'DNS' | 'URI' | 'IP_ADDRESS' | 'OTHER_NAME';
/** `text` is a regular expression (RE2) for kind 'regex', lower case where `ignoreCase`. */
export interface SanMatcherPlan { readonly type: SanType; readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex'; readonly text: string; readonly ignoreCase: boolean; readonly oid: string }

/** What a peer's certificate must be. Unset members leave those of the context merged under it. */
export interface ValidationPlan {
  /** PEM, '' for none. */
  readonly ca: string;
  readonly crl: string;
  /** What the certificates are called in failure reasons. */
  readonly systemRoots: boolean;
  /** Lower-case hex of SHA-256 over the certificate. */
  readonly hashes: readonly string[];
  /** Base64 of SHA-256 over the SubjectPublicKeyInfo. */
  readonly spki: readonly string[];
  readonly sans: readonly SanMatcherPlan[];
  readonly acceptUntrusted: boolean;
  readonly allowExpired: boolean;
  readonly onlyLeafCrl: boolean;
  /** Certificates between the leaf and an authority that is trusted; -1: 100, as Envoy. */
  readonly maxDepth: number;
  readonly suppressCaList: boolean;
  /** Of the SPIFFE validator: authorities by trust domain, in place of `ca`; null: the default one. */
  readonly spiffe: readonly TrustBundlePlan[] | null;
}
/** Authorities of one trust domain; PEM, '' for none. */
export interface TrustBundlePlan { readonly domain: string; readonly ca: string; readonly crl: string }

export type StaplePolicy = 'LENIENT_STAPLING' | 'STRICT_STAPLING' | 'MUST_STAPLE';
/** An OCSP response (DER). `nextUpdateMs`: shown until then, ms since 1970; null: never. `fault`: why no server may have it; '' for one that is in order. */
export interface StaplePlan { readonly response: Uint8Array; readonly thisUpdateMs: number; readonly nextUpdateMs: number | null; readonly fault: string }

export interface CertificateSecretPlan {
  readonly kind: 'certificate';
  /** PEM, leaf first. */
  readonly chain: string;
  /** PEM, unencrypted. */
  readonly key: string;
  readonly ocsp: StaplePlan | null;
  /** It promises a staple (RFC 7633): servers treat it as MUST_STAPLE. */
  readonly mustStaple: boolean;
  /** Names it is chosen by: DNS SANs, or the common name where there are none. Lower case. */
  readonly names: readonly string[];
  readonly keyType: 'rsa' | 'ec' | 'ed25519';
}
export interface ValidationSecretPlan { readonly kind: 'validation'; readonly validation: ValidationPlan }
/** Key of the secret with the process's own ticket keys. */
export const PROCESS_TICKETS = 'tickets:process';
/** The first key seals, all open. */
export interface TicketSecretPlan { readonly kind: 'tickets'; readonly keys: readonly Uint8Array[] }
export type SecretPlan = CertificateSecretPlan | ValidationSecretPlan | TicketSecretPlan;
