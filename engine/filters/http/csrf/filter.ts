// The csrf filter (Envoy: CsrfFilter): a request that changes something must come from a page of its own host, or of one that is listed.
import { makeStringMatcher, type StringMatcher } from '../../../headers/string-matcher.ts';
import type { RequestHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { RuntimeFraction, type Runtime } from '../../../loop/runtime.ts';
import type { StatStore } from '../../../observe/stats/stat-block.ts';
import type { CsrfPlan } from '../../../plan/http-filter-plans.ts';

interface Policy { readonly enabled: RuntimeFraction | null; readonly shadow: RuntimeFraction | null; readonly origins: readonly StringMatcher[] }

const CHANGES: ReadonlySet<string> = new Set(['POST', 'PUT', 'DELETE', 'PATCH']);
const REFUSED = new LocalReply(403, 'Invalid origin', 'csrf_origin_mismatch');

/** host[:port] of a URL; text that is none stays. 'null' is no origin. */
export function hostAndPort(url: string | undefined): string {
  if (url === undefined || url === 'null') return '';
  const m = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)/.exec(url);
  return m === null ? url : m[1]!;
}

export class CsrfFactory implements HttpFilterFactory, HttpFilter {
  readonly name: string;
  private readonly index: number;
  private readonly runtime: Runtime;
  private readonly base: Policy;
  private readonly column: Float64Array;
  private readonly slots: { readonly missing: number; readonly invalid: number; readonly valid: number };

  constructor(name: string, index: number, plan: CsrfPlan, runtime: Runtime, stats: StatStore, statPrefix: string) {
    this.name = name; this.index = index; this.runtime = runtime; this.column = stats.column;
    this.base = this.routeConfig(plan);
    const slot = (n: string): number => stats.claimOne(`${statPrefix}.csrf.${n}`, 'counter');
    this.slots = { missing: slot('missing_source_origin'), invalid: slot('request_invalid'), valid: slot('request_valid') };
  }

  /** Nothing is kept for a stream. */
  create(): HttpFilter { return this; }
  routeConfig(plan: unknown): Policy {
    const p = plan as CsrfPlan, of = (f: CsrfPlan['enabled']): RuntimeFraction | null => (f === null ? null : new RuntimeFraction(f, this.runtime));
    return { enabled: of(p.enabled), shadow: of(p.shadow), origins: p.origins.map(makeStringMatcher) };
  }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    const policy = (s.routeConfig(this.index) as Policy | undefined) ?? this.base;
    const enabled = policy.enabled === null || policy.enabled.has(s.random);
    if ((!enabled && !(policy.shadow?.has(s.random) ?? false)) || !CHANGES.has(headers.method)) return 'next';
    const source = hostAndPort(headers.get('origin')) || hostAndPort(headers.get('referer'));
    if (source !== '' && (source === hostAndPort(headers.authority) || policy.origins.some((o) => o.matches(source)))) { this.column[this.slots.valid]!++; return 'next'; }
    this.column[source === '' ? this.slots.missing : this.slots.invalid]!++;
    return enabled ? REFUSED : 'next';
  }
}
