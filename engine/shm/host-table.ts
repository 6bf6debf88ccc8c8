// One record per upstream host, shared by all threads. Layout: 16 words of 32 bits a record.
//
//   word 0        1       2       3            4               5                6                7             8..15
//   | flags | weight | active rq | active cx | consec. 5xx | consec. gateway | consec. local | success rq | total rq, spare |
//
// Several threads write: flags by control (and workers for 'timeout'), active counts by every worker. All access is atomic.
// Records are handed out by control alone (HostAllocator).

const STRIDE = 16;
export const HOST_FLAG = { FAILED_ACTIVE_HC: 1, FAILED_OUTLIER: 2, FAILED_EDS: 4, DEGRADED_ACTIVE_HC: 8, DEGRADED_EDS: 16, PENDING_DYNAMIC_REMOVAL: 32, PENDING_ACTIVE_HC: 64, EXCLUDED_BY_IMMEDIATE_HC_FAIL: 128, ACTIVE_HC_TIMEOUT: 256, EDS_DRAINING: 512 } as const;
/** A host with one of these takes no traffic outside of panic. */
export const UNHEALTHY = HOST_FLAG.FAILED_ACTIVE_HC | HOST_FLAG.FAILED_OUTLIER | HOST_FLAG.FAILED_EDS | HOST_FLAG.EDS_DRAINING;
export const DEGRADED = HOST_FLAG.DEGRADED_ACTIVE_HC | HOST_FLAG.DEGRADED_EDS;

export class HostTable {
  private readonly words: Int32Array;
  readonly capacity: number;
  static bytes(capacity: number): number { return capacity * STRIDE * 4; }
  constructor(memory: SharedArrayBuffer) { this.words = new Int32Array(memory); this.capacity = Math.floor(this.words.length / STRIDE); }

  flags(i: number): number { return Atomics.load(this.words, i * STRIDE); }
  setFlags(i: number, mask: number): void { Atomics.or(this.words, i * STRIDE, mask); }
  clearFlags(i: number, mask: number): void { Atomics.and(this.words, i * STRIDE, ~mask); }
  weight(i: number): number { return Atomics.load(this.words, i * STRIDE + 1); }
  setWeight(i: number, weight: number): void { Atomics.store(this.words, i * STRIDE + 1, weight); }
  /** Requests under way in the whole process. */
  active(i: number): number { return Atomics.load(this.words, i * STRIDE + 2); }
  addActive(i: number, delta: number): number { return Atomics.add(this.words, i * STRIDE + 2, delta) + delta; }
  /** Connections open in the whole process. */
  connections(i: number): number { return Atomics.load(this.words, i * STRIDE + 3); }
  addConnections(i: number, delta: number): number { return Atomics.add(this.words, i * STRIDE + 3, delta) + delta; }
  /** Makes a record fresh for a new host. */
  reset(i: number): void { for (let w = 0; w < STRIDE; w++) Atomics.store(this.words, i * STRIDE + w, 0); }
}

/** Hands out records; control's own memory. */
export class RecordAllocator {
  private readonly free: number[] = [];
  private next = 0;
  private readonly capacity: number;
  constructor(capacity: number) { this.capacity = capacity; }
  /** -1: the table is full. */
  allocate(): number { return this.free.pop() ?? (this.next < this.capacity ? this.next++ : -1); }
  release(record: number): void { this.free.push(record); }
}
