// Which admin paths may be asked for at all (admin.allow_paths; no entry: every path).
import { makeStringMatcher, type StringMatcherPlan } from '../headers/string-matcher.ts';

export function adminMatcher(plans: readonly StringMatcherPlan[]): (path: string) => boolean {
  const matchers = plans.map(makeStringMatcher);
  return matchers.length === 0 ? () => true : (path) => matchers.some((m) => m.matches(path));
}
