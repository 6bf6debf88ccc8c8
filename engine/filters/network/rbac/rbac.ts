// rbac for connections: decides when the first bytes come (by then the server name and the client certificate are known), or at each if it is to.
import type { Timer } from '../../../loop/timer-wheel.ts';
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory, NetworkVerdict } from '../../../net/connection.ts';
import { deniedDetails, RbacEngine } from '../../../net/rbac/rbac-engine.ts';
import { RbacStats } from '../../../net/rbac/rbac-stats.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { setStreamMetadata } from '../../../observe/stream-facts.ts';
import type { NetworkRbacPlan } from '../../../plan/rbac-plan.ts';

const NAMESPACE = 'envoy.filters.network.rbac';

class NetworkRbac implements NetworkFilter {
  private readonly shared: NetworkRbacFactory;
  private readonly connection: DownstreamConnection;
  private state: 'fresh' | 'passed' | 'denied' = 'fresh';
  private delay: Timer | null = null;
  constructor(shared: NetworkRbacFactory, connection: DownstreamConnection) { this.shared = shared; this.connection = connection; }

  onData(): NetworkVerdict {
    if (this.state === 'passed' && !this.shared.plan.continuous) return 'next';
    const { plan, rules, shadow, stats } = this.shared, { stream, facts, env } = this.connection;
    if (shadow !== null) {
      const d = shadow.decide(stream);
      stats.shadowed(d);
      setStreamMetadata(stream, NAMESPACE, { ...(d.policy === '' ? {} : { [`${plan.shadowPrefix}shadow_effective_policy_id`]: d.policy }), [`${plan.shadowPrefix}shadow_engine_result`]: d.allowed ? 'allowed' : 'denied' });
    }
    const d = rules?.decide(stream) ?? null;
    if (d !== null) stats.enforced(d);
    if (d !== null && d.logHint !== null) setStreamMetadata(stream, 'envoy.common', { access_log_hint: d.logHint });
    if (d === null || d.allowed) { this.state = 'passed'; return 'next'; }
    if (facts.terminationDetails === '') facts.terminationDetails = deniedDetails(d.policy);
    if (plan.delayDenyMs === 0) return 'close';
    this.state = 'denied';
    this.delay = env.wheel.after(plan.delayDenyMs, () => this.connection.close('now'));
    return 'stop';
  }

  onClose(): void { if (this.delay !== null) this.connection.env.wheel.cancel(this.delay); }
}

export class NetworkRbacFactory implements NetworkFilterFactory {
  readonly terminal = false;
  readonly plan: NetworkRbacPlan;
  readonly rules: RbacEngine | null;
  readonly shadow: RbacEngine | null;
  readonly stats: RbacStats;
  constructor(plan: NetworkRbacPlan, env: WorkerEnv) {
    this.plan = plan;
    this.rules = plan.rules === null ? null : new RbacEngine(plan.rules);
    this.shadow = plan.shadow === null ? null : new RbacEngine(plan.shadow);
    this.stats = new RbacStats(env.stats, plan.statPrefix, '', plan.shadowPrefix, false);
  }
  create(connection: DownstreamConnection): NetworkFilter { return new NetworkRbac(this, connection); }
}
