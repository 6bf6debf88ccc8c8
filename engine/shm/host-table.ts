// One record per upstream host, shared by all threads. Layout: 16 words of 32 bits a record.
//
//   word 0        1       2       3            4               5                6                7          8          9               10             11              12..13                     14..15
//   | flags | weight | active rq | active cx | consec. 5xx | consec. gateway | consec. local | success rq | total rq | local success | local total | reports since | healthy since (a double) | reported weight, at |
//
// Several threads write: flags by control (and workers for 'timeout'), active counts and outcomes by every worker. All access is atomic.
// Records are handed out by control alone (record-book.ts), to the next host once no worker holds anything of the one before. Active counts are balanced by whoever took
// them (or taken back for a dead worker), so nobody zeroes them: requests of a former control thread's life still give back what they took.

const STRIDE = 16;
const ACTIVE = 2, CONNECTIONS = 3;
/** Load that the host reports (ORCA): since when without a gap, the weight by it, and when that was told. Times are wall ms, the low 32 bits; 0 stands for none. */
const REPORTS_SINCE = 11, REPORTED = 14, REPORTED_AT = 15;
/** Index of a double: words 12 and 13. */
const SINCE = 6;
/** Success-rate windows by where an error comes from; the total stands behind the successes. */
export const WINDOW = { EXTERNAL: 7, LOCAL_ORIGIN: 9 } as const;
/** Kinds of failures in a row (outlier detection's names). */
export const CONSECUTIVE = { FIVE_XX: 4, GATEWAY: 5, LOCAL_ORIGIN: 6 } as const;
export const HOST_FLAG = { FAILED_ACTIVE_HC: 1, FAILED_OUTLIER: 2, FAILED_EDS: 4, DEGRADED_ACTIVE_HC: 8, DEGRADED_EDS: 16, PENDING_DYNAMIC_REMOVAL: 32, PENDING_ACTIVE_HC: 64, EXCLUDED_BY_IMMEDIATE_HC_FAIL: 128, ACTIVE_HC_TIMEOUT: 256, EDS_DRAINING: 512, DEGRADED_OUTLIER: 1024 } as const;
/** A host with one of these takes no traffic outside of panic. */
export const UNHEALTHY = HOST_FLAG.FAILED_ACTIVE_HC | HOST_FLAG.FAILED_OUTLIER | HOST_FLAG.FAILED_EDS | HOST_FLAG.EDS_DRAINING;
/** A host with one of these does not count when the share of healthy hosts is reckoned. */
export const EXCLUDED = HOST_FLAG.PENDING_ACTIVE_HC | HOST_FLAG.EXCLUDED_BY_IMMEDIATE_HC_FAIL | HOST_FLAG.EDS_DRAINING;
export const DEGRADED = HOST_FLAG.DEGRADED_ACTIVE_HC | HOST_FLAG.DEGRADED_EDS | HOST_FLAG.DEGRADED_OUTLIER;

export class HostTable {
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;
  readonly capacity: number;
  static bytes(capacity: number): number { return capacity * STRIDE * 4; }
  constructor(memory: SharedArrayBuffer) { this.words = new Int32Array(memory); this.doubles = new Float64Array(memory); this.capacity = Math.floor(this.words.length / STRIDE); }

