// Records of plain 32-bit words that workers find by name: what one controller of the whole process keeps (the gradient controller of adaptive_concurrency).
//
//   record, 1,024 words of 32 bits:  | 0-1 key: hash of the name, 0: free | 2.. the user's words, 0 at first |
//
// Records are never freed: who comes back under a name finds what was left. Several threads write; all access is atomic.
import { hashed, xxHash64 } from '../base/xxhash64.ts';

const WORDS = 1024, HEAD = 2;

/** One record. What its words mean is its user's affair. */
export class SharedRecord {
  private readonly words: Int32Array;
  private readonly at: number;
  /** Other workers see it too. */
  readonly shared: boolean;
  static readonly size = WORDS - HEAD;
  constructor(words: Int32Array, at: number, shared: boolean) { this.words = words; this.at = at; this.shared = shared; }
  load(i: number): number { return Atomics.load(this.words, this.at + i); }
  store(i: number, value: number): void { Atomics.store(this.words, this.at + i, value); }
  /** Adds; returns the value before. */
  add(i: number, n: number): number { return Atomics.add(this.words, this.at + i, n); }
  /** Puts `to` in the place of `from`; false: something else was there. */
  swap(i: number, from: number, to: number): boolean { return Atomics.compareExchange(this.words, this.at + i, from, to) === from; }
}

export class SharedRecords {
  private readonly wide: BigInt64Array;
  private readonly words: Int32Array;
  private readonly capacity: number;
  static bytes(capacity: number): number { return capacity * WORDS * 4; }
  constructor(memory: SharedArrayBuffer) { this.wide = new BigInt64Array(memory); this.words = new Int32Array(memory); this.capacity = Math.floor(this.words.length / WORDS); }

  /** The record of a name, the same in every worker; this worker's own where the table is full. */
  claim(name: string): SharedRecord {
    xxHash64(name);
    const key = BigInt.asIntN(64, (BigInt(hashed.high) << 32n) | BigInt(hashed.low)) || 1n, of = this.capacity;
    for (let i = 0, at = hashed.low % of; i < of; i++, at = (at + 1) % of) {
      const was = Atomics.compareExchange(this.wide, (at * WORDS) / 2, 0n, key);
      if (was === 0n || was === key) return new SharedRecord(this.words, at * WORDS + HEAD, true);
    }
    return new SharedRecord(new Int32Array(SharedRecord.size), 0, false);
  }
}
