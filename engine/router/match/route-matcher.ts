// Whether one route matches a request: path, then headers, query, fraction and the rest, cheapest first. Built when its virtual host is.
import { HeaderMatcher, matchesAll } from '../../headers/header-matcher.ts';
import { cookieValue } from '../../headers/cookies.ts';
import type { RequestHeaders } from '../../headers/headers.ts';
import { makeStringMatcher, type StringMatcher } from '../../headers/string-matcher.ts';
import { isGrpc } from '../../http/local-reply.ts';
import { RuntimeFraction, type Runtime } from '../../loop/runtime.ts';
import { makeValueMatcher, valueAt } from '../../observe/match/value-matcher.ts';
import { filterStateOf, type StreamFacts } from '../../observe/stream-facts.ts';
import type { PathMatchPlan, QueryMatcherPlan, RouteMatchPlan } from '../../plan/route-plan.ts';
import { PathTemplate } from './path-template.ts';

/** The request as matchers look at it: parts cut once. One object for a thread. */
export class MatchInput {
  headers!: RequestHeaders; facts!: StreamFacts; random = 0; /** With the query, as prefixes see it. */ whole = ''; path = ''; query: string | null = null; private lower = '';
  /** `parameters` false: of the path only what stands before the first ';' is matched. */
  set(headers: RequestHeaders, facts: StreamFacts, random: number, parameters = true): void {
    this.headers = headers; this.facts = facts; this.random = random; this.lower = '';
    const q = headers.path.indexOf('?');
    this.path = q < 0 ? headers.path : headers.path.slice(0, q);
    this.whole = headers.path;
    if (!parameters) this.cutParameters();
    this.query = q < 0 ? null : headers.path.slice(q + 1);
  }
  private cutParameters(): void {
    const at = this.whole.indexOf(';');
    if (at < 0) return;
    this.whole = this.whole.slice(0, at);
    if (this.path.length > at) this.path = this.whole;
  }
  get lowerPath(): string { return this.lower === '' ? (this.lower = this.path.toLowerCase()) : this.lower; }
}

interface PathMatcher { matches(input: MatchInput): boolean }

function pathMatcher(plan: PathMatchPlan): PathMatcher {
  switch (plan.kind) {
    case 'connect': return { matches: (i) => i.headers.method === 'CONNECT' || i.headers.protocol === 'connect-udp' };
    case 'regex': { const m = makeStringMatcher({ kind: 'regex', text: plan.regex, ignoreCase: false }); return { matches: (i) => m.matches(i.path) }; }
    case 'template': { const t = new PathTemplate(plan.template); return { matches: (i) => t.matches(i.path) }; }
    default: {
      const text = plan.ignoreCase ? plan.text.toLowerCase() : plan.text, { ignoreCase } = plan;
      if (plan.kind === 'path') return ignoreCase ? { matches: (i) => i.lowerPath === text } : { matches: (i) => i.path === text };
      // A prefix may reach into the query.
      if (plan.kind === 'prefix') return ignoreCase ? { matches: (i) => i.whole.toLowerCase().startsWith(text) } : { matches: (i) => i.whole.startsWith(text) };
      return { matches: (i) => { const p = ignoreCase ? i.lowerPath : i.path; return p.startsWith(text) && (p.length === text.length || p.charCodeAt(text.length) === 47); } };
    }
  }
}

class QueryMatcher {
  private readonly plan: QueryMatcherPlan;
  private readonly string: StringMatcher | null;
  constructor(plan: QueryMatcherPlan) { this.plan = plan; this.string = plan.string === null ? null : makeStringMatcher(plan.string); }
  matches(query: string | null): boolean {
    const value = query === null ? undefined : firstValue(query, this.plan.name);
    if (this.string === null) return (value !== undefined) === this.plan.present;
    return value !== undefined && this.string.matches(value);
  }
}

