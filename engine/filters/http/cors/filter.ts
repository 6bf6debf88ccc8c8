// The cors filter (Envoy: CorsFilter): answers preflights of allowed origins and marks answers to them. Policies stand at routes; what the most specific level does not
// say, the next one says.
import { makeStringMatcher, type StringMatcher } from '../../../headers/string-matcher.ts';
import type { RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { RuntimeFraction, type Runtime } from '../../../loop/runtime.ts';
import type { StatStore } from '../../../observe/stats/stat-block.ts';
import type { CorsPlan } from '../../../plan/http-filter-plans.ts';

interface Policy { readonly plan: CorsPlan; readonly origins: readonly StringMatcher[]; readonly enabled: RuntimeFraction | null; readonly shadow: RuntimeFraction | null }

/** What all levels of a route say together. */
class Merged {
  readonly origins: readonly StringMatcher[];
  readonly methods: string; readonly headers: string; readonly expose: string; readonly maxAge: string; readonly credentials: boolean; readonly privateNetwork: boolean; readonly forwardNotMatching: boolean;
  private readonly first: Policy;
  /** `levels`: the most specific first. */
  constructor(levels: readonly Policy[]) {
    const text = (of: (p: CorsPlan) => string): string => levels.map((l) => of(l.plan)).find((t) => t !== '') ?? '', flag = (of: (p: CorsPlan) => boolean | null, none: boolean): boolean => levels.map((l) => of(l.plan)).find((b) => b !== null) ?? none;
    this.first = levels[0]!;
    this.origins = levels.find((l) => l.origins.length > 0)?.origins ?? [];
    this.methods = text((p) => p.methods); this.headers = text((p) => p.headers); this.expose = text((p) => p.expose); this.maxAge = text((p) => p.maxAge);
    this.credentials = flag((p) => p.credentials, false); this.privateNetwork = flag((p) => p.privateNetwork, false); this.forwardNotMatching = flag((p) => p.forwardNotMatching, true);
  }
  enabled(random: number): boolean { return this.first.enabled === null || this.first.enabled.has(random); }
  shadow(random: number): boolean { return this.first.shadow !== null && this.first.shadow.has(random); }
  allows(origin: string): boolean { return this.origins.some((o) => o.matches('*') || o.matches(origin)); }
  mark(h: ResponseHeaders, origin: string): void {
    h.set('access-control-allow-origin', origin);
    if (this.credentials) h.set('access-control-allow-credentials', 'true');
    if (this.expose !== '') h.set('access-control-expose-headers', this.expose);
  }
}

const NOT_MATCHING = new LocalReply(200, '', 'cors_response');

export class CorsFactory implements HttpFilterFactory {
  readonly name: string;
  readonly index: number;
  private readonly runtime: Runtime;
  readonly column: Float64Array;
  readonly valid: number;
  readonly invalid: number;
  private readonly merged = new WeakMap<readonly unknown[], Merged>();
  constructor(name: string, index: number, runtime: Runtime, stats: StatStore, statPrefix: string) {
    this.name = name; this.index = index; this.runtime = runtime; this.column = stats.column;
    this.valid = stats.claimOne(`${statPrefix}.cors.origin_valid`, 'counter');
    this.invalid = stats.claimOne(`${statPrefix}.cors.origin_invalid`, 'counter');
  }
  create(): HttpFilter { return new CorsFilter(this); }
  routeConfig(plan: unknown): Policy {
    const p = plan as CorsPlan, of = (f: CorsPlan['enabled']): RuntimeFraction | null => (f === null ? null : new RuntimeFraction(f, this.runtime));
    return { plan: p, origins: p.origins.map(makeStringMatcher), enabled: of(p.enabled), shadow: of(p.shadow) };
  }
  /** The policy of a stream's route; null: none. Merged once for each route. */
  policy(s: StreamView): Merged | null {
    const levels = s.routeConfigs(this.index);
    if (levels.length === 0) return null;
    let m = this.merged.get(levels);
    if (m === undefined) { m = new Merged([...levels].reverse() as Policy[]); this.merged.set(levels, m); }
    return m;
  }
}

class CorsFilter implements HttpFilter {
  private readonly factory: CorsFactory;
  private policy: Merged | null = null;
  private origin = '';
  constructor(factory: CorsFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    const { factory } = this, policy = factory.policy(s);
    if (policy === null) return 'next';
    const enabled = policy.enabled(s.random);
    if (!enabled && !policy.shadow(s.random)) return 'next';
    const origin = headers.get('origin') ?? '', asked = headers.method === 'OPTIONS' ? headers.get('access-control-request-method') ?? '' : '';
    if (origin === '') return 'next';
    if (!policy.allows(origin)) { factory.column[factory.invalid]!++; return enabled && asked !== '' && !policy.forwardNotMatching ? NOT_MATCHING : 'next'; }
    factory.column[factory.valid]!++;
    if (!enabled) return 'next';
    this.policy = policy;
    this.origin = origin;
    return asked === '' ? 'next' : this.preflight(policy, headers, asked);
  }

  /** '*' gives what was asked for: a wildcard holds for no request with credentials. */
  private preflight(policy: Merged, request: RequestHeaders, method: string): LocalReply {
    const wanted = request.get('access-control-request-headers') ?? '', near = policy.privateNetwork && request.get('access-control-request-private-network') === 'true';
    return new LocalReply(200, '', 'cors_response', 0, (h) => {
      if (near) h.set('access-control-allow-private-network', 'true');
      const methods = policy.methods === '*' ? method : policy.methods, headers = policy.headers === '*' ? wanted : policy.headers;
      if (methods !== '') h.set('access-control-allow-methods', methods);
      if (headers !== '') h.set('access-control-allow-headers', headers);
      if (policy.maxAge !== '') h.set('access-control-max-age', policy.maxAge);
    });
  }

  onResponseHeaders(_s: StreamView, headers: ResponseHeaders): Verdict { this.policy?.mark(headers, this.origin); return 'next'; }
}
