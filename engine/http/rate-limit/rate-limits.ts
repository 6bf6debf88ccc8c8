// Descriptors of a request for rate limit filters (Envoy: RateLimitPolicyEntry), built once of rate_limits: each policy gives one list of entries, or none.
import { HeaderMatcher, matchesAll } from '../../headers/header-matcher.ts';
import { makeStringMatcher, type StringMatcher } from '../../headers/string-matcher.ts';
import { Cidr, inRanges, parseIp, textOfIp } from '../../net/cidr.ts';
import { valueAt } from '../../observe/match/value-matcher.ts';
import type { Route } from '../route.ts';
import type { StreamFacts } from '../../observe/stream-facts.ts';
import type { RateLimitActionPlan, RateLimitPlan } from '../../plan/rate-limit-plan.ts';

export type Descriptor = readonly (readonly [string, string])[];

/** Of a route: its own policies and its virtual host's. */
export interface RouteRateLimits { readonly route: readonly RateLimitPolicy[]; readonly host: readonly RateLimitPolicy[]; /** include_vh_rate_limits */ readonly includeHost: boolean }

/** An entry; null: left out; false: no descriptor at all. */
type Action = (s: StreamFacts, nodeCluster: string, route: Route | null) => readonly [string, string] | null | false;

export class RateLimitPolicy {
  readonly stage: number;
  private readonly actions: readonly Action[];
  constructor(plan: RateLimitPlan) { this.stage = plan.stage; this.actions = plan.actions.map(makeAction); }

  descriptor(s: StreamFacts, nodeCluster: string, route: Route | null): Descriptor | null {
    const out: (readonly [string, string])[] = [];
    for (const a of this.actions) { const e = a(s, nodeCluster, route); if (e === false) return null; if (e !== null) out.push(e); }
    return out;
  }
}

function makeAction(plan: RateLimitActionPlan): Action {
  switch (plan.kind) {
    case 'generic': { const entry = [plan.key, plan.value] as const; return () => entry; }
    case 'source-cluster': return (_s, cluster) => ['source_cluster', cluster];
    case 'destination-cluster': return (s, _cluster, route) => (route === null || s.request === null ? false : ['destination_cluster', route.clusterName(s.request)]);
    case 'remote-address-match': { const ranges = plan.ranges.map((r) => new Cidr(r.ip, r.bits)), entry = [plan.key, plan.value] as const; return (s) => (inRanges(ranges, s.remoteIp) !== plan.invert ? entry : false); }
    case 'remote-address': return (s) => { const v = plan.masked ? masked(s.remoteIp, plan.bits4, plan.bits6) : s.remoteIp; return v === '' ? false : [plan.masked ? 'masked_remote_address' : 'remote_address', v]; };
    case 'header': return (s) => orSkip(plan.key, s.request?.joined(plan.header), plan.skip);
    case 'query': return (s) => orSkip(plan.key, parameter(s.request?.path ?? '', plan.parameter), plan.skip);
    case 'header-match': { const headers = plan.headers.map((h) => new HeaderMatcher(h)), entry = [plan.key, plan.value] as const; return (s) => (s.request !== null && matchesAll(headers, s.request) === plan.expect ? entry : false); }
    case 'query-match': {
      const query = plan.query.map((q) => ({ ...q, matcher: q.string === null ? null : makeStringMatcher(q.string) })), entry = [plan.key, plan.value] as const;
      return (s) => (query.every((q) => queryMatches(q, parameter(s.request?.path ?? '', q.name))) === plan.expect ? entry : false);
    }
    case 'metadata': return (s) => {
      const found = plan.source === 'dynamic' ? valueAt(s.metadata, plan.filter, plan.path) : valueAt(new Map(Object.entries(s.routeMetadata ?? {})), plan.filter, plan.path);
      return orSkip(plan.key, typeof found === 'string' && found !== '' ? found : plan.fallback === '' ? undefined : plan.fallback, plan.skip);
    };
  }
}

function orSkip(key: string, value: string | undefined, skip: boolean): readonly [string, string] | null | false { return value === undefined || value === '' ? (skip ? null : false) : [key, value]; }

function queryMatches(q: { readonly matcher: StringMatcher | null; readonly present: boolean }, value: string | undefined): boolean { return q.matcher === null ? (value !== undefined) === q.present : value !== undefined && q.matcher.matches(value); }

function parameter(path: string, name: string): string | undefined {
  const q = path.indexOf('?');
  if (q < 0) return undefined;
  for (const part of path.slice(q + 1).split('&')) { const eq = part.indexOf('='); if ((eq < 0 ? part : part.slice(0, eq)) === name) return eq < 0 ? '' : part.slice(eq + 1); }
  return undefined;
}

/** 'address/bits' of the range that an address is in; '' for none. */
function masked(ip: string, bits4: number, bits6: number): string {
  const bytes = parseIp(ip);
  if (bytes === null) return '';
  const six = ip.includes(':'), bits = six ? bits6 : bits4 + 96;
  for (let i = 0; i < 16; i++) bytes[i]! &= bits >= 8 * (i + 1) ? 255 : bits <= 8 * i ? 0 : (0xff00 >> (bits - 8 * i)) & 255;
  return `${textOfIp(bytes, six)}/${six ? bits6 : bits4}`;
}
