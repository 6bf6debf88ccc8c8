// Totals that must outlive the control thread: its own counters, and what workers that died had counted. The memory is the supervisor's; a control thread that takes the
// place of one that died reads what stood there, so no counter goes back.
//
//   word 0: bytes used (8 at first)   then entries, each of a multiple of 32 bytes:  f64 value   u32 length of the name   name in UTF-8, padded
//
// One writer. `used` is written after the entry, so a writer that dies in between leaves no torn one. An entry whose value is 0 says nothing: it is used again for a name
// that fits it, the value written last. A name that finds no room is not kept.

const HEADER = 8, VALUE = 8, LENGTH = 4, STEP = 32;

export class KeptCounters {
  /** Bytes for some 50,000 names. */
  static readonly bytes = 4 << 20;
  private readonly used: Uint32Array;
  private readonly bytes: Buffer;
  private readonly view: DataView;
  /** Offset of each name's value. */
  private readonly at = new Map<string, number>();
  /** Offsets of entries that say nothing, by their size. */
  private readonly free = new Map<number, number[]>();

  constructor(memory: SharedArrayBuffer) {
    this.used = new Uint32Array(memory, 0, 1);
    this.bytes = Buffer.from(memory);
    this.view = new DataView(memory);
    if (this.used[0] === 0) this.used[0] = HEADER;
    for (let at = HEADER; at < this.used[0]!;) {
      const length = this.view.getUint32(at + VALUE, true), from = at + VALUE + LENGTH;
      if (this.view.getFloat64(at, true) === 0) this.release(at, sizeFor(length)); else this.at.set(this.bytes.toString('utf8', from, from + length), at);
      at += sizeFor(length);
    }
  }

  /** What was kept, but for what is 0. */
  entries(): (readonly [name: string, value: number])[] { return [...this.at].map(([name, at]) => [name, this.view.getFloat64(at, true)] as const).filter(([, value]) => value !== 0); }

  set(name: string, value: number): void {
    let at = this.at.get(name);
    if (at === undefined) {
      if (value === 0) return;
      const length = Buffer.byteLength(name), size = sizeFor(length), again = this.free.get(size)?.pop();
      if (again === undefined && this.used[0]! + size > this.bytes.length) return;
      at = again ?? this.used[0]!;
      this.view.setUint32(at + VALUE, length, true);
      this.bytes.write(name, at + VALUE + LENGTH, 'utf8');
      this.at.set(name, at);
      this.view.setFloat64(at, value, true);
      if (again === undefined) this.used[0] = at + size;
      return;
    }
    this.view.setFloat64(at, value, true);
  }

  /** What these names belonged to is gone: they start from 0 should they come back. */
  drop(goes: (name: string) => boolean): void {
    for (const [name, at] of this.at) {
      if (!goes(name)) continue;
      this.view.setFloat64(at, 0, true);
      this.at.delete(name);
      this.release(at, sizeFor(this.view.getUint32(at + VALUE, true)));
    }
  }

  private release(at: number, size: number): void { const list = this.free.get(size); if (list === undefined) this.free.set(size, [at]); else list.push(at); }
}

/** Bytes of an entry whose name has `length` bytes. */
const sizeFor = (length: number): number => Math.ceil((VALUE + LENGTH + length) / STEP) * STEP;
