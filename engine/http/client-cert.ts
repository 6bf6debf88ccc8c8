// x-forwarded-client-cert (Envoy: forward_client_cert_details): what a client may say of itself is dropped or passed, what the connection knows of it is added.
import type { RequestHeaders } from '../headers/headers.ts';
import type { TlsFacts } from '../observe/stream-facts.ts';
import type { ClientCertPlan } from '../plan/hcm-plan.ts';

const NAME = 'x-forwarded-client-cert';

export function forwardClientCert(plan: ClientCertPlan, headers: RequestHeaders, tls: TlsFacts | null): void {
  if (plan.mode === 'always-forward-only') return;
  if (plan.mode === 'sanitize' || tls?.peerCertificatePresented !== true) { headers.remove(NAME); return; }
  if (plan.mode === 'forward-only') return;
  const given = plan.mode === 'append-forward' ? headers.get(NAME) ?? '' : '';
  if (given === '') { headers.set(NAME, plan.json ? `[${asJson(plan, tls)}]` : describe(plan, tls)); return; }
  // An array grows by an element; what is none stays text, whatever the format, as in Envoy.
  if (plan.json && given.startsWith('[') && given.endsWith(']')) headers.set(NAME, `${given.slice(0, -1)}${given === '[]' ? '' : ','}${asJson(plan, tls)}]`);
  else headers.append(NAME, describe(plan, tls), ',');
}

/** Lists that are empty are left out. */
function asJson(plan: ClientCertPlan, tls: TlsFacts): string {
  const of = (list: readonly string[]): readonly string[] | undefined => (list.length === 0 ? undefined : list);
  return JSON.stringify({
    by: of(tls.localSans('URI')), hash: tls.peerFingerprint256 === '' ? undefined : tls.peerFingerprint256, cert: plan.cert ? decodeURIComponent(tls.peerPem) : undefined, chain: plan.chain ? of(certificates(decodeURIComponent(tls.peerChainPem))) : undefined,
    subject: plan.subject ? tls.peerSubject : undefined, uri: plan.uri ? of(tls.peerSans('URI')) : undefined, dns: plan.dns ? of(tls.peerSans('DNS')) : undefined, issuer: plan.issuer ? tls.peerIssuer : undefined,
  });
}

const certificates = (pem: string): string[] => pem.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n?/g) ?? [];

function describe(plan: ClientCertPlan, tls: TlsFacts): string {
  const out = tls.localSans('URI').map((u) => `By=${u}`);
  if (tls.peerFingerprint256 !== '') out.push(`Hash=${tls.peerFingerprint256}`);
  if (plan.cert) out.push(`Cert="${tls.peerPem}"`);
  if (plan.chain) out.push(`Chain="${tls.peerChainPem}"`);
  // These two stand there even if they are empty.
  if (plan.subject) out.push(`Subject="${tls.peerSubject}"`);
  if (plan.uri) { const uris = tls.peerSans('URI'); if (uris.length === 0) out.push('URI='); else for (const u of uris) out.push(`URI=${u}`); }
  if (plan.dns) for (const d of tls.peerSans('DNS')) out.push(`DNS=${d}`);
  if (plan.issuer) out.push(`Issuer="${tls.peerIssuer}"`);
  return out.join(';');
}
