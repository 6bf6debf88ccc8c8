// The header mutations of one level of a route configuration, resolved.
import type { Clock } from '../loop/clock.ts';
import type { Runtime } from '../loop/runtime.ts';
import { HeaderMutations } from '../observe/format/header-mutation.ts';
import type { StatStore } from '../observe/stats/stat-block.ts';
import type { OperatorEnv } from '../observe/format/operators.ts';
import type { LevelPlan } from '../plan/route-plan.ts';

/** What routes are built with. */
export interface RouteEnv {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly operators: OperatorEnv;
  readonly stats: StatStore;
}

export class Level {
  readonly request: HeaderMutations;
  readonly response: HeaderMutations;
  constructor(plan: LevelPlan, env: RouteEnv) {
    this.request = new HeaderMutations(plan.request, env.operators, env.clock);
    this.response = new HeaderMutations(plan.response, env.operators, env.clock);
  }
}
