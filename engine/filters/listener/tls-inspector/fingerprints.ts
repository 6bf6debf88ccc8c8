// JA3 and JA4 of a ClientHello, as Envoy writes them: GREASE values (RFC 8701) are left out.
import { createHash } from 'node:crypto';
import { isGrease, type ClientHello } from '../../../net/tls/client-hello.ts';

const real = (list: readonly number[]): number[] => list.filter((n) => !isGrease(n));
const hex4 = (n: number): string => n.toString(16).padStart(4, '0');
const digits = (n: number): string => String(Math.min(n, 99)).padStart(2, '0');
const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
const VERSIONS: Record<number, string> = { 0x0304: '13', 0x0303: '12', 0x0302: '11', 0x0301: '10' };
const NONE = '000000000000';

/** MD5 of 'version,ciphers,extensions,groups,point formats'. */
export function ja3(h: ClientHello): string {
  const parts = [[h.version], real(h.ciphers()), real(h.extensions()), h.groups(), h.pointFormats()].map((l) => l.join('-'));
  return createHash('md5').update(parts.join(',')).digest('hex');
}

export function ja4(h: ClientHello): string {
  const ciphers = real(h.ciphers()), extensions = real(h.extensions()), versions = real(h.supportedVersions() ?? []);
  const version = VERSIONS[versions.length > 0 ? Math.max(...versions) : h.version] ?? '00';
  const named = extensions.filter((t) => t !== 0 && t !== 16).sort((a, b) => a - b).map(hex4).join(','), signatures = h.signatureAlgorithms().map(hex4).join(',');
  const cipherHash = ciphers.length === 0 ? NONE : short([...ciphers].sort((a, b) => a - b).map(hex4).join(','));
  return `t${version}${h.hasServerName ? 'd' : 'i'}${digits(ciphers.length)}${digits(extensions.length)}${alpnPart(h)}_${cipherHash}_${named === '' ? NONE : short(signatures === '' ? named : `${named}_${signatures}`)}`;
}

/** First and last character of the first protocol; in hexadecimal where one is neither letter nor digit. */
function alpnPart(h: ClientHello): string {
  const first = h.firstProtocol();
  if (first === '') return '00';
  const a = first[0]!, z = first[first.length - 1]!, plain = /^[0-9A-Za-z]$/;
  if (plain.test(a) && plain.test(z)) return a + z;
  return (a.charCodeAt(0) >> 4).toString(16) + (z.charCodeAt(0) & 15).toString(16);
}
