// The one door to time. The worker ticks its clock once per event-loop turn; everything on the request path reads the cached values.

export interface Clock {
  /** Monotonic time of this turn, in milliseconds with fraction. */
  nowMs(): number;
  /** Wall-clock time of this turn, in milliseconds since 1970 with fraction. */
  wallMs(): number;
  /** Reads the time anew; called once at the start of each turn. */
  tick(): void;
}

/** Time of the machine. */
export class SystemClock implements Clock {
  // The property is a getter that looks up its thread each time.
  private readonly origin = performance.timeOrigin;
  private now = performance.now();
  nowMs(): number { return this.now; }
  wallMs(): number { return this.origin + this.now; }
  tick(): void { this.now = performance.now(); }
}

/** Time that a test drives. */
export class ManualClock implements Clock {
  private now: number;
  private readonly origin: number;
  constructor(startMs = 1000, originMs = 1_700_000_000_000) { this.now = startMs; this.origin = originMs; }
  nowMs(): number { return this.now; }
  wallMs(): number { return this.origin + this.now; }
  tick(): void { /* a test moves it */ }
  set(ms: number): void { this.now = ms; }
}
