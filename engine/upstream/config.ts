// Clusters and their endpoints from configuration.
import { compileAddress, compileKeepalive, compileMetadata, compileTransportSocket } from '../net/config.ts';
import { compileBind, type CompiledBind } from './bind-config.ts';
import { compileKind } from './kinds/config.ts';
import type { DnsCachePlan } from './kinds/dns-cache-config.ts';
import { compileDns, type DnsPlan } from './dns-config.ts';
import { compileHttp } from './http-config.ts';
import { compileMetadataMatch, compilePercent } from '../observe/match/config.ts';
import { shared } from '../base/shared-data.ts';
import { compileBalancer } from './balancer-config.ts';
import type { Address } from '../net/address.ts';
import type { ClusterPlan, EyeballsPlan, HealthStatus, HostPlan, PreconnectPlan, RetryBudgetPlan } from '../plan/cluster-plan.ts';
import type { CircuitLimits } from '../shm/circuit-table.ts';
import type { CheckTargetPlan, HealthCheckPlan, OutlierPlan } from '../plan/health-plan.ts';
import type { CompileContext, ConfigMessage, DiscoverySource } from '../proto/config-message.ts';
import { compileCheckTarget, compileHealthChecks, OWN } from './health/config.ts';
import { compileOutlier, votingOf } from './outlier/config.ts';
import { CLUSTER_DEFAULTS } from '../plan/cluster-wire.ts';
import { settled } from '../plan/defaults.ts';

/** An endpoint before it has a record of its own; DNS names still to be resolved. */
export interface EndpointPlan extends Omit<HostPlan, 'index'> { readonly check: CheckTargetPlan }
export interface CompiledCluster {
  readonly cluster: Omit<ClusterPlan, 'circuits' | 'hostRecord'>;
  readonly discovery: 'static' | 'strict-dns' | 'logical-dns' | 'eds';
  /** Of an EDS cluster: whose assignment, and from where. */
  readonly eds: { readonly serviceName: string; readonly source: DiscoverySource } | null;
  readonly endpoints: readonly EndpointPlan[];
  readonly dns: DnsPlan;
  /** Names that requests bring (dynamic forward proxy), null: none. */
  readonly dnsCache: DnsCachePlan | null;
  readonly limits: readonly [CircuitLimits, CircuitLimits];
  /** What remains of them is shown, by priority. */
  readonly trackRemaining: readonly [boolean, boolean];
  /** Of its assignment; null: nothing is dropped. */
  readonly drop: DropPlan | null;
  /** Each of its hosts has stats of its own. */
  readonly perEndpoint: boolean;
  readonly healthCheck: HealthCheckPlan | null;
  readonly outlier: OutlierPlan | null;
  /** A host that discovery took away goes at once, though its checks pass. */
  readonly ignoreHealthOnRemoval: boolean;
  /** A host does not count for the share of healthy ones before its first check (PENDING_ACTIVE_HC). */
  readonly ignoreNewHosts: boolean;
  /** Start-up waits for it (wait_for_warm_on_init). */
  readonly holdsStart: boolean;
}

const PLAIN_ENDPOINT = ['endpoint'], PLAIN_ADDRESS = ['address'];
const NO_LOCALITY = { region: '', zone: '', subZone: '' };

/** Requests that are refused for the sake of an overloaded service. */
export interface DropPlan { readonly category: string; /** Of a million requests. */ readonly millionths: number }
/** A ClusterLoadAssignment: endpoints, how much the healthy ones of a priority can take on (percent), whether health is a share of weights, and what is dropped (null: nothing). */
export interface AssignmentPlan { readonly endpoints: EndpointPlan[]; readonly overprovisioning: number; readonly weightedHealth: boolean; readonly drop: DropPlan | null }
/** An assignment that came by EDS. */
export function compileAssignment(m: ConfigMessage): AssignmentPlan { return compileEndpoints(m, false); }

