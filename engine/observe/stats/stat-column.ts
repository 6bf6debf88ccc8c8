// A column's room: runs of slots by size, handed out in order, and again once they were given back. Slots below SINK take what found no room; nobody reads them.

/** Slots of one column: 32 MiB of address space, whose pages come to life as slots are used. */
export const COLUMN_SLOTS = 1 << 22;
/** As many as the largest schema has names. */
export const SINK = 256;

export class ColumnSpace {
  private readonly slots: number;
  private next: number;
  /** Runs that were given back, by their size. */
  private readonly free = new Map<number, number[]>();
  private readonly onFull: () => void;
  private full = false;

  /** `onFull` is told once, of the first run for which there is no room. */
  constructor(slots: number, onFull: () => void) { this.slots = slots; this.next = Math.min(SINK, slots); this.onFull = onFull; }

  /** Slots that were ever handed out, the sink included. */
  get used(): number { return this.next; }

  /** First slot of a run of `size`; 0 (the sink): there is no room. */
  take(size: number): number {
    const again = this.free.get(size)?.pop();
    if (again !== undefined) return again;
    if (this.next + size > this.slots) { if (!this.full) { this.full = true; this.onFull(); } return 0; }
    const base = this.next;
    this.next += size;
    return base;
  }

  giveBack(base: number, size: number): void {
    if (base === 0) return;
    const list = this.free.get(size);
    if (list === undefined) this.free.set(size, [base]); else list.push(base);
  }
}
