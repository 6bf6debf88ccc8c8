// Base64 of the text form of gRPC-web, piece by piece: what comes in is a row of padded pieces, what goes out one padded piece for each message.

const QUAD = /^[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]{2}|[A-Za-z0-9+/]=|==)$/;

export class Base64Reader {
  private rest = '';

  /** Decodes what is whole; null where it is no base64. */
  feed(bytes: Uint8Array, start: number, end: number): Buffer | null {
    const text = this.rest + Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).latin1Slice();
    const whole = text.length - (text.length % 4);
    this.rest = text.slice(whole);
    if (whole === 0) return Buffer.alloc(0);
    const out: Buffer[] = [];
    // Padding may stand at the end of each piece, so pieces are cut there.
    for (let at = 0; at < whole;) {
      const pad = text.indexOf('=', at);
      const to = pad < 0 || pad >= whole ? whole : pad - (pad % 4) + 4;
      const piece = text.slice(at, to);
      if (!/^[A-Za-z0-9+/]*$/.test(piece.slice(0, -4)) || !QUAD.test(piece.slice(-4))) return null;
      out.push(Buffer.from(piece, 'base64'));
      at = to;
    }
    return Buffer.concat(out);
  }

  /** Nothing is left over. */
  get whole(): boolean { return this.rest === ''; }
}

export class Base64Writer {
  private rest = Buffer.alloc(0);

  /** Encodes bytes [start, end); `last` ends the piece with its padding. */
  feed(bytes: Uint8Array, start: number, end: number, last: boolean): Buffer {
    const all = Buffer.concat([this.rest, bytes.subarray(start, end)]);
    const whole = last ? all.length : all.length - (all.length % 3);
    this.rest = Buffer.from(all.subarray(whole));
    return Buffer.from(all.base64Slice(0, whole), 'latin1');
  }
}
