// PKCS #12 files (RFC 7292): a private key, its certificate and the chain in one, under a password. What BoringSSL's PKCS12_parse takes: a MAC is a must, PBES2 and
// the older ciphers of PKCS #12, one key; the leaf is the last certificate that fits it. DER only: files with lengths left open (BER) are refused.
import { createDecipheriv, createHash, createHmac, createPrivateKey, pbkdf2Sync, timingSafeEqual, type KeyObject } from 'node:crypto';
import { Certificate } from './certificate.ts';
import { derFault, DerReader, itemAt, itemsOf, oidOf, type Item } from './der.ts';
import { rc2CbcDecrypt } from './rc2.ts';

/** `leaf`: null where no certificate fits the key; then it is of no use. */
export interface KeyStore { readonly key: KeyObject | null; readonly leaf: Certificate | null; readonly chain: readonly Certificate[] }

const SEQUENCE = 0x30, OCTETS = 4, INTEGER = 2, OBJECT = 6, TAGGED = 0xa0, SET = 0x31;
const RSA = '1.2.840.113549.', DATA = `${RSA}1.7.1`, ENCRYPTED = `${RSA}1.7.6`, PBES2 = `${RSA}1.5.13`, PBKDF2 = `${RSA}1.5.12`, X509 = `${RSA}1.9.22.1`;
const BAG = `${RSA}1.12.10.1.`, PBE = `${RSA}1.12.1.`;
const NIST = '2.16.840.1.101.3.4.';
const DIGESTS: Readonly<Record<string, string>> = { '1.3.14.3.2.26': 'sha1', [`${NIST}2.4`]: 'sha224', [`${NIST}2.1`]: 'sha256', [`${NIST}2.2`]: 'sha384', [`${NIST}2.3`]: 'sha512' };
const PRFS: Readonly<Record<string, string>> = { [`${RSA}2.7`]: 'sha1', [`${RSA}2.8`]: 'sha224', [`${RSA}2.9`]: 'sha256', [`${RSA}2.10`]: 'sha384', [`${RSA}2.11`]: 'sha512' };
const CIPHERS: Readonly<Record<string, readonly [string, number]>> = { [`${NIST}1.2`]: ['aes-128-cbc', 16], [`${NIST}1.22`]: ['aes-192-cbc', 24], [`${NIST}1.42`]: ['aes-256-cbc', 32], [`${RSA}3.7`]: ['des-ede3-cbc', 24] };
/** More would stand still for minutes. */
const MOST_ITERATIONS = 10_000_000;
/** Bags within bags. */
const MOST_DEPTH = 8;

const BROKEN = 'not a PKCS #12 file', broken = (): never => derFault(BROKEN);

class Reader {
  private readonly b: Uint8Array;
  constructor(b: Uint8Array) { this.b = b; }
  within(i: Item): DerReader { return new DerReader(this.b, i); }
  bytes(i: Item): Buffer { return Buffer.from(this.b.subarray(i.start, i.end)); }
  oid(i: Item): string { return oidOf(this.b, i); }
  whole(): Item { const i = itemAt(this.b, 0, this.b.length); return i?.tag === SEQUENCE ? i : broken(); }
  items(i: Item): Item[] { return [...itemsOf(this.b, i)]; }
  /** A non-negative number of at most four bytes. */
  number(i: Item): number { const b = this.bytes(i); return b.length === 0 || b.length > 4 || b[0]! > 127 ? broken() : b.readUIntBE(0, b.length); }
  rounds(i: Item): number { const n = this.number(i); return n < 1 || n > MOST_ITERATIONS ? broken() : n; }
}
const take = (c: DerReader, tag: number): Item => c.take(tag, BROKEN);

/** RFC 7292 B.2. `password`: BMPString with its end, or nothing. `id`: 1 a key, 2 an IV, 3 a MAC key. */
function derive(digest: string, password: Buffer, salt: Buffer, id: number, rounds: number, length: number): Buffer {
  const v = digest === 'sha384' || digest === 'sha512' ? 128 : 64, fill = (b: Buffer): Buffer => Buffer.alloc(b.length === 0 ? 0 : v * Math.ceil(b.length / v), b.length === 0 ? 0 : b);
  const D = Buffer.alloc(v, id), I = Buffer.concat([fill(salt), fill(password)]), out: Buffer[] = [];
  for (let had = 0; had < length;) {
    let A = createHash(digest).update(D).update(I).digest();
    for (let r = 1; r < rounds; r++) A = createHash(digest).update(A).digest();
    out.push(A);
    had += A.length;
    const B = Buffer.alloc(v, A);
    for (let at = 0; at < I.length; at += v) for (let i = v - 1, carry = 1; i >= 0; i--) { carry += I[at + i]! + B[i]!; I[at + i] = carry & 255; carry >>= 8; }
  }
  return Buffer.concat(out).subarray(0, length);
}

class Opener {
  /** As PKCS #12's own derivation and as PBKDF2 have it. */
  private readonly wide: Buffer;
  private readonly utf8: Buffer;
  key: KeyObject | null = null;
  readonly certificates: Certificate[] = [];

  constructor(wide: Buffer, utf8: Buffer) { this.wide = wide; this.utf8 = utf8; }

  /** AuthenticatedSafe. */
  safes(octets: Buffer): void {
    const r = new Reader(octets);
    for (const i of r.items(r.whole())) {
      const { type, content } = contentOf(r, i);
      if (type === DATA) this.bags(r.bytes(take(r.within(content), OCTETS)), 0);
      else if (type === ENCRYPTED) {
        const c = r.within(take(r.within(content), SEQUENCE));
        take(c, INTEGER);
        const e = r.within(take(c, SEQUENCE)), what = r.oid(take(e, OBJECT)), algorithm = take(e, SEQUENCE), data = take(e, 0x80);
        if (what !== DATA) broken();
        this.bags(this.decrypt(r, algorithm, r.bytes(data)), 0);
      } else broken();
    }
  }

