// connection_limit: so many connections through this filter at once, counted over all workers; those beyond are closed, at once or after a delay.
import { runtimeFlag, type RuntimeCell } from '../../../loop/runtime.ts';
import type { Timer } from '../../../loop/timer-wheel.ts';
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory, NetworkVerdict } from '../../../net/connection.ts';
import type { ProcessLimits } from '../../../net/shared-limits.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { CONNECTION_LIMIT, CONNECTION_LIMIT_SCHEMA, LIMIT_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
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
  private readonly limits: ProcessLimits;
  private readonly record: number;
  /** What this worker holds: given back if it dies. */
  private readonly own: StatBlock;
  private readonly enabled: RuntimeCell;

  constructor(plan: ConnectionLimitPlan, env: WorkerEnv, limits: ProcessLimits, listener: string) {
    this.plan = plan; this.limits = limits;
    this.stats = new StatBlock(env.stats, CONNECTION_LIMIT_SCHEMA, `connection_limit.${plan.statPrefix}`);
    this.record = limits.claim(`connections ${listener} ${plan.statPrefix}`);
    this.own = new StatBlock(env.stats, LIMIT_SCHEMA, `limit.${this.record}`);
    this.enabled = plan.enabled.key === '' ? { value: undefined } : env.runtime.cell(plan.enabled.key);
  }

  get on(): boolean { return runtimeFlag(this.enabled, this.plan.enabled.on); }
  tryHold(): boolean {
    // Without a record the limit is this worker's alone.
    if (this.record < 0 ? this.stats.own(CONNECTION_LIMIT.active_connections) >= this.plan.maxConnections : !this.limits.tryHold(this.record, this.plan.maxConnections)) return false;
    if (this.record >= 0) this.own.inc(0);
    return true;
  }
  release(): void { if (this.record < 0) return; this.limits.release(this.record); this.own.dec(0); }

  create(connection: DownstreamConnection): NetworkFilter { return new ConnectionLimit(this, connection); }
}
