// Finds the end of a head in bytes that come in pieces, bounded and in linear time. A head that lies whole in one piece becomes one string without being gathered.

const CR = 13, LF = 10;
const NOTHING = Buffer.alloc(0);

export class HeadBuffer {
  private held: Buffer | null = null;
  private length = 0;
  private readonly limit: number;
  /** The head's text with its blank line, after `take` returned 'head'. */
  text = '';
  /** The same as bytes, from `first` on: quicker to look at one by one. Lent like the piece, and only until `release`. */
  bytes: Buffer = NOTHING;
  first = 0;
  /** First byte of the piece that does not belong to the head. */
  rest = 0;

  /** `limit`: bytes that a head may have. */
  constructor(limit: number) { this.limit = limit; }

  /** True while part of a head waits for more. */
  get partial(): boolean { return this.length > 0; }
  clear(): void { this.held = null; this.length = 0; this.release(); }
  /** The head has been read. */
  release(): void { this.text = ''; this.bytes = NOTHING; }

  /** Takes a piece: 'head' (see `text`, `rest`), 'more', 'too-large', or 'bad' for a line that a bare LF ends. */
  take(bytes: Buffer, start: number, end: number): 'head' | 'more' | 'too-large' | 'bad' {
    if (this.length === 0) {
      const at = blankLine(bytes, start, start, end);
      if (at === -2) return 'bad';
      if (at >= 0) {
        if (at - start > this.limit) return 'too-large';
        this.text = bytes.latin1Slice(start, at);
        this.bytes = bytes;
        this.first = start;
        this.rest = at;
        return 'head';
      }
    }
    return this.gather(bytes, start, end);
  }

  private gather(bytes: Buffer, start: number, end: number): 'head' | 'more' | 'too-large' | 'bad' {
    const before = this.length, most = this.limit + 1;
    const take = Math.min(end - start, most - before);
    if (this.held === null || this.held.length < before + take) {
      const larger = Buffer.allocUnsafe(Math.max(1024, Math.min(most, (before + take) * 2)));
      if (this.held !== null) this.held.copy(larger, 0, 0, before);
      this.held = larger;
    }
    bytes.copy(this.held, before, start, start + take);
    const at = blankLine(this.held, 0, before, before + take);
    if (at === -2) return 'bad';
    if (at < 0) {
      this.length = before + take;
      return this.length > this.limit ? 'too-large' : 'more';
    }
    if (at > this.limit) return 'too-large';
    this.text = this.held.latin1Slice(0, at);
    this.bytes = this.held;
    this.first = 0;
    this.rest = start + at - before;
    this.held = null;
    this.length = 0;
    return 'head';
  }
}

/** End of the blank line among [from, end) of a head that began at `first`; -1: not yet; -2: a bare LF. */
function blankLine(bytes: Buffer, first: number, from: number, end: number): number {
  for (let i = from; i < end; i++) {
    if (bytes[i] !== LF) continue;
    if (i === first || bytes[i - 1] !== CR) return -2;
    if (i - first >= 3 && bytes[i - 2] === LF && bytes[i - 3] === CR) return i + 1;
  }
  return -1;
}
