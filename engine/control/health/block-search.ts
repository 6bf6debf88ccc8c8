// Whether blocks of bytes occur in a body in their order (Envoy: PayloadMatcher). Keeps what was received, up to a limit.

export class BlockSearch {
  private readonly blocks: readonly Uint8Array[];
  private readonly limit: number;
  private held: Buffer = Buffer.alloc(0);
  /** `limit`: bytes kept; 0: all that one check may bring. */
  constructor(blocks: readonly Uint8Array[], limit: number) { this.blocks = blocks; this.limit = limit === 0 ? 1 << 20 : limit; }

  clear(): void { this.held = Buffer.alloc(0); }

  /** Takes more bytes in; what is beyond the limit is not looked at. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const room = this.limit - this.held.length;
    if (room > 0) this.held = Buffer.concat([this.held, bytes.subarray(start, Math.min(end, start + room))]);
  }

  get found(): boolean {
    let at = 0;
    for (const b of this.blocks) {
      const i = this.held.indexOf(b, at);
      if (i < 0) return false;
      at = i + b.length;
    }
    return true;
  }
}
