// The messages of a stream of load reports (gRPC over HTTP/2: flags, length, message), whole ones taken out as their bytes come.

/** A report is some hundred bytes; one that is larger than Envoy's limit is none. */
const MAX_MESSAGE = 64 * 1024;
const HEAD = 5;

export class ReportFrames {
  private pending: Buffer = Buffer.alloc(0);

  /** Takes bytes [start, end), gives each whole message to `take`; false: what came is no such stream, or `take` says no. */
  feed(bytes: Uint8Array, start: number, end: number, take: (message: Buffer) => boolean): boolean {
    this.pending = this.pending.length === 0 ? Buffer.from(bytes.subarray(start, end)) : Buffer.concat([this.pending, bytes.subarray(start, end)]);
    let at = 0;
    while (this.pending.length - at >= HEAD) {
      const length = this.pending.readUInt32BE(at + 1);
      if (this.pending[at] !== 0 || length > MAX_MESSAGE) return false;
      if (this.pending.length - at < HEAD + length) break;
      at += HEAD + length;
      // An empty message says nothing; Envoy passes it over.
      if (length > 0 && !take(this.pending.subarray(at - length, at))) return false;
    }
    this.pending = Buffer.from(this.pending.subarray(at));
    return true;
  }

  clear(): void { this.pending = Buffer.alloc(0); }
}
