// local_ratelimit for requests (Envoy: LocalRateLimit filter): a token for each, of buckets that all workers share; without one the request is answered here, or only
// marked where limits are not enforced.
import type { RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { RateLimitPolicy, type Descriptor } from '../../../http/rate-limit/rate-limits.ts';
import { RuntimeFraction } from '../../../loop/runtime.ts';
import type { ProcessLimits } from '../../../net/shared-limits.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { flagBit } from '../../../observe/response-flags.ts';
import { HeaderMutations } from '../../../observe/format/header-mutation.ts';
import type { OperatorEnv } from '../../../observe/format/operators.ts';
import { HTTP_LOCAL_RATE_LIMIT, HTTP_LOCAL_RATE_LIMIT_SCHEMA } from '../../../observe/stats/l4-schemas.ts';
import { StatBlock } from '../../../observe/stats/stat-block.ts';
import type { LocalRateLimitPlan } from '../../../plan/rate-limit-plan.ts';
import { RateBuckets, type RateDecision } from './buckets.ts';

const RL = flagBit('RL');
const RESOURCE_EXHAUSTED = 8;

export interface LocalRateLimitParts { readonly env: WorkerEnv; readonly limits: ProcessLimits; readonly operators: OperatorEnv; /** local_info's cluster, for source_cluster. */ nodeCluster(): string; /** Members of the local cluster, 0: there is none. */ localMembers(): number }

/** One message's worth: the filter's, or a route's. */
class Limit {
  readonly plan: LocalRateLimitPlan;
  readonly stats: StatBlock;
  readonly buckets: RateBuckets;
  readonly enabled: RuntimeFraction; readonly enforced: RuntimeFraction;
  readonly requestHeaders: HeaderMutations;
  readonly reply: LocalReply;
  private readonly own: readonly RateLimitPolicy[] | null;

  constructor(plan: LocalRateLimitPlan, parts: LocalRateLimitParts) {
    this.plan = plan;
    const { env } = parts, responseHeaders = new HeaderMutations(plan.responseHeaders, parts.operators, env.clock);
    this.stats = new StatBlock(env.stats, HTTP_LOCAL_RATE_LIMIT_SCHEMA, `${plan.statPrefix}.http_local_rate_limit`);
    this.stats.touch();
    this.buckets = new RateBuckets(plan, parts.limits);
    this.enabled = new RuntimeFraction(plan.enabled, env.runtime); this.enforced = new RuntimeFraction(plan.enforced, env.runtime);
    this.requestHeaders = new HeaderMutations(plan.requestHeaders, parts.operators, env.clock);
    this.reply = new LocalReply(plan.status, 'local_rate_limited', 'local_rate_limited', RL, responseHeaders.empty ? null : (h, s) => responseHeaders.apply(h, s.facts), plan.resourceExhausted ? RESOURCE_EXHAUSTED : -1);
    this.own = plan.rateLimits === null ? null : plan.rateLimits.map((p) => new RateLimitPolicy(p, { runtime: env.runtime, clock: env.clock, operators: parts.operators }));
  }

  /** The request's descriptors: of the filter's own policies, else of its route's and virtual host's. */
  descriptors(s: StreamView, nodeCluster: string): Descriptor[] {
    const out: Descriptor[] = [], { plan } = this;
    const add = (list: readonly RateLimitPolicy[]): void => { for (const p of list) if (p.stage === plan.stage) { const d = p.descriptor(s.facts, nodeCluster, s.route); if (d !== null) out.push(d); } };
    if (this.own !== null) { add(this.own); return out; }
    const of = s.route?.rateLimits ?? null;
    if (of === null) return out;
    add(of.route);
    if (of.includeHost || plan.hostLimits === 'include' || (plan.hostLimits === 'override' && of.route.length === 0)) add(of.host);
    return out;
  }
}

const NONE: readonly Descriptor[] = [];

class LocalRateLimitFilter implements HttpFilter {
  private readonly factory: LocalRateLimitFactory;
  private limit: Limit | null = null;
  private decision: RateDecision | null = null;
  /** Answered here. */
  private refused = false;
  constructor(factory: LocalRateLimitFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders): Verdict {
    const { factory } = this, { env } = factory.parts, limit = (s.routeConfig(factory.index) as Limit | undefined) ?? factory.base;
    if (!limit.enabled.has(env.random.u32())) return 'next';
    this.limit = limit;
    limit.stats.inc(HTTP_LOCAL_RATE_LIMIT.enabled);
    const d = this.decision = limit.buckets.take(s.connection, limit.buckets.hasDescriptors ? limit.descriptors(s, factory.parts.nodeCluster()) : NONE, env.clock.wallMs(), limit.plan.ofLocalCluster ? factory.parts.localMembers() || 1 : 1);
    if (d.allowed && d.shadowed !== true) { limit.stats.inc(HTTP_LOCAL_RATE_LIMIT.ok); return 'next'; }
    limit.stats.inc(HTTP_LOCAL_RATE_LIMIT.rate_limited);
    if (d.allowed) { limit.stats.inc(HTTP_LOCAL_RATE_LIMIT.shadow_mode); return 'next'; }
    if (!limit.enforced.has(env.random.u32())) { limit.requestHeaders.apply(headers, s.facts); return 'next'; }
    limit.stats.inc(HTTP_LOCAL_RATE_LIMIT.enforced);
    this.refused = true;
    return limit.reply;
  }

  onResponseHeaders(_s: StreamView, headers: ResponseHeaders): Verdict {
    const { limit, decision } = this;
    if (limit === null || decision === null || decision.bucket === null) return 'next';
    const tells = decision.tells ?? limit.plan.rateLimitHeaders, retryAfter = limit.plan.retryAfter && this.refused;
    if (!tells && !retryAfter) return 'next';
    // As it is now: what has been taken and given since the request counts.
    const { plan } = decision.bucket, tokens = decision.bucket.left(0, this.factory.parts.env.clock.wallMs()), left = Math.floor(tokens + 1e-6), perS = (plan.tokensPerFill * 1000) / plan.fillIntervalMs, resetS = left > 0 ? 0 : Math.max(0, Math.ceil((1 - tokens) / perS));
    if (tells) {
      headers.set('x-ratelimit-limit', String(plan.maxTokens));
      headers.set('x-ratelimit-remaining', String(left));
      headers.set('x-ratelimit-reset', String(resetS));
    }
    if (retryAfter) headers.set('retry-after', String(Math.max(1, resetS)));
    return 'next';
  }
}

export class LocalRateLimitFactory implements HttpFilterFactory {
  readonly name: string;
  readonly index: number;
  readonly parts: LocalRateLimitParts;
  readonly base: Limit;
  constructor(name: string, index: number, plan: LocalRateLimitPlan, parts: LocalRateLimitParts) { this.name = name; this.index = index; this.parts = parts; this.base = new Limit(plan, parts); }
  create(): HttpFilter { return new LocalRateLimitFilter(this); }
  routeConfig(plan: unknown): unknown { return new Limit(plan as LocalRateLimitPlan, this.parts); }
}
