// What the choice of a host for one request may depend on: its hashes, the metadata that is wanted, and what a retry leaves out.
import type { RequestHeaders } from '../headers/headers.ts';
import type { StreamView } from '../http/filter.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { Cluster, Host, PickContext } from '../upstream/upstream.ts';
import type { HashPolicyPlan } from '../plan/route-plan.ts';
import { HashPolicies, type HashResult } from './hash-policy.ts';
import type { RetryState } from './retry.ts';
import type { RouteEntry } from './route-entry.ts';

const result: HashResult = { has: false, high: 0, low: 0, cookies: null };

const ofClusters = new WeakMap<readonly HashPolicyPlan[], HashPolicies>();
function policiesOf(plans: readonly HashPolicyPlan[]): HashPolicies {
  let made = ofClusters.get(plans);
  if (made === undefined) { made = new HashPolicies(plans); ofClusters.set(plans, made); }
  return made;
}

export class HostChoice implements PickContext {
  private readonly s: StreamView;
  private readonly entry: RouteEntry;
  private criteria: PickContext['metadataMatch'] | undefined;
  hasHash = false; hashHigh = 0; hashLow = 0;
  avoid: ((host: Host) => boolean) | null = null;
  maxReselect = 0;
  triedPriorities = 0;
  overrideHost: PickContext['overrideHost'] = null; overridesUsed = 0;
  constructor(s: StreamView, entry: RouteEntry) { this.s = s; this.entry = entry; this.overrideHost = s.facts.overrideHost; }

  get request(): RequestHeaders { return this.s.request; }
  get facts(): StreamFacts { return this.s.facts; }
  get metadataMatch(): PickContext['metadataMatch'] { return this.criteria === undefined ? (this.criteria = this.entry.criteriaFor(this.s.facts)) : this.criteria; }

  /** Computes the cluster's hash policies, else the route's; the cookies that they want set in the answer, or null. */
  hash(cluster: Cluster): string[] | null {
    const hashPolicies = cluster.hashPolicies.length === 0 ? this.entry.hashPolicies : policiesOf(cluster.hashPolicies);
    if (hashPolicies === null) return null;
    hashPolicies.compute(this.s.request, this.s.facts, result);
    this.hasHash = result.has; this.hashHigh = result.high; this.hashLow = result.low;
    return result.cookies;
  }

  /** The next choice is a retry's, maybe at another cluster than before. */
  forRetry(retry: RetryState, cluster: Cluster | null): void {
    if (cluster !== null && cluster.usesHash && !this.hasHash) this.hash(cluster);
    this.overrideHost = null; this.avoid = retry.avoid; this.maxReselect = retry.reselects; this.triedPriorities = retry.triedPriorities();
  }
}
