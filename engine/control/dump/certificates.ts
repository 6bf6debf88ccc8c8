// The entries of /certs (envoy.admin.v3.Certificates): for each TLS context its authorities and its own chain.
import type { X509Certificate } from 'node:crypto';
import type { ExtensionPlan } from '../../plan/extension-plan.ts';
import type { CommonTlsPlan, StaplePlan } from '../../plan/tls-plan.ts';
import type { CertificateInfo, SecretInfo } from '../secrets/secret-manager.ts';

const DAY = 86_400_000;

/** What a transport socket's plan says of TLS, within PROXY protocol and the like too; null for cleartext. */
export function tlsOf(socket: ExtensionPlan | null): CommonTlsPlan | null {
  for (let at: unknown = socket?.body, depth = 0; at !== null && typeof at === 'object' && depth < 4; depth++) {
    if (Array.isArray((at as Partial<CommonTlsPlan>).certificates)) return at as CommonTlsPlan;
    const { inner } = at as { readonly inner?: { readonly body?: unknown } | null };
    at = inner?.body ?? (at as { readonly tls?: unknown }).tls;
  }
  return null;
}

function names(text: string | undefined): Record<string, string>[] {
  const all = (text ?? '').split(', ').map((part) => { const at = part.indexOf(':'); return [part.slice(0, at), part.slice(at + 1)] as const; });
  // Kind by kind, as Envoy lists them.
  return ([['DNS', 'dns'], ['URI', 'uri'], ['IP Address', 'ip_address']] as const).flatMap(([kind, field]) => all.filter(([k]) => k === kind).map(([, v]) => ({ [field]: v })));
}

const timestamp = (d: Date): string => `${d.toISOString().slice(0, 19)}Z`;
function details({ path, certificate: c }: CertificateInfo, nowMs: number): Record<string, unknown> {
  return { path, serial_number: c.serialNumber.toLowerCase().replace(/^0+(?=.)/, ''), subject_alt_names: names(c.subjectAltName), days_until_expiration: String(daysLeft(c, nowMs)), valid_from: timestamp(c.validFromDate), expiration_time: timestamp(c.validToDate) };
}
/** A response without an end is good until now. */
const stapleDetails = (s: StaplePlan, nowMs: number): Record<string, unknown> => ({ valid_from: timestamp(new Date(s.thisUpdateMs)), expiration: s.nextUpdateMs === null ? new Date(nowMs).toISOString() : timestamp(new Date(s.nextUpdateMs)) });
const daysLeft = (c: X509Certificate, nowMs: number): number => Math.max(0, Math.floor((c.validToDate.getTime() - nowMs) / DAY));

const server = (c: CommonTlsPlan): boolean => 'staplePolicy' in c;

/** One entry a context, contexts that are alike once. */
export function certificateEntries(contexts: Iterable<CommonTlsPlan>, secrets: readonly SecretInfo[], nowMs: number): Record<string, unknown>[] {
  const byKey = new Map(secrets.map((s) => [s.name, s])), seen = new Set<string>(), out: Record<string, unknown>[] = [];
  for (const c of contexts) {
    const key = JSON.stringify([c.certificates, c.validation, server(c)]);
    if (seen.has(key)) continue;
    seen.add(key);
    const ca = c.validation.flatMap((k) => byKey.get(k)?.ca ?? []).map((i) => details(i, nowMs)), chain = c.certificates.flatMap((k) => {
      const s = byKey.get(k), leaf = s?.chain[0];
      return leaf === undefined ? [] : [{ ...details(leaf, nowMs), ...(server(c) && s!.staple !== null ? { ocsp_details: stapleDetails(s!.staple, nowMs) } : {}) }];
    });
    if (ca.length > 0 || chain.length > 0) out.push({ ...(ca.length > 0 ? { ca_cert: ca } : {}), ...(chain.length > 0 ? { cert_chain: chain } : {}) });
  }
  return out;
}

/** Envoy's word for a certificate that has no name: the hash is of the empty name. */
const UNNAMED = 'e3b0c442';

/** The gauges 'SCOPE.ssl.certificate.NAME.expiration_unix_time_seconds' of TLS contexts, each with the scope that it is in. */
export function expiryGauges(contexts: Iterable<readonly [scope: string, context: CommonTlsPlan]>, secrets: readonly SecretInfo[]): Map<string, number> {
  const byKey = new Map(secrets.map((s) => [s.name, s])), out = new Map<string, number>();
  for (const [scope, c] of contexts) {
    for (const key of [...c.certificates, ...c.validation]) {
      const s = byKey.get(key);
      if (s === undefined) continue;
      const name = s.resource !== '' ? s.resource : s.kind === 'validation' ? `unnamed_ca_cert_${UNNAMED}` : `unnamed_cert_${UNNAMED}`;
      const ends = [...s.ca, ...s.chain.slice(0, 1)].map((i) => Math.floor(i.certificate.validToDate.getTime() / 1000));
      if (ends.length > 0) out.set(`${scope}.ssl.certificate.${name}.expiration_unix_time_seconds`, Math.min(...ends));
    }
  }
  return out;
}

/** Days until the first certificate of all expires; as Envoy has it, 2^32 - 1 where there is none. */
export function daysUntilFirstExpires(secrets: readonly SecretInfo[], nowMs: number): number { return secrets.flatMap((s) => [...s.ca, ...s.chain]).reduce((n, i) => Math.min(n, daysLeft(i.certificate, nowMs)), 0xffff_ffff); }

/** Seconds until the first OCSP response of all expires; null where there is none. */
export function secondsUntilFirstStapleExpires(secrets: readonly SecretInfo[], nowMs: number): number | null {
  const ends = secrets.flatMap((s) => (s.staple === null ? [] : [Math.max(0, Math.floor(((s.staple.nextUpdateMs ?? 0) - nowMs) / 1000))]));
  return ends.length === 0 ? null : Math.min(...ends);
}
