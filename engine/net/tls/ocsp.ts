// OCSP responses that a server staples (RFC 6960 4.2.1, RFC 6066 8): read once when the secret is loaded, so that a context knows for which certificate one is and
// until when it may be shown. Signatures are not looked at, as in Envoy: whoever configures a response is trusted with it. The words of the faults are Envoy's.
import type { CertificateSecretPlan, StaplePlan, StaplePolicy } from '../../plan/tls-plan.ts';
import type { Certificate } from './certificate.ts';
import { DerFault, derFault as fault, DerReader, extension, itemAt, itemsOf, oidOf, type Item } from './der.ts';

export interface OcspResponse { /** Lower-case hex without leading zeros. */ readonly serial: string; readonly thisUpdateMs: number; /** null: newer information may be had at any time; such a response is not shown. */ readonly nextUpdateMs: number | null }

const SEQUENCE = 0x30, OCTETS = 4, INTEGER = 2, OBJECT = 6, ENUMERATED = 10, TIME = 0x18, BASIC = '1.3.6.1.5.5.7.48.1.1';

const trimmed = (hex: string): string => hex.replace(/^0+(?=.)/, '');
function hexOf(b: Uint8Array, i: Item): string { return trimmed(Buffer.from(b.subarray(i.start, i.end)).toString('hex')); }

function timeOf(b: Uint8Array, i: Item): number {
  const text = Buffer.from(b.subarray(i.start, i.end)).toString('latin1');
  if (!/z$/i.test(text)) fault('GENERALIZEDTIME must be in UTC');
  const m = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)z$/i.exec(text), ms = m === null ? NaN : Date.UTC(Number(m[1]), Number(m[2]) - 1, Number(m[3]), Number(m[4]), Number(m[5]), Number(m[6]));
  return Number.isNaN(ms) ? fault('Error parsing string of GENERALIZEDTIME format') : ms;
}

function single(b: Uint8Array, from: Item): OcspResponse {
  const c = new DerReader(b, from), id = new DerReader(b, c.take(SEQUENCE, 'OCSP CertID is not a well-formed ASN.1 SEQUENCE'));
  for (const tag of [SEQUENCE, OCTETS, OCTETS]) id.take(tag, 'Failed to parse ASN.1 element');
  const serial = hexOf(b, id.take(INTEGER, 'Input is not a well-formed ASN.1 INTEGER'));
  if ((c.optional(0x80) ?? c.optional(0xa1) ?? c.optional(0x82)) === null) fault(`Unknown OcspCertStatus tag: ${c.next}`);
  const thisUpdateMs = timeOf(b, c.take(TIME, 'Input is not a well-formed ASN.1 GENERALIZEDTIME')), next = c.optional(0xa0);
  return { serial, thisUpdateMs, nextUpdateMs: next === null ? null : timeOf(b, new DerReader(b, next).take(TIME, 'Input is not a well-formed ASN.1 GENERALIZEDTIME')) };
}

function basic(b: Uint8Array, octets: Item): OcspResponse[] {
  const whole = new DerReader(b, new DerReader(b, octets).take(SEQUENCE, 'OCSP BasicOCSPResponse is not a wellf-formed ASN.1 SEQUENCE')), data = new DerReader(b, whole.take(SEQUENCE, 'OCSP ResponseData is not a well-formed ASN.1 SEQUENCE'));
  const version = data.optional(0xa0);
  if (version !== null) { const v = hexOf(b, new DerReader(b, version).take(INTEGER, 'Input is not a well-formed ASN.1 INTEGER')).padStart(2, '0'); if (v !== '00') fault(`OCSP ResponseData version 0x${v} is not supported`); }
  if ((data.optional(0xa1) ?? data.optional(0xa2)) === null) fault(`Unknown choice for Responder ID: ${data.next}`);
  data.take(TIME, 'Failed to parse ASN.1 element');
  return [...itemsOf(b, data.take(SEQUENCE, 'Expected sequence of ASN.1 elements.'))].map((i) => (i.tag === SEQUENCE ? single(b, i) : fault('OCSP SingleResponse is not a well-formed ASN.1 SEQUENCE')));
}

