// Hosts that come with requests: made when first asked for, let go when none has asked for them over a whole interval. They share one record of the host table.
import { Timer } from '../../loop/timer-wheel.ts';
import { formatAddress, type Address } from '../../net/address.ts';
import type { ClusterEntry } from '../cluster.ts';
import { HostEntry } from '../host-entry.ts';

interface Kept { readonly host: HostEntry; used: boolean }

export class DynamicHosts {
  private readonly entry: ClusterEntry;
  private readonly cleanupMs: number;
  private readonly hosts = new Map<string, Kept>();
  private readonly timer: Timer;
  constructor(entry: ClusterEntry, cleanupMs: number) { this.entry = entry; this.cleanupMs = cleanupMs; this.timer = new Timer(() => this.sweep()); }

  /** The host at an address, under the name that it was asked for by ('' for none). */
  at(address: Address, hostname: string, more?: readonly Address[]): HostEntry {
    const key = hostname === '' ? formatAddress(address) : `${hostname}|${formatAddress(address)}`, { env } = this.entry;
    let kept = this.hosts.get(key);
    if (kept === undefined) {
      const host = new HostEntry({ index: this.entry.plan.hostRecord, address, ...(more === undefined ? {} : { more }), hostname, weight: 1, priority: 0, locality: { region: '', zone: '', subZone: '' }, localityWeight: 0, metadata: null, health: 'UNKNOWN' }, this.entry, env);
      kept = { host, used: true };
      this.hosts.set(key, kept);
      if (!this.timer.armed) env.wheel.arm(this.timer, this.cleanupMs);
    }
    kept.used = true;
    return kept.host;
  }

  get size(): number { return this.hosts.size; }

  private sweep(): void {
    for (const [key, kept] of this.hosts) {
      if (kept.used) { kept.used = false; continue; }
      this.hosts.delete(key);
      kept.host.drain(true);
    }
    if (this.hosts.size > 0) this.entry.env.wheel.arm(this.timer, this.cleanupMs);
  }

  drain(): void {
    this.entry.env.wheel.cancel(this.timer);
    for (const { host } of this.hosts.values()) host.drain(true);
    this.hosts.clear();
  }
}
