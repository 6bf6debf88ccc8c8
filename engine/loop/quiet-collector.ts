// A thread that has worked and then falls quiet keeps the room that its garbage took: nothing allocates, so nothing collects. Eight thousand idle connections would hold twice
// what they need. So once it has been quiet for a while after real work that left enough to collect, its heap is collected,
// where the pause meets nobody. One that stays quiet gives back the pages, too, that its heap holds empty: a busy young generation keeps some 50 MB.
import { Timer, type TimerWheel } from './timer-wheel.ts';

/** Turns that are work worth collecting after. */
const WORK = 512;
const QUIET_MS = 700, LONG_QUIET_MS = 5000;
/** Turns within that time that are still quiet: the timer's own, a sweep, a flush. */
const QUIET_TURNS = 4, LONG_QUIET_TURNS = 30;
/** What the heap must have grown by since it was last collected, bytes: a pause of traffic that left less costs no collection. */
const WORTH = 4 << 20;
/** What the heap holds empty, so that packing it is worth its longer pause, bytes. */
const SPARE = 24 << 20;

/** Of a thread's heap. */
export interface QuietHeap { collect(): void; /** Collects and gives empty pages back. */ compact(): void; /** Bytes in use or garbage. */ used(): number; /** Bytes that it holds empty. */ spare(): number }

export class QuietCollector {
  private turns = 0;
  private seen = 0;
  private readonly timer: Timer;
  private readonly wheel: TimerWheel;
  private readonly heap: QuietHeap;
  private usedAfter = 0;
  /** Waits for a long quiet. */
  private packing = false;
  constructor(wheel: TimerWheel, heap: QuietHeap) {
    this.wheel = wheel; this.heap = heap;
    this.timer = new Timer(() => this.look());
  }

  /** Called at the end of each turn. */
  onTurn(): void { if (++this.turns >= WORK && !this.timer.armed) { this.seen = this.turns; this.wheel.arm(this.timer, QUIET_MS); } }

  private look(): void {
    const { heap, packing } = this, quiet = this.turns - this.seen <= (packing ? LONG_QUIET_TURNS : QUIET_TURNS);
    this.packing = false;
    this.seen = this.turns;
    if (!quiet) { this.wheel.arm(this.timer, QUIET_MS); return; }
    if (packing) { heap.compact(); this.usedAfter = heap.used(); } else if (heap.used() - this.usedAfter >= WORTH) { heap.collect(); this.usedAfter = heap.used(); }
    if (!packing && heap.spare() >= SPARE) { this.packing = true; this.wheel.arm(this.timer, LONG_QUIET_MS); } else this.turns = 0;
  }
}
