// Limits that hold for the whole process and are known by name: token buckets and counts of what is held. Each thread finds a name's record by itself.
//
//   record, 8 words of 32 bits:  | 0-1 key: hash of the name, 0: free | 2-3 bucket: ms at which it was (or would have been) empty, Float64 | 4 count held, or the tick of a set of seats | 5 seat: tick of its last use | 6-7 seat: hash of who has it, 0: nobody |
//
// Record 0 keeps, as its key, the ms that all times count from (the first use), so that they stay exact.
//
// A bucket is one number: tokens = (now − time) × rate, at most its size; taking n moves the time by n / rate. So every worker takes with one compare-and-exchange,
// exactly, and nobody has to fill it. Records are never freed: a changed configuration has another name. Several threads write; all access is atomic.
import { hashed, xxHash64 } from '../base/xxhash64.ts';

const WORDS = 8, COUNT = 4, USED = 5, SEAT = 3;
/** A larger set of seats is looked through in part only: a key has this many that it may take. */
const WHOLE_SET = 64, PART = 16;

export class SharedLimits {
  private readonly wide: BigInt64Array;
  private readonly words: Int32Array;
  private readonly capacity: number;
  private baseMs = 0;
  static bytes(capacity: number): number { return capacity * WORDS * 4; }
  constructor(memory: SharedArrayBuffer) { this.wide = new BigInt64Array(memory); this.words = new Int32Array(memory); this.capacity = Math.floor(this.words.length / WORDS); }

  /** The record of a name; -1: the table is full. */
  claim(name: string): number {
    const key = hashOf(name);
    const of = this.capacity - 1;
    let at = 1 + (hashed.low % of);
    for (let i = 0; i < of; i++, at = at === of ? 1 : at + 1) {
      const was = Atomics.compareExchange(this.wide, at * 4, 0n, key);
      if (was === 0n || was === key) return at;
    }
    return -1;
  }

  /**
   * Takes `n` tokens if there are as many. `size` tokens at most, `perMs` new ones each ms, `nowMs` of one clock for all threads.
   * Returns the tokens left (whole and part), or -1 less what is missing: a negative number.
   */
  take(record: number, n: number, size: number, perMs: number, nowMs: number): number {
    const slot = record * 4 + 1, now = nowMs - this.base(nowMs), full = size / perMs;
    for (;;) {
      const raw = Atomics.load(this.wide, slot);
      // A new bucket is full; so is one that was left alone for long.
      const empty = raw === 0n ? now - full : Math.max(this.asNumber(raw), now - full), tokens = (now - empty) * perMs;
      if (tokens < n - 1e-6) return tokens - n;
      if (n === 0 || Atomics.compareExchange(this.wide, slot, raw, this.asBits(empty + n / perMs)) === raw) return Math.max(0, tokens - n);
    }
  }

  /** How many records a set for `most` keys is to have. A large one has twice as many seats, in whole parts: so hardly any part is full before the set is. */
  seats(most: number): number { return most <= WHOLE_SET ? most : Math.ceil((2 * most) / PART) * PART; }

  /**
   * Of a set of `seats()` records the one that `key` has, or takes now: then it is a new bucket, and whoever asked for his least recently has made room. A set of more than 64 is
   * divided into parts of 16, each with its own order.
   */
  seat(set: Int32Array, key: string): number {
    const hash = hashOf(key), { wide, words } = this, whole = set.length <= WHOLE_SET, from = whole ? 0 : PART * (hashed.low % (set.length / PART)), to = whole ? set.length : from + PART;
    const tick = (Atomics.add(words, set[from]! * WORDS + COUNT, 1) + 1) | 0;
    for (;;) {
      let oldest = -1, age = -Infinity, had = 0n;
      for (let i = from; i < to; i++) {
        const r = set[i]!, has = Atomics.load(wide, r * 4 + SEAT);
        if (has === hash) { Atomics.store(words, r * WORDS + USED, tick); return r; }
        const a = has === 0n ? Infinity : (tick - Atomics.load(words, r * WORDS + USED)) | 0;
        if (a > age) { age = a; oldest = r; had = has; }
      }
      if (Atomics.compareExchange(wide, oldest * 4 + SEAT, had, hash) !== had) continue;
      Atomics.store(words, oldest * WORDS + USED, tick);
      Atomics.store(wide, oldest * 4 + 1, 0n);
      // Two workers may have seated the same key at once: the first of its seats is the one.
      for (let i = from; set[i] !== oldest; i++) if (Atomics.load(wide, set[i]! * 4 + SEAT) === hash) { Atomics.compareExchange(wide, oldest * 4 + SEAT, hash, 0n); return set[i]!; }
      return oldest;
    }
  }

  private readonly float = new Float64Array(1);
  private readonly bits = new BigInt64Array(this.float.buffer);
  private asNumber(bits: bigint): number { this.bits[0] = bits; return this.float[0]!; }
  /** Never 0, which means a new bucket. */
  private asBits(n: number): bigint { this.float[0] = n === 0 ? Number.MIN_VALUE : n; return this.bits[0]!; }

  private base(nowMs: number): number {
    if (this.baseMs !== 0) return this.baseMs;
    const was = Atomics.compareExchange(this.wide, 0, 0n, BigInt(Math.floor(nowMs)));
    return this.baseMs = was === 0n ? Math.floor(nowMs) : Number(was);
  }

  /** One more held, unless `limit` are; false then. */
  tryHold(record: number, limit: number): boolean {
    if (Atomics.add(this.words, record * WORDS + COUNT, 1) < limit) return true;
    Atomics.sub(this.words, record * WORDS + COUNT, 1);
    return false;
  }
  release(record: number, count = 1): void { Atomics.sub(this.words, record * WORDS + COUNT, count); }
  held(record: number): number { return Atomics.load(this.words, record * WORDS + COUNT); }
}

/** Never 0, which stands for none. Leaves the parts in `hashed`. */
function hashOf(name: string): bigint {
  xxHash64(name);
  return BigInt.asIntN(64, (BigInt(hashed.high) << 32n) | BigInt(hashed.low)) || 1n;
}
