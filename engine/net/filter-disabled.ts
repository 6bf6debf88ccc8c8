// filter_disabled of a listener filter: for which connections it is passed over.
import type { FilterDisabledPlan } from '../plan/listener-plan.ts';
import type { ConnectionFacts } from '../observe/stream-facts.ts';

export type FilterDisabled = (facts: ConnectionFacts) => boolean;

export function makeFilterDisabled(plan: FilterDisabledPlan): FilterDisabled {
  switch (plan.kind) {
    case 'any': return () => true;
    case 'or': { const rules = plan.rules.map(makeFilterDisabled); return (f) => rules.some((r) => r(f)); }
    case 'and': { const rules = plan.rules.map(makeFilterDisabled); return (f) => rules.every((r) => r(f)); }
    case 'not': { const rule = makeFilterDisabled(plan.rule); return (f) => !rule(f); }
    case 'port': return (f) => f.localPort >= plan.from && f.localPort < plan.to;
  }
}
