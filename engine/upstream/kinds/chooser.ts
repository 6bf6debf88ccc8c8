// Clusters that find their hosts in a way of their own (Envoy: CLUSTER_PROVIDED).
import type { Host, PickContext } from '../upstream.ts';

export interface HostChooser {
  choose(ctx: PickContext): Host | null;
  /** The cluster is replaced or removed. */
  drain(): void;
}
