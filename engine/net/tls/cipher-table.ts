// Suites, curves and schemes by their several names: those of rustls and of the registries (IANA) beside those of OpenSSL and BoringSSL, which configuration and stats have.

/** Envoy's own list; what is joined by '|' is of equal preference. */
export const DEFAULT_CIPHERS = ['[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]', '[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'] as const;
/** Envoy 1.40's. */
export const DEFAULT_CURVES = ['X25519MLKEM768', 'X25519', 'P-256'] as const;

/** What BoringSSL leaves under ssl_compliance_policy_fips_202205. */
export const FIPS_CIPHERS = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'] as const;
export const FIPS_CURVES = ['P-256', 'P-384'] as const;
export const FIPS_SIGNATURES = ['rsa_pss_rsae_sha256', 'rsa_pkcs1_sha256', 'ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha384', 'rsa_pkcs1_sha384', 'ecdsa_secp384r1_sha384', 'rsa_pss_rsae_sha512', 'rsa_pkcs1_sha512'] as const;

/** Single names of a list. */
export function flatCiphers(list: readonly string[]): string[] { return list.flatMap((c) => c.replace(/^\[|\]$/g, '').split('|')); }

/** rustls' suites by OpenSSL's names; what is not here rustls does not have. */
export const RUSTLS_SUITES: Readonly<Record<string, string>> = {
  'ECDHE-ECDSA-AES128-GCM-SHA256': 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384': 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305': 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256': 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES256-GCM-SHA384': 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-CHACHA20-POLY1305': 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
  TLS_AES_128_GCM_SHA256: 'TLS13_AES_128_GCM_SHA256', TLS_AES_256_GCM_SHA384: 'TLS13_AES_256_GCM_SHA384', TLS_CHACHA20_POLY1305_SHA256: 'TLS13_CHACHA20_POLY1305_SHA256',
};
export const RUSTLS_GROUPS: Readonly<Record<string, string>> = { X25519: 'X25519', 'P-256': 'secp256r1', prime256v1: 'secp256r1', 'P-384': 'secp384r1', secp384r1: 'secp384r1', X25519MLKEM768: 'X25519MLKEM768' };

export const NAMES = {
  versions: { 0x0303: 'TLSv1.2', 0x0304: 'TLSv1.3' } as Readonly<Record<number, string>>,
  suites: {
    0x1301: 'TLS_AES_128_GCM_SHA256', 0x1302: 'TLS_AES_256_GCM_SHA384', 0x1303: 'TLS_CHACHA20_POLY1305_SHA256', 0xc02b: 'ECDHE-ECDSA-AES128-GCM-SHA256', 0xc02c: 'ECDHE-ECDSA-AES256-GCM-SHA384', 0xcca9: 'ECDHE-ECDSA-CHACHA20-POLY1305',
    0xc02f: 'ECDHE-RSA-AES128-GCM-SHA256', 0xc030: 'ECDHE-RSA-AES256-GCM-SHA384', 0xcca8: 'ECDHE-RSA-CHACHA20-POLY1305',
  } as Readonly<Record<number, string>>,
  groups: { 0x001d: 'X25519', 0x0017: 'P-256', 0x0018: 'P-384', 0x0019: 'P-521', 0x11ec: 'X25519MLKEM768' } as Readonly<Record<number, string>>,
  schemes: {
    0x0401: 'rsa_pkcs1_sha256', 0x0501: 'rsa_pkcs1_sha384', 0x0601: 'rsa_pkcs1_sha512', 0x0403: 'ecdsa_secp256r1_sha256', 0x0503: 'ecdsa_secp384r1_sha384', 0x0603: 'ecdsa_secp521r1_sha512', 0x0804: 'rsa_pss_rsae_sha256', 0x0805: 'rsa_pss_rsae_sha384',
    0x0806: 'rsa_pss_rsae_sha512', 0x0807: 'ed25519',
  } as Readonly<Record<number, string>>,
};

/** Suites of TLS 1.2 and older that rustls has not, by their numbers. */
const OLD_SUITES: Readonly<Record<number, string>> = {
  0xc009: 'ECDHE-ECDSA-AES128-SHA', 0xc00a: 'ECDHE-ECDSA-AES256-SHA', 0xc013: 'ECDHE-RSA-AES128-SHA', 0xc014: 'ECDHE-RSA-AES256-SHA', 0xc027: 'ECDHE-RSA-AES128-SHA256', 0x009c: 'AES128-GCM-SHA256', 0x009d: 'AES256-GCM-SHA384', 0x002f: 'AES128-SHA', 0x0035: 'AES256-SHA',
  0x000a: 'DES-CBC3-SHA',
};
/** By number, which keys go with a suite; those of TLS 1.3 with any. */
export type SuiteKinds = ReadonlyMap<number, 'any' | 'rsa' | 'ec'>;
/** Of the suites by these names. */
export function suiteKinds(names: readonly string[], tls13: boolean): SuiteKinds {
  const out = new Map<number, 'any' | 'rsa' | 'ec'>();
  for (const [id, name] of [...Object.entries(NAMES.suites), ...Object.entries(OLD_SUITES)]) {
    if (name.startsWith('TLS_')) { if (tls13) out.set(Number(id), 'any'); } else if (names.includes(name)) out.set(Number(id), name.includes('-ECDSA-') ? 'ec' : 'rsa');
  }
  return out;
}
