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

/** A query's parameters, escapes as they are. */
function parametersOf(query: string): Map<string, string[]> {
  const out = new Map<string, string[]>();
  if (query !== '') for (const part of (query.endsWith('&') ? query.slice(0, -1) : query).split('&')) { const eq = part.indexOf('='); add(out, eq < 0 ? part : part.slice(0, eq), eq < 0 ? '' : part.slice(eq + 1)); }
  return out;
}
function add(params: Map<string, string[]>, name: string, value: string): void { const list = params.get(name); if (list === undefined) params.set(name, [value]); else list.push(value); }

/** As a form has it, but a space: letters, digits and '-._*' stay. */
const escaped = (value: string): string => value.replace(/[^A-Za-z0-9\-._*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

/** A query changed by mutations and their values, in the order of its names, as in Envoy; '' where nothing is left. */
export function mutateQuery(query: string, mutations: readonly (readonly [QueryMutationPlan, string])[]): string {
  const params = parametersOf(query);
  for (const [m, value] of mutations) {
    const there = params.has(m.name);
    if (m.remove !== '') params.delete(m.remove);
    else if (m.action === 'append' || (m.action === 'add-if-absent' && !there)) add(params, m.name, escaped(value));
    else if (m.action === 'overwrite-or-add' || (m.action === 'overwrite-if-exists' && there)) params.set(m.name, [escaped(value)]);
  }
  return [...params].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, values]) => values.map((v) => `${name}=${v}`)).join('&');
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
    const query = mutateQuery(q < 0 ? '' : headers.path.slice(q + 1), m.query.map((x) => [x.plan, x.value.format(this.context.set(facts, this.clock), '')] as const));
    headers.path = (q < 0 ? headers.path : headers.path.slice(0, q)) + (query === '' ? '' : `?${query}`);
  }
}
