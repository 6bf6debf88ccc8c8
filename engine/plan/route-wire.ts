// Virtual hosts on their way to the workers, where most of them lie packed until a request reaches them: of a route only what differs from the defaults.
// Fields that are not among the defaults always go along, so a new field is right without being listed here, only longer.
import { differing } from './defaults.ts';
import { pack, unpack } from './plan-wire.ts';
import type { ForwardPlan, LevelPlan, RouteMatchPlan, RoutePlan, VirtualHostPlan } from './route-plan.ts';

const LEVEL: LevelPlan = { request: { add: [], remove: [] }, response: { add: [], remove: [] } };
export const HOST_DEFAULTS: Partial<VirtualHostPlan> = {
  level: LEVEL, requireTls: 'NONE', matcher: null, includeAttemptCount: false, includeAttemptCountInResponse: false, metadata: null, filterConfigs: [], virtualClusters: [], bufferLimit: -1, includeTimeoutRetry: false, retry: null, hedge: null, mirrors: [], rateLimits: [],
};
export const ROUTE_DEFAULTS: Partial<RoutePlan> = { name: '', level: LEVEL, metadata: null, filterConfigs: [], bufferLimit: -1, statPrefix: '' };
export const MATCH_DEFAULTS: Partial<RouteMatchPlan> = { headers: [], query: [], grpc: false, fraction: null, tls: null, metadata: [], cookies: [], filterState: [] };
/** A route action of which nothing but its target is said. */
export const FORWARD_DEFAULTS: Omit<ForwardPlan, 'target'> = {
  kind: 'forward', notFoundStatus: 503, prefixRewrite: '', regexRewrite: null, templateRewrite: '', pathFormat: null, hostLiteral: '', hostHeader: '', hostRegex: null, hostFormat: null, autoHost: false, appendForwardedHost: false,
  timeoutMs: -1, idleTimeoutMs: -1, flushTimeoutMs: -1, maxStreamDurationMs: -1, maxGrpcTimeoutMs: -1, grpcTimeoutOffsetMs: 0, newTimeouts: false, grpcHeaderMaxMs: -1, grpcHeaderOffsetMs: 0, priority: 'default', hashPolicies: [], metadataMatch: null, upgrades: [],
  connectTerminate: 'no', connectUdp: false, retry: null, hedge: null, mirrors: [], redirects: null, rateLimits: [], includeHostRateLimits: false,
};

/** A route as [what differs, of its match, of its action]; `whole`: the action is of another kind and goes as it is. */
type Row = readonly [Partial<RoutePlan>, Partial<RouteMatchPlan>, Partial<ForwardPlan> | RoutePlan['action'], boolean];

export function packVirtualHost(plan: VirtualHostPlan): Uint8Array {
  const { routes, ...host } = plan;
  const rows = routes.map((r): Row => {
    const { match, action, ...rest } = r, whole = action.kind !== 'forward';
    return [differing(rest, ROUTE_DEFAULTS as Partial<typeof rest>), differing(match, MATCH_DEFAULTS), whole ? action : differing(action, FORWARD_DEFAULTS), whole];
  });
  return pack([differing(host, HOST_DEFAULTS as Partial<typeof host>), rows]);
}

export function unpackVirtualHost(bytes: Uint8Array): VirtualHostPlan {
  const [host, rows] = unpack<readonly [Partial<VirtualHostPlan>, readonly Row[]]>(bytes);
  return { ...HOST_DEFAULTS, ...host, routes: rows.map(([rest, match, action, whole]) => ({ ...ROUTE_DEFAULTS, ...rest, match: { ...MATCH_DEFAULTS, ...match }, action: whole ? action : { ...FORWARD_DEFAULTS, ...action } }) as RoutePlan) } as VirtualHostPlan;
}