function read(der: Uint8Array): OcspResponse {
  const whole = itemAt(der, 0, der.length);
  // Envoy's word for whatever is no single sequence.
  if (whole?.tag !== SEQUENCE || whole.end !== der.length) fault('Data contained more than a single OCSP response');
  const c = new DerReader(der, whole), status = c.take(ENUMERATED, 'OCSP ResponseStatus is not a well-formed ASN.1 ENUMERATED'), code = der[status.start] ?? -1;
  if (![0, 1, 2, 3, 5, 6].includes(code)) fault(`Unknown OCSP Response Status variant: ${code}`);
  const tagged = c.optional(0xa0);
  let list: OcspResponse[] | null = null;
  if (tagged !== null) {
    const bytes = new DerReader(der, new DerReader(der, tagged).take(SEQUENCE, 'OCSP ResponseBytes is not a well-formed SEQUENCE')), type = oidOf(der, bytes.take(OBJECT, 'Input is not a well-formed ASN.1 OBJECT')), body = bytes.take(OCTETS, 'Expected ASN.1 OCTETSTRING for response');
    if (type !== BASIC) fault(`Unknown OCSP Response type with OID: ${type}`);
    list = basic(der, body);
  }
  if (code !== 0) fault('OCSP response was unsuccessful');
  if (list === null) fault('OCSP response has no body');
  return list.length === 1 ? list[0]! : fault('OCSP Response must be for one certificate only');
}

/** The response in `der`, or what is wrong with it. */
export function readOcspResponse(der: Uint8Array): OcspResponse | string {
  try { return read(der); } catch (e) { if (e instanceof DerFault) return e.message; throw e; }
}

const TLS_FEATURE = '1.3.6.1.5.5.7.1.24', STATUS_REQUEST = Buffer.from([SEQUENCE, 3, INTEGER, 1, 5]);
/** The certificate is not to be shown without a staple (RFC 7633 4). */
export function mustStaple(leaf: Certificate): boolean { const feature = extension(leaf.raw, TLS_FEATURE); return feature !== null && STATUS_REQUEST.equals(feature); }

/** A configured response for a certificate. A bad one is no fault of the secret: only servers mind, as in Envoy. */
export function stapleOf(response: Uint8Array, leaf: Certificate): StaplePlan {
  const r = readOcspResponse(response);
  if (typeof r === 'string') return { response, thisUpdateMs: 0, nextUpdateMs: null, fault: r };
  return { response, thisUpdateMs: r.thisUpdateMs, nextUpdateMs: r.nextUpdateMs, fault: r.serial === trimmed(leaf.serial) ? '' : 'OCSP response does not match its TLS certificate' };
}

/** Why a server may not have this certificate; '' where it may. */
export function stapleProblem(c: CertificateSecretPlan, policy: StaplePolicy): string {
  if (c.ocsp !== null) return c.ocsp.fault;
  return c.mustStaple ? 'OCSP response is required for must-staple certificate' : policy === 'MUST_STAPLE' ? 'Required OCSP response is missing from TLS context' : '';
}

/** As the addon numbers them. */
export const STAPLE_POLICIES: readonly StaplePolicy[] = ['LENIENT_STAPLING', 'STRICT_STAPLING', 'MUST_STAPLE'];

/** What becomes of the staple for a client that asked for one. 'fail': the certificate is not shown to it. */
export type StapleOutcome = 'staple' | 'none' | 'fail';

export function stapleOutcome(c: CertificateSecretPlan, policy: StaplePolicy, nowMs: number): StapleOutcome {
  const until = c.ocsp?.nextUpdateMs ?? null;
  if (until !== null && until >= nowMs) return 'staple';
  return c.mustStaple || policy === 'MUST_STAPLE' || (policy === 'STRICT_STAPLING' && c.ocsp !== null) ? 'fail' : 'none';
}
