// The names among one cluster's endpoints: resolved again and again, as Envoy's STRICT_DNS and LOGICAL_DNS clusters do. Control thread.
import type { Random } from '../../loop/random.ts';
import type { CompiledCluster } from '../../upstream/config.ts';
import { DnsBackoff } from '../dns/backoff.ts';
import type { NameResolver } from '../dns/resolver.ts';

export interface ClusterNamesEnv {
  after(ms: number, task: () => void): () => void;
  readonly resolver: NameResolver; readonly random: Random;
  /** Adds one to a counter of the cluster. */
  count(what: 'update_attempt' | 'update_success' | 'update_failure' | 'update_no_rebuild'): void;
  /** Addresses are others than before. */
  changed(): void;
  /** Every name has been asked for once. */
  settled(): void;
}

export class ClusterNames {
  private readonly of: CompiledCluster;
  private readonly env: ClusterNamesEnv;
  private readonly backoff: DnsBackoff;
  /** By place among the endpoints. */
  private readonly resolved = new Map<number, readonly string[]>();
  private readonly cancels = new Map<number, () => void>();
  private waiting = 0;
  private closed = false;

  /** `before`: those of the cluster as it was; a name that stays has its addresses meanwhile. */
  constructor(of: CompiledCluster, before: ClusterNames | null, env: ClusterNamesEnv) {
    this.of = of; this.env = env; this.backoff = new DnsBackoff(of.dns, env.random);
    of.endpoints.forEach((_, i) => { const known = before?.known(this.name(i)); if (known !== undefined) this.resolved.set(i, known); });
  }

  get busy(): boolean { return this.waiting > 0; }
  addresses(i: number): readonly string[] { return this.resolved.get(i) ?? []; }
  close(): void { this.closed = true; for (const cancel of this.cancels.values()) cancel(); }

  start(): void {
    const all = this.of.endpoints.map((_, i) => i).filter((i) => this.name(i) !== '');
    this.waiting = all.length;
    for (const i of all) this.ask(i, true);
  }

  private name(i: number): string { const { address } = this.of.endpoints[i]!; return address.kind === 'ip' ? address.ip : ''; }
  private known(name: string): readonly string[] | undefined {
    for (const [i, addresses] of this.resolved) if (name !== '' && this.name(i) === name) return addresses;
    return undefined;
  }

  private ask(i: number, first: boolean): void {
    const { env } = this, { dns, discovery } = this.of;
    env.count('update_attempt');
    void env.resolver.resolve(this.name(i), dns).then((r) => {
      if (this.closed) return;
      const addresses = r.ok ? r.addresses : [];
      // A name with no addresses leaves a STRICT_DNS cluster without hosts; a LOGICAL_DNS one keeps the address it had.
      const good = r.ok || (r.empty && discovery === 'strict-dns');
      const next = good ? this.refresh(r.ok ? r.ttlMs : -1) : this.backoff.next();
      env.count(good ? 'update_success' : 'update_failure');
      if (good) this.take(i, addresses);
      if (first && --this.waiting === 0) env.settled();
      this.cancels.set(i, env.after(next, () => this.ask(i, false)));
    });
  }

  private refresh(ttlMs: number): number {
    const { dns } = this.of;
    this.backoff.reset();
    return (dns.respectTtl && ttlMs > 0 ? ttlMs : dns.refreshMs) + Math.floor(this.env.random.unit() * dns.jitterMs);
  }

  private take(i: number, addresses: readonly string[]): void {
    const before = this.resolved.get(i), inOrder = this.of.discovery === 'logical-dns';
    if (before !== undefined && before.length === addresses.length && addresses.every((a, n) => (inOrder ? before[n] === a : before.includes(a)))) { this.env.count('update_no_rebuild'); return; }
    this.resolved.set(i, addresses);
    this.env.changed();
  }
}
