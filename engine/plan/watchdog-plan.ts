// When a thread that does not answer is counted, and when it is given up (Envoy: Watchdog). All in ms; 0 of the last two: never.
export interface WatchdogPlan {
  /** Silent for so long: counted as watchdog_miss, and as watchdog_mega_miss. */
  readonly missMs: number; readonly megamissMs: number;
  /** One thread alone; as many as `together` of them at once. */
  readonly killMs: number; readonly multikillMs: number;
  /** At most so much is added to killMs: processes that are told the same do not give up at the same moment. */
  readonly killJitterMs: number;
  /** Percent of the threads, two at least. */
  readonly together: number;
}
/** Envoy's, where nothing is configured. */
export const DEFAULT_WATCHDOG: WatchdogPlan = { missMs: 200, megamissMs: 1000, killMs: 0, killJitterMs: 0, multikillMs: 0, together: 0 };
export interface WatchdogsPlan { readonly main: WatchdogPlan; readonly workers: WatchdogPlan }

/** How often a thread shows that it lives, and how often it is looked at: half of the shortest time that matters. */
export function beatMs(p: WatchdogPlan): number { return Math.max(10, Math.floor(Math.min(p.missMs, p.megamissMs, ...[p.killMs, p.multikillMs].filter((ms) => ms > 0)) / 2)); }
