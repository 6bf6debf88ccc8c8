// Counters of one RBAC filter: of the rules and of the shadow rules, each under a prefix of its own, and of single policies where they are wanted.
import { RBAC, RBAC_POLICY, RBAC_POLICY_SCHEMA, RBAC_SCHEMA, RBAC_SHADOW, RBAC_SHADOW_SCHEMA, rbacScope } from '../../observe/stats/l4-schemas.ts';
import { StatBlock, type StatStore } from '../../observe/stats/stat-block.ts';
import type { RbacDecision } from './rbac-engine.ts';

export class RbacStats {
  private readonly rules: StatBlock;
  private readonly shadow: StatBlock;
  private readonly policies: Map<string, StatBlock> | null;
  private readonly store: StatStore;
  private readonly prefix: string;

  /** `prefix`: the filter's, before 'rbac'. */
  constructor(store: StatStore, prefix: string, rulesPrefix: string, shadowPrefix: string, perRule: boolean) {
    this.store = store;
    this.prefix = prefix;
    this.rules = new StatBlock(store, RBAC_SCHEMA, rbacScope(prefix, 'rbac', rulesPrefix));
    this.shadow = new StatBlock(store, RBAC_SHADOW_SCHEMA, rbacScope(prefix, 'rbac', shadowPrefix));
    this.rules.touch(); this.shadow.touch();
    this.policies = perRule ? new Map() : null;
  }

  enforced(d: RbacDecision): void {
    this.rules.inc(d.allowed ? RBAC.allowed : RBAC.denied);
    if (this.policies !== null && d.policy !== '') this.policy(d.policy).inc(d.allowed ? RBAC_POLICY.allowed : RBAC_POLICY.denied);
  }
  shadowed(d: RbacDecision): void {
    this.shadow.inc(d.allowed ? RBAC_SHADOW.shadow_allowed : RBAC_SHADOW.shadow_denied);
    if (this.policies !== null && d.policy !== '') this.policy(d.policy).inc(d.allowed ? RBAC_POLICY.shadow_allowed : RBAC_POLICY.shadow_denied);
  }

  /** Policies are few and of the configuration. */
  private policy(name: string): StatBlock {
    let b = this.policies!.get(name);
    if (b === undefined) { b = new StatBlock(this.store, RBAC_POLICY_SCHEMA, rbacScope(this.prefix, 'rbac.policy', name)); this.policies!.set(name, b); }
    return b;
  }
}
