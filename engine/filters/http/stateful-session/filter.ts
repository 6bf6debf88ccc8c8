// The stateful_session filter (Envoy): a client goes to the host that its cookie or header names, while the cluster has it; the answer of another one names that.
import { HostCookie } from './host-cookie.ts';
import { HostHeader } from './host-header.ts';
import type { RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import type { Clock } from '../../../loop/clock.ts';
import { flagBit } from '../../../observe/response-flags.ts';
import type { StatStore } from '../../../observe/stats/stat-block.ts';
import type { StatefulSessionPlan } from '../../../plan/stateful-session-plan.ts';

/** Where a client keeps its host. */
export interface SessionState {
  /** The address that a request names, '' for none; null: this request is not concerned. */
  read(headers: RequestHeaders): string | null;
  /** Tells the client of `address`. */
  write(headers: ResponseHeaders, address: string): void;
}

interface Session { readonly state: SessionState; readonly strict: boolean; readonly missingStatus: number; /** null: nothing is counted. */ readonly stats: SessionStats | null }

const UH = flagBit('UH');

class SessionStats {
  private readonly store: StatStore;
  private readonly slots: Readonly<Record<'routed' | 'failed_open' | 'failed_closed' | 'no_session', number>>;
  constructor(store: StatStore, prefix: string) {
    const slot = (what: string): number => store.claimOne(`${prefix}.${what}`, 'counter');
    this.store = store; this.slots = { routed: slot('routed'), failed_open: slot('failed_open'), failed_closed: slot('failed_closed'), no_session: slot('no_session') };
  }
  count(what: keyof SessionStats['slots']): void { this.store.column[this.slots[what]]!++; }
}

export class StatefulSessionFactory implements HttpFilterFactory {
  readonly name: string;
  readonly index: number;
  private readonly clock: Clock;
  private readonly store: StatStore;
  readonly session: Session | null;
  /** `scope`: of the connection manager, 'http.PREFIX'. */
  constructor(name: string, index: number, plan: StatefulSessionPlan, clock: Clock, store: StatStore, scope: string) { this.name = name; this.index = index; this.clock = clock; this.store = store; this.session = this.make(plan, `${scope}.`); }

  create(): HttpFilter { return new StatefulSession(this); }
  routeConfig(plan: unknown): Session | null { return this.make(plan as StatefulSessionPlan, ''); }
  /** Routes' sessions count without the connection manager's prefix, as in Envoy. */
  private make({ state, strict, missingStatus, statPrefix }: StatefulSessionPlan, scope: string): Session | null { return state === null ? null : { strict, missingStatus, stats: statPrefix === '' ? null : new SessionStats(this.store, `${scope}stateful_session.${statPrefix}`), state: state.kind === 'cookie' ? new HostCookie(state, this.clock) : new HostHeader(state.name) }; }
}

class StatefulSession implements HttpFilter {
  private readonly factory: StatefulSessionFactory;
  private session: Session | null = null;
  private asked = '';
  constructor(factory: StatefulSessionFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    const own = s.routeConfig(this.factory.index) as Session | null | undefined, session = own === undefined ? this.factory.session : own;
    const asked = session === null ? null : session.state.read(headers);
    if (session === null) return 'next';
    if (asked === null) { session.stats?.count('no_session'); return 'next'; }
    this.session = session;
    this.asked = asked;
    if (asked !== '') s.facts.overrideHost = { address: asked, strict: session.strict, missingStatus: session.missingStatus };
    return 'next';
  }

  onResponseHeaders(s: StreamView, headers: ResponseHeaders): Verdict {
    const host = s.facts.upstream?.hostText ?? '';
    const { session, asked } = this;
    if (session === null) return 'next';
    if (host !== '' && host !== asked) session.state.write(headers, host);
    if (session.stats !== null) this.count(session.stats, host, session.strict && (s.facts.flags & UH) !== 0, session.strict);
    return 'next';
  }

  /** `host`: where the request went, '' for nowhere. A request without a session that may go anywhere has failed open too, as Envoy counts. */
  private count(stats: SessionStats, host: string, refused: boolean, strict: boolean): void {
    if (host !== '') { if (host === this.asked) stats.count('routed'); else if (!strict) stats.count('failed_open'); } else if (refused) stats.count('failed_closed');
  }
}
