// The stateful_session filter (Envoy): a client goes to the host that its cookie or header names, while the cluster has it; the answer of another one names that.
import { HostCookie } from './host-cookie.ts';
import { HostHeader } from './host-header.ts';
import type { RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import type { Clock } from '../../../loop/clock.ts';
import type { StatefulSessionPlan } from '../../../plan/stateful-session-plan.ts';

/** Where a client keeps its host. */
export interface SessionState {
  /** The address that a request names, '' for none; null: this request is not concerned. */
  read(headers: RequestHeaders): string | null;
  /** Tells the client of `address`. */
  write(headers: ResponseHeaders, address: string): void;
}

interface Session { readonly state: SessionState; readonly strict: boolean }

export class StatefulSessionFactory implements HttpFilterFactory {
  readonly name: string;
  readonly index: number;
  private readonly clock: Clock;
  readonly session: Session | null;
  constructor(name: string, index: number, plan: StatefulSessionPlan, clock: Clock) { this.name = name; this.index = index; this.clock = clock; this.session = this.make(plan); }

  create(): HttpFilter { return new StatefulSession(this); }
  routeConfig(plan: unknown): Session | null { return this.make(plan as StatefulSessionPlan); }
  private make({ state, strict }: StatefulSessionPlan): Session | null { return state === null ? null : { state: state.kind === 'cookie' ? new HostCookie(state, this.clock) : new HostHeader(state.name), strict }; }
}

class StatefulSession implements HttpFilter {
  private readonly factory: StatefulSessionFactory;
  private session: Session | null = null;
  private asked = '';
  constructor(factory: StatefulSessionFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    const own = s.routeConfig(this.factory.index) as Session | null | undefined, session = own === undefined ? this.factory.session : own;
    const asked = session === null ? null : session.state.read(headers);
    if (session === null || asked === null) return 'next';
    this.session = session;
    this.asked = asked;
    if (asked !== '') s.facts.overrideHost = { address: asked, strict: session.strict };
    return 'next';
  }

  onResponseHeaders(s: StreamView, headers: ResponseHeaders): Verdict {
    const host = s.facts.upstream?.hostText ?? '';
    if (this.session !== null && host !== '' && host !== this.asked) this.session.state.write(headers, host);
    return 'next';
  }
}
