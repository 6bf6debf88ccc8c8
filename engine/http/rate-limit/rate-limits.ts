// Descriptors of a request for rate limit filters (Envoy: RateLimitPolicyEntry), built once of rate_limits: each policy gives one list of entries, or none.
import { HeaderMatcher, matchesAll } from '../../headers/header-matcher.ts';
import { makeStringMatcher, type StringMatcher } from '../../headers/string-matcher.ts';
import { Cidr, inRanges, parseIp, textOfIp } from '../../net/cidr.ts';
import type { Clock } from '../../loop/clock.ts';
import { runtimeFlag, type Runtime } from '../../loop/runtime.ts';
import { makeInput, queryValue } from '../../net/match/inputs.ts';
import { CelExpression } from '../../observe/cel/expression.ts';
import { MutableContext } from '../../observe/format/header-mutation.ts';
import { makeFormatter } from '../../observe/format/make-formatter.ts';
import { celText } from '../../observe/cel/values.ts';
import type { OperatorEnv } from '../../observe/format/operators.ts';
import { valueAt } from '../../observe/match/value-matcher.ts';
import type { Route } from '../route.ts';
import type { StreamFacts } from '../../observe/stream-facts.ts';
import type { RateLimitActionPlan, RateLimitPlan, RateLimitValuePlan } from '../../plan/rate-limit-plan.ts';

/** What a request is counted under. Entries are compared in order. `hits`: tokens that it takes; `refill`: it puts them back. `tells`: whether answers tell of the limit, null: as the filter says. */
export interface Descriptor { readonly entries: readonly (readonly [string, string])[]; readonly hits: number; readonly refill: boolean; readonly tells: boolean | null }

/** Of a route: its own policies and its virtual host's. */
export interface RouteRateLimits { readonly route: readonly RateLimitPolicy[]; readonly host: readonly RateLimitPolicy[]; /** include_vh_rate_limits */ readonly includeHost: boolean }

/** What policies are built with. */
export interface RateLimitEnv { readonly runtime: Runtime; readonly clock: Clock; readonly operators: OperatorEnv }

/** An entry; null: left out; false: no descriptor at all. */
type Action = (s: StreamFacts, nodeCluster: string, route: Route | null) => readonly [string, string] | null | false;
type HitsOf = (s: StreamFacts) => number;

/** What one request may take at most, as in Envoy. */
const MAX_HITS = 1e9;
const context = new MutableContext();

export class RateLimitPolicy {
  readonly stage: number;
  private readonly actions: readonly Action[];
  private readonly hits: HitsOf | null;
  private readonly plan: RateLimitPlan;
  constructor(plan: RateLimitPlan, env: RateLimitEnv) { this.plan = plan; this.stage = plan.stage; this.actions = plan.actions.map((a) => makeAction(a, env)); this.hits = makeHits(plan.hits, env); }

  /** null: nothing to count. */
  descriptor(s: StreamFacts, nodeCluster: string, route: Route | null): Descriptor | null {
    const entries: (readonly [string, string])[] = [], { plan } = this;
    for (const a of this.actions) { const e = a(s, nodeCluster, route); if (e === false) return null; if (e !== null) entries.push(e); }
    const hits = this.hits === null ? 1 : this.hits(s);
    return hits < 0 ? null : { entries, hits, refill: plan.hits?.refill ?? false, tells: plan.tells };
  }
}

/** How many tokens; -1 where a format gives no number that may be. */
function makeHits(plan: RateLimitPlan['hits'], env: RateLimitEnv): HitsOf | null {
  if (plan === null) return null;
  const { number } = plan;
  if (plan.format === null) return () => number;
  const format = makeFormatter(plan.format, env.operators);
  return (s) => { const text = format.format(context.set(s, env.clock), '').trim(), n = text === '' ? NaN : Number(text); return n >= 0 && n <= MAX_HITS ? Math.floor(n) : -1; };
}

