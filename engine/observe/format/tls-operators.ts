// Operators of the TLS sides of a stream: DOWNSTREAM_PEER_X, DOWNSTREAM_LOCAL_X, DOWNSTREAM_TLS_X and what Envoy has of them for the upstream.
import type { StreamFacts, TlsFacts } from '../stream-facts.ts';
import type { OperatorBuilder } from './operators.ts';
import { formatTime } from './time.ts';

const text = (s: string): string | undefined => (s === '' ? undefined : s);
type Side = (f: StreamFacts) => TlsFacts | null | undefined;

const DOWN: Side = (f) => f.connection.tls, UP: Side = (f) => f.upstream?.tls;
const of = (side: Side, get: (t: TlsFacts) => string): OperatorBuilder => () => ({ facts }) => { const t = side(facts); return t === null || t === undefined ? undefined : text(get(t)); };
const time = (side: Side, get: (t: TlsFacts) => number): OperatorBuilder => ([format = '']) => ({ facts }) => {
  const t = side(facts);
  if (t === null || t === undefined || !t.peerCertificatePresented) return undefined;
  return formatTime(format, get(t));
};

function shared(prefix: string, side: Side): Record<string, OperatorBuilder> {
  return {
    [`${prefix}_TLS_VERSION`]: of(side, (t) => t.version), [`${prefix}_TLS_CIPHER`]: of(side, (t) => t.cipher), [`${prefix}_TLS_GROUP`]: of(side, (t) => t.curve), [`${prefix}_TLS_SESSION_ID`]: of(side, (t) => t.sessionId),
    [`${prefix}_PEER_SUBJECT`]: of(side, (t) => t.peerSubject), [`${prefix}_PEER_ISSUER`]: of(side, (t) => t.peerIssuer), [`${prefix}_PEER_CERT`]: of(side, (t) => t.peerPem),
    [`${prefix}_PEER_CERT_V_START`]: time(side, (t) => t.peerValidFromMs), [`${prefix}_PEER_CERT_V_END`]: time(side, (t) => t.peerValidToMs),
    [`${prefix}_PEER_URI_SAN`]: of(side, (t) => t.peerSans('URI').join(',')), [`${prefix}_PEER_DNS_SAN`]: of(side, (t) => t.peerSans('DNS').join(',')), [`${prefix}_PEER_IP_SAN`]: of(side, (t) => t.peerSans('IP_ADDRESS').join(',')),
    [`${prefix}_LOCAL_URI_SAN`]: of(side, (t) => t.localSans('URI').join(',')), [`${prefix}_LOCAL_DNS_SAN`]: of(side, (t) => t.localSans('DNS').join(',')), [`${prefix}_LOCAL_IP_SAN`]: of(side, (t) => t.localSans('IP_ADDRESS').join(',')),
  };
}

export const TLS_OPERATORS: Readonly<Record<string, OperatorBuilder>> = {
  ...shared('DOWNSTREAM', DOWN), ...shared('UPSTREAM', UP),
  DOWNSTREAM_PEER_EMAIL_SAN: of(DOWN, (t) => t.peerSans('EMAIL').join(',')), DOWNSTREAM_PEER_OTHERNAME_SAN: of(DOWN, (t) => t.peerSans('OTHER_NAME').join(',')),
  DOWNSTREAM_LOCAL_EMAIL_SAN: of(DOWN, (t) => t.localSans('EMAIL').join(',')), DOWNSTREAM_LOCAL_OTHERNAME_SAN: of(DOWN, (t) => t.localSans('OTHER_NAME').join(',')),
  DOWNSTREAM_LOCAL_SUBJECT: of(DOWN, (t) => t.localSubject), DOWNSTREAM_PEER_SERIAL: of(DOWN, (t) => t.peerSerial),
  DOWNSTREAM_PEER_ISSUER_SERIAL: of(DOWN, (t) => t.peerIssuerSerial), DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256: of(DOWN, (t) => t.peerIssuerFingerprint256),
  DOWNSTREAM_PEER_FINGERPRINT_256: of(DOWN, (t) => t.peerFingerprint256), DOWNSTREAM_PEER_FINGERPRINT_1: of(DOWN, (t) => t.peerFingerprint1),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256: of(DOWN, (t) => t.peerChain((c) => c.sha256)), DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1: of(DOWN, (t) => t.peerChain((c) => c.sha1)), DOWNSTREAM_PEER_CHAIN_SERIALS: of(DOWN, (t) => t.peerChain((c) => c.serial)),
};
