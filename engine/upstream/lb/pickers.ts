// How one host is taken of a list: round robin, least request, random (Envoy's policies of these names). One picker for each list of hosts.
import type { Random } from '../../loop/random.ts';
import type { HostTable } from '../../shm/host-table.ts';
import type { Host, PickContext } from '../upstream.ts';
import { EdfSchedule } from './edf.ts';

export interface Picker { pick(ctx: PickContext): Host | null }

const equal = (hosts: readonly Host[]): boolean => hosts.every((h) => h.weight === hosts[0]!.weight);

export class RoundRobin implements Picker {
  private readonly hosts: readonly Host[];
  private readonly schedule: EdfSchedule<Host> | null = null;
  private at: number;
  constructor(hosts: readonly Host[], random: Random) {
    this.hosts = hosts;
    // Envoy starts each worker at a random host, so that the first requests of all do not go to one.
    this.at = hosts.length === 0 ? 0 : random.u32() % hosts.length;
    if (hosts.length === 0 || equal(hosts)) return;
    this.schedule = new EdfSchedule();
    for (const h of hosts) this.schedule.add(h, h.weight);
    for (let i = random.u32() % hosts.length; i > 0; i--) this.schedule.next();
  }
  pick(): Host | null {
    if (this.schedule !== null) return this.schedule.next() ?? null;
    if (this.hosts.length === 0) return null;
    if (this.at >= this.hosts.length) this.at = 0;
    return this.hosts[this.at++]!;
  }
}

/** Sees the active requests of the whole process (host table). */
export class LeastRequest implements Picker {
  private readonly hosts: readonly Host[]; private readonly table: HostTable; private readonly random: Random; private readonly choices: number; private readonly bias: number; private readonly weighted: boolean;
  constructor(hosts: readonly Host[], table: HostTable, random: Random, choices: number, bias: number) {
    this.hosts = hosts; this.table = table; this.random = random; this.choices = choices; this.bias = bias;
    this.weighted = hosts.length > 0 && !equal(hosts);
  }
  pick(): Host | null {
    const { hosts } = this;
    if (hosts.length === 0) return null;
    if (this.weighted) return this.byWeight();
    let best = hosts[this.random.u32() % hosts.length]!, least = this.table.active(best.index);
    for (let i = 1; i < this.choices; i++) {
      const other = hosts[this.random.u32() % hosts.length]!, active = this.table.active(other.index);
      if (active < least) { best = other; least = active; }
    }
    return best;
  }
  /** Envoy: weight / (active + 1)^bias decides the share. */
  private byWeight(): Host {
    let total = 0;
    const shares = this.hosts.map((h) => { const s = h.weight / (this.table.active(h.index) + 1) ** this.bias; total += s; return s; });
    let left = this.random.unit() * total;
    for (let i = 0; i < shares.length; i++) { left -= shares[i]!; if (left < 0) return this.hosts[i]!; }
    return this.hosts[this.hosts.length - 1]!;
  }
}

export class RandomPick implements Picker {
  private readonly hosts: readonly Host[]; private readonly random: Random;
  constructor(hosts: readonly Host[], random: Random) { this.hosts = hosts; this.random = random; }
  pick(): Host | null { return this.hosts.length === 0 ? null : this.hosts[this.random.u32() % this.hosts.length]!; }
}
