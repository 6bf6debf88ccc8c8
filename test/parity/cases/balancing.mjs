// Which hosts a request may go to: subsets by metadata with all their fallbacks, policies as extensions, hosts that requests name, routing by zone.
import { cluster, endpoint, httpOptions, httpProxy } from '../lib/config.mjs';

const NAMES = ['a', 'b', 'c', 'd'];
const BACKENDS = NAMES.map((name) => ({ name }));
const LB = 'type.googleapis.com/envoy.extensions.load_balancing_policies.';
const policies = (...list) => `{policies: [${list.map((p) => `{typed_extension_config: {name: p, typed_config: {"@type": ${LB}${p}}}}`).join(', ')}]}`;
const policy = (p) => `load_balancing_policy: ${policies(p)}`;
const ROUND_ROBIN = policies('round_robin.v3.RoundRobin');
const META = { a: '{who: a, stage: prod, v: "1", tags: [xx, yy], num: 1, flag: true}', b: '{who: b, stage: prod, v: "2", tags: [yy], num: 2, flag: false}', c: '{who: c, stage: dev, v: "1", tags: zz, num: 1.0}', d: '{who: d, stage: dev}' };
const host = (w, n, more = '') => endpoint(w.ports[n], `metadata: {filter_metadata: {envoy.lb: ${META[n]}}}${more && `, ${more}`}`);

/** Who answers `n` requests for a path, or what comes instead. */
async function who(t, path, n = 12, headers = {}) {
  const out = {};
  for (let i = 0; i < n; i++) { const r = await t.quiet.http({ path, headers: { 'x-test-plain': '', ...headers } }), k = r.status === 200 ? r.body.replace('ok ', '') : `${r.status} ${r.body}`; out[k] = (out[k] ?? 0) + 1; }
  return out;
}
const names = (tally) => Object.keys(tally).sort().join(' ');

/** cluster → [how its subsets are, { what is asked for }…]. */
const SUBSETS = {
  keys: ['fallback_policy: NO_FALLBACK, default_subset: {who: d}, subset_selectors: [{keys: [v, stage], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [stage]}, {keys: [stage], fallback_policy: NO_FALLBACK}, {keys: [v], fallback_policy: DEFAULT_SUBSET}, {keys: [who], fallback_policy: ANY_ENDPOINT}]',
    '{stage: prod, v: "1"}', '{stage: prod, v: "9"}', '{stage: nope, v: "9"}', '{stage: nope}', '{stage: dev}', '{v: "9"}', '{v: "1"}', '{who: nope}', '{who: c}', '{other: x}', '{stage: prod, v: "1", who: a}', ''],
  undefined: ['fallback_policy: DEFAULT_SUBSET, default_subset: {stage: dev}, subset_selectors: [{keys: [stage, v]}, {keys: [who], fallback_policy: NOT_DEFINED}, {keys: [num]}, {keys: [flag]}]', '{stage: prod, v: "2"}', '{stage: prod}', '{who: nope}', '{num: 1}', '{num: 2}', '{num: "1"}', '{flag: true}', '{flag: "true"}', ''],
  nodefault: ['fallback_policy: DEFAULT_SUBSET, default_subset: {who: nope}, subset_selectors: [{keys: [who]}]', '{who: a}', '{who: zzz}', ''],
  panic: ['fallback_policy: DEFAULT_SUBSET, default_subset: {who: nope}, panic_mode_any: true, subset_selectors: [{keys: [who]}]', '{who: a}', '{who: zzz}', ''],
  list: ['fallback_policy: NO_FALLBACK, list_as_any: true, default_subset: {tags: yy}, subset_selectors: [{keys: [tags], fallback_policy: DEFAULT_SUBSET}, {keys: [stage, tags]}]', '{tags: xx}', '{tags: yy}', '{tags: zz}', '{tags: qq}', '{stage: prod, tags: yy}', '{stage: prod, tags: zz}'],
  nolist: ['fallback_policy: NO_FALLBACK, subset_selectors: [{keys: [tags]}]', '{tags: xx}', '{tags: [xx, yy]}', '{tags: zz}'],
  single: ['fallback_policy: ANY_ENDPOINT, subset_selectors: [{keys: [stage], single_host_per_subset: true}, {keys: [who], single_host_per_subset: true}]', '{stage: prod}', '{stage: dev}', '{who: b}', '{who: nope}'],
  fallbacks: ['fallback_policy: NO_FALLBACK, metadata_fallback_policy: FALLBACK_LIST, subset_selectors: [{keys: [stage, v]}, {keys: [stage]}, {keys: [who]}]', '{fallback_list: [{stage: nope}, {stage: dev}]}', '{stage: prod, fallback_list: [{v: "9"}, {v: "2"}]}', '{stage: dev, fallback_list: [{v: "9"}]}', '{who: a, fallback_list: []}', '{who: a}', '{who: a, fallback_list: [{who: b}]}', '{fallback_list: [{who: nope}]}'],
};
const asked = (match) => (match === '' ? '' : `, metadata_match: {filter_metadata: {envoy.lb: ${match}}}`);
const REDUNDANT = ['{who: a, stage: dev}', '{stage: prod, v: "1", who: b}', '{stage: prod, extra: 1}', '{extra: 1}'];

