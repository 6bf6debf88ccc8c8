// rbac for requests (Envoy: RoleBasedAccessControlFilter): decides on the headers; a route may have rules of its own, or none.
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { deniedDetails, RbacEngine, type RbacDecision } from '../../../net/rbac/rbac-engine.ts';
import { RbacStats } from '../../../net/rbac/rbac-stats.ts';
import type { StatStore } from '../../../observe/stats/stat-block.ts';
import { setStreamMetadata } from '../../../observe/stream-facts.ts';
import type { RbacPlan } from '../../../plan/rbac-plan.ts';

const NAMESPACE = 'envoy.filters.http.rbac';

interface Engines { readonly plan: RbacPlan; readonly rules: RbacEngine | null; readonly shadow: RbacEngine | null }
const OFF = { plan: null, rules: null, shadow: null };

function makeEngines(plan: RbacPlan): Engines { return { plan, rules: plan.rules === null ? null : new RbacEngine(plan.rules), shadow: plan.shadow === null ? null : new RbacEngine(plan.shadow) }; }

export class HttpRbacFactory implements HttpFilterFactory, HttpFilter {
  readonly name: string;
  private readonly index: number;
  private readonly base: Engines;
  private readonly stats: RbacStats;
  private readonly replies = new Map<string, LocalReply>();

  /** `statPrefix`: 'http.HCM'. */
  constructor(name: string, index: number, plan: RbacPlan, store: StatStore, statPrefix: string) {
    this.name = name; this.index = index;
    this.base = makeEngines(plan);
    this.stats = new RbacStats(store, statPrefix, plan.rulesPrefix, plan.shadowPrefix, plan.perRuleStats);
  }

  /** Nothing is kept for a stream. */
  create(): HttpFilter { return this; }
  routeConfig(plan: unknown): Engines | typeof OFF { const { rbac } = plan as { readonly rbac: RbacPlan | null }; return rbac === null ? OFF : makeEngines(rbac); }

  onRequestHeaders(s: StreamView): Verdict {
    const of = (s.routeConfig(this.index) as Engines | typeof OFF | undefined) ?? this.base;
    if (of.shadow !== null) { const d = of.shadow.decide(s.facts); this.stats.shadowed(d); this.note(s, `${this.base.plan.shadowPrefix}shadow`, d); }
    if (of.rules === null) return 'next';
    const d = of.rules.decide(s.facts);
    this.stats.enforced(d);
    this.note(s, `${this.base.plan.rulesPrefix}enforced`, d);
    if (d.logHint !== null) setStreamMetadata(s.facts, 'envoy.common', { access_log_hint: d.logHint });
    return d.allowed ? 'next' : this.refusal(d.policy);
  }

  private note(s: StreamView, prefix: string, d: RbacDecision): void {
    setStreamMetadata(s.facts, NAMESPACE, { ...(d.policy === '' ? {} : { [`${prefix}_effective_policy_id`]: d.policy }), [`${prefix}_engine_result`]: d.allowed ? 'allowed' : 'denied' });
  }

  /** One object for each policy, of which there are few. */
  private refusal(policy: string): LocalReply {
    let r = this.replies.get(policy);
    if (r === undefined) { r = new LocalReply(403, 'RBAC: access denied', deniedDetails(policy)); this.replies.set(policy, r); }
    return r;
  }
}
