// String matchers (envoy.type.matcher.v3.StringMatcher): built once, no backtracking regex ever (RE2 by re2js).
import { RE2JS } from 're2js';

export interface StringMatcherPlan { readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex'; readonly text: string; readonly ignoreCase: boolean }

export interface StringMatcher { matches(text: string): boolean }

class Exact implements StringMatcher { private readonly t: string; constructor(t: string) { this.t = t; } matches(s: string): boolean { return s === this.t; } }
class Prefix implements StringMatcher { private readonly t: string; constructor(t: string) { this.t = t; } matches(s: string): boolean { return s.startsWith(this.t); } }
class Suffix implements StringMatcher { private readonly t: string; constructor(t: string) { this.t = t; } matches(s: string): boolean { return s.endsWith(this.t); } }
class Contains implements StringMatcher { private readonly t: string; constructor(t: string) { this.t = t; } matches(s: string): boolean { return s.includes(this.t); } }
class AnyCase implements StringMatcher { private readonly m: StringMatcher; constructor(m: StringMatcher) { this.m = m; } matches(s: string): boolean { return this.m.matches(s.toLowerCase()); } }
class Regex implements StringMatcher {
  private readonly re: RE2JS;
  constructor(t: string) { this.re = compileRegex(t); }
  /** The whole text, as Envoy. */
  matches(s: string): boolean { return this.re.matcher(s).matches(); }
}

/** Compiles RE2 syntax; throws with RE2's message for what is none. */
export function compileRegex(text: string): RE2JS { return RE2JS.compile(text); }

export function makeStringMatcher(plan: StringMatcherPlan): StringMatcher {
  const text = plan.ignoreCase && plan.kind !== 'regex' ? plan.text.toLowerCase() : plan.text;
  const made = plan.kind === 'exact' ? new Exact(text) : plan.kind === 'prefix' ? new Prefix(text) : plan.kind === 'suffix' ? new Suffix(text) : plan.kind === 'contains' ? new Contains(text) : new Regex(text);
  return plan.ignoreCase && plan.kind !== 'regex' ? new AnyCase(made) : made;
}
