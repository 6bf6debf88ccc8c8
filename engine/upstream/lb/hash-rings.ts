// Consistent hashing (Envoy: RING_HASH, MAGLEV): the same key to the same host, in every worker and every run, placed exactly as Envoy places it.
import { hashed, xxHash64 } from '../../base/xxhash64.ts';
import type { Random } from '../../loop/random.ts';
import type { HostTable } from '../../shm/host-table.ts';
import type { Host, PickContext } from '../upstream.ts';
import type { Picker } from './pickers.ts';

/** What a host is hashed by: its hash_key metadata, else hostname or address. */
function keyOf(host: Host, byHostname: boolean): string {
  const lb = host.metadata?.['envoy.lb'] as { hash_key?: unknown } | undefined;
  return typeof lb?.hash_key === 'string' ? lb.hash_key : byHostname ? host.hostname : host.text;
}

function normalized(hosts: readonly Host[]): { readonly host: Host; readonly weight: number }[] {
  const total = hosts.reduce((n, h) => n + h.weight, 0);
  return hosts.map((host) => ({ host, weight: host.weight / total }));
}

abstract class Hashed implements Picker {
  private readonly random: Random; private readonly table: HostTable; private readonly factor: number; private readonly count: number;
  constructor(random: Random, table: HostTable, factor: number, count: number) { this.random = random; this.table = table; this.factor = factor; this.count = count; }
  pick(ctx: PickContext): Host | null {
    if (this.count === 0) return null;
    const high = ctx.hasHash ? ctx.hashHigh : this.random.u32(), low = ctx.hasHash ? ctx.hashLow : this.random.u32();
    let host = this.at(high, low, 0);
    for (let attempt = 1; host !== null && this.factor > 0 && attempt < this.count && this.overloaded(host); attempt++) host = this.at(high, low, attempt);
    return host;
  }
  /** Bounded load: more than factor percent of the average. */
  private overloaded(host: Host): boolean { return this.table.active(host.index) > Math.ceil(((this.active() + 1) * this.factor) / 100 / this.count); }
  protected abstract at(high: number, low: number, attempt: number): Host | null;
  protected abstract active(): number;
}

export class RingHash extends Hashed {
  private readonly highs: Uint32Array; private readonly lows: Uint32Array; private readonly hosts: Host[];
  private readonly all: readonly Host[]; private readonly loads: HostTable;
  constructor(hosts: readonly Host[], random: Random, table: HostTable, plan: { readonly minRing: number; readonly maxRing: number; readonly byHostname: boolean; readonly balanceFactor: number }) {
    super(random, table, plan.balanceFactor, hosts.length);
    this.all = hosts; this.loads = table;
    const weights = normalized(hosts);
    const least = Math.min(1, ...weights.map((w) => w.weight));
    const scale = Math.min(Math.ceil(least * plan.minRing) / least, plan.maxRing);
    const entries: { high: number; low: number; host: Host }[] = [];
    let current = 0, target = 0;
    for (const { host, weight } of weights) {
      const key = keyOf(host, plan.byHostname);
      target += scale * weight;
      for (let i = 0; current < target; i++, current++) { xxHash64(`${key}_${i}`); entries.push({ high: hashed.high, low: hashed.low, host }); }
    }
    entries.sort((a, b) => a.high - b.high || a.low - b.low);
    this.highs = Uint32Array.from(entries, (e) => e.high);
    this.lows = Uint32Array.from(entries, (e) => e.low);
    this.hosts = entries.map((e) => e.host);
  }
  protected at(high: number, low: number, attempt: number): Host | null {
    const n = this.hosts.length;
    if (n === 0) return null;
    let from = 0, to = n;
    while (from < to) { const mid = (from + to) >> 1; if (this.highs[mid]! < high || (this.highs[mid] === high && this.lows[mid]! < low)) from = mid + 1; else to = mid; }
    return this.hosts[(from + attempt) % n]!;
  }
  protected active(): number { return this.all.reduce((n, h) => n + this.loads.active(h.index), 0); }
}

export class Maglev extends Hashed {
  private readonly slots: (Host | null)[]; private readonly all: readonly Host[]; private readonly loads: HostTable;
  constructor(hosts: readonly Host[], random: Random, table: HostTable, plan: { readonly tableSize: number; readonly byHostname: boolean; readonly balanceFactor: number }) {
    super(random, table, plan.balanceFactor, hosts.length);
    this.all = hosts; this.loads = table;
    const size = plan.tableSize;
    const most = Math.max(0, ...hosts.map((h) => h.weight / hosts.reduce((n, x) => n + x.weight, 0)));
    const builders = normalized(hosts).map(({ host, weight }) => {
      const key = keyOf(host, plan.byHostname);
      xxHash64(key);
      const offset = Number(((BigInt(hashed.high) << 32n) | BigInt(hashed.low)) % BigInt(size));
      xxHash64(key, 0, 1);
      const skip = Number(((BigInt(hashed.high) << 32n) | BigInt(hashed.low)) % BigInt(size - 1)) + 1;
      return { host, weight, at: offset, skip, target: 0 };
    });
    const filled = this.slots = new Array<Host | null>(size).fill(null);
    let placed = 0;
    for (let turn = 1; placed < size && builders.length > 0; turn++) {
      for (const b of builders) {
        if (placed >= size) break;
        // A host skips turns as its weight is below the largest.
        if (turn * b.weight < b.target) continue;
        b.target += most;
        while (filled[b.at] !== null) b.at = (b.at + b.skip) % size;
        filled[b.at] = b.host;
        b.at = (b.at + b.skip) % size;
        placed++;
      }
    }
  }
  protected at(high: number, low: number, attempt: number): Host | null {
    let h = (BigInt(high) << 32n) | BigInt(low);
    if (attempt > 0) h ^= 0xffffffffffffffffn - BigInt(attempt) + 1n;
    return this.slots[Number(h % BigInt(this.slots.length))]!;
  }
  protected active(): number { return this.all.reduce((n, h) => n + this.loads.active(h.index), 0); }
}
