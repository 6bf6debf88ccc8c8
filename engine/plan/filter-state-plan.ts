// Filter state values that configuration sets (set_filter_state of connections and of requests).
import type { FormatPlan } from '../observe/format/formatter.ts';

export interface FilterStateValuePlan { readonly key: string; readonly format: FormatPlan; /** What stands for an absent value: '' with omit_empty_values, else '-'. */ readonly empty: string; readonly skipIfEmpty: boolean; /** shared_with_upstream: internal listeners are given it. */ readonly shared: 'NONE' | 'ONCE' | 'TRANSITIVE' }

export interface SetFilterStatePlan { readonly onConnection: readonly FilterStateValuePlan[]; readonly onData: readonly FilterStateValuePlan[]; readonly onSecured: readonly FilterStateValuePlan[] }
