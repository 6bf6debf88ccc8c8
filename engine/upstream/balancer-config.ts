// How a cluster balances, from configuration: lb_policy with its options, or load_balancing_policy with its extensions; both give the same plan.
import { compileHashPolicies } from '../http/hash-policy-config.ts';
import { compileRuntimeNumber } from '../net/limit-config.ts';
import { BALANCER_DEFAULTS } from '../plan/cluster-wire.ts';
import type { BalancerPlan, OobPlan, OrcaPlan, OverridePlan, SlowStartPlan, SubsetPlan } from '../plan/cluster-plan.ts';
import type { ConfigMessage } from '../proto/config-message.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';

export const BALANCER: BalancerPlan = BALANCER_DEFAULTS;

function slowStart(m: ConfigMessage | undefined): SlowStartPlan | null {
  const windowMs = m?.ms('slow_start_window', 0) ?? 0, percent = m?.msg('min_weight_percent');
  if (m === undefined) return null;
  const plan = { windowMs, aggression: compileRuntimeNumber(m.msg('aggression'), 1), minPercent: percent === undefined ? 10 : percent.num('value') };
  return windowMs > 0 ? plan : null;
}

function hashing(c: ConfigMessage | undefined): Partial<BalancerPlan> {
  if (c === undefined) return {};
  return { hashPolicies: c.typeName.startsWith('envoy.extensions') ? compileHashPolicies(c) : [], byHostname: c.bool('use_hostname_for_hashing'), balanceFactor: c.num('hash_balance_factor', 0) };
}

function prime(n: number): boolean { for (let i = 2; i * i <= n; i++) if (n % i === 0) return false; return n > 1; }

function ring(m: ConfigMessage | undefined): Partial<BalancerPlan> {
  if (m === undefined) return {};
  const minRing = m.num('minimum_ring_size', 1024), maxRing = m.num('maximum_ring_size', 8_388_608);
  if (minRing > maxRing) m.error('minimum_ring_size', `ring hash: minimum_ring_size (${minRing}) > maximum_ring_size (${maxRing})`);
  return { minRing, maxRing, murmur: m.enum('hash_function') === 'MURMUR_HASH_2' };
}

function maglev(m: ConfigMessage | undefined): Partial<BalancerPlan> {
  if (m === undefined) return {};
  const tableSize = m.num('table_size', 65537);
  if (!prime(tableSize)) m.error('table_size', 'The table size of maglev must be prime number');
  return { tableSize };
}

/** common_lb_config and LocalityLbConfig: the same oneof. */
function localities(m: ConfigMessage | undefined): Partial<BalancerPlan> {
  switch (m?.oneof('locality_config_specifier')) {
    case 'locality_weighted_lb_config': m.msg('locality_weighted_lb_config'); return { localityWeighted: true };
    case 'zone_aware_lb_config': {
      const z = m.msg('zone_aware_lb_config')!, enabled = z.msg('routing_enabled'), percent = enabled === undefined ? 100 : enabled.num('value');
      const extension = z.typeName.startsWith('envoy.extensions'), force = extension ? z.msg('force_local_zone') : undefined;
      const minLocal = force !== undefined ? force.num('min_size', 1) : extension && z.bool('force_locality_direct_routing') ? 1 : 0;
      return { failOnPanic: z.bool('fail_traffic_on_panic'), zone: { enabledPercent: Math.round(percent), minClusterSize: z.num('min_cluster_size', 6), minLocal, byWeight: extension && z.enum('locality_basis') === 'HEALTHY_HOSTS_WEIGHT' } };
    }
    default: return {};
  }
}

/** LbSubsetConfig and the subset policy have the same fields. */
function subset(m: ConfigMessage): SubsetPlan {
  const selectors = m.list('subset_selectors').map((s) => {
    const keys = [...new Set(s.strings('keys'))].sort(), fallback = s.enum('fallback_policy') as SubsetPlan['selectors'][number]['fallback'], fallbackKeys = [...new Set(s.strings('fallback_keys_subset'))].sort(), singleHost = s.bool('single_host_per_subset');
    if (fallback === 'KEYS_SUBSET') {
      if (fallbackKeys.length === 0) s.error('fallback_keys_subset', 'fallback_keys_subset cannot be empty');
      else if (!fallbackKeys.every((k) => keys.includes(k))) s.error('fallback_keys_subset', 'fallback_keys_subset must be a subset of selector keys');
      else if (fallbackKeys.length === keys.length) s.error('fallback_keys_subset', 'fallback_keys_subset cannot be equal to keys');
    } else if (fallbackKeys.length > 0) s.error('fallback_keys_subset', 'fallback_keys_subset must be empty for this fallback_policy');
    if (singleHost && keys.length !== 1) s.error('single_host_per_subset', 'subset_lb selector: single_host_per_subset cannot be set when there isn\'t exactly 1 key');
    return { keys, singleHost, fallback, fallbackKeys };
  });
  return {
    fallback: m.enum('fallback_policy') as SubsetPlan['fallback'], defaultSubset: (m.json('default_subset') ?? {}) as { readonly [key: string]: MetadataValue }, selectors, localityAware: m.bool('locality_weight_aware'), scaleLocality: m.bool('scale_locality_weight'), panicAny: m.bool('panic_mode_any'),
    listAsAny: m.bool('list_as_any'), metadataFallback: m.enum('metadata_fallback_policy') === 'FALLBACK_LIST', redundantKeys: m.typeName.startsWith('envoy.extensions') && m.bool('allow_redundant_keys'),
  };
}

