// The health_check filter (Envoy: HealthCheckFilter): answers health checks of this proxy itself, by its own state, by the state of clusters, or by what the
// backend said a moment ago; or passes them through and marks the answer.
import type { RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import { HeaderMatcher, matchesAll } from '../../../headers/header-matcher.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import type { Clock } from '../../../loop/clock.ts';
import type { ProcessRecords } from '../../../net/shared-limits.ts';
import { flagBit } from '../../../observe/response-flags.ts';
import { HEALTH_CHECK_FILTER as STAT, HEALTH_CHECK_FILTER_SCHEMA } from '../../../observe/stats/schemas.ts';
import { StatBlock, type StatStore } from '../../../observe/stats/stat-block.ts';
import type { HealthCheckFilterPlan } from '../../../plan/health-check-filter-plan.ts';
import type { ClusterDirectory } from '../../../upstream/upstream.ts';
import { CheckCache } from './check-cache.ts';

/** What the filter looks at besides the request. */
export interface HealthCheckParts { readonly clock: Clock; readonly stats: StatStore; /** 'http.HCM'. */ readonly scope: string; readonly clusters: ClusterDirectory; readonly nodeCluster: string; readonly records: ProcessRecords; /** Where the filter stands: its cache has this name in all workers. */ readonly place: string; /** /healthcheck/fail was called. */ healthFailed(): boolean }

const LH = flagBit('LH');
const degradedHeader = (h: ResponseHeaders): void => { h.set('x-envoy-degraded', ''); };
const OK = new LocalReply(200, '', 'health_check_ok');
/** Whoever checks us by way of another proxy is to take us out at once. */
const FAILED = new LocalReply(503, '', 'health_check_failed', LH, (h) => { h.set('x-envoy-immediate-health-check-fail', 'true'); });
const NO_CLUSTER = new LocalReply(503, '', 'health_check_no_cluster', LH);
const EMPTY_CLUSTER = new LocalReply(503, '', 'health_check_cluster_empty', LH);
const UNHEALTHY_CLUSTER = new LocalReply(503, '', 'health_check_cluster_unhealthy', LH);

export class HealthCheckFactory implements HttpFilterFactory {
  readonly name: string;
  readonly plan: HealthCheckFilterPlan;
  readonly parts: HealthCheckParts;
  private readonly matchers: readonly HeaderMatcher[];
  private readonly cache: CheckCache | null;
  private readonly stats: StatBlock;
  /** The cached answer that was given last. */
  private made: { readonly answer: number; readonly reply: LocalReply } | null = null;

  constructor(name: string, plan: HealthCheckFilterPlan, parts: HealthCheckParts) {
    this.name = name; this.plan = plan; this.parts = parts; this.matchers = plan.headers.map((h) => new HeaderMatcher(h)); this.cache = plan.cacheMs > 0 ? new CheckCache(parts.records.claim(`health_check ${parts.place}`)) : null;
    this.stats = new StatBlock(parts.stats, HEALTH_CHECK_FILTER_SCHEMA, `${parts.scope}.health_check`);
    this.stats.touch();
  }

  create(): HttpFilter { return new HealthCheckFilter(this); }

  isCheck(headers: RequestHeaders): boolean { return matchesAll(this.matchers, headers); }

  /** The answer that stands for this check, 0: none. */
  private cached(): number { return this.cache === null ? 0 : this.cache.answer(this.parts.clock.wallMs()); }
  /** Whether a check is answered here. */
  get answersItself(): boolean { return !this.plan.passThrough || this.parts.healthFailed() || this.cached() > 0; }

  reply(): LocalReply {
    const reply = this.decide();
    this.stats.inc(STAT.request_total);
    this.stats.inc(reply.status >= 200 && reply.status < 300 ? STAT.ok : STAT.failed);
    return reply;
  }

  private decide(): LocalReply {
    if (this.parts.healthFailed()) return FAILED;
    const cached = this.cached();
    if (cached > 0) {
      this.stats.inc(STAT.cached_response);
      if (CheckCache.degraded(cached)) this.stats.inc(STAT.degraded);
      return this.again(cached);
    }
    for (const { cluster: name, percent } of this.plan.minimums) {
      const cluster = this.parts.clusters.get(name);
      if (cluster === null) { this.stats.inc(STAT.failed_cluster_not_found); return NO_CLUSTER; }
      const { total, available } = cluster.membership();
      if (total === 0) { if (percent === 0) continue; this.stats.inc(STAT.failed_cluster_empty); return EMPTY_CLUSTER; }
      if (100 * available < total * percent) { this.stats.inc(STAT.failed_cluster_unhealthy); return UNHEALTHY_CLUSTER; }
    }
    return OK;
  }

  private again(answer: number): LocalReply {
    if (this.made?.answer !== answer) this.made = { answer, reply: new LocalReply(CheckCache.status(answer), '', 'health_check_cached', CheckCache.status(answer) === 200 ? 0 : LH, CheckCache.degraded(answer) ? degradedHeader : null) };
    return this.made.reply;
  }

  remember(status: number, degraded: boolean): void { this.cache?.keep(status, degraded, this.parts.clock.wallMs() + this.plan.cacheMs); }
}

class HealthCheckFilter implements HttpFilter {
  private readonly factory: HealthCheckFactory;
  private check = false;
  private answering = false;
  constructor(factory: HealthCheckFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders, end: boolean): Verdict {
    const { factory } = this;
    if (!factory.isCheck(headers)) return 'next';
    this.check = true;
    s.facts.healthCheck = true;
    if (!factory.answersItself) return 'next';
    this.answering = true;
    return end ? factory.reply() : 'hold';
  }
  // A body is read to its end and dropped before the answer, as Envoy does.
  onRequestData(_s: StreamView, _data: Uint8Array, _start: number, _end: number, last: boolean): Verdict { return this.answering ? (last ? this.factory.reply() : 'taken') : 'next'; }
  onRequestTrailers(): Verdict { return this.answering ? this.factory.reply() : 'next'; }

  onResponseHeaders(_s: StreamView, headers: ResponseHeaders): Verdict {
    const { factory } = this, { parts } = factory;
    if (this.check) {
      if (!this.answering) factory.remember(headers.status, headers.has('x-envoy-degraded'));
      headers.set('x-envoy-upstream-healthchecked-cluster', parts.nodeCluster);
    } else if (parts.healthFailed()) headers.set('x-envoy-immediate-health-check-fail', 'true');
    return 'next';
  }
}