  flags(i: number): number { return Atomics.load(this.words, i * STRIDE); }
  setFlags(i: number, mask: number): void { Atomics.or(this.words, i * STRIDE, mask); }
  clearFlags(i: number, mask: number): void { Atomics.and(this.words, i * STRIDE, ~mask); }
  weight(i: number): number { return Atomics.load(this.words, i * STRIDE + 1); }
  setWeight(i: number, weight: number): void { Atomics.store(this.words, i * STRIDE + 1, weight); }
  /** A worker was told how loaded the host is. */
  reportWeight(i: number, weight: number, wallMs: number): void {
    const at = i * STRIDE, now = Math.floor(wallMs) | 0 || 1;
    Atomics.store(this.words, at + REPORTED, weight);
    Atomics.store(this.words, at + REPORTED_AT, now);
    if (Atomics.load(this.words, at + REPORTS_SINCE) === 0) Atomics.store(this.words, at + REPORTS_SINCE, now);
  }
  /** The weight by what the host reports; 0: it has done so for less than `blackoutMs`, or not for `expirationMs`: then a new blackout begins with its next report. */
  reportedWeight(i: number, wallMs: number, blackoutMs: number, expirationMs: number): number {
    const at = i * STRIDE, now = Math.floor(wallMs) | 0, since = Atomics.load(this.words, at + REPORTS_SINCE);
    if (since === 0 || ((now - since) | 0) < blackoutMs) return 0;
    if (((now - Atomics.load(this.words, at + REPORTED_AT)) | 0) <= expirationMs) return Atomics.load(this.words, at + REPORTED);
    Atomics.store(this.words, at + REPORTS_SINCE, 0);
    return 0;
  }
  /** Wall time in ms since which the host is healthy, 0: never was. Written by control alone, read torn by nobody: aligned doubles are whole on every machine that Node runs on. */
  healthySince(i: number): number { return this.doubles[i * (STRIDE / 2) + SINCE]!; }
  setHealthySince(i: number, wallMs: number): void { this.doubles[i * (STRIDE / 2) + SINCE] = wallMs; }
  /** Requests under way in the whole process. */
  active(i: number): number { return Atomics.load(this.words, i * STRIDE + ACTIVE); }
  addActive(i: number, delta: number): number { return Atomics.add(this.words, i * STRIDE + ACTIVE, delta) + delta; }
  /** Takes one connection of a host if that stays within `limit` (0: none). */
  tryConnection(i: number, limit: number): boolean {
    const at = i * STRIDE + CONNECTIONS;
    if (limit <= 0) { Atomics.add(this.words, at, 1); return true; }
    for (let now = Atomics.load(this.words, at); ;) {
      if (now >= limit) return false;
      const seen = Atomics.compareExchange(this.words, at, now, now + 1);
      if (seen === now) return true;
      now = seen;
    }
  }
  /** Connections open in the whole process. */
  connections(i: number): number { return Atomics.load(this.words, i * STRIDE + CONNECTIONS); }
  addConnections(i: number, delta: number): number { return Atomics.add(this.words, i * STRIDE + CONNECTIONS, delta) + delta; }
  /** One more failure in a row of this kind; the count with it. Workers add, outlier detection reads. */
  addConsecutive(i: number, kind: number): number { return Atomics.add(this.words, i * STRIDE + kind, 1) + 1; }
  consecutive(i: number, kind: number): number { return Atomics.load(this.words, i * STRIDE + kind); }
  /** The row is broken: a success, or an ejection that counts from anew. */
  clearConsecutive(i: number, kind: number): void { Atomics.store(this.words, i * STRIDE + kind, 0); }
  /** One finished request of a success-rate window. */
  addOutcome(i: number, success: boolean, window: number = WINDOW.EXTERNAL): void {
    if (success) Atomics.add(this.words, i * STRIDE + window, 1);
    Atomics.add(this.words, i * STRIDE + window + 1, 1);
  }
  /** Ends a success-rate window: its counts, which start from 0 again. A request that ends in between may count in either window. */
  takeWindow(i: number, window: number = WINDOW.EXTERNAL): { readonly success: number; readonly total: number } {
    const total = Atomics.exchange(this.words, i * STRIDE + window + 1, 0);
    return { success: Math.min(total, Atomics.exchange(this.words, i * STRIDE + window, 0)), total };
  }

  /** Makes a record fresh for a new host: all but the balanced active counts. */
  reset(i: number): void { for (let w = 0; w < STRIDE; w++) if (w !== ACTIVE && w !== CONNECTIONS) Atomics.store(this.words, i * STRIDE + w, 0); }
}
