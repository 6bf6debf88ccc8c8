// One subscription to a file of resources: reads it at once and whenever it was saved, keeps Envoy's stats of it (update_*, version, init_fetch_timeout), and tells when
// the first resources are there or have been waited for long enough.
import { readFileSync } from 'node:fs';
import { hashed, xxHash64 } from '../../base/xxhash64.ts';
import type { DiscoverySource } from '../../proto/config-message.ts';
import { UnreadableResources } from './resource-file.ts';

export interface SubscriptionEnv {
  watch(path: string, onChange: () => void, extra: string): () => void;
  after(ms: number, task: () => void): () => void;
  stat(name: string, kind: 'counter' | 'gauge' | 'text', change: { readonly set?: number | string; readonly add?: number }): void;
  wallMs(): number;
  log(level: 'info' | 'warning', message: string): void;
}

/** What became of an update; `faults`: lines that say what was refused. */
export interface Applied { readonly version: string; readonly faults: readonly string[]; readonly empty?: boolean }

export class FileSubscription {
  private readonly env: SubscriptionEnv;
  private readonly source: DiscoverySource;
  private readonly prefix: string;
  private readonly apply: (path: string, bytes: Uint8Array) => Applied;
  private readonly cancelWatch: () => void;
  private cancelFetch: (() => void) | null = null;
  /** The first resources are there, or were not to be waited for any longer. */
  settled = false;
  private readonly onSettled: () => void;

  /** `prefix` of the stats, without the last dot. `apply` may throw UnreadableResources. */
  constructor(env: SubscriptionEnv, source: DiscoverySource, prefix: string, apply: (path: string, bytes: Uint8Array) => Applied, onSettled: () => void) {
    this.env = env; this.source = source; this.prefix = prefix; this.apply = apply; this.onSettled = onSettled;
    for (const n of ['init_fetch_timeout', 'update_attempt', 'update_failure', 'update_rejected', 'update_success']) env.stat(`${prefix}.${n}`, 'counter', { add: 0 });
    for (const n of ['update_time', 'version']) env.stat(`${prefix}.${n}`, 'gauge', { set: 0 });
    this.cancelWatch = env.watch(source.path, () => this.update(), source.watchedDirectory);
    if (source.initialFetchTimeoutMs > 0) this.cancelFetch = env.after(source.initialFetchTimeoutMs, () => { this.cancelFetch = null; if (!this.settled) { this.count('init_fetch_timeout'); this.settle(); } });
  }

  private count(name: string): void { this.env.stat(`${this.prefix}.${name}`, 'counter', { add: 1 }); }
  private settle(): void { if (this.settled) return; this.settled = true; this.cancelFetch?.(); this.cancelFetch = null; this.onSettled(); }

  /** Reads the file anew. */
  update(): void {
    this.count('update_attempt');
    let applied: Applied;
    try { applied = this.apply(this.source.path, readFileSync(this.source.path)); } catch (e) {
      if (!(e instanceof UnreadableResources) && !(e instanceof Error && 'code' in e)) throw e;
      this.count('update_failure');
      this.env.log('warning', `Filesystem config update failure: ${(e as Error).message}`);
      return;
    }
    for (const f of applied.faults) this.env.log('warning', f);
    if (applied.faults.length > 0) {
      this.count('update_rejected');
      // A first update that is refused has been waited for all the same.
      this.settle();
      return;
    }
    this.count('update_success');
    if (applied.empty === true) this.count('update_empty');
    this.env.stat(`${this.prefix}.update_time`, 'gauge', { set: Math.floor(this.env.wallMs()) });
    this.env.stat(`${this.prefix}.version`, 'gauge', { set: versionHash(applied.version) });
    this.env.stat(`${this.prefix}.version_text`, 'text', { set: applied.version });
    this.settle();
  }

  close(): void { this.cancelWatch(); this.cancelFetch?.(); }
}

/** Envoy shows the hash of a version's text; as a double it has 53 bits of it. */
export function versionHash(version: string): number { xxHash64(version); return hashed.high * 2 ** 32 + hashed.low; }
