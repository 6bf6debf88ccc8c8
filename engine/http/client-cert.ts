// x-forwarded-client-cert (Envoy: forward_client_cert_details): what a client may say of itself is dropped or passed, what the connection knows of it is added.
import type { RequestHeaders } from '../headers/headers.ts';
import type { TlsFacts } from '../observe/stream-facts.ts';
import type { ClientCertPlan } from '../plan/hcm-plan.ts';

const NAME = 'x-forwarded-client-cert';

export function forwardClientCert(plan: ClientCertPlan, headers: RequestHeaders, tls: TlsFacts | null): void {
  if (plan.mode === 'always-forward-only') return;
  if (plan.mode === 'sanitize' || tls?.peerCertificatePresented !== true) { headers.remove(NAME); return; }
  if (plan.mode === 'forward-only') return;
  const value = describe(plan, tls);
  if (plan.mode === 'append-forward') headers.append(NAME, value, ','); else headers.set(NAME, value);
}

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
