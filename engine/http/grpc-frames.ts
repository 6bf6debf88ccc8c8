// The frames of a gRPC message stream (gRPC over HTTP/2: one byte of flags, four of length, the message), read as they pass: nothing is kept but the place.

export class GrpcFrames {
  /** Messages begun so far. */
  count = 0;
  private head = 0;
  private length = 0;

  /** Looks at body bytes [start, end). */
  inspect(bytes: Uint8Array, start: number, end: number): void { for (let at = start; at < end;) at = this.toEnd(bytes, at, end); }

  /** Bytes of [start, end) up to the end of the message they belong to; all of them where it does not end here. For filters that treat message by message. */
  toEnd(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end) {
      if (this.head < 5) {
        const b = bytes[at++]!;
        if (this.head === 0) this.length = 0; else this.length = this.length * 256 + b;
        if (++this.head < 5) continue;
        this.count++;
      } else {
        const n = Math.min(this.length, end - at);
        at += n;
        this.length -= n;
      }
      if (this.length === 0) { this.head = 0; return at; }
    }
    return at;
  }

  /** Between two messages. */
  get between(): boolean { return this.head === 0; }
}
