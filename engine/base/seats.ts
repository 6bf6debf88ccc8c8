// Things that come and go all the time, each in a seat of an array that it knows itself. Not a Set: V8 makes a Set's table anew after so many removals, and each table that it
// leaves keeps what was in it and points to the next; once one of them has grown old, all that come after outlive every young collection (codec/h2/stream-table.ts says more).

export interface Seated {
  /** @internal Index of its seat; -1: it has none. */
  seat: number;
}

export class Seats<T extends Seated> {
  private readonly list: T[] = [];
  get size(): number { return this.list.length; }
  /** It must have no seat. */
  add(item: T): void { item.seat = this.list.push(item) - 1; }
  /** False: it has no seat here. The last one takes its place. */
  delete(item: T): boolean {
    const { list } = this, at = item.seat;
    if (list[at] !== item) return false;
    const last = list.pop()!;
    if (last !== item) { list[at] = last; last.seat = at; }
    item.seat = -1;
    return true;
  }
  /** All that there are now, in no order: a list of its own, so that they may go meanwhile. */
  values(): T[] { return this.list.slice(); }
}