function compileEndpoints(m: ConfigMessage | undefined, names: boolean): AssignmentPlan {
  const policy = m?.msg('policy');
  policy?.noop('endpoint_stale_after', 'endpoints of a file do not become stale');
  m?.str('cluster_name');
  const endpoints = (m?.list('endpoints') ?? []).flatMap((l) => {
    for (const f of ['proximity', 'leds_cluster_locality_config', 'load_balancer_endpoints', 'metadata']) { if (f === 'metadata' || f === 'proximity') l.noop(f, 'locality metadata is not looked at'); else l.unsupported(f); }
    const where = l.msg('locality'), locality = where === undefined ? NO_LOCALITY : { region: where.str('region'), zone: where.str('zone'), subZone: where.str('sub_zone') };
    const priority = l.num('priority'), localityWeight = where === undefined ? (l.num('load_balancing_weight'), 0) : l.num('load_balancing_weight', 0);
    return l.list('lb_endpoints').map((e): EndpointPlan => {
      const inner = e.msg('endpoint');
      if (e.only(PLAIN_ENDPOINT) && inner?.only(PLAIN_ADDRESS) === true) { const address = compileAddress(inner.msg('address'), names); return { address, hostname: names && address.kind === 'ip' ? address.ip : '', weight: 1, priority, locality, localityWeight, metadata: null, health: 'UNKNOWN', check: OWN }; }
      e.unsupported('endpoint_name');
      const address = compileAddress(inner?.msg('address'), names);
      const more = inner === undefined ? [] : further(inner, names);
      return { address, ...(more.length === 0 ? {} : { more }), hostname: inner?.str('hostname') || (names && address.kind === 'ip' ? address.ip : ''), weight: e.num('load_balancing_weight', 1), priority, locality, localityWeight, metadata: compileMetadata(e.msg('metadata')), health: e.enum('health_status') as HealthStatus, check: compileCheckTarget(inner?.msg('health_check_config')) };
    });
  });
  return { endpoints, overprovisioning: policy?.num('overprovisioning_factor', 140) ?? 140, weightedHealth: policy?.bool('weighted_priority_health') ?? false, drop: policy === undefined ? null : compileDrop(policy) };
}

/** Envoy: ClusterImplBase::parseDropOverloadConfig. */
function compileDrop(policy: ConfigMessage): DropPlan | null {
  const all = policy.list('drop_overloads'), [first] = all;
  if (first === undefined) return null;
  if (all.length > 1) policy.error('drop_overloads', `Cluster drop_overloads config has ${all.length} categories. Envoy only support one.`);
  const { numerator, denominator } = compilePercent(first.msg('drop_percentage')), ratio = numerator / denominator;
  if (ratio > 1) first.error('drop_percentage', `Cluster drop_overloads config is invalid. drop_ratio=${ratio}(Numerator ${numerator} / Denominator ${denominator}). The valid range is 0~1.`);
  return { category: first.str('category'), millionths: Math.round(ratio * 1_000_000) };
}

/** additional_addresses of an endpoint. A name has those that it resolves to, and no others. */
function further(m: ConfigMessage, names: boolean): Address[] {
  if (names) { m.noop('additional_addresses', 'a name has the addresses that it resolves to'); return []; }
  return m.list('additional_addresses').map((a) => compileAddress(a.msg('address'), false));
}

function compilePreconnect(m: ConfigMessage | undefined): PreconnectPlan | null {
  const predictive = m?.num('predictive_preconnect_ratio', 1) ?? 1, match = m?.msg('preconnect_enabled_metadata');
  if (predictive <= 1 && match === undefined) return null;
  return { predictive, enabled: match === undefined ? null : compileMetadataMatch(match) };
}

function compileEyeballs(m: ConfigMessage | undefined): EyeballsPlan {
  const version = m?.enum('first_address_family_version');
  return { family: version === 'V4' ? 4 : version === 'V6' ? 6 : 0, count: m?.num('first_address_family_count', 1) ?? 1 };
}

