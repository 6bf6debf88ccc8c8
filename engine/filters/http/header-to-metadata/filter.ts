// The header_to_metadata filter (Envoy: HeaderToMetadataFilter): values of headers and cookies as dynamic metadata, for routes, subsets, logs and other filters.
import { cookieValue } from '../../../headers/cookies.ts';
import { compileRegex } from '../../../headers/string-matcher.ts';
import { fromByteString, type Headers, type RequestHeaders, type ResponseHeaders } from '../../../headers/headers.ts';
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import { setStreamMetadata, type StreamFacts } from '../../../observe/stream-facts.ts';
import type { HeaderToMetadataPlan, HeaderToMetadataRule, MetadataWritePlan } from '../../../plan/http-filter-plans.ts';
import type { RewritePlan } from '../../../plan/route-plan.ts';

/** Longer values are left out, as in Envoy. */
const MAX_VALUE = 8 * 1024;

class Write {
  private readonly plan: MetadataWritePlan;
  private readonly rewrite: ((text: string) => string) | null;
  constructor(plan: MetadataWritePlan) { this.plan = plan; this.rewrite = plan.rewrite === null ? null : rewriter(plan.rewrite); }
  to(facts: StreamFacts, given: string): void {
    const { namespace, key, value, number, base64 } = this.plan;
    let text = value !== '' ? value : this.rewrite === null ? given : this.rewrite(given);
    if (text === '' || text.length >= MAX_VALUE) return;
    if (base64) text = Buffer.from(text, 'base64').latin1Slice();
    if (!number) { setStreamMetadata(facts, namespace, { [key]: fromByteString(text) }); return; }
    if (/^[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) setStreamMetadata(facts, namespace, { [key]: Number(text) });
  }
}

/** RE2::Replace... of every match, with \1 for groups. */
function rewriter(plan: RewritePlan): (text: string) => string {
  const re = compileRegex(plan.regex), { substitution } = plan;
  return (text) => {
    const m = re.matcher(text);
    let out = '', at = 0;
    while (m.find()) {
      out += text.slice(at, m.start()) + substitution.replace(/\\(\\|\d)/g, (_, c: string) => (c === '\\' ? '\\' : Number(c) <= m.groupCount() ? m.group(Number(c)) ?? '' : ''));
      at = m.end();
    }
    return out + text.slice(at);
  };
}

interface Rule { readonly plan: HeaderToMetadataRule; readonly present: Write | null; readonly missing: Write | null }
interface Rules { readonly request: readonly Rule[]; readonly response: readonly Rule[] }

export class HeaderToMetadataFactory implements HttpFilterFactory, HttpFilter {
  readonly name: string;
  private readonly index: number;
  private readonly base: Rules;
  constructor(name: string, index: number, plan: HeaderToMetadataPlan) { this.name = name; this.index = index; this.base = this.routeConfig(plan); }
  create(): HttpFilter { return this; }
  routeConfig(plan: unknown): Rules {
    const p = plan as HeaderToMetadataPlan, of = (list: readonly HeaderToMetadataRule[]): Rule[] => list.map((r) => ({ plan: r, present: r.present === null ? null : new Write(r.present), missing: r.missing === null ? null : new Write(r.missing) }));
    return { request: of(p.request), response: of(p.response) };
  }
  private rules(s: StreamView): Rules { return (s.routeConfig(this.index) as Rules | undefined) ?? this.base; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict { for (const r of this.rules(s).request) apply(r, headers, s.facts); return 'next'; }
  onResponseHeaders(s: StreamView, headers: ResponseHeaders): Verdict { for (const r of this.rules(s).response) apply(r, headers, s.facts); return 'next'; }
}

function apply({ plan, present, missing }: Rule, headers: Headers, facts: StreamFacts): void {
  const { header } = plan, value = plan.cookie !== '' ? cookieValue(headers, plan.cookie) : header.charCodeAt(0) === 58 ? headers.get(header) : headers.joined(header);
  if (value === undefined || (value === '' && plan.cookie !== '')) { missing?.to(facts, ''); return; }
  present?.to(facts, value);
  if (plan.remove) headers.remove(header);
}
