// Matchers of metadata values (envoy.type.matcher.v3.ValueMatcher), built once.
import { makeStringMatcher } from '../../headers/string-matcher.ts';
import type { ValueMatchPlan } from '../../plan/match-plan.ts';

export function makeValueMatcher(plan: ValueMatchPlan): (value: unknown) => boolean {
  switch (plan.kind) {
    case 'null': return (v) => v === null;
    case 'present': return (v) => (v !== undefined) === plan.present;
    case 'bool': case 'exact': return (v) => v === plan.value;
    case 'range': return (v) => typeof v === 'number' && v >= plan.from && v < plan.to;
    case 'string': { const m = makeStringMatcher(plan.string); return (v) => typeof v === 'string' && m.matches(v); }
    case 'list': { const one = makeValueMatcher(plan.one); return (v) => Array.isArray(v) && v.some(one); }
    case 'or': { const of = plan.of.map(makeValueMatcher); return (v) => of.some((m) => m(v)); }
  }
}

/** The value at a path of keys below one namespace; undefined where there is none. */
export function valueAt(metadata: ReadonlyMap<string, unknown> | null, namespace: string, path: readonly string[]): unknown {
  return below(metadata?.get(namespace), path);
}

/** The value at a path of keys below `at`; undefined where there is none. */
export function below(at: unknown, path: readonly string[]): unknown {
  for (const key of path) at = at !== null && typeof at === 'object' && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined;
  return at;
}
