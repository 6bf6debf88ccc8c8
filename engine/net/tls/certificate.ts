// One X.509 certificate as configuration, logs and checks look at it. Everything is worked out when it is first asked for: most connections ask for nothing.
import { createHash, X509Certificate } from 'node:crypto';
import { alternativeNames, extension, itemAt, type AlternativeName } from './der.ts';

/** Bits of keyUsage (RFC 5280 4.2.1.3), the first one highest. */
export const KEY_USAGE = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, cRLSign: 0x02 } as const;

/** RFC 2253: the last attribute first, bytes beyond ASCII as \XX. Node gives one relative name a line, escaped already. */
export function rfc2253(name: string): string {
  const text = name.split('\n').filter((l) => l !== '').reverse().map((l) => l.replaceAll(' + ', '+')).join(',');
  return text.replace(/[^\x20-\x7e]/gu, (c) => [...Buffer.from(c, 'utf8')].map((b) => `\\${b.toString(16).toUpperCase().padStart(2, '0')}`).join(''));
}

/** As Envoy puts a PEM text into a header. */
export function urlEncodePem(pem: string): string { return pem.replace(/[\n +/=]/g, (c) => ({ '\n': '%0A', ' ': '%20', '+': '%2B', '/': '%2F', '=': '%3D' })[c]!); }

export class Certificate {
  readonly raw: Buffer;
  private parsed: X509Certificate | null = null;
  private names: AlternativeName[] | null = null;
  private hash256 = '';
  private spkiHash = '';

  constructor(raw: Buffer) { this.raw = raw; }

  /** Throws for bytes that are no certificate. */
  get x509(): X509Certificate { return this.parsed ??= new X509Certificate(this.raw); }
  get subject(): string { return rfc2253(this.x509.subject ?? ''); }
  get issuer(): string { return rfc2253(this.x509.issuer ?? ''); }
  get commonName(): string { return /^CN=(.*)$/m.exec(this.x509.subject ?? '')?.[1] ?? ''; }
  /** The bits of KEY_USAGE; -1 for a certificate that does not say. */
  get keyUsage(): number {
    const value = extension(this.raw, '2.5.29.15'), bits = value === null ? null : itemAt(value, 0, value.length);
    return value === null ? -1 : bits?.tag === 3 && bits.end - bits.start > 1 ? value[bits.start + 1]! : 0;
  }
  /** Lower-case hex. */
  get serial(): string { return this.x509.serialNumber.toLowerCase(); }
  get sha256(): string { return this.hash256 === '' ? (this.hash256 = createHash('sha256').update(this.raw).digest('hex')) : this.hash256; }
  get sha1(): string { return createHash('sha1').update(this.raw).digest('hex'); }
  /** Base64 of the SHA-256 of the public key (SubjectPublicKeyInfo). */
  get spki(): string { return this.spkiHash === '' ? (this.spkiHash = createHash('sha256').update(this.x509.publicKey.export({ type: 'spki', format: 'der' })).digest('base64')) : this.spkiHash; }
  get alternatives(): readonly AlternativeName[] { return this.names ??= alternativeNames(this.raw); }
  sans(type: AlternativeName['type']): string[] { return this.alternatives.filter((n) => n.type === type).map((n) => n.value); }
  get pem(): string { return `-----BEGIN CERTIFICATE-----\n${this.raw.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`; }
  get validFromMs(): number { return Date.parse(this.x509.validFrom); }
  get validToMs(): number { return Date.parse(this.x509.validTo); }
}

/** The certificates of a PEM text, in order; throws where one is broken. */
export function certificatesOf(pem: string): Certificate[] {
  const out: Certificate[] = [];
  for (const m of pem.matchAll(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([\s\S]*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g)) {
    const c = new Certificate(Buffer.from(m[1]!, 'base64'));
    if (c.x509.raw.length === 0) throw new Error('empty certificate');
    out.push(c);
  }
  return out;
}
