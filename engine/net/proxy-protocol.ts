// PROXY protocol headers, versions 1 and 2 (haproxy.org/download/2.8/doc/proxy-protocol.txt), read and written, sans I/O. What is refused is what Envoy refuses.
import { ipAddress, type IpAddress } from './address.ts';
import { parseIp, textOfIp } from './cidr.ts';

export interface Tlv { readonly type: number; readonly value: Uint8Array }

/** A header read whole. Without addresses: UNKNOWN or LOCAL, the connection's own stay. */
export interface ProxyHeader { readonly version: 1 | 2; /** Bytes, with the addresses and TLVs. */ readonly length: number; readonly remote: IpAddress | null; readonly local: IpAddress | null; readonly tlvs: readonly Tlv[] }

/** 'more': not whole yet. 'bad': no header, or a broken one; of which version, 0 for neither. */
export type ProxyRead = { readonly kind: 'more' } | { readonly kind: 'bad'; readonly version: 0 | 1 | 2 } | { readonly kind: 'header'; readonly header: ProxyHeader };

export const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), V1_SIGNATURE = Buffer.from('PROXY ', 'latin1');
const V2_HEADER = 16, V1_MOST = 108;
const MORE: ProxyRead = { kind: 'more' }, BAD: ProxyRead = { kind: 'bad', version: 0 }, BAD_1: ProxyRead = { kind: 'bad', version: 1 }, BAD_2: ProxyRead = { kind: 'bad', version: 2 };

/** Whether bytes [start, end) may still become (or are) a header with this signature. */
export function mayBegin(signature: Buffer, b: Buffer, start: number, end: number): boolean {
  const n = Math.min(signature.length, end - start);
  return b.compare(signature, 0, n, start, start + n) === 0;
}

/** Reads the header that begins at `start`. */
export function readProxyHeader(b: Buffer, start: number, end: number): ProxyRead {
  const n = end - start;
  if (n >= V2_HEADER) {
    if (mayBegin(V2_SIGNATURE, b, start, end)) return readV2(b, start, end);
    if (!mayBegin(V1_SIGNATURE, b, start, end)) return BAD;
  }
  // What begins as the signature of version 2 is no line, however it goes on.
  if (n >= 2 && b[start] === 13 && b[start + 1] === 10) return MORE;
  const line = b.subarray(start, Math.min(end, start + V1_MOST + 1)), lf = line.indexOf('\r\n', 1, 'latin1');
  if (lf < 0) return n > V1_MOST ? BAD_1 : MORE;
  return lf + 2 > V1_MOST ? BAD_1 : readV1(line.latin1Slice(0, lf), lf + 2);
}

function readV1(line: string, length: number): ProxyRead {
  const [word, family, from, to, fromPort, toPort, ...rest] = line.trimEnd().split(' ');
  if (word !== 'PROXY' || family === undefined) return BAD_1;
  if (family === 'UNKNOWN') return { kind: 'header', header: { version: 1, length, remote: null, local: null, tlvs: [] } };
  if ((family !== 'TCP4' && family !== 'TCP6') || rest.length > 0 || toPort === undefined) return BAD_1;
  const remote = addressOf(from!, fromPort!, family === 'TCP6'), local = addressOf(to!, toPort, family === 'TCP6');
  return remote === null || local === null ? BAD_1 : { kind: 'header', header: { version: 1, length, remote, local, tlvs: [] } };
}

function addressOf(text: string, port: string, six: boolean): IpAddress | null {
  const bytes = text.includes(':') === six ? parseIp(text) : null;
  if (bytes === null || !/^\d{1,5}$/.test(port) || Number(port) > 65535 || !unicast(bytes)) return null;
  return ipAddress(six ? textOfIp(bytes, true) : text, Number(port));
}

