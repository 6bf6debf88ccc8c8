// Requests and successes of the last so many seconds, in buckets of one second (Envoy: ThreadLocalControllerImpl).

export class SuccessWindow {
  private readonly seconds: number;
  private readonly requests: Uint32Array;
  private readonly successes: Uint32Array;
  /** The second of the newest bucket, -1: nothing was counted. */
  private newest = -1;
  private oldest = -1;
  total = 0;
  good = 0;

  constructor(seconds: number) { this.seconds = seconds; this.requests = new Uint32Array(seconds); this.successes = new Uint32Array(seconds); }

  /** Moves on to `nowMs`: buckets that have become too old fall out. */
  advance(nowMs: number): void {
    const now = Math.floor(nowMs / 1000);
    if (this.newest < 0) { this.newest = this.oldest = now; return; }
    for (let s = this.newest + 1; s <= now && s <= this.newest + this.seconds; s++) {
      const i = s % this.seconds;
      this.total -= this.requests[i]!; this.good -= this.successes[i]!;
      this.requests[i] = this.successes[i] = 0;
    }
    if (now > this.newest) this.newest = now;
    this.oldest = Math.max(this.oldest, this.newest - this.seconds + 1);
  }

  record(nowMs: number, success: boolean): void {
    this.advance(nowMs);
    const i = this.newest % this.seconds;
    this.requests[i]!++; this.total++;
    if (success) { this.successes[i]!++; this.good++; }
  }

  /** Requests per second over what the window covers so far. */
  get rps(): number { return this.total === 0 ? 0 : this.total / Math.max(1, this.newest - this.oldest + 1); }
}
