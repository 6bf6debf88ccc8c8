// Stats of secrets by discovery, sds.NAME.*: those of a subscription, and key_rotation_failed for files that a secret names and that do not fit.
import { versionHash } from '../xds/file-subscription.ts';

export interface SdsStatsEnv {
  stat(name: string, kind: 'counter' | 'gauge' | 'text', change: { readonly set?: number | string; readonly add?: number }): void;
  wallMs(): number;
}

export class SdsStats {
  private readonly env: SdsStatsEnv;
  private readonly prefix: string;
  constructor(env: SdsStatsEnv, name: string) {
    this.env = env;
    this.prefix = `sds.${name}`;
    for (const n of ['init_fetch_timeout', 'key_rotation_failed', 'update_attempt', 'update_failure', 'update_rejected', 'update_success']) env.stat(`${this.prefix}.${n}`, 'counter', { add: 0 });
    for (const n of ['update_time', 'version']) env.stat(`${this.prefix}.${n}`, 'gauge', { set: 0 });
    env.stat(`${this.prefix}.version_text`, 'text', { set: '' });
  }

  count(what: 'init_fetch_timeout' | 'key_rotation_failed' | 'update_attempt' | 'update_failure' | 'update_rejected'): void { this.env.stat(`${this.prefix}.${what}`, 'counter', { add: 1 }); }
  /** The resource was taken, also where it is what it was. */
  taken(version: string): void {
    this.env.stat(`${this.prefix}.update_success`, 'counter', { add: 1 });
    this.env.stat(`${this.prefix}.update_time`, 'gauge', { set: Math.floor(this.env.wallMs()) });
    this.env.stat(`${this.prefix}.version`, 'gauge', { set: versionHash(version) });
    this.env.stat(`${this.prefix}.version_text`, 'text', { set: version });
  }
}
