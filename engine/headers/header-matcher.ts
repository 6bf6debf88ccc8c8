// Header matchers (envoy.config.route.v3.HeaderMatcher). Of repeated lines each value is matched alone, as Envoy does.
import type { Headers } from './headers.ts';
import { makeStringMatcher, type StringMatcher, type StringMatcherPlan } from './string-matcher.ts';

export interface HeaderMatcherPlan {
  readonly name: string;
  readonly match: { readonly kind: 'string'; readonly string: StringMatcherPlan } | { readonly kind: 'range'; readonly from: number; readonly to: number } | { readonly kind: 'present'; readonly present: boolean };
  readonly invert: boolean;
  readonly missingAsEmpty: boolean;
}

export class HeaderMatcher {
  private readonly plan: HeaderMatcherPlan;
  private readonly string: StringMatcher | null;
  constructor(plan: HeaderMatcherPlan) { this.plan = plan; this.string = plan.match.kind === 'string' ? makeStringMatcher(plan.match.string) : null; }

  matches(headers: Headers): boolean {
    const { name, match, invert, missingAsEmpty } = this.plan;
    let value = headers.get(name);
    if (match.kind === 'present') return (value !== undefined) === match.present !== invert;
    if (value === undefined) { if (!missingAsEmpty) return false; value = ''; }
    if (match.kind === 'range') return inRange(value, match.from, match.to) !== invert;
    if (this.string!.matches(value)) return !invert;
    if (headers.flat.length > 2 && name.charCodeAt(0) !== 58) for (const v of headers.getAll(name)) if (this.string!.matches(v)) return !invert;
    return invert;
  }
}

function inRange(value: string, from: number, to: number): boolean {
  if (!/^[ \t]*-?\d{1,18}$/.test(value)) return false;
  const n = Number(value);
  return n >= from && n < to;
}

/** All matchers of a list have to match. */
export function matchesAll(matchers: readonly HeaderMatcher[], headers: Headers): boolean {
  for (const m of matchers) if (!m.matches(headers)) return false;
  return true;
}
