// Which answers are errors to outlier detection, where a cluster says so itself (HttpProtocolOptions.outlier_detection.error_matcher): one made for each cluster, asked with the head of
// every answer.
import { HeaderMatcher, matchesAll } from '../../headers/header-matcher.ts';
import type { ResponseHeaders } from '../../headers/headers.ts';
import type { ErrorMatcherPlan } from '../../plan/health-plan.ts';

export interface ErrorMatcher { matches(headers: ResponseHeaders): boolean }

class HeadersMatch implements ErrorMatcher {
  private readonly headers: readonly HeaderMatcher[];
  constructor(headers: readonly HeaderMatcher[]) { this.headers = headers; }
  matches(headers: ResponseHeaders): boolean { return matchesAll(this.headers, headers); }
}
class AnyOf implements ErrorMatcher {
  private readonly rules: readonly ErrorMatcher[];
  constructor(rules: readonly ErrorMatcher[]) { this.rules = rules; }
  matches(headers: ResponseHeaders): boolean { for (const r of this.rules) if (r.matches(headers)) return true; return false; }
}
class AllOf implements ErrorMatcher {
  private readonly rules: readonly ErrorMatcher[];
  constructor(rules: readonly ErrorMatcher[]) { this.rules = rules; }
  matches(headers: ResponseHeaders): boolean { for (const r of this.rules) if (!r.matches(headers)) return false; return true; }
}
class Not implements ErrorMatcher {
  private readonly rule: ErrorMatcher;
  constructor(rule: ErrorMatcher) { this.rule = rule; }
  matches(headers: ResponseHeaders): boolean { return !this.rule.matches(headers); }
}
const ALWAYS: ErrorMatcher = { matches: () => true }, NEVER: ErrorMatcher = { matches: () => false };

export function makeErrorMatcher(plan: ErrorMatcherPlan): ErrorMatcher {
  switch (plan.kind) {
    case 'headers': return new HeadersMatch(plan.headers.map((h) => new HeaderMatcher(h)));
    case 'or': return new AnyOf(plan.rules.map(makeErrorMatcher));
    case 'and': return new AllOf(plan.rules.map(makeErrorMatcher));
    case 'not': return new Not(makeErrorMatcher(plan.rule));
    case 'constant': return plan.matches ? ALWAYS : NEVER;
  }
}
