// IP addresses as numbers, and ranges of them.

/** An address as 16 bytes (IPv4 as ::ffff:a.b.c.d), or null where the text is none. */
export function parseIp(text: string): Uint8Array | null { const out = new Uint8Array(16); return readIp(text, out) ? out : null; }

const SCRATCH = new Uint8Array(16);
/** Whether the text is an address. */
export function isIp(text: string): boolean { return readIp(text, SCRATCH); }

function readIp(text: string, out: Uint8Array): boolean { return readV4(text, out) || (text.includes(':') && readV6(text.replace(/%.*$/, ''), out)); }

/** Four numbers of one to three digits. */
function readV4(text: string, out: Uint8Array): boolean {
  let part = 0, number = 0, digits = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 46 && digits > 0 && part < 3) { out[12 + part++] = number; number = digits = 0; } else if (c >= 48 && c <= 57 && ++digits <= 3) number = number * 10 + c - 48; else return false;
    if (number > 255) return false;
  }
  if (part < 3 || digits === 0) return false;
  out[15] = number;
  out[10] = out[11] = 255;
  return true;
}

function readV6(text: string, out: Uint8Array): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const words = (part: string): number[] | null => {
    if (part === '') return [];
    const list: number[] = [];
    for (const w of part.split(':')) {
      const v4 = w.includes('.') ? parseIp(w) : null;
      if (v4 !== null) list.push((v4[12]! << 8) | v4[13]!, (v4[14]! << 8) | v4[15]!);
      else if (/^[0-9a-fA-F]{1,4}$/.test(w)) list.push(parseInt(w, 16)); else return null;
    }
    return list;
  };
  const head = words(halves[0]!), tail = halves.length === 2 ? words(halves[1]!) : [];
  if (head === null || tail === null || head.length + tail.length > 8 || (halves.length === 1 && head.length !== 8)) return false;
  const all = [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  all.forEach((w, i) => { out[2 * i] = w >> 8; out[2 * i + 1] = w & 255; });
  return true;
}

/** A range with its prefix in bits of the address's own family. */
export class Cidr {
  private readonly bytes: Uint8Array;
  private readonly bits: number;
  readonly prefix: number;
  constructor(ip: string, bits: number) {
    const bytes = parseIp(ip);
    if (bytes === null) throw new RangeError(`'${ip}' is no IP address`);
    this.bytes = bytes;
    this.prefix = bits;
    this.bits = ip.includes(':') ? bits : bits + 96;
  }
  has(ip: Uint8Array): boolean {
    let left = this.bits;
    for (let i = 0; left > 0; i++, left -= 8) {
      const mask = left >= 8 ? 255 : (0xff00 >> left) & 255;
      if ((ip[i]! ^ this.bytes[i]!) & mask) return false;
    }
    return true;
  }
}

/** True where any range has the address; text that is no address is in none. */
export function inRanges(ranges: readonly Cidr[], ip: string): boolean {
  if (ranges.length === 0) return false;
  const bytes = parseIp(ip);
  if (bytes === null) return false;
  for (const r of ranges) if (r.has(bytes)) return true;
  return false;
}

/** Text of an address of 16 bytes (RFC 5952; IPv4 mapped ones as IPv4 unless `six`). */
export function textOfIp(ip: Uint8Array, six: boolean): string {
  const mapped = ip[10] === 255 && ip[11] === 255 && ip.subarray(0, 10).every((x) => x === 0);
  if (mapped) { const four = `${ip[12]}.${ip[13]}.${ip[14]}.${ip[15]}`; return six ? `::ffff:${four}` : four; }
  return textOfIp6(ip);
}

/** Text of 16 bytes as an IPv6 address, mapped or not (RFC 5952: the longest run of zeros, of two at least, is left out). */
export function textOfIp6(ip: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => (ip[2 * i]! << 8) | ip[2 * i + 1]!);
  let best = -1, most = 1;
  for (let i = 0; i < 8; i++) { let n = 0; while (i + n < 8 && words[i + n] === 0) n++; if (n > most) { most = n; best = i; } }
  const hex = (from: number, to: number): string => words.slice(from, to).map((w) => w.toString(16)).join(':');
  return best < 0 ? hex(0, 8) : `${hex(0, best)}::${hex(best + most, 8)}`;
}
