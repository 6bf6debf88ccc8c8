// What a worker knows of the overload manager: the strength of each action, in shared words, and which timers it shortens. One for a worker.
import type { Random } from '../loop/random.ts';
import type { StatStore } from '../observe/stats/stat-block.ts';
import { OVERLOAD, OVERLOAD_ACTIONS, SHED_POINT_PREFIX, type TimerScalePlan } from '../plan/overload-plan.ts';

/** The shared words (shm). */
export interface OverloadWords { /** Strength of an action, 0 to 1. */ overload(action: number): number; /** Any of them is above 0. */ overloaded(): boolean }

/** Whether an action of that strength (0 to 1) strikes now, by chance. */
export function strikes(strength: number, random: Random): boolean { return strength > 0 && (strength >= 1 || random.unit() < strength); }

/** Load shed points as one worker meets them: whether to shed now, by chance, counted as Envoy counts. */
export class LoadShed {
  private readonly words: OverloadWords;
  private readonly env: { readonly random: Random; readonly stats: StatStore };
  constructor(words: OverloadWords, env: { readonly random: Random; readonly stats: StatStore }) { this.words = words; this.env = env; }

  /** `point`: its number in OVERLOAD. */
  sheds(point: number): boolean {
    const value = this.words.overload(point), { random, stats } = this.env;
    if (!strikes(value, random)) return false;
    stats.column[stats.claimOne(`overload.${SHED_POINT_PREFIX}${OVERLOAD_ACTIONS[point]!}.shed_load_count`, 'counter')]!++;
    return true;
  }
}

export class OverloadView implements OverloadWords {
  private readonly words: OverloadWords;
  private readonly timers: () => readonly TimerScalePlan[];
  constructor(words: OverloadWords, timers: () => readonly TimerScalePlan[]) { this.words = words; this.timers = timers; }

  overload(action: number): number { return this.words.overload(action); }
  overloaded(): boolean { return this.words.overloaded(); }

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
