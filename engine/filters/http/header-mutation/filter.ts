// The header_mutation filter (Envoy: HeaderMutation): headers, trailers and query parameters changed by the filter, then by each level of the route that says so.
import type { Headers, RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import type { Clock } from '../../../loop/clock.ts';
import type { Formatter } from '../../../observe/format/formatter.ts';
import { HeaderMutations, MutableContext } from '../../../observe/format/header-mutation.ts';
import { makeFormatter } from '../../../observe/format/make-formatter.ts';
import type { OperatorEnv } from '../../../observe/format/operators.ts';
import type { StreamFacts } from '../../../observe/stream-facts.ts';
import type { HeaderMutationFilterPlan, QueryMutationPlan } from '../../../plan/http-filter-plans.ts';
import type { HeaderMutationPlan } from '../../../plan/header-mutation-plan.ts';

interface Mutations {
  readonly request: readonly HeaderMutations[]; readonly response: readonly HeaderMutations[]; readonly requestTrailers: readonly HeaderMutations[]; readonly responseTrailers: readonly HeaderMutations[];
  readonly query: readonly { readonly plan: QueryMutationPlan; readonly value: Formatter }[];
}

/** A query with one parameter changed; null: none is left. Other parameters stay as they are. */
export function mutateQuery(query: string | null, m: QueryMutationPlan, value: string): string | null {
  const parts = query === null ? [] : query.split('&'), name = m.remove !== '' ? m.remove : m.name;
  const is = (part: string): boolean => (part.includes('=') ? part.slice(0, part.indexOf('=')) : part) === name, there = parts.some(is), made = `${name}=${encodeURIComponent(value)}`;
  const others = (): string[] => parts.filter((p) => !is(p));
  let out = parts;
  if (m.remove !== '') out = others();
  else if (m.action === 'append' || (m.action === 'add-if-absent' && !there)) out = [...parts, made];
  else if ((m.action === 'overwrite-or-add') || (m.action === 'overwrite-if-exists' && there)) out = [...others(), made];
  return out.length === 0 ? null : out.join('&');
}

export class HeaderMutationFactory implements HttpFilterFactory, HttpFilter {
  readonly name: string;
  private readonly index: number;
  private readonly env: OperatorEnv;
  private readonly clock: Clock;
  private readonly base: Mutations;
  private readonly mostSpecificWins: boolean;
  private readonly context = new MutableContext();

  constructor(name: string, index: number, plan: HeaderMutationFilterPlan, env: OperatorEnv, clock: Clock) {
    this.name = name; this.index = index; this.env = env; this.clock = clock; this.mostSpecificWins = plan.mostSpecificWins;
    this.base = this.routeConfig(plan);
  }
  create(): HttpFilter { return this; }
  routeConfig(plan: unknown): Mutations {
    const p = plan as HeaderMutationFilterPlan, of = (list: readonly HeaderMutationPlan[]): HeaderMutations[] => list.map((m) => new HeaderMutations(m, this.env, this.clock));
    return { request: of(p.request), response: of(p.response), requestTrailers: of(p.requestTrailers), responseTrailers: of(p.responseTrailers), query: p.query.map((q) => ({ plan: q, value: makeFormatter(q.value, this.env) })) };
  }

  /** The filter's own, then the route's levels: the most specific first, unless it is to win (be last). */
  private each(s: StreamView, visit: (m: Mutations) => void): void {
    visit(this.base);
    const levels = s.routeConfigs(this.index) as readonly Mutations[];
    if (this.mostSpecificWins) for (const m of levels) visit(m); else for (let i = levels.length - 1; i >= 0; i--) visit(levels[i]!);
  }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    this.each(s, (m) => { for (const x of m.request) x.apply(headers, s.facts); if (m.query.length > 0) this.mutatePath(m, headers, s.facts); });
    return 'next';
  }
  onResponseHeaders(s: StreamView, headers: ResponseHeaders): Verdict {
    this.each(s, (m) => { for (const x of m.response) x.apply(headers, s.facts); });
    return 'next';
  }
  onRequestTrailers(s: StreamView, trailers: Headers): Verdict { return this.trailers(s, trailers, 'requestTrailers'); }
  onResponseTrailers(s: StreamView, trailers: Headers): Verdict { return this.trailers(s, trailers, 'responseTrailers'); }
  private trailers(s: StreamView, trailers: Headers, which: 'requestTrailers' | 'responseTrailers'): Verdict {
    this.each(s, (m) => { for (const x of m[which]) x.apply(trailers as RequestHeaders, s.facts); });
    return 'next';
  }
  private mutatePath(m: Mutations, headers: RequestHeaders, facts: StreamFacts): void {
    const q = headers.path.indexOf('?');
    let query = q < 0 ? null : headers.path.slice(q + 1);
    for (const x of m.query) query = mutateQuery(query, x.plan, x.value.format(this.context.set(facts, this.clock), ''));
    headers.path = (q < 0 ? headers.path : headers.path.slice(0, q)) + (query === null ? '' : `?${query}`);
  }
}
