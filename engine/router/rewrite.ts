// RegexMatchAndSubstitute: every match replaced; '\1' are groups, as in RE2.
import type { RE2JS } from 're2js';
import { compileRegex } from '../headers/string-matcher.ts';
import type { RewritePlan } from '../plan/route-plan.ts';

export class RegexRewrite {
  private readonly re: RE2JS;
  private readonly substitution: string;
  constructor(plan: RewritePlan) {
    this.re = compileRegex(plan.regex);
    // RE2's \1 is $1 there; a literal $ and a doubled backslash are kept.
    this.substitution = plan.substitution.replaceAll('$', '\\$').replace(/\\(\\|\d)/g, (_, c: string) => (c === '\\' ? '\\\\' : `\${${c}}`)).replace(/\$\{(\d)\}/g, '$$$1');
  }
  apply(text: string): string { return this.re.matcher(text).replaceAll(this.substitution); }
}
