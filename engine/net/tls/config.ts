// DownstreamTlsContext and UpstreamTlsContext from configuration.
import { compileStringMatcher } from '../../headers/config.ts';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';
import type { CommonTlsPlan, DownstreamTlsPlan, KeyLogPlan, SanMatcherPlan, SanType, StaplePolicy, TlsParamsPlan, TlsVersion, UpstreamTlsPlan, ValidationPlan } from '../../plan/tls-plan.ts';
import { compileCidr } from '../config.ts';
import { FIPS_CIPHERS, FIPS_CURVES, flatCiphers } from './cipher-table.ts';
import { compileCertificate, compileTickets, compileValidation, type ValidationRules } from './secret-config.ts';

const VERSIONS: Record<string, TlsVersion> = { TLSv1_0: 'TLSv1', TLSv1_1: 'TLSv1.1', TLSv1_2: 'TLSv1.2', TLSv1_3: 'TLSv1.3' };
const ORDER: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
/** What BoringSSL knows (its cipher list in OpenSSL's names). */
const CIPHERS = new Set(['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA', 'ECDHE-RSA-AES256-SHA', 'ECDHE-RSA-AES128-SHA256', 'AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'AES128-SHA', 'AES256-SHA', 'DES-CBC3-SHA', 'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']);
const CURVES = new Set(['X25519', 'P-256', 'P-384', 'P-521', 'X25519MLKEM768', 'prime256v1', 'secp384r1', 'secp521r1']);

function compileParams(m: ConfigMessage | undefined, side: 'server' | 'client'): TlsParamsPlan {
  const min = VERSIONS[m?.enum('tls_minimum_protocol_version') ?? ''] ?? 'TLSv1.2', max = VERSIONS[m?.enum('tls_maximum_protocol_version') ?? ''] ?? (side === 'server' ? 'TLSv1.3' : 'TLSv1.2');
  if (m === undefined) return { minVersion: min, maxVersion: max, ciphers: [], curves: [], signatures: [], fips: false };
  const minVersion = m.enum('tls_minimum_protocol_version') === 'TLS_AUTO' && ORDER.indexOf(max) < ORDER.indexOf(min) ? max : min;
  const ciphers = m.strings('cipher_suites'), bad = flatCiphers(ciphers).filter((c) => !CIPHERS.has(c));
  if (bad.length > 0) m.error('cipher_suites', `Failed to initialize cipher suites ${ciphers.join(':')}. The following ciphers were rejected when tried individually: ${bad.join(', ')}`);
  const curves = m.strings('ecdh_curves').flatMap((c) => c.split(':'));
  if (curves.some((c) => !CURVES.has(c))) m.error('ecdh_curves', `Failed to initialize ECDH curves ${curves.join(':')}`);
  const signatures = m.strings('signature_algorithms'), policy = m.enums('compliance_policies')[0];
  if (policy === 'FIPS_202205') {
    m.warn('compliance_policies', 'FIPS conformance policy applied on a non-FIPS build');
    // In place of all that stands beside it, as BoringSSL's SSL_CTX_set_compliance_policy.
    return { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ciphers: FIPS_CIPHERS, curves: FIPS_CURVES, signatures: [], fips: true };
  }
  if (policy !== undefined) m.unsupported('compliance_policies', 'of the policies there is FIPS_202205');
  return { minVersion, maxVersion: max, ciphers, curves, signatures, fips: false };
}

function compileKeyLog(m: ConfigMessage | undefined): KeyLogPlan | null {
  return m === undefined ? null : { path: m.str('path'), local: m.list('local_address_range').map(compileCidr), remote: m.list('remote_address_range').map(compileCidr) };
}

function compileCommon(m: ConfigMessage | undefined, ctx: CompileContext, side: 'server' | 'client'): CommonTlsPlan {
  if (m === undefined) return { params: compileParams(undefined, side), alpn: [], certificates: [], validation: [], keyLog: null };
  for (const f of ['tls_certificate_provider_instance', 'custom_tls_certificate_selector', 'tls_certificate_certificate_provider', 'tls_certificate_certificate_provider_instance', 'validation_context_certificate_provider', 'validation_context_certificate_provider_instance', 'custom_handshaker']) m.unsupported(f);
  const params = compileParams(m.msg('tls_params'), side);
  const certificates = [...m.list('tls_certificates').map((c) => compileCertificate(c, ctx)), ...m.list('tls_certificate_sds_secret_configs').map((s) => ctx.sdsSecret('certificate', s))].filter((k) => k !== '');
  if (side === 'client' && m.list('tls_certificates').length + m.list('tls_certificate_sds_secret_configs').length > 1) m.error('', 'Multiple TLS certificates are not supported for client contexts');
  const validation: string[] = [];
  switch (m.oneof('validation_context_type')) {
    case 'validation_context': validation.push(compileValidation(m.msg('validation_context')!, ctx, rulesOf)); break;
    case 'validation_context_sds_secret_config': validation.push(ctx.sdsSecret('validation', m.msg('validation_context_sds_secret_config')!)); break;
    case 'combined_validation_context': {
      const c = m.msg('combined_validation_context')!, base = c.msg('default_validation_context'), over = c.msg('validation_context_sds_secret_config');
      c.unsupported('validation_context_certificate_provider'); c.unsupported('validation_context_certificate_provider_instance');
      if (base !== undefined) validation.push(compileValidation(base, ctx, rulesOf, true));
      if (over !== undefined) validation.push(ctx.sdsSecret('validation', over));
      break;
    }
  }
  return { params, alpn: m.strings('alpn_protocols'), certificates, validation: validation.filter((k) => k !== ''), keyLog: compileKeyLog(m.msg('key_log')) };
}

/** Envoy counts the authorities, of which the trusted one is always allowed; -1 for no limit of its own. */
const intermediates = (depth: number): number => (depth < 0 ? -1 : Math.max(0, depth - 1));

/** The part of a validation context beside its files. */
export function rulesOf(m: ConfigMessage): ValidationRules {
  for (const f of ['ca_certificate_provider_instance', 'require_signed_certificate_timestamp']) m.unsupported(f);
  // A matcher that is missing was reported: it is required.
  const sans = m.list('match_typed_subject_alt_names').flatMap((s): SanMatcherPlan[] => { const text = s.msg('matcher'); return text === undefined ? [] : [{ type: s.enum('san_type') as SanType, oid: s.str('oid'), ...compileStringMatcher(text) }]; });
  for (const s of m.list('match_subject_alt_names')) for (const type of ['DNS', 'URI', 'EMAIL', 'IP_ADDRESS'] as const) sans.push({ type, oid: '', ...compileStringMatcher(s) });
  const hashes = m.strings('verify_certificate_hash').map((h) => h.replaceAll(':', '').toLowerCase());
  for (const h of hashes) if (!/^[0-9a-f]{64}$/.test(h)) m.error('verify_certificate_hash', `Invalid hex-encoded SHA-256 ${h}`);
  const spki = m.strings('verify_certificate_spki');
  for (const s of spki) if (Buffer.from(s, 'base64').length !== 32) m.error('verify_certificate_spki', `Invalid base64-encoded SHA-256 ${s}`);
  const rest: Pick<ValidationPlan, 'acceptUntrusted' | 'allowExpired' | 'onlyLeafCrl' | 'maxDepth' | 'suppressCaList'> = {
    acceptUntrusted: m.enum('trust_chain_verification') === 'ACCEPT_UNTRUSTED', allowExpired: m.bool('allow_expired_certificate'), onlyLeafCrl: m.bool('only_verify_leaf_cert_crl'), maxDepth: intermediates(m.num('max_verify_depth', -1)), suppressCaList: m.bool('suppress_client_ca_list'),
  };
  return { systemRoots: m.msg('system_root_certs') !== undefined, hashes, spki, sans, ...rest };
}

export function compileDownstreamTls(m: ConfigMessage, ctx: CompileContext): DownstreamTlsPlan {
  const common = compileCommon(m.msg('common_tls_context'), ctx, 'server');
  const c = m.msg('common_tls_context');
  if (c === undefined || c.list('tls_certificates').length + c.list('tls_certificate_sds_secret_configs').length === 0) m.error('', 'No TLS certificates found for server context');
  const staplePolicy = m.enum('ocsp_staple_policy') as StaplePolicy;
  for (const key of common.certificates) { const problem = ctx.secretProblem(key, staplePolicy); if (problem !== '') m.error('', problem); }
  let ticketKeys = '', statelessResumption = true;
  switch (m.oneof('session_ticket_keys_type')) {
    case 'session_ticket_keys': ticketKeys = compileTickets(m.msg('session_ticket_keys')!, ctx); break;
    case 'session_ticket_keys_sds_secret_config': ticketKeys = ctx.sdsSecret('tickets', m.msg('session_ticket_keys_sds_secret_config')!); break;
    case 'disable_stateless_session_resumption': statelessResumption = !m.bool('disable_stateless_session_resumption'); break;
  }
  return {
    ...common, requireClientCertificate: m.bool('require_client_certificate', false), requireSni: m.bool('require_sni', false), ticketKeys, statelessResumption, statefulResumption: !m.bool('disable_stateful_session_resumption'),
    sessionTimeoutS: Math.floor(Math.max(0, m.ms('session_timeout', 0)) / 1000), fullScan: m.bool('full_scan_certs_on_sni_mismatch', false), preferClientCiphers: m.bool('prefer_client_ciphers'), staplePolicy,
  };
}

export function compileUpstreamTls(m: ConfigMessage, ctx: CompileContext): UpstreamTlsPlan {
  const common = compileCommon(m.msg('common_tls_context'), ctx, 'client');
  m.noop('enforce_rsa_key_usage', 'key usage is always enforced, as in Envoy');
  if (m.bool('allow_renegotiation')) m.unsupported('allow_renegotiation', 'renegotiation is refused');
  return { ...common, sni: m.str('sni'), autoHostSni: m.bool('auto_host_sni'), autoSniSanValidation: m.bool('auto_sni_san_validation'), maxSessionKeys: m.num('max_session_keys', 1) };
}
