// Totals that must outlive the control thread: its own counters, and what workers that died had counted. The memory is the supervisor's; a control thread that takes the
// place of one that died reads what stood there, so no counter goes back.
//
//   word 0: bytes used (8 at first)   then entries, each on a multiple of 8:  f64 value   u32 length of the name   name in UTF-8, padded
//
// One writer. `used` is written after the entry, so a writer that dies in between leaves no torn one. A name that finds no room is not kept.

const HEADER = 8, VALUE = 8, LENGTH = 4;

export class KeptCounters {
  /** Bytes for some 50,000 names. */
  static readonly bytes = 4 << 20;
  private readonly used: Uint32Array;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** Offset of each name's value. */
  private readonly at = new Map<string, number>();

  constructor(memory: SharedArrayBuffer) {
    this.used = new Uint32Array(memory, 0, 1);
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    if (this.used[0] === 0) this.used[0] = HEADER;
    for (let at = HEADER; at < this.used[0]!;) {
      const length = this.view.getUint32(at + VALUE, true), from = at + VALUE + LENGTH;
      this.at.set(Buffer.from(this.bytes.slice(from, from + length)).toString(), at);
      at = padded(from + length);
    }
  }

  /** What was kept, but for what is 0. */
  entries(): (readonly [name: string, value: number])[] { return [...this.at].map(([name, at]) => [name, this.view.getFloat64(at, true)] as const).filter(([, value]) => value !== 0); }

  set(name: string, value: number): void {
    let at = this.at.get(name);
    if (at === undefined) {
      if (value === 0) return;
      const text = Buffer.from(name), end = padded(this.used[0]! + VALUE + LENGTH + text.length);
      if (end > this.bytes.length) return;
      at = this.used[0]!;
      this.view.setUint32(at + VALUE, text.length, true);
      this.bytes.set(text, at + VALUE + LENGTH);
      this.at.set(name, at);
      this.view.setFloat64(at, value, true);
      this.used[0] = end;
      return;
    }
    this.view.setFloat64(at, value, true);
  }

  /** What they belonged to is gone: they start from 0 should they come back. */
  forget(prefix: string): void { for (const [name, at] of this.at) if (name.startsWith(prefix)) this.view.setFloat64(at, 0, true); }
}

const padded = (n: number): number => (n + 7) & ~7;
