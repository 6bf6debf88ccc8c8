// One record per cluster and priority: what circuit breakers count, for the whole process, exactly. Layout: 32 words of 32 bits a record.
//
//   word 0..4: current {connections, pending, requests, retries, pools}   word 5: share of requests to drop, in millionths   word 8..12: their limits
//   word 16..31: requests begun in each of the last slots of time (retry budgets over an interval): | slot's number / 16, 12 bits | count, 20 bits, at most all ones |
//
// Every worker adds and takes away, control sets limits. All writes are atomic; an acquire never overshoots the limit. Current values are balanced by whoever took
// them (or taken back for a dead worker), so they outlive the cluster that the record stood for: zeroing them would let late releases fall below 0 and raise the limit.

const STRIDE = 32;
const DROP = 5, LIMITS = 8, WINDOW = 16, WINDOW_SLOTS = 16, COUNT_BITS = 20, COUNT_MASK = (1 << COUNT_BITS) - 1, STAMP_MASK = 0xfff;
export const CIRCUIT_KIND = { CX: 0, PENDING: 1, RQ: 2, RETRY: 3, POOL: 4 } as const;
export type CircuitLimits = readonly [number, number, number, number, number];

export class CircuitTable {
  private readonly words: Int32Array;
  readonly capacity: number;
  static bytes(capacity: number): number { return capacity * STRIDE * 4; }
  constructor(memory: SharedArrayBuffer) { this.words = new Int32Array(memory); this.capacity = Math.floor(this.words.length / STRIDE); }

  /** Takes one if there is room under the limit: the record's, or another in its place. */
  tryAcquire(record: number, kind: number, limit = this.words[record * STRIDE + kind + LIMITS]!): boolean {
    const at = record * STRIDE + kind;
    // A plain read is a guess that the exchange proves.
    for (let now = this.words[at]!; ;) {
      if (now >= limit) return false;
      const seen = Atomics.compareExchange(this.words, at, now, now + 1);
      if (seen === now) return true;
      now = seen;
    }
  }

  /** Takes one past the limit too, for what Envoy lets through (a first connection of a pool). */
  acquire(record: number, kind: number): void { Atomics.add(this.words, record * STRIDE + kind, 1); }
  release(record: number, kind: number): void { Atomics.sub(this.words, record * STRIDE + kind, 1); }
  value(record: number, kind: number): number { return Atomics.load(this.words, record * STRIDE + kind); }
  limit(record: number, kind: number): number { return Atomics.load(this.words, record * STRIDE + LIMITS + kind); }
  setLimits(record: number, limits: CircuitLimits): void { for (let k = 0; k < 5; k++) Atomics.store(this.words, record * STRIDE + LIMITS + k, Math.min(limits[k]!, 0x7fffffff)); }
  /** ClusterLoadAssignment.Policy.drop_overloads of the cluster (its record of default priority): requests of a million that are refused. */
  dropped(record: number): number { return this.words[record * STRIDE + DROP]!; }
  setDropped(record: number, millionths: number): void { Atomics.store(this.words, record * STRIDE + DROP, millionths); }
  /** Counts a request in a slot of time; slots are numbered by who uses them. What a word held of an older slot is gone with that. */
  countInSlot(record: number, slot: number): void {
    const at = record * STRIDE + WINDOW + (slot % WINDOW_SLOTS), stamp = stampOf(slot);
    for (let now = this.words[at]!; ;) {
      const same = now >>> COUNT_BITS === stamp;
      if (same && (now & COUNT_MASK) === COUNT_MASK) return;
      const seen = Atomics.compareExchange(this.words, at, now, same ? now + 1 : (stamp << COUNT_BITS) | 1);
      if (seen === now) return;
      now = seen;
    }
  }
  /** Requests counted in `slot` and the `slots` − 1 before it (16 slots at most). Numbers come round after 65,520 slots. */
  countedInSlots(record: number, slot: number, slots: number): number {
    let sum = 0;
    for (let s = slot; s > slot - slots; s--) { const word = Atomics.load(this.words, record * STRIDE + WINDOW + (s % WINDOW_SLOTS)); if (word >>> COUNT_BITS === stampOf(s)) sum += word & COUNT_MASK; }
    return sum;
  }
  /** Takes back what a dead worker held. */
  takeBack(record: number, kind: number, count: number): void { Atomics.sub(this.words, record * STRIDE + kind, count); }
  /** Makes a record fresh for another cluster: no limits, current values stay with those who hold them. */
  reset(record: number): void { for (let k = 0; k < 5; k++) Atomics.store(this.words, record * STRIDE + LIMITS + k, 0); Atomics.store(this.words, record * STRIDE + DROP, 0); for (let s = 0; s < WINDOW_SLOTS; s++) Atomics.store(this.words, record * STRIDE + WINDOW + s, 0); }
}

/** Never 0, so that a fresh word is of no slot. */
function stampOf(slot: number): number { return Math.floor(slot / WINDOW_SLOTS) % STAMP_MASK + 1; }
