// The little of DER that Node's X509Certificate does not give: subject alternative names by type with their raw values, and which extensions there are.
// Certificates come from peers: nothing here trusts a length, and what cannot be read is left out.
import { textOfIp6 } from '../cidr.ts';

export interface AlternativeName { readonly type: 'EMAIL' | 'DNS' | 'URI' | 'IP_ADDRESS' | 'OTHER_NAME'; readonly value: string; /** Of an OTHER_NAME. */ readonly oid: string }

export interface Item { readonly tag: number; readonly start: number; readonly end: number }

/** The item at `at`, or null where none fits before `limit`. */
export function itemAt(b: Uint8Array, at: number, limit: number): Item | null {
  if (at + 2 > limit) return null;
  const tag = b[at]!;
  let length = b[at + 1]!, start = at + 2;
  if (length > 0x80) {
    const n = length & 0x7f;
    if (n > 3 || start + n > limit) return null;
    length = 0;
    for (let i = 0; i < n; i++) length = length * 256 + b[start + i]!;
    start += n;
  } else if (length === 0x80) return null;
  return start + length > limit ? null : { tag, start, end: start + length };
}

export function* itemsOf(b: Uint8Array, from: Item): Generator<Item> {
  for (let at = from.start; at < from.end;) {
    const i = itemAt(b, at, from.end);
    if (i === null) return;
    yield i;
    at = i.end;
  }
}

function firstOf(b: Uint8Array, from: Item, tag: number): Item | null { for (const i of itemsOf(b, from)) if (i.tag === tag) return i; return null; }

/** An object identifier as dotted numbers. */
export function oidOf(b: Uint8Array, i: Item): string {
  const out: number[] = [];
  let n = 0;
  for (let at = i.start; at < i.end; at++) {
    n = n * 128 + (b[at]! & 0x7f);
    if (n > 2 ** 45) return '';
    if ((b[at]! & 0x80) === 0) { if (out.length === 0) out.push(Math.min(2, Math.floor(n / 40)), n - 40 * Math.min(2, Math.floor(n / 40))); else out.push(n); n = 0; }
  }
  return out.join('.');
}

/** Bytes that are not what they should be. */
export class DerFault extends Error {}
export function derFault(message: string): never { throw new DerFault(message); }

/** Reads the items of a constructed item one behind the other; throws DerFault. For what configuration brings, not for peers' bytes. */
export class DerReader {
  private readonly b: Uint8Array;
  private at: number;
  private readonly end: number;
  constructor(b: Uint8Array, from: Item) { this.b = b; this.at = from.start; this.end = from.end; }
  /** The next item if it has this tag. */
  optional(tag: number): Item | null {
    if (this.at === this.end) return null;
    const i = itemAt(this.b, this.at, this.end);
    if (i === null) derFault('Failed to parse ASN.1 element tag');
    if (i.tag !== tag) return null;
    this.at = i.end;
    return i;
  }
  take(tag: number, otherwise: string): Item { return this.optional(tag) ?? derFault(otherwise); }
  get next(): number { return this.at < this.end ? this.b[this.at]! : 0; }
}

/** Value bytes of one extension, null for none. */
export function extension(der: Uint8Array, id: string): Uint8Array | null { const i = extensions(der).get(id); return i === undefined ? null : der.subarray(i.start, i.end); }

const CRITICAL = [1, 1, 0xff];
/** Identifiers of the extensions that whoever does not know them must refuse (RFC 5280 4.2). */
export function criticalExtensions(der: Uint8Array): string[] {
  return [...extensions(der)].flatMap(([id, value]) => {
    // BOOLEAN TRUE before the value's OCTET STRING, whose head is as long as its length is written.
    const head = value.start - (value.end - value.start < 128 ? 2 : value.end - value.start < 256 ? 3 : 4);
    return CRITICAL.every((b, i) => der[head - 3 + i] === b) ? [id] : [];
  });
}

/** Value bytes of each extension (RFC 5280 4.2) by identifier. */
export function extensions(der: Uint8Array): Map<string, Item> {
  const out = new Map<string, Item>(), whole = itemAt(der, 0, der.length), tbs = whole === null ? null : firstOf(der, whole, 0x30);
  const tagged = tbs === null ? null : firstOf(der, tbs, 0xa3), list = tagged === null ? null : firstOf(der, tagged, 0x30);
  if (list === null) return out;
  for (const e of itemsOf(der, list)) {
    const id = firstOf(der, e, 6), value = firstOf(der, e, 4);
    if (e.tag === 0x30 && id !== null && value !== null) out.set(oidOf(der, id), value);
  }
  return out;
}

function ipText(b: Uint8Array, i: Item): string {
  const ip = b.subarray(i.start, i.end);
  return ip.length === 4 ? ip.join('.') : ip.length === 16 ? textOfIp6(ip) : '';
}

/** Text of the value inside an otherName: any of ASN.1's string types; '' for what is none. */
function otherValue(b: Uint8Array, i: Item): string {
  const inner = firstOf(b, i, 0xa0), v = inner === null ? null : itemAt(b, inner.start, inner.end);
  if (v === null) return '';
  if (v.tag === 2) return BigInt(`0x${Buffer.from(b.subarray(v.start, v.end)).toString('hex') || '0'}`).toString();
  if (v.tag === 1) return b[v.start] === 0 ? 'false' : 'true';
  return Buffer.from(b.subarray(v.start, v.end)).toString('utf8');
}

const latin1 = (b: Uint8Array, i: Item): string => Buffer.from(b.subarray(i.start, i.end)).toString('latin1');

/** Subject alternative names in the certificate's order. */
export function alternativeNames(der: Uint8Array): AlternativeName[] {
  const out: AlternativeName[] = [], value = extensions(der).get('2.5.29.17'), list = value === undefined ? null : firstOf(der, value, 0x30);
  if (list === null) return out;
  for (const i of itemsOf(der, list)) {
    switch (i.tag) {
      case 0x81: out.push({ type: 'EMAIL', value: latin1(der, i), oid: '' }); break;
      case 0x82: out.push({ type: 'DNS', value: latin1(der, i), oid: '' }); break;
      case 0x86: out.push({ type: 'URI', value: latin1(der, i), oid: '' }); break;
      case 0x87: out.push({ type: 'IP_ADDRESS', value: ipText(der, i), oid: '' }); break;
      case 0xa0: { const id = firstOf(der, i, 6); if (id !== null) out.push({ type: 'OTHER_NAME', value: otherValue(der, i), oid: oidOf(der, id) }); break; }
    }
  }
  return out;
}
