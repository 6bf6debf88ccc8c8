// key_log: secrets of sessions for a packet analyser, in the NSS key log format, appended to a file for connections within the given addresses. For debugging: whoever
// can read the file can read the traffic.
import { appendFileSync } from 'node:fs';
import type { KeyLogPlan } from '../../plan/tls-plan.ts';
import { Cidr, inRanges } from '../cidr.ts';
import type { Address } from '../address.ts';

export class KeyLog {
  private readonly path: string;
  private readonly local: readonly Cidr[];
  private readonly remote: readonly Cidr[];
  constructor(plan: KeyLogPlan) {
    this.path = plan.path;
    this.local = plan.local.map((c) => new Cidr(c.ip, c.bits));
    this.remote = plan.remote.map((c) => new Cidr(c.ip, c.bits));
  }

  write(lines: readonly string[], local: Address, remote: Address): void {
    if (!within(this.local, local) || !within(this.remote, remote)) return;
    try { appendFileSync(this.path, lines.map((l) => `${l}\n`).join('')); } catch { /* a log that cannot be written ends no connection */ }
  }
}

const within = (ranges: readonly Cidr[], a: Address): boolean => ranges.length === 0 || (a.kind === 'ip' && inRanges(ranges, a.ip));
