// Watches threads by their signs of life (Envoy: GuardDog). A thread that is silent for too long is counted, once until it is heard again; after longer it is given up.
// Knows no threads and no clock: the supervisor looks at set times and does what is said here.
import type { WatchdogPlan } from '../engine/plan/watchdog-plan.ts';

export interface GuardDogEnv {
  /** The thread's count of signs of life, 0: none yet, so it is not watched. */
  seen(thread: number): number;
  missed(thread: number, mega: boolean): void;
  /** One thread is stuck for kill_timeout. Said once for each time that it gets stuck. */
  kill(thread: number): void;
  /** So many are stuck for multikill_timeout that the process is. */
  multikill(threads: readonly number[]): void;
}

interface Watched { count: number; heardMs: number; missed: boolean; mega: boolean; killed: boolean }

export class GuardDog {
  private readonly plan: WatchdogPlan;
  private readonly env: GuardDogEnv;
  private readonly watched: ReadonlyMap<number, Watched>;

  /** `share` of the jitter is taken, 0 to 1. */
  constructor(plan: WatchdogPlan, threads: readonly number[], share: number, env: GuardDogEnv) {
    this.plan = plan.killMs > 0 ? { ...plan, killMs: plan.killMs + share * plan.killJitterMs } : plan; this.env = env;
    this.watched = new Map(threads.map((t) => [t, { count: 0, heardMs: 0, missed: false, mega: false, killed: false }]));
  }

  /** `nowMs`: monotonic. */
  look(nowMs: number): void {
    const { plan, env } = this, stuck: number[] = [];
    for (const [thread, w] of this.watched) {
      const count = env.seen(thread);
      if (count === 0 || count !== w.count) { w.count = count; w.heardMs = nowMs; w.missed = w.mega = w.killed = false; continue; }
      const silentMs = nowMs - w.heardMs;
      if (silentMs > plan.missMs && !w.missed) { w.missed = true; env.missed(thread, false); }
      if (silentMs > plan.megamissMs && !w.mega) { w.mega = true; env.missed(thread, true); }
      if (plan.multikillMs > 0 && silentMs > plan.multikillMs) stuck.push(thread);
      if (plan.killMs > 0 && silentMs > plan.killMs && !w.killed) { w.killed = true; env.kill(thread); }
    }
    if (stuck.length >= Math.max(2, Math.ceil((this.watched.size * plan.together) / 100))) env.multikill(stuck);
  }
}
