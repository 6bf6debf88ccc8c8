// Clusters and their endpoints on their way to the workers, where most of them lie packed for ever: of a cluster only what differs from the defaults, of an endpoint one
// short row. 10,000 clusters cost their bytes once a worker, so bytes count.
import type { Address } from '../net/address.ts';
import type { BalancerPlan, ClusterPlan, HealthStatus, HostPlan } from './cluster-plan.ts';
import { differing } from './defaults.ts';
import { HTTP1_DEFAULTS } from './http1-options-plan.ts';
import { HTTP2_DEFAULTS } from './http2-options-plan.ts';
import { pack, unpack } from './plan-wire.ts';

export const BALANCER_DEFAULTS: BalancerPlan = {
  kind: 'round-robin', shuffle: false, choices: 2, fullScan: false, activeBias: { value: 1, key: '' }, minRing: 1024, maxRing: 8_388_608, murmur: false, tableSize: 65537, byHostname: false, balanceFactor: 0, hashPolicies: [],
  localityWeighted: false, failOnPanic: false, slowStart: null, zone: { enabledPercent: 100, minClusterSize: 6, minLocal: 0, byWeight: false }, subset: null, override: null, orca: null,
};

/** A cluster of which nothing is said. Fields that are left out here always go along. */
export const CLUSTER_DEFAULTS: Partial<ClusterPlan> = {
  connectTimeoutMs: 5000, balancer: BALANCER_DEFAULTS, kind: null, panicPercent: 50, overprovisioning: 140, weightedHealth: false, overrideStatus: ['UNKNOWN', 'HEALTHY', 'DEGRADED'], bufferLimit: 1 << 20, protocol: 'http1', http1: HTTP1_DEFAULTS, http2: HTTP2_DEFAULTS,
  autoSni: null, autoSanValidation: false, closeOnHostSetChange: false, closeOnHealthFailure: false, poolPerConnection: false, idleTimeoutMs: 3_600_000, maxConnectionDurationMs: 0, maxRequestsPerConnection: 0, maxStreamDurationMs: -1, upstreamFilters: null, hashPolicies: [], retryPolicy: null, mirrors: [], preconnectRatio: 1, preconnect: null, eyeballs: { family: 0, count: 1 }, keepalive: null, bind: null, socketOptions: [], metadata: null, trackSizes: false, trackBudgets: false, retryBudgets: [null, null], hostRecord: -1,
  perHostMaxConnections: 0, outlier: null, healthChecked: false, transportSocket: null, transportSocketMatches: [],
};

export function packCluster(plan: ClusterPlan): Uint8Array { return pack(differing(plan, CLUSTER_DEFAULTS)); }
export function unpackCluster(bytes: Uint8Array): ClusterPlan { return { ...CLUSTER_DEFAULTS, ...unpack<Partial<ClusterPlan>>(bytes) } as ClusterPlan; }

const HEALTH: readonly HealthStatus[] = ['UNKNOWN', 'HEALTHY', 'UNHEALTHY', 'DRAINING', 'TIMEOUT', 'DEGRADED'];
/** index, group, ip (or the address where it is none), port; then, where any of them is set: weight, health, hostname, metadata, further addresses. */
type Row = readonly [number, number, string | Address, number, number?, number?, string?, HostPlan['metadata']?, (readonly Address[])?];
/** region, zone, sub zone, weight, priority. */
type Group = readonly [string, string, string, number, number];

export function packHosts(hosts: Iterable<HostPlan>): Uint8Array {
  const groups: Group[] = [], known = new Map<string, number>(), rows: Row[] = [];
  for (const h of hosts) {
    const { region, zone, subZone } = h.locality, key = `${region}\0${zone}\0${subZone}\0${h.localityWeight}\0${h.priority}`, { address } = h;
    let group = known.get(key);
    if (group === undefined) { group = groups.length; known.set(key, group); groups.push([region, zone, subZone, h.localityWeight, h.priority]); }
    const at = address.kind === 'ip' ? ([h.index, group, address.ip, address.port] as const) : ([h.index, group, address, 0] as const);
    if (h.more !== undefined) rows.push([...at, h.weight, HEALTH.indexOf(h.health), h.hostname, h.metadata, h.more]);
    else rows.push(h.weight === 1 && h.health === 'UNKNOWN' && h.hostname === '' && h.metadata === null ? at : [...at, h.weight, HEALTH.indexOf(h.health), h.hostname, h.metadata]);
  }
  return pack([groups, rows]);
}

export function unpackHosts(bytes: Uint8Array): HostPlan[] {
  const [groups, rows] = unpack<readonly [readonly Group[], readonly Row[]]>(bytes), localities = groups.map(([region, zone, subZone]) => ({ region, zone, subZone }));
  return rows.map(([index, group, at, port, weight = 1, health = 0, hostname = '', metadata = null, more]) => ({
    index, address: typeof at === 'string' ? { kind: 'ip', family: at.includes(':') ? 6 : 4, ip: at, port } : at, hostname, weight, priority: groups[group]![4], locality: localities[group]!, localityWeight: groups[group]![3], metadata, health: HEALTH[health]!, ...(more === undefined ? {} : { more }),
  }));
}
