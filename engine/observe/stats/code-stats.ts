// Counters of answers that are made as codes come up (Envoy: CodeStats): a code's, its class's, and all of them, with a histogram of their time.
import { recordSample, type StatStore } from './stat-block.ts';

/** Answers under one prefix: by code, by class, in all, and their time. */
export class CodeStats {
  private readonly slots = new Map<number, number[]>();
  private time = -1;
  protected readonly store: StatStore;
  protected readonly prefix: string;
  constructor(store: StatStore, prefix: string) { this.store = store; this.prefix = prefix; }
  get released(): boolean { return this.store.released; }

  /** `timeMs` below 0: the answer is our own. */
  charge(status: number, timeMs: number): void {
    let slots = this.slots.get(status);
    if (slots === undefined) { slots = [`upstream_rq_${status}`, `upstream_rq_${Math.floor(status / 100)}xx`, 'upstream_rq_completed'].map((n) => this.store.claimOne(`${this.prefix}.${n}`, 'counter')); this.slots.set(status, slots); }
    for (const s of slots) this.store.column[s]!++;
    if (timeMs < 0) return;
    if (this.time < 0) this.time = this.store.claimHistogram(`${this.prefix}.upstream_rq_time`);
    recordSample(this.store, this.time, timeMs);
  }
}
