// What a worker contributes to outlier detection: outcomes counted in the shared host table, and a vote to control when a row of failures reaches its threshold.
// Deciding is control's (control/outlier). Counts hold for the whole process: failures in a row are seen whichever worker met them.
import type { ResponseHeaders } from '../../headers/headers.ts';
import type { OutlierVotingPlan } from '../../plan/health-plan.ts';
import { makeErrorMatcher, type ErrorMatcher } from './error-matcher.ts';
import { CONSECUTIVE, HOST_FLAG, WINDOW, type HostTable } from '../../shm/host-table.ts';

/** In place of a row of failures: the host says that it is degraded. */
export const SAYS_DEGRADED = 0;
export type VoteKind = (typeof CONSECUTIVE)[keyof typeof CONSECUTIVE] | typeof SAYS_DEGRADED;
/** A row of failures has reached its threshold. Called on the request path, outside of any stream's hook. */
export type Vote = (host: number, kind: VoteKind) => void;

/** Envoy's Grpc::Utility::grpcToHttpStatus, by number. */
const GRPC_AS_HTTP = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/** The status that a gRPC status stands for. */
export function grpcAsHttp(status: string): number { return GRPC_AS_HTTP[Number(status)] ?? 500; }

/**
 * The status that an answer counts as. `grpc`: of a gRPC request, whose status in the head says it all. `errors`: what the cluster takes for an error, with 500 for one that is none by
 * its status and 200 for what is none; it is not asked where a gRPC status is.
 */
export function effectiveStatus(headers: ResponseHeaders, grpc: boolean, errors: ErrorMatcher | null): number {
  if (grpc) {
    const status = headers.get('grpc-status');
    if (status !== undefined && status !== '') return grpcAsHttp(status);
  }
  if (errors === null) return headers.status;
  return errors.matches(headers) ? Math.max(500, headers.status) : 200;
}

export class OutlierVotes {
  private readonly plan: OutlierVotingPlan;
  private readonly table: HostTable;
  private readonly vote: Vote;
  private readonly errors: ErrorMatcher | null;
  constructor(plan: OutlierVotingPlan, table: HostTable, vote: Vote) { this.plan = plan; this.table = table; this.vote = vote; this.errors = plan.errors === null ? null : makeErrorMatcher(plan.errors); }

  /** The head of a host's answer; `grpc`: to a gRPC request. */
  onAnswer(host: number, headers: ResponseHeaders, grpc: boolean): void {
    const status = effectiveStatus(headers, grpc, this.errors);
    this.onStatus(host, status);
    // An answer that is no error; what the header says does not matter, as in Envoy.
    if (this.plan.detectDegraded && status < 500 && headers.has('x-envoy-degraded') && (this.table.flags(host) & HOST_FLAG.DEGRADED_OUTLIER) === 0) this.vote(host, SAYS_DEGRADED);
  }

  /** The host answered with `status`, or in its place the proxy with 503 (connection failed) or 504 (timeout) where errors are not split by origin. */
  onStatus(host: number, status: number): void {
    const { table, plan } = this;
    const error = status >= 500;
    table.addOutcome(host, !error);
    if (!error) { clear(table, host, CONSECUTIVE.FIVE_XX); clear(table, host, CONSECUTIVE.GATEWAY); return; }
    if (status === 502 || status === 503 || status === 504) this.count(host, CONSECUTIVE.GATEWAY, plan.consecutiveGatewayFailure); else clear(table, host, CONSECUTIVE.GATEWAY);
    this.count(host, CONSECUTIVE.FIVE_XX, plan.consecutive5xx);
  }

  /** The host could not be reached, reset the connection, or did not answer in time (`timeout`). */
  onLocalFailure(host: number, timeout: boolean): void {
    if (!this.plan.splitLocalOrigin) { this.onStatus(host, timeout ? 504 : 503); return; }
    this.table.addOutcome(host, false, WINDOW.LOCAL_ORIGIN);
    this.count(host, CONSECUTIVE.LOCAL_ORIGIN, this.plan.consecutiveLocalOriginFailure);
  }

  /**
   * A request, or a connection of layer 4, has its connection to the host: that is a success of our side, whatever is said over it (Envoy: LocalOriginConnectSuccess).
   * `final`: no protocol follows that could fail (LocalOriginConnectSuccessFinal): where errors are not split by origin it counts as a 200.
   */
  onReached(host: number, final: boolean): void {
    if (!this.plan.splitLocalOrigin) { if (final) this.onStatus(host, 200); return; }
    this.table.addOutcome(host, true, WINDOW.LOCAL_ORIGIN);
    clear(this.table, host, CONSECUTIVE.LOCAL_ORIGIN);
  }

  private count(host: number, kind: VoteKind, threshold: number): void { if (this.table.addConsecutive(host, kind) === threshold) this.vote(host, kind); }
}

/** A row is broken; the store is left out where there is none, so that a healthy host's line is not written by every worker. */
function clear(table: HostTable, host: number, kind: VoteKind): void { if (table.consecutive(host, kind) !== 0) table.clearConsecutive(host, kind); }
