// The secrets in use: loaded, watched, sealed and sent to the workers. A file may be written in place, renamed over or swapped by symbolic links; what does not fit
// (a certificate without its key, half a file) leaves the pair that was there and is tried again with the next change.
import { X509Certificate } from 'node:crypto';
import { pack } from '../../plan/plan-wire.ts';
import type { PlanRecord } from '../../plan/records.ts';
import { seal } from '../../plan/sealed.ts';
import type { SecretPlan, StaplePlan } from '../../plan/tls-plan.ts';
import { UnreadableResources } from '../xds/resource-file.ts';
import { SubscriptionStats, type SubscriptionStatsEnv } from '../xds/subscription-stats.ts';
import type { SecretSource } from '../../proto/config-message.ts';

export interface SecretManagerEnv extends SubscriptionStatsEnv {
  emit(records: readonly PlanRecord[]): void;
  /** Tells of changes of a file or folder; gives its end. */
  watch(path: string, onChange: () => void): () => void;
  warn(message: string): void;
  info(message: string): void;
  after(ms: number, task: () => void): () => void;
  /** What the process seals its secrets under. */
  readonly key: Uint8Array;
}

class Live {
  source: SecretSource;
  plan: SecretPlan | null = null;
  sealed: Uint8Array | null = null;
  packed: Buffer | null = null;
  watchers = new Map<string, () => void>();
  /** null: it is not by discovery. */
  readonly stats: SubscriptionStats<'key_rotation_failed'> | null;
  private cancelFetch: (() => void) | null = null;
  constructor(source: SecretSource, env: SecretManagerEnv) {
    this.source = source;
    // key_rotation_failed: files that a secret names do not fit.
    this.stats = source.discovery === undefined ? null : new SubscriptionStats(env, `sds.${source.name}`, ['key_rotation_failed']);
    this.stats?.showVersion('');
    const ms = source.discovery?.fetchTimeoutMs ?? 0;
    if (ms > 0) this.cancelFetch = env.after(ms, () => { this.cancelFetch = null; if (this.plan === null) this.stats?.count('init_fetch_timeout'); });
  }
  settled(): void { this.cancelFetch?.(); this.cancelFetch = null; }
  end(): void { this.settled(); for (const end of this.watchers.values()) end(); }
}

/** One certificate as /certs shows it. */
export interface CertificateInfo { readonly path: string; readonly certificate: X509Certificate }
/** Certificates of a TLS context: authorities of its validation context, and its own chain. */
export interface SecretInfo { readonly name: string; /** Its resource name, '' for one that a configuration holds itself. */ readonly resource: string; readonly kind: SecretSource['kind']; readonly ca: readonly CertificateInfo[]; readonly chain: readonly CertificateInfo[]; readonly staple: StaplePlan | null }

export class SecretManager {
  private readonly env: SecretManagerEnv;
  private readonly live = new Map<string, Live>();
  /** Grows with every change. */
  version = 0;
  constructor(env: SecretManagerEnv) { this.env = env; }

  /** Takes the secrets of a new configuration; those that are in none any more go. */
  apply(sources: Iterable<SecretSource>): void {
    const seen = new Set<string>(), records: PlanRecord[] = [];
    for (const s of sources) {
      seen.add(s.key);
      let l = this.live.get(s.key);
      if (l === undefined) { l = new Live(s, this.env); this.live.set(s.key, l); } else l.source = s;
      records.push(...this.load(l, l.plan === null ? 'update' : 'none'));
    }
    for (const [key, l] of this.live) {
      if (seen.has(key)) continue;
      l.end();
      this.live.delete(key);
      records.push({ kind: 'secret-removed', name: key });
    }
    if (records.length > 0) this.env.emit(records);
  }

  /** All records, for a worker that starts. */
  records(): PlanRecord[] { return [...this.live].flatMap(([name, l]): PlanRecord[] => (l.sealed === null ? [] : [{ kind: 'secret', name, body: l.sealed }])); }

  /** `why`: its resource was updated, a file that it names was (keys are rotated), or neither. */
  private load(l: Live, why: 'update' | 'rotation' | 'none'): PlanRecord[] {
    const { source, stats } = l, { key } = source;
    let plan: SecretPlan | null = null, fault = '', unread = false;
    if (why === 'update') stats?.count('update_attempt');
    try { plan = source.load() as SecretPlan; } catch (e) { fault = (e as Error).message; unread = e instanceof UnreadableResources; }
    for (const policy of source.policies ?? []) fault = fault || (source.problem?.(policy) ?? '');
    this.watch(l);
    if (plan === null || fault !== '') {
      this.env.warn(`secret '${source.name || source.files[0] || key}': ${fault}${l.plan === null ? '' : '; the one before stays'}`);
      if (why !== 'none') stats?.count(why === 'rotation' ? 'key_rotation_failed' : unread ? 'update_failure' : 'update_rejected');
      return [];
    }
    l.settled();
    if (why === 'update') stats?.taken(source.discovery!.version);
    const packed = Buffer.from(pack(plan));
    if (l.packed !== null && packed.equals(l.packed)) return [];
    if (l.packed !== null) this.env.info(`secret '${source.name || source.files[0] || key}' was replaced`);
    this.version++;
    l.plan = plan; l.packed = packed; l.sealed = seal(this.env.key, packed);
    return [{ kind: 'secret', name: key, body: l.sealed }];
  }

  private watch(l: Live): void {
    const wanted = new Set(l.source.files);
    for (const [file, w] of l.watchers) if (!wanted.has(file)) { w(); l.watchers.delete(file); }
    for (const file of wanted) if (!l.watchers.has(file)) l.watchers.set(file, this.env.watch(file, () => this.changed(l, file)));
  }

  private changed(l: Live, file: string): void {
    const records = this.load(l, l.source.discovery?.files.includes(file) === false ? 'rotation' : 'update');
    if (records.length > 0) this.env.emit(records);
  }

  /** For /certs. Keys are not in it. */
  describe(): SecretInfo[] {
    return [...this.live.values()].flatMap((l): SecretInfo[] => {
      if (l.plan === null) return [];
      const read = (pem: string, path: string): CertificateInfo[] => (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((c) => ({ path, certificate: new X509Certificate(c) }));
      const base = { name: l.source.key, resource: l.source.name, kind: l.source.kind };
      if (l.plan.kind === 'certificate') return [{ ...base, ca: [], chain: read(l.plan.chain, l.source.paths['chain'] ?? ''), staple: l.plan.ocsp?.fault === '' ? l.plan.ocsp : null }];
      if (l.plan.kind === 'validation') { const { ca, spiffe } = l.plan.validation; return [{ ...base, ca: read(spiffe === null ? ca : spiffe.map((b) => b.ca).join(''), l.source.paths['ca'] ?? ''), chain: [], staple: null }]; }
      return [];
    });
  }

  close(): void { for (const l of this.live.values()) l.end(); this.live.clear(); }
}
