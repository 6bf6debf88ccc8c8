// envoy.resource_limits.listener.NAME.connection_limit: so many connections of a listener at a time, in all workers together and whatever version of it they began with. A
// listener that never had a limit counts nothing here.
import { runtimeNumber, type RuntimeCell } from '../loop/runtime.ts';
import type { StatStore } from '../observe/stats/stat-block.ts';
import { SharedHold, type ProcessLimits } from './shared-limits.ts';

export class ListenerLimit {
  private readonly name: string;
  private readonly cell: RuntimeCell;
  private readonly limits: ProcessLimits;
  private readonly stats: StatStore;
  private hold: SharedHold | null = null;
  /** Connections of this worker. */
  private open = 0;
  constructor(name: string, cell: RuntimeCell, limits: ProcessLimits, stats: StatStore) { this.name = name; this.cell = cell; this.limits = limits; this.stats = stats; }

  /** One more connection; false: the limit is reached. */
  admits(): boolean {
    const { hold } = this;
    if (hold === null && this.cell.value === undefined) { this.open++; return true; }
    if (!(hold ?? this.begin()).tryHold(runtimeNumber(this.cell, Infinity), this.open)) return false;
    this.open++;
    return true;
  }
  /** One more that is here already, whatever the limit: another listener has handed it over. */
  takes(): void { this.hold?.tryHold(Infinity, this.open); this.open++; }
  release(): void { this.open--; this.hold?.release(); }

  /** A limit is set: what is open counts. */
  private begin(): SharedHold {
    const hold = this.hold = new SharedHold(this.limits, this.stats, `listener ${this.name}`);
    for (let i = 0; i < this.open; i++) hold.tryHold(Infinity, 0);
    return hold;
  }
}
