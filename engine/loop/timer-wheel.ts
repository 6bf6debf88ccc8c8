// One timer wheel per thread: all deadlines of streams, connections and pools. Arming and cancelling are O(1) and allocate nothing:
// the timer is a field of its owner. Hierarchical: 4 levels of 256 slots at 1 ms, 256 ms, 65.5 s and 4.7 h.
// A timer fires at or after its deadline, never before, and at most about 1 ms late (plus what the turn takes).
import type { Clock } from './clock.ts';

const SLOTS = 256;

/** What the wheel holds. What is made for each request and has one deadline is one itself: no object and no closure are made for it. */
export abstract class Deadline {
  /** @internal */ next: Deadline | null = null;
  /** @internal */ prev: Deadline | null = null;
  /** @internal */ slot = -1;
  /** @internal monotonic ms */ deadline = 0;
  /** Runs from the wheel, outside of any other stack. */
  abstract fire(): void;
  get armed(): boolean { return this.slot !== -1; }
}

/** A deadline that belongs to its owner; make one per purpose and arm it again and again. */
export class Timer extends Deadline {
  private readonly task: () => void;
  constructor(task: () => void) { super(); this.task = task; }
  fire(): void { this.task(); }
}

export class TimerWheel {
  private readonly clock: Clock;
  private readonly heads: (Deadline | null)[] = new Array<Deadline | null>(SLOTS * 4).fill(null);
  private current: number;
  private count = 0;

  constructor(clock: Clock) { this.clock = clock; this.current = Math.floor(clock.nowMs()); }

  /** Arms `timer` to fire `ms` from now; an armed one is moved. */
  arm(timer: Deadline, ms: number): void {
    if (timer.slot !== -1) this.unlink(timer);
    timer.deadline = this.clock.nowMs() + (ms > 0 ? ms : 0);
    this.place(timer);
    this.count++;
  }

  /** Disarms; harmless on one that is not armed. */
  cancel(timer: Deadline): void { if (timer.slot !== -1) this.unlink(timer); }

  /** Convenience for what is armed once: a timer made and armed. */
  after(ms: number, fire: () => void): Timer { const t = new Timer(fire); this.arm(t, ms); return t; }

  /** The same for what comes again and again until it is cancelled, be it from within `fire`. */
  every(ms: number, fire: () => void): Timer { const t = new Timer(() => { this.arm(t, ms); fire(); }); this.arm(t, ms); return t; }

  get size(): number { return this.count; }

  /** Fires what is due. The owner of the loop calls it after ticking the clock. */
  advance(): void {
    const now = Math.floor(this.clock.nowMs());
    if (this.count === 0) { this.current = now; return; }
    while (this.current < now) {
      this.current++;
      if (this.current % SLOTS === 0) this.cascade();
      this.expire(this.current % SLOTS);
      if (this.count === 0) { this.current = now; return; }
    }
  }

  /** Milliseconds until something may be due (an early bound is allowed: the wheel is then advanced and asked again); -1 when nothing is armed. */
  nextMs(): number {
    if (this.count === 0) return -1;
    const base = this.current;
    const toWrap = SLOTS - (base % SLOTS);
    for (let i = 1; i <= toWrap; i++) if (this.heads[(base + i) % SLOTS] !== null && (base + i) % SLOTS !== 0) return Math.max(0, base + i - this.clock.nowMs());
    return Math.max(0, base + toWrap - this.clock.nowMs());
  }

  private place(timer: Deadline): void {
    let due = Math.ceil(timer.deadline);
    if (due <= this.current) due = this.current + 1;
    const delta = due - this.current;
    let slot: number;
    if (delta < SLOTS) slot = due % SLOTS;
    else if (delta < SLOTS * SLOTS) slot = SLOTS + (Math.floor(due / SLOTS) % SLOTS);
    else if (delta < SLOTS ** 3) slot = 2 * SLOTS + (Math.floor(due / SLOTS ** 2) % SLOTS);
    else slot = 3 * SLOTS + (Math.floor(Math.min(due, this.current + SLOTS ** 4 - 1) / SLOTS ** 3) % SLOTS);
    timer.slot = slot;
    timer.prev = null;
    timer.next = this.heads[slot];
    if (timer.next !== null) timer.next.prev = timer;
    this.heads[slot] = timer;
  }

  private unlink(timer: Deadline): void {
    if (timer.prev === null) this.heads[timer.slot] = timer.next; else timer.prev.next = timer.next;
    if (timer.next !== null) timer.next.prev = timer.prev;
    timer.next = timer.prev = null;
    timer.slot = -1;
    this.count--;
  }

  private expire(slot: number): void {
    for (;;) {
      const timer = this.heads[slot];
      if (timer === null) return;
      this.unlink(timer);
      timer.fire();
    }
  }

  /** Moves the timers of the next coarse slot down; only the levels whose lower hand has just wrapped. */
  private cascade(): void {
    let ticks = this.current;
    for (let level = 1; level < 4; level++) {
      ticks = Math.floor(ticks / SLOTS);
      const slot = level * SLOTS + (ticks % SLOTS);
      let timer = this.heads[slot];
      this.heads[slot] = null;
      while (timer !== null) { const next: Deadline | null = timer.next; timer.slot = -1; this.place(timer); timer = next; }
      if (ticks % SLOTS !== 0) return;
    }
  }
}
