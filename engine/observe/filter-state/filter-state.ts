// Sets filter state from formats, built once. Connections and streams keep it in a map by key.
import type { Clock } from '../../loop/clock.ts';
import type { FilterStateValuePlan } from '../../plan/filter-state-plan.ts';
import { MutableContext } from '../format/header-mutation.ts';
import type { Formatter } from '../format/formatter.ts';
import { makeFormatter } from '../format/make-formatter.ts';
import type { OperatorEnv } from '../format/operators.ts';
import type { MetadataValue, SharedStateValue, StreamFacts } from '../stream-facts.ts';

export class FilterStateValues {
  private readonly values: readonly { readonly key: string; readonly format: Formatter; readonly empty: string; readonly skipIfEmpty: boolean; readonly shared: FilterStateValuePlan['shared'] }[];
  private readonly clock: Clock;
  private readonly context = new MutableContext();
  constructor(plans: readonly FilterStateValuePlan[], env: OperatorEnv, clock: Clock) { this.values = plans.map((p) => ({ key: p.key, format: makeFormatter(p.format, env), empty: p.empty, skipIfEmpty: p.skipIfEmpty, shared: p.shared })); this.clock = clock; }

  /** Sets them in `into` (the connection's facts, or the stream's), formatted over `facts`. */
  apply(into: { filterState: Map<string, MetadataValue> | null; sharedState: Map<string, SharedStateValue> | null }, facts: StreamFacts): void {
    const context = this.context.set(facts, this.clock);
    for (const v of this.values) {
      const text = v.format.format(context, v.empty);
      if (text === '' && v.skipIfEmpty) continue;
      (into.filterState ??= new Map()).set(v.key, text);
      if (v.shared !== 'NONE') (into.sharedState ??= new Map()).set(v.key, { value: text, transitive: v.shared === 'TRANSITIVE' });
    }
  }
}
