// Slow start (Envoy: EdfLoadBalancerBase::applySlowStartFactor): a host that has become healthy within the window counts with a growing part of its weight.
import type { Clock } from '../../loop/clock.ts';
import { RuntimeNumber, type Runtime } from '../../loop/runtime.ts';
import type { SlowStartPlan } from '../../plan/cluster-plan.ts';
import type { HostTable } from '../../shm/host-table.ts';
import type { Host } from '../upstream.ts';

export class SlowStart {
  private readonly plan: SlowStartPlan;
  private readonly table: HostTable;
  private readonly clock: Clock;
  private readonly aggression: RuntimeNumber;
  constructor(plan: SlowStartPlan, table: HostTable, clock: Clock, runtime: Runtime) {
    this.plan = plan; this.table = table; this.clock = clock;
    this.aggression = new RuntimeNumber(plan.aggression, runtime);
  }

  /** Whether any of these is in its window now: then the schedule must look at weights that change. */
  anyWithin(hosts: readonly Host[]): boolean { return hosts.some((h) => this.factor(h) < 1); }

  /** The part of the host's weight that counts, 0 < part ≤ 1. */
  factor(host: Host): number {
    const { windowMs, minPercent } = this.plan, since = this.table.healthySince(host.index);
    if (since === 0) return 1;
    const ms = this.clock.wallMs() - since;
    if (ms >= windowMs) return 1;
    let aggression = this.aggression.now;
    if (!(aggression > 0)) aggression = 1;
    const time = Math.max(1, ms) / windowMs;
    return Math.max(aggression === 1 ? time : time ** (1 / aggression), minPercent / 100);
  }
}
