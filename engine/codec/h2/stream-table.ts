// Streams of a connection by their number. Not a Map: V8 makes a Map's table anew after so many removals, and each table that it leaves keeps its streams and points to
// the next. Once one of them has grown old, all that come after outlive every young collection, each with what it holds: a busy connection then took a hundred MB of
// garbage into the old generation. Here a number that goes takes its slot along, and a table that was outgrown points nowhere.
//
// Open addressing with linear probing: a removal moves those behind it up, so there are no tombstones, and a look-up ends at the first empty slot.

const FIRST = 16;

export class StreamTable<S> {
  private ids: number[] = new Array<number>(FIRST).fill(0);
  private items: (S | null)[] = new Array<S | null>(FIRST).fill(null);
  private mask = FIRST - 1;
  private count = 0;

  get size(): number { return this.count; }

  get(id: number): S | undefined {
    const at = this.find(id);
    return this.ids[at] === id ? this.items[at] ?? undefined : undefined;
  }
  /** `id` > 0. */
  set(id: number, stream: S): void {
    let at = this.find(id);
    if (this.ids[at] !== id) {
      if (++this.count > (this.mask + 1) / 2) { this.grow(); at = this.find(id); }
      this.ids[at] = id;
    }
    this.items[at] = stream;
  }
  /** False: it was not there. */
  delete(id: number): boolean {
    const { ids, items, mask } = this;
    let hole = this.find(id);
    if (id === 0 || ids[hole] !== id) return false;
    this.count--;
    for (let at = (hole + 1) & mask; ids[at] !== 0; at = (at + 1) & mask) {
      // One that is where it would be without the hole stays.
      if (((at - (ids[at]! >>> 1)) & mask) < ((at - hole) & mask)) continue;
      ids[hole] = ids[at]!;
      items[hole] = items[at]!;
      hole = at;
    }
    ids[hole] = 0;
    items[hole] = null;
    return true;
  }
  /** All that there are now, by number: a list of its own, so that they may go meanwhile. */
  values(): S[] {
    const { ids, items } = this, out: number[] = [];
    for (let i = 0; i < ids.length; i++) if (ids[i] !== 0) out.push(i);
    return out.sort((a, b) => ids[a]! - ids[b]!).map((i) => items[i]!);
  }

  /** Its slot, or the empty one where it would be. A side's numbers are all odd or all even. */
  private find(id: number): number {
    const { ids, mask } = this;
    let at = (id >>> 1) & mask;
    while (ids[at] !== id && ids[at] !== 0) at = (at + 1) & mask;
    return at;
  }
  private grow(): void {
    const { ids, items } = this, size = 2 * ids.length;
    this.ids = new Array<number>(size).fill(0);
    this.items = new Array<S | null>(size).fill(null);
    this.mask = size - 1;
    for (let i = 0; i < ids.length; i++) if (ids[i] !== 0) { const at = this.find(ids[i]!); this.ids[at] = ids[i]!; this.items[at] = items[i]!; }
  }
}
