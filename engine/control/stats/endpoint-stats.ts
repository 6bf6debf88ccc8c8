// Stats of single hosts (track_cluster_stats.per_endpoint_stats): scopes whose values are looked at when asked for. Clusters may share one stat name (alt_stat_name), and
// even an address: what both have there is one scope with the sum.
import { formatAddress, type Address } from '../../net/address.ts';
import { ENDPOINT_SCHEMA, HOST_SCHEMA } from '../../observe/stats/schemas.ts';
import type { StatReader } from './stat-reader.ts';

/** Of a host's record: one of its stats (by its index in HOST_SCHEMA), and whether it takes traffic. */
export interface HostFigures { stat(record: number, at: number): number; healthy(record: number): boolean }
export interface EndpointHost { readonly index: number; readonly address: Address; readonly hostname: string }

const NOBODY: Seen = { scope: '', hosts: new Map() };
interface Seen { readonly scope: string; /** Records by address. */ readonly hosts: ReadonlyMap<string, number> }

export class EndpointStats {
  private readonly reader: StatReader;
  /** By cluster. */
  private readonly clusters = new Map<string, Seen>();
  /** Records by cluster, of each endpoint's scope. */
  private readonly holders = new Map<string, Map<string, number>>();
  constructor(reader: StatReader) { this.reader = reader; }

  /** The hosts of a cluster as they are now; none: it shows no such stats (any more). */
  declare(cluster: string, statName: string, hosts: readonly EndpointHost[], figures: HostFigures): void {
    const scope = `cluster.${statName}`, before = this.clusters.get(cluster) ?? NOBODY, now = new Map<string, number>();
    for (const h of hosts) {
      const address = formatAddress(h.address);
      now.set(address, h.index);
      if (before.scope === scope && before.hosts.get(address) === h.index) continue;
      this.hold(`${scope} ${address}`, cluster, h.index);
      this.reader.declareEndpoint(ENDPOINT_SCHEMA, scope, address, h.hostname, (name) => this.value(`${scope} ${address}`, name, figures));
    }
    for (const address of before.hosts.keys()) if (before.scope !== scope || !now.has(address)) this.drop(before.scope, address, cluster);
    if (now.size > 0) this.clusters.set(cluster, { scope, hosts: now }); else this.clusters.delete(cluster);
  }
  /** The cluster is gone. */
  retire(cluster: string): void {
    const { scope, hosts } = this.clusters.get(cluster) ?? NOBODY;
    this.clusters.delete(cluster);
    for (const address of hosts.keys()) this.drop(scope, address, cluster);
  }

  private hold(endpoint: string, cluster: string, record: number): void { const h = this.holders.get(endpoint); if (h === undefined) this.holders.set(endpoint, new Map([[cluster, record]])); else h.set(cluster, record); }
  private drop(scope: string, address: string, cluster: string): void {
    const key = `${scope} ${address}`, h = this.holders.get(key);
    if (h?.delete(cluster) !== true || h.size > 0) return;
    this.holders.delete(key);
    this.reader.dropEndpoint(scope, address);
  }
  private value(endpoint: string, name: string, figures: HostFigures): number {
    const records = this.holders.get(endpoint), i = HOST_SCHEMA.names.indexOf(name);
    let sum = 0;
    for (const r of records?.values() ?? []) { if (i >= 0) sum += figures.stat(r, i); else if (figures.healthy(r)) return 1; }
    return sum;
  }
}