const zones = (w, byZone, more = '') => `[${Object.entries(byZone).map(([z, list]) => `{locality: {zone: ${z}}, lb_endpoints: [${list.map((n) => endpoint(w.ports[n])).join(', ')}]${more && `, ${more}`}}`).join(', ')}]`;

export const cases = [
  {
    name: 'subsets: every fallback policy of clusters and selectors, lists, numbers, one host for each value, lists of fallbacks, panic',
    backends: BACKENDS,
    config: (w) => {
      const endpoints = `[{lb_endpoints: [${NAMES.map((n) => host(w, n)).join(', ')}]}]`, routes = [], clusters = [];
      for (const [name, [how, ...matches]] of Object.entries(SUBSETS)) {
        clusters.push(cluster(w, name, { endpoints, more: `lb_subset_config: {${how}}` }), cluster(w, `${name}-policy`, { endpoints, more: policy(`subset.v3.Subset, ${how}, subset_lb_policy: ${ROUND_ROBIN}`) }));
        for (const c of [name, `${name}-policy`]) matches.forEach((m, i) => routes.push(`- {match: {path: "/${c}/${i}"}, route: {cluster: ${c}${asked(m)}}}`));
      }
      clusters.push(cluster(w, 'redundant', { endpoints, more: policy(`subset.v3.Subset, allow_redundant_keys: true, subset_selectors: [{keys: [stage, v]}, {keys: [stage]}, {keys: [who]}], subset_lb_policy: ${ROUND_ROBIN}`) }));
      REDUNDANT.forEach((m, i) => routes.push(`- {match: {path: "/redundant/${i}"}, route: {cluster: redundant${asked(m)}}}`));
      return httpProxy(w, { clusters, routes });
    },
    steps: async (t) => {
      for (const [name, [, ...matches]] of Object.entries(SUBSETS)) for (const c of [name, `${name}-policy`]) for (const [i, m] of matches.entries()) t.note(`${c} ${m}`, names(await who(t, `/${c}/${i}`, 8)));
      for (const [i, m] of REDUNDANT.entries()) t.note(`redundant ${m}`, names(await who(t, `/redundant/${i}`, 8)));
      await t.stats(Object.keys(SUBSETS).flatMap((c) => ['lb_subsets_active', 'lb_subsets_selected', 'lb_subsets_fallback', 'lb_subsets_fallback_panic', 'lb_subsets_single_host_per_subset_duplicate', 'upstream_cx_none_healthy'].map((s) => `cluster.${c}.${s}`)));
    },
  },
  {
    name: 'policies as extensions: locality weights over any policy, hosts that a header or metadata names, before the policy itself',
    backends: BACKENDS,
    config: (w) => {
      const weighted = `[{locality: {zone: one}, load_balancing_weight: 3, lb_endpoints: [${host(w, 'a')}, ${host(w, 'b')}]}, {locality: {zone: two}, load_balancing_weight: 1, lb_endpoints: [${host(w, 'c')}]}]`;
      const some = `[{lb_endpoints: [${host(w, 'a')}, ${host(w, 'b')}, ${host(w, 'c', 'health_status: UNHEALTHY')}]}]`, route = (c) => `- {match: {path: "/${c}"}, route: {cluster: ${c}}}`;
      const override = (more = '') => policy(`override_host.v3.OverrideHost, override_host_sources: [{header: x-host}, {header: x-other}], fallback_policy: ${ROUND_ROBIN}${more}`);
      return httpProxy(w, {
        routes: ['wrr', 'weighted', 'least', 'named', 'strict', 'random'].map(route), clusters: [
          cluster(w, 'wrr', { endpoints: weighted, more: policy(`wrr_locality.v3.WrrLocality, endpoint_picking_policy: ${policies('client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin')}`) }), cluster(w, 'weighted', { endpoints: weighted, more: policy('round_robin.v3.RoundRobin, locality_lb_config: {locality_weighted_lb_config: {}}') }),
          cluster(w, 'least', { endpoints: weighted, more: policy('least_request.v3.LeastRequest, selection_method: FULL_SCAN') }), cluster(w, 'random', { endpoints: weighted, more: policy('random.v3.Random') }),
          cluster(w, 'named', { endpoints: some, more: override() }), cluster(w, 'strict', { endpoints: some, more: `${override()}\ncommon_lb_config: {override_host_status: {statuses: [HEALTHY]}}` }),
        ],
      });
    },
    steps: async (t) => {
      const near = (tally, want) => Object.fromEntries(Object.entries(want).map(([k, n]) => [k, Math.abs((tally[k] ?? 0) - n) <= 2]));
      for (const c of ['wrr', 'weighted']) t.note(c, near(await who(t, `/${c}`, 80), { a: 30, b: 30, c: 20 }));
      for (const c of ['least', 'random']) t.note(c, names(await who(t, `/${c}`, 60)));
      const at = (n) => `127.0.0.1:${t.ports[n]}`;
      for (const c of ['named', 'strict']) for (const [what, headers] of Object.entries({ none: {}, b: { 'x-host': at('b') }, 'the other header': { 'x-other': at('a') }, both: { 'x-host': at('b'), 'x-other': at('a') }, list: { 'x-host': `${at('b')},${at('a')}` }, 'not well': { 'x-host': at('c') }, 'not well, then a': { 'x-host': `${at('c')},${at('a')}` }, 'not of the cluster': { 'x-host': at('d') }, nonsense: { 'x-host': 'x' }, empty: { 'x-host': '' } })) t.note(`${c}: ${what}`, names(await who(t, `/${c}`, 4, headers)));
    },
  },
  {
    name: 'hash policies of a balancer go before those of the cluster and of the route',
    backends: BACKENDS,
    config: (w) => {
      const endpoints = `[{lb_endpoints: [${NAMES.map((n) => endpoint(w.ports[n], `metadata: {filter_metadata: {envoy.lb: {hash_key: host-${n}}}}`)).join(', ')}]}]`, hashed = (kind, list) => policy(`${kind}, consistent_hashing_lb_config: {hash_policy: [${list}]}`), header = '{header: {header_name: x-key}}';
      const routes = ['ring', 'maglev', 'cookie', 'before'].map((c) => `- {match: {path: "/${c}"}, route: {cluster: ${c}, hash_policy: [{header: {header_name: x-route}}]}}`);
      return httpProxy(w, { routes, clusters: [
        cluster(w, 'ring', { endpoints, more: hashed('ring_hash.v3.RingHash', header) }), cluster(w, 'maglev', { endpoints, more: hashed('maglev.v3.Maglev', `{query_parameter: {name: q}, terminal: true}, ${header}`) }), cluster(w, 'cookie', { endpoints, more: hashed('ring_hash.v3.RingHash', '{cookie: {name: c, ttl: 9s}}') }),
        cluster(w, 'before', { endpoints, more: `${hashed('ring_hash.v3.RingHash', header)}${httpOptions('explicit_http_config: {http_protocol_options: {}}', 'hash_policy: [{header: {header_name: x-cluster}}]')}` }),
      ] });
    },
    steps: async (t) => {
      const where = async (path, headers) => { const r = await t.quiet.http({ path, headers: { 'x-test-plain': '', ...headers } }); return `${r.body?.replace('ok ', '')}${r.headers?.['set-cookie'] ? ' cookie' : ''}`; };
      for (const c of ['ring', 'maglev', 'before']) { const out = []; for (let i = 0; i < 24; i++) out.push(await where(`/${c}`, { 'x-key': `key-${i}`, 'x-route': 'same', 'x-cluster': 'same' })); t.note(c, out.join(' ')); }
      const out = []; for (let i = 0; i < 12; i++) out.push(await where(`/maglev?q=${i}`, { 'x-key': 'other' })); t.note('maglev by query', out.join(' '));
      const by = []; for (let i = 0; i < 12; i++) by.push(await where('/cookie', { cookie: `c=${i}`, 'x-route': 'same' })); t.note('cookie', by.join(' '));
      const seen = new Set(); for (let i = 0; i < 40; i++) seen.add(await where('/cookie', { 'x-route': 'same' })); t.note('no cookie: one is set', [...seen].sort().join(' '));
    },
  },
  {
    name: 'zone aware routing: all stays, some goes on, the cluster is too small, the own zone is not there, fail_traffic_on_panic',
    backends: BACKENDS,
    config: (w) => {
      const aware = (more = '') => `common_lb_config: {zone_aware_lb_config: {routing_enabled: {value: 100}, min_cluster_size: 1${more}}}`, list = ['stays', 'goes', 'small', 'never', 'other', 'direct', 'fails'];
      return httpProxy(w, {
        top: 'node: {id: one, cluster: c, locality: {zone: z1}}\ncluster_manager: {local_cluster_name: near}', routes: list.map((c) => `- {match: {path: "/${c}"}, route: {cluster: ${c}}}`),
        clusters: [
          cluster(w, 'near', { endpoints: zones(w, { z1: ['a'], z2: ['b'] }) }), cluster(w, 'stays', { endpoints: zones(w, { z1: ['a', 'b'], z2: ['c'] }), more: aware() }), cluster(w, 'goes', { endpoints: zones(w, { z1: ['a'], z2: ['b', 'c', 'd'] }), more: aware() }),
          cluster(w, 'small', { endpoints: zones(w, { z1: ['a'], z2: ['b'] }), more: 'common_lb_config: {zone_aware_lb_config: {routing_enabled: {value: 100}}}' }), cluster(w, 'never', { endpoints: zones(w, { z1: ['a'], z2: ['b'] }), more: 'common_lb_config: {zone_aware_lb_config: {routing_enabled: {value: 0}, min_cluster_size: 1}}' }),
          cluster(w, 'other', { endpoints: zones(w, { z2: ['b'], z3: ['c'] }), more: aware() }), cluster(w, 'direct', { endpoints: zones(w, { z1: ['a'], z2: ['b', 'c', 'd'] }), more: policy('round_robin.v3.RoundRobin, locality_lb_config: {zone_aware_lb_config: {min_cluster_size: 1, force_local_zone: {min_size: 1}}}') }),
          cluster(w, 'fails', { endpoints: `[{locality: {zone: z1}, lb_endpoints: [${['a', 'b', 'c'].map((n) => endpoint(w.ports[n], n === 'a' ? '' : 'health_status: UNHEALTHY')).join(', ')}]}]`, more: aware(', fail_traffic_on_panic: true') }),
        ],
      });
    },
    steps: async (t) => {
      for (const c of ['stays', 'small', 'never', 'other', 'direct', 'fails']) t.note(c, names(await who(t, `/${c}`, 24)));
      const goes = await who(t, '/goes', 200);
      t.note('goes: who', names(goes));
      t.note('goes: half stays', Math.abs((goes.a ?? 0) - 100) <= 30);
      // How often the structures are made anew is each proxy's own affair.
      const stats = ['lb_zone_routing_all_directly', 'lb_zone_number_differs', 'lb_zone_no_capacity_left'];
      await t.stats(['stays', 'goes', 'small', 'never', 'other', 'direct', 'fails'].flatMap((c) => stats.map((s) => `cluster.${c}.${s}`)));
      const all = await t.statsNow();
      t.note('goes: each request is counted once', all['cluster.goes.lb_zone_routing_sampled'] + all['cluster.goes.lb_zone_routing_cross_zone']);
    },
  },
];