/** lb_subset_config: without selectors there are no subsets, whatever else it says. */
function ofSubsets(m: ConfigMessage | undefined, byLocality: Partial<BalancerPlan>): SubsetPlan | null {
  if (m === undefined) return null;
  if (m.bool('locality_weight_aware') && byLocality.localityWeighted !== true) m.error('locality_weight_aware', 'Locality weight aware subset LB requires that a locality_weighted_lb_config be set in common_lb_config');
  if (m.list('subset_selectors').length > 0) return subset(m);
  for (const f of ['fallback_policy', 'default_subset', 'scale_locality_weight', 'panic_mode_any', 'list_as_any', 'metadata_fallback_policy']) m.noop(f, 'there are no subset_selectors');
  return null;
}

function metadataKey(m: ConfigMessage): { filter: string; path: string[] } {
  return { filter: m.str('key'), path: m.list('path').map((p) => { p.unsupported('index'); return p.str('key'); }) };
}

function overrides(m: ConfigMessage): OverridePlan {
  const sources = m.list('override_host_sources').map((s) => {
    const header = s.str('header').toLowerCase(), metadata = s.msg('metadata');
    if (header === '' && metadata === undefined) s.error('', 'Empty override source');
    if (header !== '' && metadata !== undefined) s.error('', 'Only one override source must be set');
    return { header, metadata: metadata === undefined ? null : metadataKey(metadata) };
  });
  const selected = m.msg('selected_host_key');
  return { sources, selected: selected === undefined ? null : metadataKey(selected) };
}

function leastRequest(m: ConfigMessage | undefined): Partial<BalancerPlan> {
  if (m === undefined) return {};
  let fullScan = false;
  if (m.typeName.startsWith('envoy.extensions')) { fullScan = m.enum('selection_method') === 'FULL_SCAN'; if (m.bool('enable_full_scan')) fullScan = true; }
  return { choices: m.num('choice_count', 2), fullScan, activeBias: compileRuntimeNumber(m.msg('active_request_bias'), 1), slowStart: slowStart(m.msg('slow_start_config')) };
}

/** client_side_weighted_round_robin. Envoy lets no update come sooner than 100 ms after another. */
function orca(c: ConfigMessage): OrcaPlan {
  return { blackoutMs: c.ms('blackout_period', 10_000), expirationMs: c.ms('weight_expiration_period', 180_000), updateMs: Math.max(100, c.ms('weight_update_period', 1000)), errorPenalty: c.num('error_utilization_penalty', 1), metrics: c.strings('metric_names_for_computing_utilization'), oob: outOfBand(c) };
}

function outOfBand(c: ConfigMessage): OobPlan | null {
  if (!c.bool('enable_oob_load_report')) { for (const f of ['oob_reporting_period', 'oob_reporting_config']) c.noop(f, 'enable_oob_load_report is off'); return null; }
  const m = c.msg('oob_reporting_config');
  return { periodMs: c.ms('oob_reporting_period', 0) || 10_000, port: m?.num('port_value') ?? 0, authority: m?.str('authority') ?? '', socketMatch: (m?.json('transport_socket_match_criteria') as OobPlan['socketMatch'] | undefined) ?? null };
}