/** First value of a parameter, escapes as they are. */
export function firstValue(query: string, name: string): string | undefined {
  for (let at = 0; at <= query.length;) {
    let end = query.indexOf('&', at);
    if (end < 0) end = query.length;
    if (query.startsWith(name, at)) {
      const after = at + name.length;
      if (after === end) return '';
      if (query.charCodeAt(after) === 61) return query.slice(after + 1, end);
    }
    at = end + 1;
  }
  return undefined;
}

class MetadataMatcher {
  private readonly plan: RouteMatchPlan['metadata'][number];
  private readonly test: (value: unknown) => boolean;
  constructor(plan: RouteMatchPlan['metadata'][number]) { this.plan = plan; this.test = makeValueMatcher(plan.value); }
  matches(facts: StreamFacts): boolean { return this.test(valueAt(facts.metadata, this.plan.filter, this.plan.path)) !== this.plan.invert; }
}

/** The first cookie of its name; one that is missing fits only an inverted matcher. */
class CookieMatcher {
  private readonly name: string;
  private readonly string: StringMatcher;
  private readonly invert: boolean;
  constructor(plan: RouteMatchPlan['cookies'][number]) { this.name = plan.name; this.string = makeStringMatcher(plan.string); this.invert = plan.invert; }
  matches(headers: RequestHeaders): boolean {
    const value = cookieValue(headers, this.name);
    return (value !== undefined && this.string.matches(value)) !== this.invert;
  }
}

export class RouteMatcher {
  private readonly path: PathMatcher;
  private readonly headers: readonly HeaderMatcher[];
  private readonly query: readonly QueryMatcher[];
  private readonly metadata: readonly MetadataMatcher[];
  private readonly cookies: readonly CookieMatcher[];
  private readonly states: readonly { readonly key: string; readonly string: StringMatcher }[];
  private readonly plan: RouteMatchPlan;
  private readonly fraction: RuntimeFraction | null;
  private readonly plain: boolean;

  constructor(plan: RouteMatchPlan, runtime: Runtime) {
    this.plan = plan;
    this.path = pathMatcher(plan.path);
    this.headers = plan.headers.map((h) => new HeaderMatcher(h));
    this.query = plan.query.map((q) => new QueryMatcher(q));
    this.metadata = plan.metadata.map((m) => new MetadataMatcher(m));
    this.cookies = plan.cookies.map((c) => new CookieMatcher(c));
    this.states = plan.filterState.map((f) => ({ key: f.key, string: makeStringMatcher(f.string) }));
    this.fraction = plan.fraction === null ? null : new RuntimeFraction(plan.fraction, runtime);
    this.plain = plan.headers.length === 0 && plan.query.length === 0 && !plan.grpc && plan.fraction === null && plan.tls === null && plan.metadata.length === 0 && plan.cookies.length === 0 && plan.filterState.length === 0;
  }

  matches(i: MatchInput): boolean {
    if (!this.path.matches(i)) return false;
    return this.plain || this.rest(i);
  }

  private rest(i: MatchInput): boolean {
    const { plan } = this;
    if (this.fraction !== null && !this.fraction.has(i.random)) return false;
    if (plan.grpc && !isGrpc(i.headers)) return false;
    if (!matchesAll(this.headers, i.headers)) return false;
    for (const q of this.query) if (!q.matches(i.query)) return false;
    if (plan.tls !== null && !this.tls(i.facts)) return false;
    for (const m of this.metadata) if (!m.matches(i.facts)) return false;
    for (const c of this.cookies) if (!c.matches(i.headers)) return false;
    for (const s of this.states) if (!this.hasState(i.facts, s)) return false;
    return true;
  }

  private hasState(facts: StreamFacts, s: { readonly key: string; readonly string: StringMatcher }): boolean {
    const value = filterStateOf(facts, s.key);
    return typeof value === 'string' && s.string.matches(value);
  }

  private tls(facts: StreamFacts): boolean {
    const { presented, validated } = this.plan.tls!, { tls } = facts.connection;
    if (tls === null) return presented === null && validated === null;
    return (presented === null || tls.peerCertificatePresented === presented) && (validated === null || tls.peerCertificateValidated === validated);
  }
}
