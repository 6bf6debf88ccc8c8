// Datagrams as capsules in the body of an HTTP exchange (RFC 9297 section 3.2, RFC 9298 section 5; Envoy: http_capsule): type 0, length, context 0, the datagram.
// Capsules of other types, and datagrams of other contexts, are passed over.
const DATAGRAM = 0;
/** Longest datagram that is taken, with its context: no UDP datagram is longer. */
const LONGEST = 65_535 + 8;

/** Told of a datagram's bytes [start, end), which are lent until it returns. */
export type CapsuleSink = (bytes: Buffer, start: number, end: number) => void;

/** A datagram as a capsule, with the context 0. */
export function capsuleOf(bytes: Uint8Array, start: number, end: number): Buffer {
  const n = end - start + 1, size = n < 64 ? 1 : n < 16_384 ? 2 : 4, out = Buffer.allocUnsafe(1 + size + n);
  out[0] = DATAGRAM;
  if (size === 1) out[1] = n; else if (size === 2) out.writeUInt16BE(0x4000 | n, 1); else out.writeUInt32BE((0x80000000 | n) >>> 0, 1);
  out[1 + size] = 0;
  out.set(bytes.subarray(start, end), 2 + size);
  return out;
}

/** A variable-length integer of QUIC (RFC 9000 section 16) at `at`: its value and, in `after`, where it ends; -1: bytes are missing. */
let after = 0;
function varint(b: Buffer, at: number, end: number): number {
  if (at >= end) return -1;
  const size = 1 << (b[at]! >> 6);
  if (at + size > end) return -1;
  let n = b[at]! & 63;
  for (let i = 1; i < size; i++) n = n * 256 + b[at + i]!;
  after = at + size;
  return n;
}

export class CapsuleReader {
  private readonly sink: CapsuleSink;
  /** The beginning of a capsule, `have` bytes; it grows by doubling, so that a peer that sends byte by byte costs no more. */
  private held: Buffer | null = null;
  private have = 0;
  /** Bytes of a capsule that is passed over, still to come. */
  private skip = 0;
  constructor(sink: CapsuleSink) { this.sink = sink; }

  /** Feeds bytes; false: a datagram longer than any, after which nothing can be read. */
  feed(bytes: Buffer, start: number, end: number): boolean {
    let b = bytes, at = start, to = end;
    if (this.have > 0) { this.hold(bytes, start, end); b = this.held!; at = 0; to = this.have; }
    for (;;) {
      if (this.skip > 0) { const n = Math.min(this.skip, to - at); this.skip -= n; at += n; }
      if (at === to) { this.have = 0; this.held = null; return true; }
      const type = varint(b, at, to), length = type < 0 ? -1 : varint(b, after, to), from = after;
      if (length < 0) break;
      if (type !== DATAGRAM) { this.skip = length; at = from; continue; }
      if (length > LONGEST) return false;
      if (from + length > to) break;
      at = from + length;
      if (varint(b, from, at) === 0) this.sink(b, after, at);
    }
    // A whole capsule was read out of what was held, or there was none: the rest begins it anew.
    if (b !== this.held) this.hold(b, at, to); else if (at > 0) { b.copyWithin(0, at, to); this.have = to - at; }
    return true;
  }

  private hold(bytes: Buffer, start: number, end: number): void {
    const need = this.have + end - start;
    if (this.held === null || this.held.length < need) { const more = Buffer.allocUnsafeSlow(Math.max(need, 2 * this.have)); this.held?.copy(more, 0, 0, this.have); this.held = more; }
    bytes.copy(this.held, this.have, start, end);
    this.have = need;
  }
}