function ofExtension(at: ConfigMessage, c: ConfigMessage): BalancerPlan | null {
  switch (/load_balancing_policies\.(\w+)\.v3/.exec(c.typeName)?.[1] ?? '') {
    case 'round_robin': return { ...BALANCER, slowStart: slowStart(c.msg('slow_start_config')), ...localities(c.msg('locality_lb_config')) };
    case 'random': return { ...BALANCER, kind: 'random', ...localities(c.msg('locality_lb_config')) };
    case 'least_request': return { ...BALANCER, kind: 'least-request', ...leastRequest(c), ...localities(c.msg('locality_lb_config')) };
    case 'ring_hash': {
      const plain: Partial<BalancerPlan> = { byHostname: c.bool('use_hostname_for_hashing'), balanceFactor: c.num('hash_balance_factor', 0) };
      return { ...BALANCER, kind: 'ring-hash', ...ring(c), ...plain, ...hashing(c.msg('consistent_hashing_lb_config')), localityWeighted: c.has('locality_weighted_lb_config') };
    }
    case 'maglev': return { ...BALANCER, kind: 'maglev', ...maglev(c), ...hashing(c.msg('consistent_hashing_lb_config')), localityWeighted: c.has('locality_weighted_lb_config') };
    case 'client_side_weighted_round_robin': return { ...BALANCER, orca: orca(c), slowStart: slowStart(c.msg('slow_start_config')) };
    case 'pick_first': return { ...BALANCER, kind: 'pick-first', shuffle: c.bool('shuffle_address_list') };
    case 'wrr_locality': { const made = fromPolicies(c.msg('endpoint_picking_policy')); if (made !== null && made.orca === null) c.error('endpoint_picking_policy', 'Currently WrrLocalityLoadBalancer only supports ClientSideWeightedRoundRobinLoadBalancer as its endpoint picking policy.'); return made === null ? null : { ...made, localityWeighted: true }; }
    case 'subset': { const s = subset(c), made = fromPolicies(c.msg('subset_lb_policy')); return made === null ? null : { ...made, subset: s }; }
    case 'override_host': { const o = overrides(c), made = fromPolicies(c.msg('fallback_policy')); return made === null ? null : { ...made, override: o }; }
    case 'cluster_provided': return { ...BALANCER, kind: 'provided' };
    default: at.unsupported('typed_config', c.typeName); return null;
  }
}

/** LoadBalancingPolicy: the first policy of the list. Envoy passes over those that it does not know; here they are refused by name. */
function fromPolicies(m: ConfigMessage | undefined): BalancerPlan | null {
  const [first] = m?.list('policies') ?? [], e = first?.msg('typed_extension_config');
  e?.str('name');
  const c = e?.any('typed_config');
  return e === undefined || c === undefined ? null : ofExtension(e, c);
}

/** The field of each lb_policy's options. */
const OPTIONS = [['ROUND_ROBIN', 'round_robin_lb_config'], ['LEAST_REQUEST', 'least_request_lb_config'], ['RING_HASH', 'ring_hash_lb_config'], ['MAGLEV', 'maglev_lb_config']] as const;

function checked(m: ConfigMessage, field: string, plan: BalancerPlan, provided: boolean): BalancerPlan {
  if (plan.kind === 'provided' && !provided) m.error(field, 'cluster provided LB specified but the cluster does not provide one');
  return plan;
}

/** A cluster's balancer. `provided`: the cluster finds its hosts itself, so nothing else may be asked for. */
export function compileBalancer(m: ConfigMessage, provided: boolean): BalancerPlan {
  const common = m.msg('common_lb_config'), policy = m.msg('load_balancing_policy'), subsets = m.msg('lb_subset_config');
  const hash = hashing(common?.msg('consistent_hashing_lb_config')), byLocality = localities(common), lbPolicy = m.enum('lb_policy');
  if (policy !== undefined) { if (subsets !== undefined) m.error('lb_subset_config', 'cluster: load_balancing_policy cannot be combined with partial fields (lb_subset_config) of Cluster'); return checked(m, 'load_balancing_policy', fromPolicies(policy) ?? BALANCER, provided); }
  const base: BalancerPlan = { ...BALANCER, ...hash, ...byLocality, subset: ofSubsets(subsets, byLocality) };
  for (const [policyName, field] of OPTIONS) if (policyName !== lbPolicy) m.noop(field, `lb_policy is ${lbPolicy}`);
  if (provided && lbPolicy !== 'CLUSTER_PROVIDED') m.error('lb_policy', `cluster: LB policy ${lbPolicy} is not valid for this type of cluster, only 'CLUSTER_PROVIDED' is`);
  switch (lbPolicy) {
    case 'ROUND_ROBIN': return { ...base, slowStart: slowStart(m.msg('round_robin_lb_config')?.msg('slow_start_config')) };
    case 'RANDOM': return { ...base, kind: 'random' };
    case 'LEAST_REQUEST': return { ...base, kind: 'least-request', ...leastRequest(m.msg('least_request_lb_config')) };
    case 'RING_HASH': return { ...base, kind: 'ring-hash', ...ring(m.msg('ring_hash_lb_config')) };
    case 'MAGLEV': return { ...base, kind: 'maglev', ...maglev(m.msg('maglev_lb_config')) };
    case 'CLUSTER_PROVIDED': return checked(m, 'lb_policy', { ...base, kind: 'provided' }, provided);
    default: m.error('lb_policy', `lb_policy ${lbPolicy} needs load_balancing_policy`); return BALANCER;
  }
}
