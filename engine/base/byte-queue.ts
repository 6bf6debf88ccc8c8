// Bytes that wait: what a peer cannot take yet, or what a filter holds back. Owned by exactly one object, and bounded:
// the owner reads `length` against its limit and pauses the source (layout.md rule 8). Chunks are never changed after they are put in.

/** Smaller pieces that come behind others share blocks of up to this size: a peer that sends byte by byte must not cost a chunk (some 300 bytes) for each. */
const BLOCK = 4096;

export class ByteQueue {
  private chunks: Uint8Array[] = [];
  private first = 0;
  /** The last chunk, if it is the beginning of a block that has room behind it. */
  private tail: Uint8Array | null = null;
  /** Bytes queued. */
  length = 0;

  /** Takes ownership of `chunk`; the caller must not write to it afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.length += chunk.length;
  }

  /** Copies lent bytes in (receive slab, a hook's argument). */
  pushCopy(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const n = end - start, { chunks } = this, count = chunks.length;
    if (n <= 0) return;
    if (n >= BLOCK || count === this.first) { this.push(Uint8Array.prototype.slice.call(bytes, start, end)); return; }
    const { tail } = this, fits = tail !== null && tail === chunks[count - 1] && tail.length + n <= tail.buffer.byteLength;
    // No more room is taken ahead than there are bytes here.
    const block = fits ? new Uint8Array(tail.buffer) : new Uint8Array(Math.min(BLOCK, this.length + 2 * n)), used = fits ? tail.length : 0;
    block.set(bytes.subarray(start, end), used);
    this.tail = block.subarray(0, used + n);
    if (fits) chunks[count - 1] = this.tail; else chunks.push(this.tail);
    this.length += n;
  }

  /** The next chunk, or undefined. The caller owns it. */
  shift(): Uint8Array | undefined {
    if (this.first === this.chunks.length) return undefined;
    const chunk = this.chunks[this.first]!;
    this.chunks[this.first++] = EMPTY;
    this.length -= chunk.length;
    if (this.first === this.chunks.length) { this.chunks = []; this.first = 0; }
    return chunk;
  }

  /** Puts the unsent rest of a chunk back in front. */
  unshift(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.first > 0) this.chunks[--this.first] = chunk; else this.chunks.unshift(chunk);
    this.length += chunk.length;
  }

  /** All bytes in one piece; the queue is empty afterwards. */
  takeAll(): Uint8Array {
    if (this.chunks.length - this.first === 1) return this.shift()!;
    const all = new Uint8Array(this.length);
    let at = 0;
    for (let chunk = this.shift(); chunk !== undefined; chunk = this.shift()) { all.set(chunk, at); at += chunk.length; }
    return all;
  }

  /** Moves everything of `other` behind what is here. */
  append(other: ByteQueue): void {
    for (let chunk = other.shift(); chunk !== undefined; chunk = other.shift()) this.push(chunk);
  }

  clear(): void { this.chunks = []; this.first = 0; this.length = 0; }

  /** Calls `visit` for each chunk in order, without taking it. */
  each(visit: (chunk: Uint8Array) => void): void { for (let i = this.first; i < this.chunks.length; i++) visit(this.chunks[i]!); }
}

const EMPTY = new Uint8Array(0);
