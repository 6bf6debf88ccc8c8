// A byte ring between two threads, one writer and one reader. Used twice for each worker: control → worker (configuration) and worker → control (events).
//
//   header, 16 words of 32 bits:  0 head (bytes ever written, mod 2^32)   1 tail (bytes ever read)   2 wake word   3 dropped records   4 version
//   then `size` bytes of data (a power of two):  record = u32 length, u32 flags (1: more fragments follow), bytes, padded to 8
//
// The writer publishes `head` after the bytes are in, so a reader never sees a torn record, whenever either side dies. A record larger than a quarter of the
// ring goes in fragments. `tryWrite` never waits: without room it counts a drop. `write` queues in the writer's memory and goes on when `pump` is called.

const HEADER_WORDS = 16;
const HEAD = 0, TAIL = 1, WAKE = 2, DROPPED = 3, VERSION = 4;
const MORE = 1;
const RING_VERSION = 1;

export class Ring {
  private readonly words: Int32Array;
  private readonly data: Uint8Array;
  private readonly view: DataView;
  private readonly size: number;
  private readonly mask: number;
  /** Records that wait for room, from `first` on; the first one's bytes from `waitingAt` on. */
  private waiting: Uint8Array[] = [];
  private first = 0;
  private waitingAt = 0;
  private parts: Uint8Array[] = [];

  /** Bytes of shared memory for a ring of `size` data bytes (a power of two). */
  static bytes(size: number): number { return HEADER_WORDS * 4 + size; }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, HEADER_WORDS);
    this.size = memory.byteLength - HEADER_WORDS * 4;
    if (this.size < 64 || (this.size & (this.size - 1)) !== 0) throw new RangeError(`a ring's size is a power of two, not ${this.size}`);
    this.mask = this.size - 1;
    this.data = new Uint8Array(memory, HEADER_WORDS * 4);
    this.view = new DataView(memory, HEADER_WORDS * 4);
    Atomics.compareExchange(this.words, VERSION, 0, RING_VERSION);
  }

  /** Records that found no room. */
  get dropped(): number { return Atomics.load(this.words, DROPPED); }
  /** Bytes written and not yet read. */
  get used(): number { return (Atomics.load(this.words, HEAD) - Atomics.load(this.words, TAIL)) >>> 0; }
  /** Records that wait in the writer's memory. */
  get backlog(): number { return this.waiting.length - this.first; }

  /** Writes a whole record now, or counts a drop. */
  tryWrite(record: Uint8Array): boolean {
    if (this.backlog === 0 && this.needed(record.length) <= this.size - this.used) {
      this.put(record, 0, record.length);
      return true;
    }
    Atomics.add(this.words, DROPPED, 1);
    return false;
  }

  /** Writes a record, now or as the reader makes room (see `pump`). */
  write(record: Uint8Array): void {
    this.waiting.push(record);
    this.pump();
  }

  /** Moves waiting records into the ring; true when nothing waits any more. */
  pump(): boolean {
    while (this.first < this.waiting.length) {
      const record = this.waiting[this.first]!;
      const room = this.size - this.used - 16;
      const left = record.length - this.waitingAt;
      const most = this.size >> 2;
      const take = Math.min(left, most);
      if (room < take + 8) return false; // a whole fragment, or wait for the reader
      this.fragment(record, this.waitingAt, this.waitingAt + take, take < left);
      this.waitingAt += take;
      if (this.waitingAt < record.length) continue;
      this.waitingAt = 0;
      // Thousands of clusters may wait: the sent ones are dropped in lots, not moved up one by one.
      if (++this.first === this.waiting.length) { this.waiting = []; this.first = 0; } else if (this.first === 1024) { this.waiting.splice(0, 1024); this.first = 0; }
    }
    return true;
  }

  /** The next whole record, or null. The bytes are the caller's. */
  read(): Uint8Array | null {
    for (;;) {
      const tail = Atomics.load(this.words, TAIL);
      if (Atomics.load(this.words, HEAD) === tail) return null;
      const at = tail & this.mask;
      const length = this.view.getUint32(at, true);
      const more = this.view.getUint32((at + 4) & this.mask, true) & MORE;
      const bytes = new Uint8Array(length);
      const first = (at + 8) & this.mask;
      const whole = Math.min(length, this.size - first);
      bytes.set(this.data.subarray(first, first + whole));
      if (whole < length) bytes.set(this.data.subarray(0, length - whole), whole);
      Atomics.store(this.words, TAIL, (tail + 8 + ((length + 7) & ~7)) | 0);
      if (more) { this.parts.push(bytes); continue; }
      if (this.parts.length === 0) return bytes;
      this.parts.push(bytes);
      return this.join();
    }
  }

  /** Resolves once the writer has written since `seen` (from `wakeWord`), or at once if it already has. */
  changed(seen: number): Promise<unknown> | null {
    const result = Atomics.waitAsync(this.words, WAKE, seen);
    return result.async ? result.value : null;
  }
  get wakeWord(): number { return Atomics.load(this.words, WAKE); }

  private join(): Uint8Array {
    let length = 0;
    for (const p of this.parts) length += p.length;
    const all = new Uint8Array(length);
    let at = 0;
    for (const p of this.parts) { all.set(p, at); at += p.length; }
    this.parts = [];
    return all;
  }

  private needed(length: number): number {
    const most = this.size >> 2;
    return length + (Math.floor(length / most) + 1) * 16;
  }

  private put(record: Uint8Array, start: number, end: number): void {
    const most = this.size >> 2;
    do {
      const to = Math.min(end, start + most);
      this.fragment(record, start, to, to < end);
      start = to;
    } while (start < end);
  }

  private fragment(record: Uint8Array, start: number, end: number, more: boolean): void {
    const head = Atomics.load(this.words, HEAD);
    const at = head & this.mask;
    const length = end - start;
    this.view.setUint32(at, length, true);
    this.view.setUint32((at + 4) & this.mask, more ? MORE : 0, true);
    const first = (at + 8) & this.mask;
    const whole = Math.min(length, this.size - first);
    this.data.set(record.subarray(start, start + whole), first);
    if (whole < length) this.data.set(record.subarray(start + whole, end), 0);
    Atomics.store(this.words, HEAD, (head + 8 + ((length + 7) & ~7)) | 0);
    Atomics.add(this.words, WAKE, 1);
    Atomics.notify(this.words, WAKE);
  }
}
