// What connections to internal listeners bring along (transport_sockets.internal_upstream).
import type { ExtensionPlan } from './extension-plan.ts';

export interface InternalUpstreamPlan {
  /** Namespaces of the host's or the cluster's metadata. */
  readonly metadata: readonly { readonly of: 'host' | 'cluster'; readonly namespace: string }[];
  /** The transport socket inside; null: cleartext. */
  readonly inner: ExtensionPlan | null;
}
