// Where else than at its cluster a request is counted (Envoy: VirtualCluster, Route.stat_prefix, x-envoy-upstream-alt-stat-name). Made only for requests that are.
import { CodeStats } from '../observe/stats/code-stats.ts';
import { REQUEST_SCOPE, REQUEST_SCOPE_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock, type StatStore } from '../observe/stats/stat-block.ts';
import type { Cluster } from '../upstream/upstream.ts';

export type RequestCount = keyof typeof REQUEST_SCOPE;

/** Attempts and retries too: of a virtual cluster, or of a route with a stat_prefix. All its counters are known once it counts. */
export class ScopeStats extends CodeStats {
  private readonly block: StatBlock;
  constructor(store: StatStore, prefix: string) { super(store, prefix); this.block = new StatBlock(store, REQUEST_SCOPE_SCHEMA, prefix); this.block.touch(); }
  count(what: RequestCount): void { this.block.inc(REQUEST_SCOPE[what]); }
}

/** Names that requests give themselves cost memory as long as their cluster is there: so many of a worker are counted. */
const MAX_NAMES = 1000;

/** cluster.NAME.ALT, where ALT is what an internal request's x-envoy-upstream-alt-stat-name says. */
export class AlternativeStats {
  private readonly byName = new Map<string, CodeStats>();
  private looking = this.byName.entries();
  private of(store: StatStore, name: string): CodeStats | null {
    let stats = this.byName.get(name) ?? null;
    if (stats?.released === true) { this.byName.delete(name); stats = null; }
    if (stats !== null) return stats;
    if (this.byName.size >= MAX_NAMES) this.lookAtOne();
    if (this.byName.size < MAX_NAMES) { stats = new CodeStats(store, name); this.byName.set(name, stats); }
    return stats;
  }
  /** Names of clusters that are gone make room, one look at a time: an unknown name must not cost more than a known one. */
  private lookAtOne(): void {
    let next = this.looking.next();
    if (next.done === true) { this.looking = this.byName.entries(); next = this.looking.next(); }
    if (next.done !== true && next.value[1].released) this.byName.delete(next.value[0]);
  }
  charge({ statName, statStore }: Pick<Cluster, 'statName' | 'statStore'>, alternative: string, status: number, internal: boolean, canary: boolean, timeMs: number): void {
    const prefix = `cluster.${statName}.${alternative}`;
    this.of(statStore, prefix)?.charge(status, timeMs);
    this.of(statStore, `${prefix}.${internal ? 'internal' : 'external'}`)?.charge(status, timeMs);
    if (canary) this.of(statStore, `${prefix}.canary`)?.charge(status, timeMs);
  }
}

/** The scopes of one request. */
export class RequestStats {
  private readonly virtualCluster: ScopeStats | null;
  private readonly route: ScopeStats | null;
  /** '': the request gave no name. */
  private readonly alternative: string;
  private readonly alternatives: AlternativeStats;
  constructor(virtualCluster: ScopeStats | null, route: ScopeStats | null, alternative: string, alternatives: AlternativeStats) { this.virtualCluster = virtualCluster; this.route = route; this.alternative = alternative; this.alternatives = alternatives; }

  count(what: RequestCount): void { this.virtualCluster?.count(what); this.route?.count(what); }
  charge(status: number, cluster: Pick<Cluster, 'statName' | 'statStore'>, internal: boolean, canary: boolean, timeMs: number): void {
    this.virtualCluster?.charge(status, timeMs);
    this.route?.charge(status, timeMs);
    if (this.alternative !== '') this.alternatives.charge(cluster, this.alternative, status, internal, canary, timeMs);
  }
}
