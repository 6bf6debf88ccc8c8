// A thread that has worked and then falls quiet keeps the room that its garbage took: nothing allocates, so nothing collects. Eight thousand idle connections would hold twice
// what they need. So once it has been quiet for a while after real work that left enough to collect, its heap is collected,
// where the pause meets nobody.
import { Timer, type TimerWheel } from './timer-wheel.ts';

/** Turns that are work worth collecting after. */
const WORK = 512;
const QUIET_MS = 700;
/** Turns within that time that are still quiet: the timer's own, a sweep, a flush. */
const QUIET_TURNS = 4;
/** What the heap must have grown by since it was last collected, bytes: a pause of traffic that left less costs no collection. */
const WORTH = 4 << 20;

export class QuietCollector {
  private turns = 0;
  private seen = 0;
  private readonly timer: Timer;
  private readonly wheel: TimerWheel;
  private readonly collect: () => void;
  private readonly used: () => number;
  private usedAfter = 0;
  /** `used`: bytes of this thread's heap. */
  constructor(wheel: TimerWheel, collect: () => void, used: () => number) {
    this.wheel = wheel; this.collect = collect; this.used = used;
    this.timer = new Timer(() => this.look());
  }

  /** Called at the end of each turn. */
  onTurn(): void { if (++this.turns >= WORK && !this.timer.armed) { this.seen = this.turns; this.wheel.arm(this.timer, QUIET_MS); } }

  private look(): void {
    if (this.turns - this.seen <= QUIET_TURNS) {
      this.turns = 0;
      if (this.used() - this.usedAfter >= WORTH) { this.collect(); this.usedAfter = this.used(); }
      return;
    }
    this.seen = this.turns;
    this.wheel.arm(this.timer, QUIET_MS);
  }
}