  private bags(safe: Buffer, depth: number): void {
    const r = new Reader(safe);
    for (const i of r.items(r.whole())) {
      const c = r.within(i), kind = r.oid(take(c, OBJECT)), value = take(c, TAGGED), inner = r.within(value);
      c.optional(SET);
      switch (kind) {
        case `${BAG}1`: this.found(r.bytes(value)); break;
        case `${BAG}2`: { const k = r.within(take(inner, SEQUENCE)), algorithm = take(k, SEQUENCE); this.found(this.decrypt(r, algorithm, r.bytes(take(k, OCTETS)))); break; }
        case `${BAG}3`: { const k = r.within(take(inner, SEQUENCE)); if (r.oid(take(k, OBJECT)) === X509) { const x = new Certificate(r.bytes(take(r.within(take(k, TAGGED)), OCTETS))); void x.x509; this.certificates.push(x); } break; }
        case `${BAG}6`: if (depth >= MOST_DEPTH) broken(); this.bags(r.bytes(value), depth + 1); break;
      }
    }
  }

  private found(pkcs8: Buffer): void {
    if (this.key !== null) broken();
    this.key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  }

  private decrypt(r: Reader, algorithm: Item, data: Buffer): Buffer {
    const c = r.within(algorithm), oid = r.oid(take(c, OBJECT)), parameters = r.within(take(c, SEQUENCE));
    if (oid === PBES2) return this.pbes2(r, parameters, data);
    const salt = r.bytes(take(parameters, OCTETS)), rounds = r.rounds(take(parameters, INTEGER)), of = (id: number, length: number): Buffer => derive('sha1', this.wide, salt, id, rounds, length);
    switch (oid) {
      case `${PBE}3`: return open('des-ede3-cbc', of(1, 24), of(2, 8), data);
      case `${PBE}4`: { const k = of(1, 16); return open('des-ede3-cbc', Buffer.concat([k, k.subarray(0, 8)]), of(2, 8), data); }
      case `${PBE}5`: return rc2CbcDecrypt(of(1, 16), 128, of(2, 8), data) ?? broken();
      case `${PBE}6`: return rc2CbcDecrypt(of(1, 5), 40, of(2, 8), data) ?? broken();
      default: return broken();
    }
  }

  private pbes2(r: Reader, parameters: DerReader, data: Buffer): Buffer {
    const kdf = r.within(take(parameters, SEQUENCE)), scheme = r.within(take(parameters, SEQUENCE));
    if (r.oid(take(kdf, OBJECT)) !== PBKDF2) broken();
    const k = r.within(take(kdf, SEQUENCE)), salt = r.bytes(take(k, OCTETS)), rounds = r.rounds(take(k, INTEGER));
    k.optional(INTEGER);
    const prf = k.optional(SEQUENCE), digest = prf === null ? 'sha1' : PRFS[r.oid(take(r.within(prf), OBJECT))] ?? broken();
    const [cipher, length] = CIPHERS[r.oid(take(scheme, OBJECT))] ?? broken();
    return open(cipher, pbkdf2Sync(this.utf8, salt, rounds, length, digest), r.bytes(take(scheme, OCTETS)), data);
  }
}

function open(cipher: string, key: Buffer, iv: Buffer, data: Buffer): Buffer { const d = createDecipheriv(cipher, key, iv); return Buffer.concat([d.update(data), d.final()]); }

function contentOf(r: Reader, i: Item): { type: string; content: Item } { const c = r.within(i); return { type: r.oid(take(c, OBJECT)), content: take(c, TAGGED) }; }

function parse(file: Uint8Array, password: string): KeyStore {
  const r = new Reader(file), c = r.within(r.whole());
  if (r.number(take(c, INTEGER)) < 3) broken();
  const { type, content } = contentOf(r, take(c, SEQUENCE)), octets = type === DATA ? r.bytes(take(r.within(content), OCTETS)) : broken();
  const mac = r.within(take(c, SEQUENCE)), info = r.within(take(mac, SEQUENCE)), digest = DIGESTS[r.oid(take(r.within(take(info, SEQUENCE)), OBJECT))] ?? broken(), expected = r.bytes(take(info, OCTETS));
  const salt = r.bytes(take(mac, OCTETS)), counted = mac.optional(INTEGER), rounds = counted === null ? 1 : r.rounds(counted);
  const good = (wide: Buffer): boolean => { const key = derive(digest, wide, salt, 3, rounds, expected.length), seen = createHmac(digest, key).update(octets).digest(); return seen.length === expected.length && timingSafeEqual(seen, expected); };
  const text = Buffer.from(`${password}\0`, 'utf16le').swap16();
  // No password is an empty one to some, and none at all to others.
  const wide = [text, ...(password === '' ? [Buffer.alloc(0)] : [])].find(good) ?? broken();
  const o = new Opener(wide, Buffer.from(password, 'utf8'));
  o.safes(octets);
  const at = o.key === null ? -1 : o.certificates.findLastIndex((x) => x.x509.checkPrivateKey(o.key!));
  return { key: o.key, leaf: o.certificates[at] ?? null, chain: o.certificates.filter((_x, i) => i !== at) };
}

/** null: it is no such file, is broken, or the password is another. */
export function readPkcs12(file: Uint8Array, password: string): KeyStore | null {
  // Node's errors of ciphers, keys and certificates are those of a wrong file too.
  try { return parse(file, password); } catch { return null; }
}
