// Active health checks and outlier detection of a cluster. Both are decided in the control thread; workers only need what they must count.
import type { HeaderMatcherPlan } from '../headers/header-matcher.ts';
import type { Address } from '../net/address.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { StringMatcherPlan } from '../headers/string-matcher.ts';
import type { HeaderMutationPlan } from './header-mutation-plan.ts';

/** Half-open range of status codes. */
export interface StatusRange { readonly from: number; readonly to: number }

export interface HttpCheckPlan {
  readonly kind: 'http';
  /** '' : the endpoint's hostname, else the cluster's name. */
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly http2: boolean;
  readonly send: Uint8Array | null;
  /** Blocks that must be found in the body in order. */
  readonly receive: readonly Uint8Array[];
  /** How much of the body is kept to look for them, bytes; 0: all (bounded by what a check may take). */
  readonly responseBufferBytes: number;
  readonly headers: HeaderMutationPlan;
  readonly expected: readonly StatusRange[];
  readonly retriable: readonly StatusRange[];
  readonly serviceName: StringMatcherPlan | null;
}
export interface TcpCheckPlan { readonly kind: 'tcp'; readonly send: Uint8Array | null; readonly receive: readonly Uint8Array[] }
export interface GrpcCheckPlan { readonly kind: 'grpc'; readonly serviceName: string; readonly authority: string; readonly metadata: HeaderMutationPlan }

/** Endpoint.health_check_config: where and how this endpoint is checked. */
export interface CheckTargetPlan { /** 0: the host's own. */ readonly port: number; readonly hostname: string; /** Another address than the host's. */ readonly address: Address | null; readonly disabled: boolean }

/** One entry of health_checks. Times in ms. */
export interface HealthCheckPlan {
  readonly check: HttpCheckPlan | TcpCheckPlan | GrpcCheckPlan;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly unhealthyIntervalMs: number;
  readonly unhealthyEdgeMs: number;
  readonly healthyEdgeMs: number;
  /** While nothing has been sent to the cluster. */
  readonly noTrafficMs: number;
  readonly noTrafficHealthyMs: number;
  readonly initialJitterMs: number;
  readonly intervalJitterMs: number;
  readonly intervalJitterPercent: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  /** 0: the endpoint's own. */
  readonly altPort: number;
  readonly reuseConnection: boolean;
  /** Files of HealthCheckEventFileSink and event_log_path. */
  /** transport_socket_match_criteria, null: the host's own. */
  readonly socketMatch: { readonly [key: string]: MetadataValue } | null;
  /** tls_options.alpn_protocols, null: the cluster's. */
  readonly alpn: readonly string[] | null;
  readonly eventLogs: readonly string[];
  readonly logFailures: boolean;
  readonly logSuccess: boolean;
}

export interface OutlierPlan {
  readonly consecutive5xx: number; readonly consecutiveGatewayFailure: number; readonly consecutiveLocalOriginFailure: number;
  readonly intervalMs: number; readonly baseEjectionMs: number; readonly maxEjectionMs: number; readonly jitterMs: number;
  readonly maxEjectionPercent: number; readonly alwaysEjectOne: boolean;
  readonly enforcing: { readonly consecutive5xx: number; readonly gateway: number; readonly localOrigin: number; readonly successRate: number; readonly localSuccessRate: number; readonly failurePercentage: number; readonly localFailurePercentage: number };
  readonly successRateMinimumHosts: number; readonly successRateRequestVolume: number;
  /** As a factor: 1.9 for Envoy's 1900. */
  readonly successRateStdevFactor: number;
  readonly failurePercentageThreshold: number; readonly failurePercentageMinimumHosts: number; readonly failurePercentageRequestVolume: number;
  readonly splitLocalOrigin: boolean;
  /** A successful active check lets an ejected host back in. */
  readonly unejectByHealthCheck: boolean;
  /** A host that says in an answer that it is degraded (x-envoy-degraded) counts as such for a time. */
  readonly detectDegraded: boolean;
}

/** What a worker must know to count outcomes and to vote. */
export interface OutlierVotingPlan {
  readonly consecutive5xx: number; readonly consecutiveGatewayFailure: number; readonly consecutiveLocalOriginFailure: number; readonly splitLocalOrigin: boolean; readonly detectDegraded: boolean;
  /** Which answers are errors; null: those with a status of 5xx. */
  readonly errors: ErrorMatcherPlan | null;
}

/** MatchPredicate over the head of an answer. 'constant': what it asks of is never looked at (Envoy runs it over response headers alone), or any_match. */
export type ErrorMatcherPlan =
  | { readonly kind: 'or' | 'and'; readonly rules: readonly ErrorMatcherPlan[] }
  | { readonly kind: 'not'; readonly rule: ErrorMatcherPlan }
  | { readonly kind: 'headers'; readonly headers: readonly HeaderMatcherPlan[] }
  | { readonly kind: 'constant'; readonly matches: boolean };