/** TCP knows neither the unspecified address nor groups. `ip` has 16 bytes, IPv4 mapped. */
function unicast(ip: Uint8Array): boolean {
  const four = ip[10] === 255 && ip[11] === 255 && ip.subarray(0, 10).every((x) => x === 0);
  if (!four) return ip[0] !== 255 && ip.some((x) => x !== 0);
  const a = ip.subarray(12);
  return a.some((x) => x !== 0) && a.some((x) => x !== 255) && (a[0]! & 0xf0) !== 0xe0;
}

function readV2(b: Buffer, start: number, end: number): ProxyRead {
  const command = b[start + 12]!, family = b[start + 13]! >> 4, transport = b[start + 13]! & 15, size = b.readUInt16BE(start + 14);
  if (command >> 4 !== 2) return BAD_2;
  const local = (command & 15) === 0, addresses = local ? 0 : family === 1 ? 12 : family === 2 ? 36 : -1;
  if (addresses < 0 || size < addresses || (!local && ((command & 15) !== 1 || (transport !== 1 && transport !== 2)))) return BAD_2;
  if (end - start < V2_HEADER + size) return MORE;
  const length = V2_HEADER + size, at = start + V2_HEADER;
  if (local) return { kind: 'header', header: { version: 2, length, remote: null, local: null, tlvs: [] } };
  const tlvs = readTlvs(b, at + addresses, start + length), half = (addresses - 4) / 2;
  if (tlvs === null) return BAD_2;
  const side = (ip: number, port: number): IpAddress | null => {
    const bytes = new Uint8Array(16);
    if (half === 4) { bytes[10] = bytes[11] = 255; bytes.set(b.subarray(ip, ip + 4), 12); } else bytes.set(b.subarray(ip, ip + 16));
    return unicast(bytes) ? ipAddress(textOfIp(bytes, half === 16), b.readUInt16BE(port)) : null;
  };
  const from = side(at, at + 2 * half), to = side(at + half, at + 2 * half + 2);
  return from === null || to === null ? BAD_2 : { kind: 'header', header: { version: 2, length, remote: from, local: to, tlvs } };
}

function readTlvs(b: Buffer, at: number, end: number): Tlv[] | null {
  const out: Tlv[] = [];
  while (at < end) {
    if (end - at < 3) return null;
    const size = b.readUInt16BE(at + 1);
    if (end - at < 3 + size) return null;
    out.push({ type: b[at]!, value: Uint8Array.prototype.slice.call(b, at + 3, at + 3 + size) });
    at += 3 + size;
  }
  return out;
}

/** The line of version 1; UNKNOWN where the addresses are not both of one IP family. */
export function writeV1(remote: IpAddress | null, local: IpAddress | null): string {
  if (remote === null || local === null || remote.family !== local.family) return 'PROXY UNKNOWN\r\n';
  return `PROXY TCP${remote.family} ${remote.ip} ${local.ip} ${remote.port} ${local.port}\r\n`;
}

/** Version 2; LOCAL where there are no addresses. null: the TLVs are longer than a header can be. */
export function writeV2(remote: IpAddress | null, local: IpAddress | null, tlvs: readonly Tlv[]): Buffer | null {
  if (remote === null || local === null || remote.family !== local.family) return Buffer.concat([V2_SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
  const size = remote.family === 4 ? 4 : 16, extra = tlvs.reduce((n, t) => n + 3 + t.value.length, 0), total = 2 * size + 4 + extra;
  if (total > 65535 || tlvs.some((t) => t.value.length > 65535)) return null;
  const out = Buffer.alloc(V2_HEADER + total);
  V2_SIGNATURE.copy(out);
  out[12] = 0x21; out[13] = remote.family === 4 ? 0x11 : 0x21;
  out.writeUInt16BE(total, 14);
  let at = V2_HEADER;
  for (const a of [remote, local]) { out.set(parseIp(a.ip)!.subarray(16 - size), at); at += size; }
  for (const a of [remote, local]) at = out.writeUInt16BE(a.port, at);
  for (const t of tlvs) { out[at] = t.type; out.writeUInt16BE(t.value.length, at + 1); out.set(t.value, at + 3); at += 3 + t.value.length; }
  return out;
}
