// connection_limit: so many connections through this filter at once, counted over all workers; those beyond are closed, at once or after a delay.
import { runtimeFlag, type RuntimeCell } from '../../../loop/runtime.ts';
import type { Timer } from '../../../loop/timer-wheel.ts';
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory, NetworkVerdict } from '../../../net/connection.ts';
import { SharedHold, type ProcessLimits } from '../../../net/shared-limits.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { CONNECTION_LIMIT, CONNECTION_LIMIT_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { StatBlock } from '../../../observe/stats/stat-block.ts';
import type { ConnectionLimitPlan } from '../../../plan/network-filter-plan.ts';

class ConnectionLimit implements NetworkFilter {
  private readonly shared: ConnectionLimitFactory;
  private readonly connection: DownstreamConnection;
  private counted = false;
  private delay: Timer | null = null;
  constructor(shared: ConnectionLimitFactory, connection: DownstreamConnection) { this.shared = shared; this.connection = connection; }

  onConnection(): NetworkVerdict {
    const { shared, connection } = this, { plan, stats } = shared;
    if (!shared.on) return 'next';
    if (shared.tryHold()) { this.counted = true; stats.inc(CONNECTION_LIMIT.active_connections); return 'next'; }
    stats.inc(CONNECTION_LIMIT.limited_connections);
    if (plan.delayMs === 0) { connection.facts.terminationDetails ||= 'over_connection_limit'; return 'close'; }
    this.delay = connection.env.wheel.after(plan.delayMs, () => connection.close('now', 'over_connection_limit'));
    return 'stop';
  }

  onClose(): void {
    if (this.delay !== null) this.connection.env.wheel.cancel(this.delay);
    if (!this.counted) return;
    this.counted = false;
    this.shared.release();
    this.shared.stats.dec(CONNECTION_LIMIT.active_connections);
  }
}

export class ConnectionLimitFactory implements NetworkFilterFactory {
  readonly terminal = false;
  readonly plan: ConnectionLimitPlan;
  readonly stats: StatBlock;
  private readonly hold: SharedHold;
  private readonly enabled: RuntimeCell;

  constructor(plan: ConnectionLimitPlan, env: WorkerEnv, limits: ProcessLimits, listener: string) {
    this.plan = plan;
    this.stats = new StatBlock(env.stats, CONNECTION_LIMIT_SCHEMA, `connection_limit.${plan.statPrefix}`);
    this.hold = new SharedHold(limits, env.stats, `connections ${listener} ${plan.statPrefix}`);
    this.enabled = plan.enabled.key === '' ? { value: undefined } : env.runtime.cell(plan.enabled.key);
  }

  get on(): boolean { return runtimeFlag(this.enabled, this.plan.enabled.on); }
  tryHold(): boolean { return this.hold.tryHold(this.plan.maxConnections, this.stats.own(CONNECTION_LIMIT.active_connections)); }
  release(): void { this.hold.release(); }

  create(connection: DownstreamConnection): NetworkFilter { return new ConnectionLimit(this, connection); }
}
