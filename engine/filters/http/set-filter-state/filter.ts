// The set_filter_state filter (Envoy: SetFilterState): values made of formats, under keys that other filters, matchers and logs read.
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import type { Clock } from '../../../loop/clock.ts';
import { FilterStateValues } from '../../../observe/filter-state/filter-state.ts';
import type { OperatorEnv } from '../../../observe/format/operators.ts';
import type { HttpFilterStatePlan } from '../../../plan/http-filter-plans.ts';

interface State { readonly values: FilterStateValues; readonly clearRoute: boolean }

export class HttpSetFilterStateFactory implements HttpFilterFactory, HttpFilter {
  readonly name: string;
  private readonly index: number;
  private readonly env: OperatorEnv;
  private readonly clock: Clock;
  private readonly base: State;
  constructor(name: string, index: number, plan: HttpFilterStatePlan, env: OperatorEnv, clock: Clock) {
    this.name = name; this.index = index; this.env = env; this.clock = clock;
    this.base = this.routeConfig(plan);
  }
  /** Nothing is kept for a stream. */
  create(): HttpFilter { return this; }
  routeConfig(plan: unknown): State { const p = plan as HttpFilterStatePlan; return { values: new FilterStateValues(p.values, this.env, this.clock), clearRoute: p.clearRoute }; }

  onRequestHeaders(s: StreamView): Verdict {
    const state = (s.routeConfig(this.index) as State | undefined) ?? this.base;
    state.values.apply(s.facts, s.facts);
    if (state.clearRoute) s.clearRoute();
    return 'next';
  }
}