function compileLimits(m: ConfigMessage | undefined): { limits: [CircuitLimits, CircuitLimits]; perHost: number; remaining: [boolean, boolean]; budgets: [RetryBudgetPlan | null, RetryBudgetPlan | null] } {
  const budgets: [RetryBudgetPlan | null, RetryBudgetPlan | null] = [null, null];
  const all = (n: number): CircuitLimits => [n, n, n, 3, 0x7fffffff];
  const limits: [CircuitLimits, CircuitLimits] = [all(1024), all(1024)], remaining: [boolean, boolean] = [false, false];
  for (const t of m?.list('thresholds') ?? []) {
    const budget = t.msg('retry_budget');
    if (budget !== undefined) budgets[t.enum('priority') === 'HIGH' ? 1 : 0] = { percent: budget.msg('budget_percent')?.num('value') ?? 20, least: budget.num('min_retry_concurrency', 3), slotMs: Math.floor(budget.ms('budget_interval', 0) / 10) };
    remaining[t.enum('priority') === 'HIGH' ? 1 : 0] = t.bool('track_remaining');
    limits[t.enum('priority') === 'HIGH' ? 1 : 0] = [t.num('max_connections', 1024), t.num('max_pending_requests', 1024), t.num('max_requests', 1024), t.num('max_retries', 3), t.num('max_connection_pools', 0x7fffffff)];
  }
  let perHost = 0;
  for (const t of m?.list('per_host_thresholds') ?? []) { if (t.enum('priority') === 'HIGH') t.error('priority', 'per-host limits of high priority are not supported yet'); perHost = t.num('max_connections', 0); }
  return { limits, perHost, remaining, budgets };
}

function overrideStatus(common: ConfigMessage | undefined): readonly HealthStatus[] {
  const set = common?.msg('override_host_status');
  return set === undefined ? ['UNKNOWN', 'HEALTHY', 'DEGRADED'] : (set.enums('statuses') as HealthStatus[]);
}

/** Where an EDS cluster gets its endpoints from. */
function compileEds(m: ConfigMessage, ctx: CompileContext, discovery: CompiledCluster['discovery']): CompiledCluster['eds'] {
  const e = m.msg('eds_cluster_config');
  if (discovery !== 'eds') { if (e !== undefined && m.readable('type')) m.error('eds_cluster_config', 'eds_cluster_config set in a non-EDS cluster'); return null; }
  if (m.has('load_assignment')) m.error('load_assignment', 'load_assignment is for clusters that are not EDS');
  const serviceName = e?.str('service_name') || ctx.resource, source = ctx.source(e?.msg('eds_config'));
  if (e === undefined || !e.has('eds_config')) m.error('', 'an EDS cluster needs eds_cluster_config.eds_config');
  return source === null ? null : { serviceName, source };
}

/** The cluster's own, else the cluster manager's; options of the cluster trump those of the manager. */
function bindOf(m: ConfigMessage, ctx: CompileContext): CompiledBind {
  const given = m.msg('upstream_bind_config'), wide = ctx.bootstrap.upstreamBind as CompiledBind | null;
  if (given === undefined) return wide ?? compileBind(undefined, '');
  const own = compileBind(given, `Cluster ${ctx.resource}`);
  return own.socketOptions.length > 0 || wide === null ? own : { ...own, socketOptions: wide.socketOptions };
}

const PLAIN_CLUSTER = ['name', 'type', 'lb_policy', 'connect_timeout', 'load_assignment'], PLAIN_POLICIES = ['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM', 'RING_HASH', 'MAGLEV'], MOST_PLAIN = 64;
/** Clusters of which nothing is said but hosts, policy and timeout, by what is said: the thousands of a large configuration differ in names and hosts. */
const plain = new Map<string, CompiledCluster>();

export function compileCluster(m: ConfigMessage, ctx: CompileContext): CompiledCluster {
  const policy = m.enum('lb_policy'), type = m.enum('type');
  if (!m.only(PLAIN_CLUSTER) || (type !== 'STATIC' && type !== 'STRICT_DNS') || ctx.bootstrap.upstreamBind !== null || !PLAIN_POLICIES.includes(policy)) return compileWhole(m, ctx);
  const key = `${type} ${policy} ${m.ms('connect_timeout', -1)}`, first = plain.get(key);
  if (first === undefined) {
    const whole = compileWhole(m, ctx);
    if (plain.size >= MOST_PLAIN) plain.clear();
    plain.set(key, { ...whole, endpoints: [], cluster: settled(whole.cluster, CLUSTER_DEFAULTS) });
    return whole;
  }
  m.str('name');
  const { endpoints, overprovisioning, weightedHealth, drop } = compileEndpoints(m.msg('load_assignment'), type === 'STRICT_DNS');
  return { ...first, endpoints, drop, cluster: { ...first.cluster, name: ctx.resource, statName: ctx.resource.replaceAll(':', '_'), overprovisioning, weightedHealth } };
}

