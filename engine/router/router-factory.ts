// What all requests of one router filter share, resolved when the listener is installed.
import { FilterList, type MakeHttpFilter } from '../http/filter-list.ts';
import type { HttpFilter, HttpFilterFactory, ResponseEntry, StreamView } from '../http/filter.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import { ASYNC_CLIENT_SCHEMA, HCM_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock } from '../observe/stats/stat-block.ts';
import type { HttpFilterPlan } from '../plan/hcm-plan.ts';
import type { RouterConfig } from '../plan/router-plan.ts';
import type { Cluster, ClusterDirectory } from '../upstream/upstream.ts';
import type { BodyRenderer } from './redirect.ts';
import { AlternativeStats } from './request-stats.ts';
import { RouterFilter } from './router.ts';
import { UpstreamLog } from './upstream-log.ts';

/** Filters behind the router, without the codec that ends them; null: it is alone. */
export function upstreamList(plans: readonly HttpFilterPlan[], make: MakeHttpFilter): FilterList | null { return plans.length <= 1 ? null : new FilterList(plans.slice(0, -1), make); }

export interface RouterParts {
  readonly env: WorkerEnv; readonly clusters: ClusterDirectory;
  /** Makes a filter that stands behind the router. */
  readonly upstreamFilter: MakeHttpFilter;
  /** The filters of a cluster that has its own. */
  readonly clusterFilters: (cluster: Cluster) => FilterList | null;
  readonly renderBody: BodyRenderer; readonly accessLog: (kind: string, body: unknown) => AccessLog; /** Stands in x-forwarded-for for requests of our own. */ readonly machineAddress: string;
}

export class RouterFactory implements HttpFilterFactory {
  readonly name: string;
  readonly plan: RouterConfig;
  readonly parts: RouterParts;
  readonly stats: StatBlock;
  readonly upstreamLog: UpstreamLog | null;
  readonly alternatives: AlternativeStats;
  /** Requests of our own, which copies are. */
  readonly asyncClient: StatBlock;
  private readonly upstreamFilters: FilterList | null;
  constructor(name: string, plan: RouterConfig, parts: RouterParts, statPrefix: string) {
    this.name = name; this.plan = plan; this.parts = parts;
    this.upstreamLog = plan.upstreamLogs.length === 0 ? null : new UpstreamLog(plan.upstreamLogs.map((l) => parts.accessLog(l.kind, l.body)), plan.upstreamLogAtStart);
    this.alternatives = new AlternativeStats();
    this.upstreamFilters = plan.upstreamFilters === null ? null : upstreamList(plan.upstreamFilters, parts.upstreamFilter);
    this.stats = new StatBlock(parts.env.stats, HCM_SCHEMA, `http.${statPrefix}`);
    this.asyncClient = new StatBlock(parts.env.stats, ASYNC_CLIENT_SCHEMA, 'http.async-client');
  }
  /** HTTP filters of each attempt at a cluster's hosts; null: none. */
  filtersFor(cluster: Cluster): FilterList | null { return cluster.upstreamFilters === null ? this.upstreamFilters : this.parts.clusterFilters(cluster); }
  create(s: StreamView & ResponseEntry): HttpFilter { return new RouterFilter(s, this); }
}
