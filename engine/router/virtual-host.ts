// A virtual host resolved: its routes in order, first match wins. Built from its packed plan when a request first reaches it.
import { HeaderMatcher, matchesAll } from '../headers/header-matcher.ts';
import type { RequestHeaders } from '../headers/headers.ts';
import type { StatStore } from '../observe/stats/stat-block.ts';
import { MatchTree } from '../net/match/match-tree.ts';
import type { RoutePlan, VirtualHostPlan } from '../plan/route-plan.ts';
import { Level, type RouteEnv } from './level.ts';
import { RouteIndex } from './match/route-index.ts';
import { RouteMatcher, type MatchInput } from './match/route-matcher.ts';
import { ScopeStats } from './request-stats.ts';
import { RouteEntry } from './route-entry.ts';
import type { TableOfRoutes } from './route-table.ts';

interface MatchedRoute { readonly matcher: RouteMatcher; readonly entry: RouteEntry; readonly connect: boolean }
const NONE: readonly MatchedRoute[] = [];

export class VirtualHost {
  readonly plan: VirtualHostPlan;
  readonly table: TableOfRoutes;
  readonly level: Level;
  /**
   * Where its virtual clusters and its routes with a stat_prefix count; null: nowhere. Had from the beginning: what is counted first after the virtual host was
   * removed, and its slots were given back, must not claim new ones, which nobody would give back.
   */
  readonly statStore: StatStore | null;
  private readonly routes: readonly MatchedRoute[];
  private readonly tree: MatchTree<readonly MatchedRoute[]> | null;
  /** Of many routes; null: they are tried one after the other. */
  private readonly index: RouteIndex | null;
  private readonly clusters: readonly { readonly name: string; readonly headers: readonly HeaderMatcher[] }[];

  constructor(plan: VirtualHostPlan, table: TableOfRoutes, env: RouteEnv) {
    this.plan = plan;
    this.table = table;
    this.level = new Level(plan.level, env);
    this.statStore = table.counts(plan.name) ? env.stats.owned(`vhost.${plan.name}`) : null;
    const build = (list: readonly RoutePlan[]): MatchedRoute[] => list.map((r) => ({ matcher: new RouteMatcher(r.match, env.runtime), entry: new RouteEntry(r, this, env), connect: r.match.path.kind === 'connect' }));
    this.routes = build(plan.routes);
    this.index = RouteIndex.of(plan.routes.map((r) => r.match.path));
    this.tree = plan.matcher === null ? null : new MatchTree(plan.matcher, (action) => build(action as readonly RoutePlan[]));
    this.clusters = plan.virtualClusters.map((c) => ({ name: c.name, headers: c.headers.map((h) => new HeaderMatcher(h)) }));
  }

  match(i: MatchInput): RouteEntry | null {
    const connect = i.headers.method === 'CONNECT';
    if (this.index !== null && !connect) {
      this.index.begin(i.whole);
      for (let n = this.index.next(); n >= 0; n = this.index.next()) { const r = this.routes[n]!; if (r.matcher.matches(i)) return r.entry.pick(i); }
      return null;
    }
    const routes = this.tree === null ? this.routes : this.tree.match(i.facts.connection, i.facts) ?? NONE;
    for (let n = 0; n < routes.length; n++) {
      const r = routes[n]!;
      // CONNECT is matched by connect_matcher alone (its path is empty).
      if (connect && !r.connect) continue;
      if (r.matcher.matches(i)) return r.entry.pick(i);
    }
    return null;
  }

  private readonly scopes = new Map<string, ScopeStats>();
  /** vhost.NAME.vcluster.NAME of a virtual cluster; all their names are known once one of them counts. */
  scope(cluster: string): ScopeStats | null {
    const store = this.statStore;
    if (store === null) return null;
    if (this.scopes.size === 0) for (const name of [...this.clusters.map((x) => x.name), 'other']) this.scopes.set(name, new ScopeStats(store, `vhost.${this.plan.name}.vcluster.${name}`));
    return this.scopes.get(cluster)!;
  }

  /** Name of the virtual cluster that a request falls into; '' without any configured, 'other' where none fits. */
  virtualCluster(headers: RequestHeaders): string {
    if (this.clusters.length === 0) return '';
    for (const c of this.clusters) if (matchesAll(c.headers, headers)) return c.name;
    return 'other';
  }
}
