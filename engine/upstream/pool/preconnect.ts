// Connections made before a request needs them (Cluster.PreconnectPolicy; Envoy: ConnPoolImplBase::shouldConnect and ClusterManagerImpl::maybePreconnect).
//
// Of a host: per_upstream_preconnect_ratio, kept by its pools. Of a cluster: predictive_preconnect_ratio. With each new request the hosts of the next ones are chosen ahead,
// and get a connection while the cluster has too few for what is to come; a later request then takes the host that was chosen for it.
import { below, makeValueMatcher } from '../../observe/match/value-matcher.ts';
import type { ClusterPlan, PreconnectPlan } from '../../plan/cluster-plan.ts';
import type { Host } from '../upstream.ts';

/** Hosts that one request has chosen ahead at most, as in Envoy. */
export const AHEAD_AT_ONCE = 3;

/** Streams that wait, run, or are about to (`coming`), times the ratio, against what the connections can carry, those under way too. */
export function shouldConnect(waiting: number, active: number, capacity: number, ratio: number, coming: number): boolean { return (waiting + active + coming) * ratio > capacity + active; }

/** Whether connections to a host may be made ahead, by its metadata (preconnect_enabled_metadata); null: to all. */
export type PreconnectGate = (metadata: Host['metadata']) => boolean;
export function makeGate(plan: PreconnectPlan | null): PreconnectGate | null {
  if (plan === null || plan.enabled === null) return null;
  const { filter, path, value, invert } = plan.enabled, matches = makeValueMatcher(value);
  return (metadata) => matches(below(metadata?.[filter], path)) !== invert;
}

/** What all pools of a cluster have and carry, kept up to date by them, so that a request does not look at every pool (Envoy: ClusterConnectivityState). */
export class Tally {
  /** Requests that wait for a connection, streams under way, and streams that the connections could take beside those, the ones under way too. */
  waiting = 0; active = 0; capacity = 0;
}

/** The predictive ratio of one cluster on one worker. */
export class Predictor {
  readonly ratio: number;
  private readonly ahead: Host[] = [];
  readonly tally = new Tally();
  constructor(ratio: number) { this.ratio = ratio; }

  /** The host that was chosen for this request, undefined: none was. */
  take(): Host | undefined { return this.ahead.shift(); }
  /** Hosts or their health have moved. */
  forget(): void { this.ahead.length = 0; }

  /** Of a request that is about to be leased: a further host is to be chosen ahead. `most`: as many as are. */
  wantsAhead(most: number): boolean { const { waiting, active, capacity } = this.tally; return this.ahead.length < most && shouldConnect(waiting, active, capacity, this.ratio, 1); }
  choseAhead(host: Host): void { this.ahead.push(host); }
}

/** Choices ahead are those of policies that look at nothing but the turn, as in Envoy. */
export function makePredictor(plan: ClusterPlan): Predictor | null {
  const ratio = plan.preconnect?.predictive ?? 1, { kind, subset, override } = plan.balancer;
  return ratio > 1 && plan.kind === null && (kind === 'round-robin' || kind === 'random') && subset === null && override === null ? new Predictor(ratio) : null;
}
