// One subscription to a file of resources: reads it at once and whenever it was saved, keeps Envoy's stats of it (update_*, version, init_fetch_timeout), and tells when
// the first resources are there or have been waited for long enough.
import { readFileSync } from 'node:fs';
import type { DiscoverySource } from '../../proto/config-message.ts';
import { UnreadableResources } from './resource-file.ts';
import { SubscriptionStats, type SubscriptionStatsEnv } from './subscription-stats.ts';

export interface SubscriptionEnv extends SubscriptionStatsEnv {
  watch(path: string, onChange: () => void, extra: string): () => void;
  after(ms: number, task: () => void): () => void;
  log(level: 'info' | 'warning', message: string): void;
}

/** What became of an update; `faults`: lines that say what was refused. */
export interface Applied { readonly version: string; readonly faults: readonly string[]; readonly empty?: boolean }

export class FileSubscription {
  private readonly env: SubscriptionEnv;
  private readonly source: DiscoverySource;
  private readonly stats: SubscriptionStats;
  private readonly apply: (path: string, bytes: Uint8Array) => Applied;
  private readonly cancelWatch: () => void;
  private cancelFetch: (() => void) | null = null;
  /** The first resources are there, or were not to be waited for any longer. */
  settled = false;
  private readonly onSettled: () => void;

  /** `prefix` of the stats, without the last dot. `apply` may throw UnreadableResources. */
  constructor(env: SubscriptionEnv, source: DiscoverySource, prefix: string, apply: (path: string, bytes: Uint8Array) => Applied, onSettled: () => void) {
    this.env = env; this.source = source; this.stats = new SubscriptionStats(env, prefix); this.apply = apply; this.onSettled = onSettled;
    this.cancelWatch = env.watch(source.path, () => this.update(), source.watchedDirectory);
    if (source.initialFetchTimeoutMs > 0) this.cancelFetch = env.after(source.initialFetchTimeoutMs, () => { this.cancelFetch = null; if (!this.settled) { this.stats.count('init_fetch_timeout'); this.settle(); } });
  }

  private settle(): void { if (this.settled) return; this.settled = true; this.cancelFetch?.(); this.cancelFetch = null; this.onSettled(); }

  /** Reads the file anew. */
  update(): void {
    this.stats.count('update_attempt');
    let applied: Applied;
    try { applied = this.apply(this.source.path, readFileSync(this.source.path)); } catch (e) {
      if (!(e instanceof UnreadableResources) && !(e instanceof Error && 'code' in e)) throw e;
      this.stats.count('update_failure');
      this.env.log('warning', `Filesystem config update failure: ${(e as Error).message}`);
      return;
    }
    for (const f of applied.faults) this.env.log('warning', f);
    if (applied.faults.length > 0) {
      this.stats.count('update_rejected');
      // A first update that is refused has been waited for all the same.
      this.settle();
      return;
    }
    this.stats.taken(applied.version);
    if (applied.empty === true) this.stats.count('update_empty');
    this.settle();
  }

  close(): void { this.cancelWatch(); this.cancelFetch?.(); }
}
