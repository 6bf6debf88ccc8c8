// Whom the records of a shared table stand for, and what workers that died had counted there. The memory is the supervisor's: a control thread that takes the place of one
// that died finds every host and cluster in the record that it had, where workers count on, and knows the records whose owners are gone.
//
//   words 0..7 of 64 bits: 0 records ever handed out, the rest spare   then, a record: | whom it stands for | counts, Float64 … |
//   whom: 0: nobody; 1: one that is gone, and workers may still be at work there; else a hash of the name
//
//   take ──▶ held ──(leave: the owner is gone)──▶ left ──(free: the last worker has let go of it)──▶ take …
//
// Control alone writes. A record never has two owners: what workers still hold of one (requests, connections, breakers) counts neither for nor against the next.
const HEADER = 8, GONE = 1n;

export class RecordBook {
  private readonly whom: BigInt64Array;
  /** The same words, by halves: a start takes 100,000 records. */
  private readonly halves: Uint32Array;
  private readonly numbers: Float64Array;
  private readonly stride: number;
  private readonly counts: number;
  readonly capacity: number;
  private handedOut: number;
  private readonly idle: number[] = [];
  /** Of the life before, whom nobody has asked for yet. */
  private readonly before = new Map<bigint, number>();

  /** `counts`: numbers kept for each record. */
  static bytes(capacity: number, counts: number): number { return 8 * (HEADER + capacity * (1 + counts)); }
  constructor(memory: SharedArrayBuffer, counts: number) {
    this.whom = new BigInt64Array(memory); this.halves = new Uint32Array(memory); this.numbers = new Float64Array(memory); this.counts = counts; this.stride = 1 + counts;
    this.capacity = Math.floor((this.whom.length - HEADER) / this.stride);
    this.handedOut = this.halves[0]!;
    for (let r = this.handedOut - 1; r >= 0; r--) { const id = this.whom[this.at(r)]!; if (id === 0n) this.idle.push(r); else if (id !== GONE) this.before.set(id, r); }
  }
  private at(record: number): number { return HEADER + record * this.stride; }

  /** A record for `name`: the one that it had in the life before (`known`), or a fresh one; -1: there is none left. */
  take(name: string): { readonly record: number; readonly known: boolean } {
    mark(name);
    if (this.before.size > 0) {
      const id = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)), had = this.before.get(id);
      if (had !== undefined) { this.before.delete(id); return { record: had, known: true }; }
    }
    const record = this.idle.pop() ?? (this.handedOut < this.capacity ? this.handedOut : -1);
    if (record < 0) return { record, known: false };
    if (record === this.handedOut) this.halves[0] = ++this.handedOut;
    const at = this.at(record);
    for (let i = 1; i <= this.counts; i++) this.numbers[at + i] = 0;
    this.halves[2 * at] = low;
    this.halves[2 * at + 1] = high;
    return { record, known: false };
  }

  /** Its owner is gone. */
  leave(record: number): void { this.whom[this.at(record)] = GONE; }
  /** Nobody is at work there any more. */
  free(record: number): void { this.whom[this.at(record)] = 0n; this.idle.push(record); }
  /** Records of the life before that nobody has asked for: their owners are gone. */
  orphans(): number[] {
    const out: number[] = [];
    for (let r = 0; r < this.handedOut; r++) if (this.whom[this.at(r)] === GONE) out.push(r);
    for (const r of this.before.values()) { this.leave(r); out.push(r); }
    this.before.clear();
    return out;
  }

  /** Adds to what dead workers had counted. */
  add(record: number, count: number, n: number): void { this.numbers[this.at(record) + 1 + count]! += n; }
  counted(record: number, count: number): number { return count < this.counts ? this.numbers[this.at(record) + 1 + count]! : 0; }
}

/** The last hash of a name; never one of the two that mean something else. It stays in this process, so it need be no known one. */
let high = 0, low = 0;
function mark(name: string): void {
  let a = 0x9e3779b9, b = 0x85ebca6b;
  for (let i = 0; i < name.length; i++) { const c = name.charCodeAt(i); a = Math.imul(a ^ c, 0x01000193); b = Math.imul(b ^ c, 0x5bd1e995) ^ (b >>> 15); }
  a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b); b = Math.imul(b ^ (b >>> 13) ^ a, 0xc2b2ae35);
  low = (a ^ (a >>> 15)) >>> 0;
  high = (b ^ (b >>> 16)) >>> 0;
  if (high === 0 && low < 2) low = 2;
}
