// The basic_auth filter (Envoy: BasicAuthFilter; RFC 7617): user and password against a list of SHA-1 hashes.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { setStreamMetadata } from '../../../observe/stream-facts.ts';
import type { StatStore } from '../../../observe/stats/stat-block.ts';
import type { BasicAuthPlan } from '../../../plan/http-filter-plans.ts';

interface Users { readonly hashes: ReadonlyMap<string, Buffer>; readonly realm: string }
const NO_ONE = Buffer.alloc(20);
/** Of the URI in the challenge, as in Envoy. */
const MAX_URI = 256;

export class BasicAuthFactory implements HttpFilterFactory, HttpFilter {
  readonly name: string;
  private readonly index: number;
  private readonly plan: BasicAuthPlan;
  private readonly base: Users;
  private readonly column: Float64Array;
  private readonly allowed: number;
  private readonly denied: number;
  constructor(name: string, index: number, plan: BasicAuthPlan, stats: StatStore, statPrefix: string) {
    this.name = name; this.index = index; this.plan = plan; this.column = stats.column;
    this.base = this.routeConfig(plan);
    this.allowed = stats.claimOne(`${statPrefix}.basic_auth.allowed`, 'counter');
    this.denied = stats.claimOne(`${statPrefix}.basic_auth.denied`, 'counter');
  }
  create(): HttpFilter { return this; }
  routeConfig(plan: unknown): Users { const { users, realm } = plan as Pick<BasicAuthPlan, 'users' | 'realm'>; return { hashes: new Map(users.map(([n, h]) => [n, Buffer.from(h, 'base64')])), realm: realm === '' ? this.plan.realm : realm }; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    const users = (s.routeConfig(this.index) as Users | undefined) ?? this.base, given = headers.get(this.plan.header);
    if (given === undefined) return this.plan.allowMissing ? 'next' : this.refuse(headers, users, 'Missing username and password.', 'no_credential_for_basic_auth');
    if (!given.startsWith('Basic ')) return this.refuse(headers, users, "Expected 'Basic' authentication scheme.", 'invalid_scheme_for_basic_auth');
    const token = given.slice(6), decoded = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(token) ? Buffer.from(token, 'base64').latin1Slice() : '', colon = decoded.indexOf(':');
    if (colon < 0) return this.refuse(headers, users, 'Invalid basic credential format.', 'invalid_format_for_basic_auth');
    const user = decoded.slice(0, colon), want = users.hashes.get(user), hash = createHash('sha1').update(decoded.slice(colon + 1), 'latin1').digest();
    // An unknown user costs the same time.
    if (!timingSafeEqual(hash, want ?? NO_ONE) || want === undefined) return this.refuse(headers, users, 'Invalid username/password combination.', 'invalid_credential_for_basic_auth');
    this.column[this.allowed]!++;
    if (this.plan.forward !== '') headers.set(this.plan.forward, user);
    if (this.plan.metadata) setStreamMetadata(s.facts, 'envoy.filters.http.basic_auth', { username: user });
    return 'next';
  }

  private refuse(headers: RequestHeaders, users: Users, text: string, details: string): LocalReply {
    this.column[this.denied]!++;
    const realm = users.realm !== '' ? users.realm : `${headers.scheme}://${headers.authority}${headers.path}`.slice(0, MAX_URI);
    return new LocalReply(401, `User authentication failed. ${text}`, details, 0, (h: ResponseHeaders) => { h.set('www-authenticate', `Basic realm="${realm.replaceAll('"', '%22')}"`); });
  }
}
