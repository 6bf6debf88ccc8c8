// Bounded load over consistent hashing (Envoy: hash_balance_factor): a host above its share of the requests of the cluster is passed over for another one, found by
// a walk that the key alone decides, so that a key's second choice is always the same (arXiv 1608.01350, 1908.08762).
import type { HostTable } from '../../shm/host-table.ts';
import type { Host } from '../upstream.ts';
import type { HashWeight } from './hash-weights.ts';
import { MersenneTwister } from './mersenne-twister.ts';

const twister = new MersenneTwister();

export class BoundedLoad {
  private readonly table: HostTable;
  /** Percent of the average that one host may take. */
  private readonly factor: number;
  private readonly hosts: readonly Host[];
  private readonly weights = new Map<Host, number>();
  private readonly walk: Uint32Array;
  constructor(list: readonly HashWeight[], table: HostTable, factor: number) {
    this.table = table; this.factor = factor;
    this.hosts = list.map((e) => e.host);
    for (const e of list) this.weights.set(e.host, e.weight);
    this.walk = new Uint32Array(list.length);
  }

  /** `host`, or the one in its place while it is overloaded; the least overloaded one when all are. `seed` is the low word of the hash. */
  choose(host: Host, seed: number): Host {
    const { hosts, walk, table } = this, n = hosts.length;
    let active = 0;
    for (let i = 0; i < n; i++) active += table.active(hosts[i]!.index);
    const slots = Math.floor(((active + 1) * this.factor + 99) / 100);
    let least = this.overload(host, slots), best = host;
    if (least <= 1) return host;
    for (let i = 0; i < n; i++) walk[i] = i;
    twister.seed(seed);
    for (let i = 0; i < n; i++) {
      const j = i + twister.below(n - i), k = walk[j]!;
      walk[j] = walk[i]!; walk[i] = k;
      const other = hosts[k]!;
      if (other === host) continue;
      const overload = this.overload(other, slots);
      if (overload <= 1) return other;
      if (overload < least) { best = other; least = overload; }
    }
    return best;
  }

  private overload(host: Host, slots: number): number { return this.table.active(host.index) / Math.max(1, Math.ceil(slots * this.weights.get(host)!)); }
}
