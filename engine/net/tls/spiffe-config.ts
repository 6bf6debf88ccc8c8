// SPIFFECertValidatorConfig: the authorities of each trust domain, as PEM files or as one SPIFFE bundle map (JSON: {"trust_domains": {NAME: {"keys": [{"use":
// "x509-svid", "x5c": [base64 DER]}]}}}). The words of the faults are Envoy's.
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';
import type { TrustBundlePlan } from '../../plan/tls-plan.ts';
import { Certificate, certificatesOf } from './certificate.ts';
import { part, SecretFault, type Part } from './data-source-config.ts';

/** What a validation context has by its custom_validator_config. */
export interface SpiffeSource { readonly parts: readonly (Part | null)[]; readonly domains: readonly string[]; /** Of the first authority, for /certs. */ readonly label: string; load(): readonly TrustBundlePlan[] }

/** Of an envoy CertificateValidationContext; null where it names no validator, and after an error was reported. */
export function compileSpiffe(context: ConfigMessage, ctx: CompileContext): SpiffeSource | null {
  const extension = context.msg('custom_validator_config');
  if (extension === undefined) return null;
  const name = extension.str('name'), m = extension.any('typed_config');
  if (m === undefined) return null;
  if (name !== 'envoy.tls.cert_validator.spiffe') { context.error('custom_validator_config', `Failed to get certificate validator factory for ${name}`); return null; }
  if (!m.typeName.endsWith('.SPIFFECertValidatorConfig')) { extension.error('typed_config', `${name} takes an envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig`); return null; }
  const map = part(m.msg('trust_bundles'), ctx), list = m.list('trust_domains');
  const domains = list.map((d) => {
    d.unsupported('workload_trust_domain', 'there is no filter state before the handshake');
    return { name: d.str('name'), bundle: part(d.msg('trust_bundle'), ctx) };
  });
  if (map !== null) return { parts: [map], domains: [], label: map.label, load: () => bundlesOf(map.read().toString('utf8')) };
  const twice = domains.find((d, i) => domains.findIndex((o) => o.name === d.name) !== i);
  if (twice !== undefined) m.error('trust_domains', `Multiple trust bundles are given for one trust domain for ${twice.name}, workload: `);
  const first = domains[0];
  return { parts: domains.map((d) => d.bundle), domains: domains.map((d) => d.name), label: first === undefined ? '' : `${first.name}: ${first.bundle?.label ?? ''}`, load: () => domains.map((d) => bundleOf(d.name, d.bundle?.read().toString('latin1') ?? '')) };
}

const CRL = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g;

/** PEM texts of one domain: certificates, and revocation lists among them. */
function bundleOf(domain: string, text: string): TrustBundlePlan {
  let list: Certificate[] = [];
  try { list = certificatesOf(text); } catch { /* said below */ }
  if (list.length === 0) throw new SecretFault(`Failed to load trusted CA certificate for ${domain}`);
  return { domain, ca: list.map((c) => c.pem).join(''), crl: (text.match(CRL) ?? []).join('\n') };
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Of a SPIFFE bundle map. Throws SecretFault. */
export function bundlesOf(text: string): TrustBundlePlan[] {
  let parsed: unknown;
  try { parsed = JSON.parse(text); } catch { throw new SecretFault('Invalid JSON found in SPIFFE bundle'); }
  const domains = isObject(parsed) ? parsed['trust_domains'] : undefined;
  if (!isObject(domains) || Object.keys(domains).length === 0) throw new SecretFault('No trust domains found in SPIFFE bundle');
  return Object.entries(domains).map(([domain, body]) => {
    const keys = isObject(body) ? body['keys'] : undefined;
    if (!Array.isArray(keys) || keys.length === 0) throw new SecretFault(`No keys found in SPIFFE bundle for domain '${domain}'`);
    return { domain, ca: keys.flatMap((k) => chainOf(domain, k)).map((c) => c.pem).join(''), crl: '' };
  });
}

function chainOf(domain: string, key: unknown): Certificate[] {
  const { use, x5c } = isObject(key) ? key : {};
  if (use !== 'x509-svid') throw new SecretFault(`missing or invalid 'use' field found in cert for domain '${domain}'`);
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.some((t) => typeof t !== 'string')) throw new SecretFault(`missing or empty 'x5c' field found in keys for domain: '${domain}'`);
  return (x5c as string[]).map((t) => {
    if (t.length === 0 || t.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(t)) throw new SecretFault(`Failed to create x509 object while loading certs in domain '${domain}'`);
    const c = new Certificate(Buffer.from(t, 'base64'));
    try { void c.x509; } catch { throw new SecretFault(`Invalid x509 object in certs for domain '${domain}'`); }
    return c;
  });
}
