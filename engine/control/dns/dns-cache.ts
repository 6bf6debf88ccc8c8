// Names that requests bring, resolved once for the whole process: looked up when a worker asks for the first time, refreshed while somebody uses them, forgotten after
// host_ttl. Every result goes to all workers. Control thread.
import type { PlanRecord } from '../../plan/records.ts';
import type { DnsCachePlan } from '../../upstream/kinds/dns-cache-config.ts';
import type { Random } from '../../loop/random.ts';
import { DnsBackoff } from './backoff.ts';
import type { NameResolver, Resolution } from './resolver.ts';

export interface DnsCacheEnv {
  emit(records: readonly PlanRecord[]): void;
  after(ms: number, task: () => void): () => void;
  wallMs(): number;
  readonly resolver: NameResolver; readonly random: Random;
  stat(name: string, kind: 'counter' | 'gauge', change: { readonly set?: number; readonly add?: number }): void;
}

interface Entry { addresses: readonly string[]; error: string; known: boolean; usedMs: number; cancel: () => void; readonly backoff: DnsBackoff }

export class ControlDnsCache {
  readonly plan: DnsCachePlan;
  private readonly env: DnsCacheEnv;
  private readonly entries = new Map<string, Entry>();
  private over = false;
  constructor(plan: DnsCachePlan, env: DnsCacheEnv) { this.plan = plan; this.env = env; for (const host of plan.preresolve) this.wanted(host); this.gauge(); }

  /** A worker wants a name, or uses one still. */
  wanted(host: string): void {
    const known = this.entries.get(host);
    if (known !== undefined) { known.usedMs = this.env.wallMs(); return; }
    if (this.entries.size >= this.plan.maxHosts) { this.count('host_overflow'); this.env.emit([{ kind: 'dns', cache: this.plan.name, host, answer: { addresses: [], error: 'overflow' } }, { kind: 'dns', cache: this.plan.name, host, answer: null }]); return; }
    const entry: Entry = { addresses: [], error: '', known: false, usedMs: this.env.wallMs(), cancel: () => {}, backoff: new DnsBackoff(this.plan.dns, this.env.random) };
    this.entries.set(host, entry);
    this.count('host_added');
    this.gauge();
    this.resolve(host, entry);
  }

  private resolve(host: string, entry: Entry): void {
    const { plan, env } = this;
    let settled = false;
    const settle = (r: Resolution): void => { if (settled || this.over) return; settled = true; stop(); this.resolved(host, entry, r); };
    const stop = plan.queryTimeoutMs > 0 ? env.after(plan.queryTimeoutMs, () => { this.count('dns_query_timeout'); settle({ ok: false, error: 'timeout', empty: false }); }) : () => {};
    this.count('dns_query_attempt');
    void env.resolver.resolve(host, plan.dns).then(settle);
  }

  private resolved(host: string, entry: Entry, r: Resolution): void {
    const { plan, env } = this, { dns } = plan;
    let next = dns.refreshMs;
    if (r.ok) {
      this.count('dns_query_success');
      entry.backoff.reset();
      if (entry.known && entry.addresses.join() !== r.addresses.join()) this.count('host_address_changed');
      entry.addresses = r.addresses;
      entry.error = '';
      if (r.ttlMs >= 0) next = Math.max(plan.minRefreshMs, r.ttlMs);
    } else {
      this.count('dns_query_failure');
      // Addresses that were good stay good until the name resolves anew.
      entry.error = entry.addresses.length > 0 ? '' : r.error;
      next = entry.backoff.next();
    }
    entry.known = true;
    env.emit([this.record(host, entry)]);
    entry.cancel = env.after(next, () => {
      if (env.wallMs() - entry.usedMs < plan.hostTtlMs) { this.resolve(host, entry); return; }
      this.entries.delete(host);
      this.count('host_removed');
      this.gauge();
      env.emit([{ kind: 'dns', cache: plan.name, host, answer: null }]);
    });
  }

  private record(host: string, e: Entry): PlanRecord { return { kind: 'dns', cache: this.plan.name, host, answer: { addresses: e.addresses, error: e.error } }; }
  /** For a worker that starts. */
  records(): PlanRecord[] { return [...this.entries].filter(([, e]) => e.known).map(([host, e]) => this.record(host, e)); }

  close(): void { this.over = true; for (const e of this.entries.values()) e.cancel(); }

  private count(what: string): void { this.env.stat(`dns_cache.${this.plan.name}.${what}`, 'counter', { add: 1 }); }
  private gauge(): void { this.env.stat(`dns_cache.${this.plan.name}.num_hosts`, 'gauge', { set: this.entries.size }); }
}
