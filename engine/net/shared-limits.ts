// What filters are made with where a limit holds for the whole process; shm implements it (the rooms that use it import no shared memory).
import { LIMIT_SCHEMA } from '../observe/stats/l4-schemas.ts';
import { StatBlock, type StatStore } from '../observe/stats/stat-block.ts';

export interface ProcessLimits {
  /** The record of a name, the same in every worker; -1: no room, the limit then holds for this worker alone, as TokenBucket and SharedHold see to. */
  claim(name: string): number;
  take(record: number, n: number, size: number, perMs: number, nowMs: number): number;
  tryHold(record: number, limit: number): boolean;
  release(record: number, count?: number): void;
  /** How many records the set for so many keys is to have. */
  seats(most: number): number;
  /** Of such a set of records the one that `key` has, or takes of who asked for his least recently; then it is a new bucket. */
  seat(set: Int32Array, key: string): number;
}

/** Words under a name, shared by all workers (shm: SharedRecord). */
export interface ProcessRecord {
  /** Other workers see it too; else the table was full and it is this worker's own. */
  readonly shared: boolean;
  load(word: number): number;
  store(word: number, value: number): void;
  /** Adds; returns the value before. */
  add(word: number, n: number): number;
  swap(word: number, from: number, to: number): boolean;
}
export interface ProcessRecords { claim(name: string): ProcessRecord }

/** So many at a time under a name, counted over all workers. What a worker holds is noted in its stats, so that control gives it back if the worker dies. */
export class SharedHold {
  private readonly limits: ProcessLimits;
  /** -1: the table was full. */
  private readonly record: number;
  private readonly own: StatBlock;
  constructor(limits: ProcessLimits, stats: StatStore, name: string) {
    this.limits = limits;
    this.record = limits.claim(name);
    this.own = new StatBlock(stats, LIMIT_SCHEMA, `limit.${this.record}`);
  }

  /** One more, unless `max` are held. `mine`: how many this worker has by its own count, to which the limit is held where the table was full. */
  tryHold(max: number, mine: number): boolean {
    if (this.record < 0) return mine < max;
    if (!this.limits.tryHold(this.record, max)) return false;
    this.own.inc(0);
    return true;
  }
  release(): void {
    if (this.record < 0) return;
    this.limits.release(this.record);
    this.own.dec(0);
  }
}

export interface TokenBucketPlan { readonly maxTokens: number; readonly tokensPerFill: number; readonly fillIntervalMs: number }

/** A token bucket under a name, shared by all workers; or one connection's or descriptor's own, without a name. */
export class TokenBucket {
  readonly plan: TokenBucketPlan;
  private readonly limits: ProcessLimits | null;
  /** -1: this worker's own. */
  readonly record: number;
  private readonly perMs: number;
  /** Own bucket: the time at which it was empty, ms. */
  private emptyMs = -Infinity;

  constructor(plan: TokenBucketPlan, limits: ProcessLimits | null, name: string) {
    this.plan = plan;
    this.record = limits === null ? -1 : limits.claim(`bucket ${name} ${plan.maxTokens} ${plan.tokensPerFill} ${plan.fillIntervalMs}`);
    this.limits = this.record < 0 ? null : limits;
    this.perMs = plan.tokensPerFill / plan.fillIntervalMs;
  }

  /** Takes `n` tokens; false: there are not as many. `wallMs`: the clock of all threads. */
  take(n: number, wallMs: number): boolean { return this.left(n, wallMs) >= 0; }

  /** The same, with the tokens that are left (negative: what is missing). n = 0 only looks. */
  left(n: number, wallMs: number): number {
    const { maxTokens } = this.plan;
    if (this.limits !== null) return this.limits.take(this.record, n, maxTokens, this.perMs, wallMs);
    const empty = Math.max(this.emptyMs, wallMs - maxTokens / this.perMs), tokens = (wallMs - empty) * this.perMs;
    if (tokens < n - 1e-6) return tokens - n;
    this.emptyMs = empty + n / this.perMs;
    return Math.max(0, tokens - n);
  }

  /** Puts `n` tokens back, up to the bucket's size; returns those that are there. */
  give(n: number, wallMs: number): number { return n === 0 ? this.left(0, wallMs) : Math.min(this.plan.maxTokens, this.left(-n, wallMs)); }
}
