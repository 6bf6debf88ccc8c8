// How one host is taken of a list: round robin, least request, random, pick first (Envoy's policies of these names; pick_first, which it declares but has not, as gRFC A62). One picker for each list of hosts.
import { hashed, xxHash64 } from '../../base/xxhash64.ts';
import type { Random } from '../../loop/random.ts';
import { runtimeNumber, type RuntimeCell } from '../../loop/runtime.ts';
import type { HostTable } from '../../shm/host-table.ts';
import type { Host, PickContext } from '../upstream.ts';
import { EdfSchedule } from './edf.ts';
import type { SlowStart } from './slow-start.ts';

/** `attempt` > 0: the host picked before was refused by the context; consistent hashing must go on from there. */
export interface Picker { pick(ctx: PickContext, attempt: number): Host | null }

const ownWeight = (h: Host): number => h.weight;

/** A schedule where weights differ or grow, begun at a random host so that not all workers begin with the same; null: plain turns do. */
function scheduleOf(hosts: readonly Host[], random: Random, slow: SlowStart | null, weightOf: (h: Host) => number, weight = ownWeight): EdfSchedule<Host> | null {
  if (hosts.length <= 1 || (hosts.every((h) => weight(h) === weight(hosts[0]!)) && (slow === null || !slow.anyWithin(hosts)))) return null;
  const schedule = new EdfSchedule(weightOf);
  for (const h of hosts) schedule.add(h);
  for (let i = random.u32() % hosts.length; i > 0; i--) schedule.next();
  return schedule;
}

export class RoundRobin implements Picker {
  private readonly hosts: readonly Host[];
  private readonly schedule: EdfSchedule<Host> | null;
  private at: number;
  /** `weight`: of a host, in place of the configured one. */
  constructor(hosts: readonly Host[], random: Random, slow: SlowStart | null, weight: (h: Host) => number = ownWeight) {
    this.hosts = hosts;
    this.at = hosts.length === 0 ? 0 : random.u32() % hosts.length;
    this.schedule = scheduleOf(hosts, random, slow, slow === null ? weight : (h) => weight(h) * slow.factor(h), weight);
  }
  pick(): Host | null {
    if (this.schedule !== null) return this.schedule.next()!;
    if (this.hosts.length === 0) return null;
    if (this.at >= this.hosts.length) this.at = 0;
    return this.hosts[this.at++]!;
  }
}

/** Envoy: weight / (active + 1)^bias. */
function biased(weight: number, active: number, bias: number): number { return bias === 1 ? weight / (active + 1) : bias === 0 ? weight : weight / (active + 1) ** bias; }

/** Sees the active requests of the whole process (host table). */
export class LeastRequest implements Picker {
  private readonly hosts: readonly Host[]; private readonly table: HostTable; private readonly random: Random; private readonly choices: number; private readonly fullScan: boolean;
  private readonly schedule: EdfSchedule<Host> | null;
  constructor(hosts: readonly Host[], table: HostTable, random: Random, slow: SlowStart | null, o: { readonly choices: number; readonly fullScan: boolean; readonly bias: RuntimeCell | null; readonly defaultBias: number }) {
    this.hosts = hosts; this.table = table; this.random = random; this.choices = o.choices; this.fullScan = o.fullScan;
    // The runtime's bias is latched when the hosts change, as in Envoy.
    const bias = o.bias === null ? o.defaultBias : Math.max(0, runtimeNumber(o.bias, o.defaultBias));
    this.schedule = scheduleOf(hosts, random, slow, (h) => biased(h.weight, table.active(h.index), bias) * (slow === null ? 1 : slow.factor(h)));
  }
  pick(): Host | null {
    if (this.schedule !== null) return this.schedule.next()!;
    const { hosts, table, random } = this, n = hosts.length;
    if (n === 0) return null;
    if (this.fullScan) return this.scan();
    let best = hosts[random.u32() % n]!, least = table.active(best.index);
    for (let i = 1; i < this.choices; i++) {
      const other = hosts[random.u32() % n]!, active = table.active(other.index);
      if (active < least) { best = other; least = active; }
    }
    return best;
  }
  /** The least of all; among equal ones each has the same chance. */
  private scan(): Host {
    const { hosts, table } = this;
    let best = hosts[0]!, least = table.active(best.index), ties = 1;
    for (let i = 1; i < hosts.length; i++) {
      const other = hosts[i]!, active = table.active(other.index);
      if (active < least) { best = other; least = active; ties = 1; } else if (active === least && this.random.u32() % ++ties === 0) best = other;
    }
    return best;
  }
}

export class RandomPick implements Picker {
  private readonly hosts: readonly Host[]; private readonly random: Random;
  constructor(hosts: readonly Host[], random: Random) { this.hosts = hosts; this.random = random; }
  pick(): Host | null { return this.hosts.length === 0 ? null : this.hosts[this.random.u32() % this.hosts.length]!; }
}

let shuffleSeed = -1;
/** Where a host stands in this worker's shuffled order: the same whenever a list is made anew, so that a chosen host stays chosen. */
function shuffleRank(h: Host, random: Random): number {
  if (shuffleSeed < 0) shuffleSeed = random.u32();
  xxHash64(`${shuffleSeed} ${h.text}`);
  return hashed.high >>> 0;
}

/** The first of the hosts that are well takes everything, the next one when it is not or was refused. `shuffle`: they stand in an order of this worker's own. */
export class PickFirst implements Picker {
  private readonly hosts: readonly Host[];
  constructor(hosts: readonly Host[], shuffle: Random | null) { this.hosts = shuffle === null ? hosts : [...hosts].sort((a, b) => shuffleRank(a, shuffle) - shuffleRank(b, shuffle)); }
  pick(_ctx: PickContext, attempt: number): Host | null { const { hosts } = this; return hosts[Math.min(attempt, hosts.length - 1)] ?? null; }
}