function compileWhole(m: ConfigMessage, ctx: CompileContext): CompiledCluster {
  for (const f of ['filters', 'lrs_server', 'lrs_report_endpoint_metrics', 'config_source']) { m.unsupported(f); }
  m.noop('observability_name', 'alt_stat_name is');
  const track = m.msg('track_cluster_stats'), tracks = (f: string): boolean => track?.bool(f) ?? false, oldBudgets = m.bool('track_timeout_budgets');
  const { discovery, dns, kind, dnsCache } = compileKind(m, ctx), eds = compileEds(m, ctx, discovery);
  const { endpoints, overprovisioning, weightedHealth, drop } = compileEndpoints(m.msg('load_assignment'), discovery === 'strict-dns' || discovery === 'logical-dns' || !m.readable('type'));
  if (discovery === 'logical-dns' && endpoints.length !== 1) m.error('load_assignment', 'LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint');
  const common = m.msg('common_lb_config');
  common?.noop('update_merge_window', 'no change is held back: what checks, outlier detection and EDS say of a host is in the shared table, seen by every worker at its next choice');
  common?.msg('healthy_panic_threshold');
  if (discovery !== 'strict-dns' && common?.msg('consistent_hashing_lb_config')?.bool('use_hostname_for_hashing') === true && m.readable('type')) common.error('consistent_hashing_lb_config.use_hostname_for_hashing', `Cannot use hostname for consistent hashing loadbalancing for cluster of type: 'envoy.cluster.${discovery.replace('-', '_')}'`);
  const { http, errors } = compileHttp(m, ctx, kind?.kind === 'dynamic-forward'), { limits, perHost, remaining, budgets } = compileLimits(m.msg('circuit_breakers'));
  const options = m.msg('upstream_connection_options'), { bind, socketOptions } = bindOf(m, ctx);
  options?.noop('set_local_interface_name_on_upstream_connections', 'the interface is not shown');
  const panic = common?.msg('healthy_panic_threshold');
  const preconnect = m.msg('preconnect_policy');
  const healthCheck = compileHealthChecks(m, ctx), outlier = compileOutlier(m.msg('outlier_detection'));
  const connectTimeoutMs = m.ms('connect_timeout', 5000);
  return {
    discovery, eds, endpoints, drop, limits: shared(limits), trackRemaining: shared(remaining), dns: shared(compileDns(m, dns)), dnsCache, perEndpoint: tracks('per_endpoint_stats'), healthCheck, outlier, ignoreHealthOnRemoval: m.bool('ignore_health_on_host_removal'), ignoreNewHosts: common?.bool('ignore_new_hosts_until_first_hc') ?? false, holdsStart: m.bool('wait_for_warm_on_init', true),
    cluster: {
      name: ctx.resource, statName: m.str('alt_stat_name').replaceAll(':', '_') || ctx.resource.replaceAll(':', '_'), connectTimeoutMs, balancer: shared(compileBalancer(m, kind !== null)), kind, panicPercent: panic === undefined ? 50 : panic.num('value'), overprovisioning, weightedHealth, overrideStatus: overrideStatus(common), bufferLimit: m.num('per_connection_buffer_limit_bytes', 1 << 20),
      ...http, closeOnHostSetChange: common?.bool('close_connections_on_host_set_change') ?? false, closeOnHealthFailure: m.bool('close_connections_on_host_health_failure'), poolPerConnection: m.bool('connection_pool_per_downstream_connection'), preconnect: compilePreconnect(preconnect), eyeballs: shared(compileEyeballs(options?.msg('happy_eyeballs_config'))), preconnectRatio: preconnect?.num('per_upstream_preconnect_ratio', 1) ?? 1,
      keepalive: compileKeepalive(options?.msg('tcp_keepalive')), bind, socketOptions, metadata: compileMetadata(m.msg('metadata')), perHostMaxConnections: perHost, trackSizes: tracks('request_response_sizes'), trackBudgets: tracks('timeout_budgets') || oldBudgets, retryBudgets: budgets, outlier: votingOf(outlier, errors), healthChecked: healthCheck !== null,
      transportSocket: compileTransportSocket(m.msg('transport_socket'), ctx, 'upstream'), transportSocketMatches: m.list('transport_socket_matches').map((t) => { t.str('name'); return { match: (t.json('match') ?? {}) as { readonly [key: string]: unknown }, socket: compileTransportSocket(t.msg('transport_socket'), ctx, 'upstream') }; }),
    },
  };
}
