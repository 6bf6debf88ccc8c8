// What the peer may still send on one level, stream or connection (RFC 9113 section 5.2). Bytes that were consumed are owed back; they are announced when half of the
// window is owed, so that a window costs two updates, whatever the size of the frames.

export class ReceiveWindow {
  /** The whole window, bytes. */
  private readonly size: number;
  /** What the peer may still send. */
  private left: number;
  private owed = 0;

  /** `announced`: what the peer may send now; the rest of `size` is to be announced. */
  constructor(size: number) { this.size = this.left = size; }

  /** Bytes came; false: more than was allowed. */
  take(bytes: number): boolean { this.left -= bytes; return this.left >= 0; }

  /** Bytes were consumed; returns the increment to announce now, or 0. */
  giveBack(bytes: number): number {
    this.owed += bytes;
    if (this.owed === 0 || this.owed * 2 < this.size) return 0;
    const increment = this.owed;
    this.owed = 0;
    this.left += increment;
    return increment;
  }

  /** What the peer may still send, and what is owed: for tests and dumps. */
  get state(): { readonly left: number; readonly owed: number } { return { left: this.left, owed: this.owed }; }
}
