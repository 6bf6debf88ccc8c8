// Single words of the whole process: epochs that workers compare before they pick a host, and the count of downstream connections.
//
//   word 0: health epoch (control moves it whenever flags of any host change)   word 1: downstream connections   word 2: their limit (0: none)
//   word 3: 1 while the process fails its own health checks (/healthcheck/fail)
//   word 4..: strength of each overload action, 0 to 10,000 (plan/overload-plan.ts has their order)   word 63: how many of them are not 0
//
// Control writes the epoch, the limit, the failing and the actions; every worker adds and takes away connections. All writes are atomic.

export class SharedWords {
  private readonly words: Int32Array;
  static readonly bytes = 256;
  constructor(memory: SharedArrayBuffer) { this.words = new Int32Array(memory); }

  // What each request looks at is read plainly: an aligned word is whole, and a request that reads the value of a moment ago is as good as one a moment earlier.
  healthEpoch(): number { return this.words[0]!; }
  bumpHealthEpoch(): void { Atomics.add(this.words, 0, 1); }

  /** Takes one downstream connection of the process-wide limit; false: the limit is reached. */
  tryConnection(): boolean {
    const limit = Atomics.load(this.words, 2);
    const now = Atomics.add(this.words, 1, 1);
    if (limit === 0 || now < limit) return true;
    Atomics.sub(this.words, 1, 1);
    return false;
  }
  releaseConnections(count: number): void { Atomics.sub(this.words, 1, count); }
  connections(): number { return Atomics.load(this.words, 1); }
  healthFailed(): boolean { return this.words[3] === 1; }
  setHealthFailed(failed: boolean): void { Atomics.store(this.words, 3, failed ? 1 : 0); }
  /** Strength of an overload action, 0 to 1. */
  overload(action: number): number { return this.words[4 + action]! / 10_000; }
  /** Whether any overload action is at work: one look in place of one for each. */
  overloaded(): boolean { return this.words[63] !== 0; }
  setOverload(action: number, value: number): void {
    const now = Math.round(value * 10_000), before = Atomics.exchange(this.words, 4 + action, now);
    if ((now !== 0) !== (before !== 0)) Atomics.add(this.words, 63, now !== 0 ? 1 : -1);
  }
  setConnectionLimit(limit: number): void { Atomics.store(this.words, 2, limit); }
}
