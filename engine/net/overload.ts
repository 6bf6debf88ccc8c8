// What a worker knows of the overload manager: the strength of each action, in shared words, and which timers it shortens. One for a worker.
import { OVERLOAD, type TimerScalePlan } from '../plan/overload-plan.ts';

/** The shared words (shm). */
export interface OverloadWords { /** Strength of an action, 0 to 1. */ overload(action: number): number }

export class OverloadView implements OverloadWords {
  private readonly words: OverloadWords;
  private readonly timers: () => readonly TimerScalePlan[];
  constructor(words: OverloadWords, timers: () => readonly TimerScalePlan[]) { this.words = words; this.timers = timers; }

  overload(action: number): number { return this.words.overload(action); }

  /** A timeout under the present pressure, ms: from its full length down to its minimum (Envoy: ScaledRangeTimer). */
  scaled(timer: TimerScalePlan['timer'], ms: number): number {
    const value = this.words.overload(OVERLOAD.reduce_timeouts);
    if (value === 0 || ms <= 0) return ms;
    const t = this.timers().find((x) => x.timer === timer);
    if (t === undefined) return ms;
    const least = Math.min(ms, t.minShare >= 0 ? ms * t.minShare : t.minMs);
    return Math.max(1, least + (ms - least) * (1 - value));
  }
}
