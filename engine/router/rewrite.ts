// RegexMatchAndSubstitute: every match replaced; '\1' are groups, as in RE2.
import type { RE2JS } from 're2js';
import { compileRegex } from '../headers/string-matcher.ts';
import type { RewritePlan } from '../plan/route-plan.ts';

export class RegexRewrite {
  private readonly re: RE2JS;
  private readonly substitution: string;
  constructor(plan: RewritePlan) {
    this.re = compileRegex(plan.regex);
    this.substitution = plan.substitution;
  }
  apply(text: string): string {
    const m = this.re.matcher(text);
    let out = '', at = 0;
    while (m.find()) {
      out += text.slice(at, m.start()) + this.substitution.replace(/\\(\\|\d)/g, (_, c: string) => (c === '\\' ? '\\' : Number(c) <= m.groupCount() ? m.group(Number(c)) ?? '' : ''));
      at = m.end();
    }
    return out + text.slice(at);
  }
}
