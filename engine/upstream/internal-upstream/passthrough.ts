// What a connection to an internal listener is given: metadata of its host and cluster as the transport socket names them, and the client's filter state that was shared.
import type { Passthrough } from '../../net/internal-network.ts';
import type { MetadataValue, SharedStateValue } from '../../observe/stream-facts.ts';
import { INTERNAL_UPSTREAM, INTERNAL_UPSTREAM_SCHEMA } from '../../observe/stats/l4-schemas.ts';
import { StatBlock, type StatStore } from '../../observe/stats/stat-block.ts';
import type { InternalUpstreamPlan } from '../../plan/internal-upstream-plan.ts';

type Metadata = { readonly [namespace: string]: MetadataValue } | null;

const NOTHING: ReadonlyMap<string, SharedStateValue> = new Map();

/** One for a transport socket. */
export class InternalUpstream {
  private readonly plan: InternalUpstreamPlan;
  private readonly stats: StatBlock;
  /** `scope`: 'cluster.NAME'. */
  constructor(plan: InternalUpstreamPlan, stats: StatStore, scope: string) { this.plan = plan; this.stats = new StatBlock(stats, INTERNAL_UPSTREAM_SCHEMA, `${scope}.internal_upstream`); }

  passthrough(host: Metadata, cluster: Metadata, shared: ReadonlyMap<string, SharedStateValue> | null): Passthrough {
    const metadata = new Map<string, { readonly [key: string]: MetadataValue }>();
    for (const { of, namespace } of this.plan.metadata) {
      const value = (of === 'host' ? host : cluster)?.[namespace];
      if (value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value)) metadata.set(namespace, value as { readonly [key: string]: MetadataValue }); else this.stats.inc(INTERNAL_UPSTREAM.no_metadata);
    }
    return { metadata, state: shared ?? NOTHING };
  }
}
