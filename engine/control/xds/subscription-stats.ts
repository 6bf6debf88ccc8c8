// Envoy's stats of one subscription (listeners, clusters, routes, endpoints, secrets): update_*, version, init_fetch_timeout.
import { hashed, xxHash64 } from '../../base/xxhash64.ts';

export interface SubscriptionStatsEnv {
  stat(name: string, kind: 'counter' | 'gauge' | 'text' | 'histogram', change: { readonly set?: number | string; readonly add?: number }): void;
  wallMs(): number;
}

const COUNTERS = ['init_fetch_timeout', 'update_attempt', 'update_failure', 'update_rejected', 'update_success'] as const;

export class SubscriptionStats<More extends string = never> {
  private readonly env: SubscriptionStatsEnv;
  private readonly prefix: string;
  /** `prefix` without the last dot. `more`: counters that this kind of subscription has beside the others. */
  constructor(env: SubscriptionStatsEnv, prefix: string, more: readonly More[] = []) {
    this.env = env; this.prefix = prefix;
    for (const n of [...COUNTERS, ...more]) env.stat(`${prefix}.${n}`, 'counter', { add: 0 });
    for (const n of ['update_time', 'version']) env.stat(`${prefix}.${n}`, 'gauge', { set: 0 });
    env.stat(`${prefix}.update_duration`, 'histogram', {}); // Envoy measures updates by gRPC alone
  }

  count(what: (typeof COUNTERS)[number] | 'update_empty' | More): void { this.env.stat(`${this.prefix}.${what}`, 'counter', { add: 1 }); }
  showVersion(text: string): void { this.env.stat(`${this.prefix}.version_text`, 'text', { set: text }); }
  /** The update was taken, also where it is what was there. */
  taken(version: string): void {
    this.count('update_success');
    this.env.stat(`${this.prefix}.update_time`, 'gauge', { set: Math.floor(this.env.wallMs()) });
    this.env.stat(`${this.prefix}.version`, 'gauge', { set: versionHash(version) });
    this.showVersion(version);
  }
}

/** Envoy shows the hash of a version's text; as a double it has 53 bits of it. */
function versionHash(version: string): number { xxHash64(version); return hashed.high * 2 ** 32 + hashed.low; }
