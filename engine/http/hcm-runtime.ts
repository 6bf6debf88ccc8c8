// What all connections of one HTTP connection manager share: its plan with everything resolved. Built when the listener is installed.
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import { HCM_SCHEMA, HTTP1_SCHEMA, HTTP2_SCHEMA, LISTENER_HTTP_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock } from '../observe/stats/stat-block.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import { DateHeader } from '../headers/date.ts';
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { RuntimeCell } from '../loop/runtime.ts';
import { LoadShed, type OverloadView } from '../net/overload.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import type { HcmPlan } from '../plan/hcm-plan.ts';
import type { Http1OptionsPlan } from '../plan/http1-options-plan.ts';
import { runtimeNumber } from '../loop/runtime.ts';
import type { HeaderMutationPlan } from '../plan/header-mutation-plan.ts';
import { FilterList, type MakeHttpFilter } from './filter-list.ts';
import { ProxyStatus } from './proxy-status.ts';
import { ScopedRoutes } from './scoped-routes.ts';
import { RequestPreparation, type NodeNames } from './request-preparation.ts';
import type { RouteTableCell } from './route.ts';

/** Applies a compiled list of header mutations. */
export interface HeaderMutation { apply(headers: RequestHeaders | ResponseHeaders, facts: StreamFacts): void }
/** One mapper of local_reply_config, resolved. */
export interface ReplyMapper { matches(facts: StreamFacts): boolean; readonly status: number; readonly body: string | null; readonly format: BodyFormatter | null; readonly headers: HeaderMutation }
export interface BodyFormatter { readonly contentType: string; format(facts: StreamFacts): string }

/** What the manager is given by the catalog, which knows the other rooms. */
export interface HcmParts {
  readonly httpFilter: MakeHttpFilter;
  accessLog(kind: string, body: unknown): AccessLog;
  routes(key: string): RouteTableCell;
  mutation(plan: HeaderMutationPlan): HeaderMutation;
  mapper(plan: HcmPlan['mappers'][number]): ReplyMapper;
  bodyFormat(plan: NonNullable<HcmPlan['bodyFormat']>): BodyFormatter;
  readonly overload: OverloadView;
  readonly machineAddress: string;
  readonly node: NodeNames;
}

/** Envoy's runtime defaults for limits that the configuration leaves open; read when the listener is installed. */
function headLimits(plan: HcmPlan, env: WorkerEnv): Http1OptionsPlan {
  const { http1 } = plan, of = (key: string, absent: number): number => runtimeNumber(env.runtime.cell(`envoy.reloadable_features.${key}`), absent);
  const kb = plan.runtimeHeadKb ? of('max_request_headers_size_kb', http1.maxHeadersKb) : http1.maxHeadersKb, count = plan.runtimeHeadCount ? of('max_request_headers_count', http1.maxHeadersCount) : http1.maxHeadersCount;
  return kb === http1.maxHeadersKb && count === http1.maxHeadersCount ? http1 : { ...http1, maxHeadersKb: kb, maxHeadersCount: count };
}

export class HcmRuntime {
  readonly plan: HcmPlan;
  readonly env: WorkerEnv;
  readonly overload: OverloadView;
  readonly shed: LoadShed;
  readonly stats: StatBlock;
  readonly listenerStats: StatBlock;
  readonly http1Stats: StatBlock;
  readonly http2Stats: StatBlock;
  readonly routes: RouteTableCell;
  readonly filters: FilterList;
  /** Chains of upgrades that have one of their own. */
  private readonly upgradeFilters: ReadonlyMap<string, FilterList> | null;
  readonly accessLogs: readonly AccessLog[];
  readonly preparation: RequestPreparation;
  readonly http1: Http1OptionsPlan;
  readonly proxyStatus: ProxyStatus | null;
  readonly early: readonly HeaderMutation[];
  readonly mappers: readonly ReplyMapper[];
  readonly bodyFormat: BodyFormatter | null;
  readonly date = new DateHeader();
  /** Runtime keys of Envoy's limit of streams that are reset before their answer. */
  readonly resetLimit: RuntimeCell;
  readonly resetLifetime: RuntimeCell;
  readonly upgrades: ReadonlyMap<string, boolean>;

  constructor(plan: HcmPlan, env: WorkerEnv, parts: HcmParts, listenerStatPrefix: string) {
    this.plan = plan;
    this.env = env;
    this.overload = parts.overload;
    this.shed = new LoadShed(parts.overload, env);
    this.stats = new StatBlock(env.stats, HCM_SCHEMA, `http.${plan.statPrefix}`);
    this.listenerStats = new StatBlock(env.stats.owned(listenerStatPrefix), LISTENER_HTTP_SCHEMA, `${listenerStatPrefix}.http.${plan.statPrefix}`);
    this.http1Stats = new StatBlock(env.stats, HTTP1_SCHEMA, 'http1');
    this.http2Stats = new StatBlock(env.stats, HTTP2_SCHEMA, 'http2');
    this.resetLimit = env.runtime.cell('overload.premature_reset_total_stream_count');
    this.resetLifetime = env.runtime.cell('overload.premature_reset_min_stream_lifetime_seconds');
    this.routes = plan.scopes === null ? parts.routes(plan.routesKey) : { current: new ScopedRoutes(plan.scopes, (key) => parts.routes(key)) };
    this.filters = new FilterList(plan.filters, parts.httpFilter);
    const own = plan.upgrades.filter((u) => u.filters !== null);
    this.upgradeFilters = own.length === 0 ? null : new Map(own.map((u) => [u.type, new FilterList(u.filters!, parts.httpFilter)]));
    this.accessLogs = plan.accessLogs.map((l) => parts.accessLog(l.kind, l.body));
    this.preparation = new RequestPreparation(plan, env.random, parts.machineAddress, parts.node);
    this.http1 = headLimits(plan, env);
    this.proxyStatus = plan.proxyStatus === null ? null : new ProxyStatus(plan.proxyStatus, parts.node.id);
    this.early = plan.earlyMutations.map((m) => parts.mutation(m));
    this.mappers = plan.mappers.map((m) => parts.mapper(m));
    this.bodyFormat = plan.bodyFormat === null ? null : parts.bodyFormat(plan.bodyFormat);
    this.upgrades = new Map(plan.upgrades.map((u) => [u.type.toLowerCase(), u.enabled]));
  }

  /** The chain for requests that upgrade to `token`. */
  filtersOf(token: string): FilterList { return this.upgradeFilters?.get(token) ?? this.filters; }
}
