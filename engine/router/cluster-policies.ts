// Policies that a cluster has of its own (HttpProtocolOptions), which stand in place of its routes'. Built once of a cluster's plan, when its first request comes.
import type { MirrorPlan, RetryPlan } from '../plan/route-plan.ts';
import type { Cluster } from '../upstream/upstream.ts';
import { MirrorPolicy } from './mirror.ts';
import { RetryPolicy } from './retry-policy.ts';
import type { RouteEntry } from './route-entry.ts';

const retries = new WeakMap<RetryPlan, RetryPolicy>();
const mirrors = new WeakMap<readonly MirrorPlan[], readonly MirrorPolicy[]>();

/** null: retries only as request headers say. */
export function retryPolicyOf(cluster: Cluster, entry: RouteEntry): RetryPolicy | null {
  const { retryPolicy: plan } = cluster;
  if (plan === null) return entry.retryPolicy;
  let made = retries.get(plan);
  if (made === undefined) { made = new RetryPolicy(plan); retries.set(plan, made); }
  return made;
}

export function mirrorsOf(cluster: Cluster, entry: RouteEntry): readonly MirrorPolicy[] {
  const { mirrors: plans } = cluster;
  if (plans.length === 0) return entry.mirrors;
  let made = mirrors.get(plans);
  if (made === undefined) { made = plans.map((m) => new MirrorPolicy(m, entry.env)); mirrors.set(plans, made); }
  return made;
}
