// How connections end while their listener drains (--drain-time-s, --drain-strategy): answers end theirs, all from now on, or ever more of them until the time is over (Envoy: DrainManager).
import type { Clock } from '../loop/clock.ts';
import type { Random } from '../loop/random.ts';

export interface DrainTime { readonly ms: number; readonly gradual: boolean }

export class DrainSequence {
  private readonly sinceMs: number;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly time: DrainTime;
  constructor(time: DrainTime, env: { readonly clock: Clock; readonly random: Random }) { this.time = time; this.clock = env.clock; this.random = env.random; this.sinceMs = env.clock.nowMs(); }

  /** Whether the answer of now ends its connection: by chance, as much of the time as is over. */
  closes(): boolean { return !this.time.gradual || this.time.ms <= 0 || this.random.unit() * this.time.ms < this.clock.nowMs() - this.sinceMs; }
}
