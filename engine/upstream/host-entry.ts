// One host of a cluster on one worker: where it is, what it counts for, and the pools of connections to it. Made anew when what the configuration says of it changes: the new
// one takes over the pools. A host that goes drains them.
import { formatAddress } from '../net/address.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import { HOST_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock } from '../observe/stats/stat-block.ts';
import type { HostPlan } from '../plan/cluster-plan.ts';
import { HOST_FLAG } from '../shm/host-table.ts';
import type { ClusterEntry } from './cluster.ts';
import type { WithLocality } from './host-sets.ts';
import { inTurns } from './pool/address-race.ts';
import type { Pool } from './pool/pool.ts';
import type { RawConnection } from './pool/raw-connection.ts';
import type { Cluster } from './upstream.ts';

export class HostEntry implements WithLocality {
  readonly index: number; address: HostPlan['address']; text: string; readonly hostname: string; readonly cluster: Cluster; readonly priority: number;
  readonly locality: HostPlan['locality']; readonly localityWeight: number; readonly metadata: HostPlan['metadata']; readonly health: HostPlan['health']; weight: number;
  /** All of them, in the order in which they are tried; null: there is but one. */
  addresses: readonly HostPlan['address'][] | null;
  /** An owner of its own: control gives the record to another host once every worker has let go of it. */
  readonly stats: StatBlock;
  /** No longer among the cluster's hosts. */
  removed = false;
  /** By priority and protocol: 2 × (high) + (HTTP/2). */
  pools: (Pool | null)[] = [null, null, null, null];
  /** Those of server names that requests bring (auto_sni) and of single clients (PROXY protocol), while they have connections. */
  private named = new Map<string, Pool>();
  /** A host that checks or outlier detection found bad: its connections end with the requests on them. */
  private failed = false;
  /** Connections of layer 4, where they end as the host is found bad (close_connections_on_host_health_failure); null: they do not. */
  readonly raw: Set<RawConnection> | null;
  takeFlags(flags: number): number {
    const failed = (flags & (HOST_FLAG.FAILED_ACTIVE_HC | HOST_FLAG.FAILED_OUTLIER)) !== 0;
    const newly = failed && !this.failed;
    this.failed = failed;
    if (newly) { this.drain(false); if (this.raw !== null) for (const c of [...this.raw]) c.hostFailed(); }
    return flags;
  }
  /** Where new connections go from now on. */
  move(to: HostPlan['address'], more: HostPlan['more']): void { this.address = to; this.text = formatAddress(to); this.addresses = more === undefined ? null : inTurns([to, ...more], (this.cluster as ClusterEntry).plan.eyeballs); }
  /** Nothing but the address may be another. */
  same(p: HostPlan): boolean {
    if (this.priority !== p.priority || this.weight !== p.weight || this.localityWeight !== p.localityWeight || this.hostname !== p.hostname || this.health !== p.health) return false;
    const a = this.locality, b = p.locality;
    return a.region === b.region && a.zone === b.zone && a.subZone === b.subZone && (this.metadata === p.metadata || JSON.stringify(this.metadata) === JSON.stringify(p.metadata));
  }
  /** The same host with other weights keeps its connections. */
  take(before: HostEntry): void { this.failed = before.failed; for (const c of before.raw ?? []) this.raw?.add(c); this.pools = before.pools; this.named = before.named; for (const p of [...this.pools, ...this.named.values()]) if (p !== null) p.host = this; }
  constructor(plan: HostPlan, cluster: Cluster, env: WorkerEnv) {
    this.index = plan.index; this.address = plan.address; this.text = formatAddress(plan.address); this.hostname = plan.hostname; this.cluster = cluster; this.priority = plan.priority;
    this.locality = plan.locality; this.localityWeight = plan.localityWeight; this.metadata = plan.metadata; this.health = plan.health; this.weight = plan.weight;
    this.raw = (cluster as ClusterEntry).plan.closeOnHealthFailure ? new Set() : null;
    this.addresses = plan.more === undefined ? null : inTurns([plan.address, ...plan.more], (cluster as ClusterEntry).plan.eyeballs);
    const owner = `host.${plan.index}`;
    this.stats = new StatBlock(env.stats.owned(owner), HOST_SCHEMA, owner);
  }
  namedPool(n: number, serverName: string, make: () => Pool): Pool {
    const key = `${n}/${serverName}`;
    let pool = this.named.get(key);
    if (pool === undefined) { pool = make(); this.named.set(key, pool); }
    return pool;
  }
  *allPools(): Generator<Pool> { for (const p of this.pools) if (p !== null) yield p; yield* this.named.values(); }
  forgetNamed(pool: Pool): void { for (const [key, p] of this.named) if (p === pool) this.named.delete(key); }
  drain(forGood: boolean): void { for (const p of [...this.pools, ...this.named.values()]) p?.drain(forGood); }
}