/** An entry of a descriptor_value. */
function makeEntry(key: string, plan: RateLimitValuePlan, env: RateLimitEnv): (s: StreamFacts) => readonly [string, string] | false {
  const entry = [key, plan.text] as const;
  if (plan.format === null) return () => entry;
  // Off in Envoy unless it is switched on: whoever has a '%' there relies on it.
  const guard = env.runtime.cell('envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value'), format = makeFormatter(plan.format, env.operators), { fallback, always } = plan;
  return (s) => {
    if (!always && !runtimeFlag(guard, false)) return entry;
    const value = format.format(context.set(s, env.clock), '') || fallback;
    return value === '' ? false : [key, value];
  };
}

function makeAction(plan: RateLimitActionPlan, env: RateLimitEnv): Action {
  switch (plan.kind) {
    case 'generic': return makeEntry(plan.key, plan.value, env);
    case 'source-cluster': return (_s, cluster) => ['source_cluster', cluster];
    case 'destination-cluster': return (s, _cluster, route) => (route === null || s.request === null ? false : ['destination_cluster', route.clusterName(s.request)]);
    case 'remote-address-match': { const ranges = plan.ranges.map((r) => new Cidr(r.ip, r.bits)), entry = makeEntry(plan.key, plan.value, env); return (s) => (inRanges(ranges, s.remoteIp) !== plan.invert ? entry(s) : false); }
    case 'remote-address': return (s) => { const v = plan.masked ? masked(s.remoteIp, plan.bits4, plan.bits6) : s.remoteIp; return v === '' ? false : [plan.masked ? 'masked_remote_address' : 'remote_address', v]; };
    // The first of several values; an empty one is a value.
    case 'header': { const { key, header, skip } = plan; return (s) => orSkip(key, s.request?.get(header), skip); }
    case 'query': { const { key, parameter, skip } = plan; return (s) => orSkip(key, queryValue(s.request?.path ?? '', parameter), skip); }
    case 'header-match': { const headers = plan.headers.map((h) => new HeaderMatcher(h)), entry = makeEntry(plan.key, plan.value, env); return (s) => (s.request !== null && matchesAll(headers, s.request) === plan.expect ? entry(s) : false); }
    case 'query-match': {
      const query = plan.query.map((q) => ({ ...q, matcher: q.string === null ? null : makeStringMatcher(q.string) })), entry = makeEntry(plan.key, plan.value, env);
      return (s) => (query.every((q) => queryMatches(q, queryValue(s.request?.path ?? '', q.name))) === plan.expect ? entry(s) : false);
    }
    case 'input': { const input = makeInput(plan.input), { key } = plan; return (s) => { const v = input(s.connection, s); return typeof v === 'string' && v !== '' ? [key, v] : false; }; }
    case 'expression': { const e = new CelExpression(plan.text), { key, skip } = plan; return (s) => orSkip(key, celText(e.value(s)), skip); }
    case 'metadata': return (s) => {
      const found = plan.source === 'dynamic' ? valueAt(s.metadata, plan.filter, plan.path) : valueAt(new Map(Object.entries(s.routeMetadata ?? {})), plan.filter, plan.path);
      return orSkip(plan.key, typeof found === 'string' && found !== '' ? found : plan.fallback === '' ? undefined : plan.fallback, plan.skip);
    };
  }
}

function orSkip(key: string, value: string | undefined, skip: boolean): readonly [string, string] | null | false { return value === undefined ? (skip ? null : false) : [key, value]; }

function queryMatches(q: { readonly matcher: StringMatcher | null; readonly present: boolean }, value: string | undefined): boolean { return q.matcher === null ? (value !== undefined) === q.present : value !== undefined && q.matcher.matches(value); }

/** 'address/bits' of the range that an address is in; '' for none. */
function masked(ip: string, bits4: number, bits6: number): string {
  const bytes = parseIp(ip);
  if (bytes === null) return '';
  const six = ip.includes(':'), bits = six ? bits6 : bits4 + 96;
  for (let i = 0; i < 16; i++) bytes[i]! &= bits >= 8 * (i + 1) ? 255 : bits <= 8 * i ? 0 : (0xff00 >> (bits - 8 * i)) & 255;
  return `${textOfIp(bytes, six)}/${six ? bits6 : bits4}`;
}
