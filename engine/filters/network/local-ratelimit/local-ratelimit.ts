// local_ratelimit for connections: each new one takes a token of a bucket that all workers share; without one it is closed. As a network filter, and as a listener
// filter (before a filter chain is chosen).
import { runtimeFlag, type RuntimeCell } from '../../../loop/runtime.ts';
import type { NetworkFilter, NetworkFilterFactory, NetworkVerdict, DownstreamConnection } from '../../../net/connection.ts';
import type { ListenerFilter, ListenerFilterFactory, ListenerVerdict, PendingConnection } from '../../../net/listener-filter.ts';
import { TokenBucket, type ProcessLimits } from '../../../net/shared-limits.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { RATE_LIMITED_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { StatBlock } from '../../../observe/stats/stat-block.ts';
import type { ConnectionRateLimitPlan } from '../../../plan/network-filter-plan.ts';

class ConnectionRate {
  private readonly bucket: TokenBucket;
  private readonly stats: StatBlock;
  private readonly env: WorkerEnv;
  private readonly enabled: RuntimeCell;
  private readonly plan: ConnectionRateLimitPlan;

  constructor(plan: ConnectionRateLimitPlan, env: WorkerEnv, limits: ProcessLimits, scope: string, owner: string) {
    this.plan = plan; this.env = env;
    this.bucket = new TokenBucket(plan.bucket, limits, plan.shareKey === '' ? `${owner} ${plan.statPrefix}` : `shared ${plan.shareKey}`);
    this.stats = new StatBlock(env.stats, RATE_LIMITED_SCHEMA, `${scope}.${plan.statPrefix}`);
    this.enabled = plan.enabled.key === '' ? { value: undefined } : env.runtime.cell(plan.enabled.key);
  }

  /** Whether one more connection may come in. */
  admit(): boolean {
    if (!runtimeFlag(this.enabled, this.plan.enabled.on) || this.bucket.take(1, this.env.clock.wallMs())) return true;
    this.stats.inc(0);
    return false;
  }
}

/** Both ask once per connection and keep nothing of it, so one object serves all. */
export class NetworkLocalRateLimitFactory implements NetworkFilterFactory {
  readonly terminal = false;
  private readonly rate: ConnectionRate;
  constructor(plan: ConnectionRateLimitPlan, env: WorkerEnv, limits: ProcessLimits, listener: string) { this.rate = new ConnectionRate(plan, env, limits, 'local_rate_limit', `network ${listener}`); }
  create(connection: DownstreamConnection): NetworkFilter {
    return { onConnection: (): NetworkVerdict => { if (this.rate.admit()) return 'next'; connection.facts.terminationDetails ||= 'local_ratelimit_close'; return 'close'; } };
  }
}

export class ListenerLocalRateLimitFactory implements ListenerFilterFactory, ListenerFilter {
  private readonly rate: ConnectionRate;
  constructor(plan: ConnectionRateLimitPlan, env: WorkerEnv, limits: ProcessLimits, listener: string) { this.rate = new ConnectionRate(plan, env, limits, 'listener_local_ratelimit', `listener ${listener}`); }
  create(_connection: PendingConnection): ListenerFilter { return this; }
  onAccept(): ListenerVerdict { return this.rate.admit() ? 'next' : 'close'; }
}
