// How hosts are weighted, found and connected to: ORCA, consistent hashing as hosts go, addresses of more than one family.
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { bootstrap, chain, cluster, endpoint, httpListener, httpProxy, listener, tcpProxy } from '../lib/config.mjs';

const toAll = (name = 'all') => `- {match: {prefix: "/"}, route: {cluster: ${name}}}`;
const CSWRR = 'type.googleapis.com/envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin';
const orca = (more) => `load_balancing_policy: {policies: [{typed_extension_config: {name: w, typed_config: {"@type": ${CSWRR}, ${more}}}}]}`;
const double = (n) => { const b = Buffer.alloc(8); b.writeDoubleLE(n); return b; };
/** OrcaLoadReport {cpu_utilization, rps_fractional, eps, named_metrics}. */
function report({ cpu, rps, eps, named = {} }) {
  const parts = [];
  if (cpu !== undefined) parts.push(Buffer.from([9]), double(cpu));
  if (rps !== undefined) parts.push(Buffer.from([49]), double(rps));
  if (eps !== undefined) parts.push(Buffer.from([57]), double(eps));
  for (const [k, v] of Object.entries(named)) { const entry = Buffer.concat([Buffer.from([10, k.length]), Buffer.from(k), Buffer.from([17]), double(v)]); parts.push(Buffer.from([66, entry.length]), entry); }
  return Buffer.concat(parts).toString('base64');
}
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const BACKENDS = NAMES.map((name) => ({ name }));

/** Weights by backend, as /clusters shows them. */
async function weights(t, name = 'all') {
  const { body } = await t.adminQuiet('/clusters');
  return Object.fromEntries(NAMES.filter((n) => t.ports[n]).map((n) => [n, Number(new RegExp(`^${name}::127.0.0.1:${t.ports[n]}::weight::(\\d+)`, 'm').exec(body)?.[1])]));
}
const calls = async (t, n, o = {}) => { for (let i = 0; i < n; i++) await t.quiet.http({ headers: { 'x-test-plain': '' }, ...o }); };

const WARM = 'preconnect_enabled_metadata: {filter: envoy.lb, path: [{key: warm}], value: {bool_match: true}}';
const PRECONNECT = {
  'cluster 3': 'predictive_preconnect_ratio: 3', 'cluster 1.5': 'predictive_preconnect_ratio: 1.5', 'host 3': 'per_upstream_preconnect_ratio: 3', 'host 2, cluster 2': 'per_upstream_preconnect_ratio: 2, predictive_preconnect_ratio: 2',
  'host 3, left out by metadata': `per_upstream_preconnect_ratio: 3, ${WARM}`, 'cluster 2, left out by metadata': `predictive_preconnect_ratio: 2, ${WARM}`,
};

export const cases = [
  {
    name: 'client side weighted round robin: each form of a report gives the weight; one that is wrong, and one without requests a second, give the median',
    backends: BACKENDS,
    config: (w) => httpProxy(w, { routes: toAll(), clusters: [cluster(w, 'all', { backends: NAMES, more: orca('blackout_period: 0.2s, weight_update_period: 0.1s, error_utilization_penalty: 2, metric_names_for_computing_utilization: [named_metrics.queue, named_metrics.other]') })] }),
    steps: async (t) => {
      const modes = [
        ['text, json, bin and the binary header', [`endpoint-load-metrics: TEXT cpu_utilization=0.5,rps_fractional=100`, `endpoint-load-metrics: JSON {"cpu_utilization": 0.25, "rps_fractional": 100}`, `endpoint-load-metrics: BIN ${report({ cpu: 0.2, rps: 100 })}`, `endpoint-load-metrics-bin: ${report({ cpu: 0.1, rps: 100 })}`, 'x-none: 1', `endpoint-load-metrics: TEXT cpu_utilization:0.125,rps_fractional:100`]],
        ['named metrics before application before cpu, errors weigh twice', [`endpoint-load-metrics: TEXT cpu_utilization=0.5,application_utilization=0.4,rps_fractional=100`, `endpoint-load-metrics: TEXT named_metrics.queue=0.2,named_metrics.other=0.1,application_utilization=0.4,rps_fractional=100`, `endpoint-load-metrics-bin: ${report({ cpu: 0.2, rps: 100, named: { queue: 0.5 } }).replace(/=+$/, '')}`, `endpoint-load-metrics: TEXT cpu_utilization=0.1,rps_fractional=100,eps=20`, `endpoint-load-metrics: TEXT application_utilization=0.01,rps_fractional=1`, `endpoint-load-metrics: JSON {"utilization": {"x": 1}, "applicationUtilization": 2, "rpsFractional": "100"}`]],
        ['wrong in some place: the report before it stays', ['endpoint-load-metrics: TEXT cpu_utilization=x,rps_fractional=100', 'endpoint-load-metrics: TEXT cpu_utilization=0.1,cpu_utilization=0.2,rps_fractional=100', 'endpoint-load-metrics: TEXT cpu_utilization=-0.1,rps_fractional=100', 'endpoint-load-metrics: JSON {"unknown": 1, "cpu_utilization": 0.9, "rps_fractional": 100}', 'endpoint-load-metrics: cpu_utilization=0.1,rps_fractional=100', 'endpoint-load-metrics: TEXT cpu_utilization=0.7']],
      ];
      for (const [what, headers] of modes) {
        NAMES.forEach((n, i) => { t.backends[n].mode = { plain: '', header: headers[i] }; });
        await calls(t, 60);
        await t.sleep(350);
        await calls(t, 60);
        await t.sleep(250);
        t.note(what, await weights(t));
      }
    },
  },
  {
    name: 'client side weighted round robin: blackout, weights by which hosts take turns, expiration',
    backends: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    config: (w) => httpProxy(w, { routes: toAll(), clusters: [cluster(w, 'all', { backends: ['a', 'b', 'c'], more: ['http_protocol_options: {enable_trailers: true}', orca('blackout_period: 1.5s, weight_expiration_period: 1.5s, weight_update_period: 0.1s')] })] }),
    steps: async (t) => {
      t.backends.a.mode = { plain: '', header: 'endpoint-load-metrics: TEXT cpu_utilization=0.1,rps_fractional=100' };
      t.backends.b.mode = { plain: '', trailer: 'endpoint-load-metrics: TEXT cpu_utilization=0.2,rps_fractional=100' };
      t.backends.c.mode = { plain: '', header: 'endpoint-load-metrics: TEXT cpu_utilization=0.5,rps_fractional=100' };
      await calls(t, 9);
      await t.sleep(300);
      t.note('in the blackout', await weights(t));
      await t.sleep(900);
      await calls(t, 12);
      await t.sleep(700);
      await calls(t, 12);
      await t.sleep(200);
      t.note('weights', await weights(t));
      for (const n of ['a', 'b', 'c']) t.backends[n].requests = 0;
      await calls(t, 170);
      t.note('turns', [['a', 100], ['b', 50], ['c', 20]].map(([n, want]) => Math.abs(t.backends[n].requests - want) <= 3));
      await t.sleep(1900);
      t.note('expired', await weights(t));
    },
  },
  {
    name: 'client side weighted round robin: reports out of band, from a port of their own; a host that knows of none is not asked again',
    backends: ['a', 'b', 'c'].map((name) => ({ name, kind: 'h2c' })), ports: ['none'],
    config: (w) => {
      const oob = (more) => orca(`blackout_period: 0.1s, weight_update_period: 0.1s, enable_oob_load_report: true, oob_reporting_period: 0.2s${more}`);
      return httpProxy(w, { routes: toAll(), clusters: [cluster(w, 'all', { backends: ['a', 'b', 'c'], more: oob('') }), cluster(w, 'apart', { backends: ['c'], more: oob(`, oob_reporting_config: {authority: load.test, port_value: ${w.ports.a}}`) }), cluster(w, 'gone', { backends: ['c'], more: oob(`, oob_reporting_config: {port_value: ${w.ports.none}}`) })] });
    },
    before: (t) => {
      const says = (cpu, rps) => { const message = Buffer.from(report({ cpu, rps }), 'base64'); return { header: 'content-type: application/grpc', trailer: 'grpc-status: 14', body: Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]) }; };
      t.backends.a.mode = says(0.1, 100);
      t.backends.b.mode = says(0.5, 100);
      t.backends.c.mode = { status: 404 };
    },
    steps: async (t) => {
      await t.until('two reports have become weights', async () => { const w = await weights(t); return w.a === 1000 && w.b === 200; });
      t.note('the third has their median', (await weights(t)).c);
      await t.until('the report of another port', async () => (await weights(t, 'apart')).c === 1000);
      await t.untilStat('cluster.all.lb_orca_oob.stream_failures', 2);
      await t.untilStat('cluster.gone.lb_orca_oob.stream_failures', 1);
      await t.stats(['cluster.all.lb_orca_oob.active_sessions', 'cluster.all.lb_orca_oob.report_errors', 'cluster.all.lb_orca_oob.stream_terminated', 'cluster.apart.lb_orca_oob.stream_terminated', 'cluster.gone.lb_orca_oob.reports_received', 'cluster.gone.lb_orca_oob.active_sessions']);
      t.backends.b.mode = { ...t.backends.a.mode, body: Buffer.from([0, 0, 0, 0, 9, 9, ...double(0.5)]) };
      await t.untilStat('cluster.all.lb_orca_oob.report_errors', 1);
      t.note('a report without requests a second changes nothing', (await weights(t)).b);
    },
  },
  {
    name: 'ring hash and maglev place keys as Envoy, also after a host is gone, after one is added, and with weights',
    backends: BACKENDS,
    listeners: ['ring', 'maglev', 'murmur'],
    config: (w) => {
      const l = (name) => httpListener(w, { name, routes: `- {match: {prefix: "/"}, route: {cluster: ${name}, hash_policy: [{header: {header_name: x-key}}]}}` });
      const eds = (name, more) => `
- name: ${name}
  type: EDS
  connect_timeout: 1s
  eds_cluster_config: {eds_config: {resource_api_version: V3, path_config_source: {path: ${w.dir}/${name}.yaml}}}
  common_lb_config: {update_merge_window: 0s}
  ${more}`;
      return `node: {id: one, cluster: c}\n${bootstrap(w, { listeners: ['ring', 'maglev', 'murmur'].map(l), clusters: [
        eds('ring', 'lb_policy: RING_HASH'), eds('maglev', 'lb_policy: MAGLEV'), eds('murmur', 'lb_policy: RING_HASH\n  ring_hash_lb_config: {hash_function: MURMUR_HASH_2, minimum_ring_size: 512}')] })}`;
    },
    before: (t) => { for (const n of ['ring', 'maglev', 'murmur']) t.write(`${n}.yaml`, assignment(t, n, { a: 1, b: 1, c: 1, d: 1, e: 1 })); },
    steps: async (t) => {
      await placeAll(t, 'five hosts', 5);
      await change(t, { a: 1, b: 1, d: 1, e: 1 }); await placeAll(t, 'c is gone', 4);
      await change(t, { a: 1, b: 1, d: 1, e: 1, f: 1 }); await placeAll(t, 'f is new', 5);
      await change(t, { a: 3, b: 1, d: 2, e: 1, f: 1, c: 1 }); await placeAll(t, 'weights 3 1 2 1 1 1', 6);
    },
  },
  {
    name: 'several addresses of one host: the next after 300 ms or a failure; one connection for the statistics',
    backends: [{ name: 'a' }, { name: 'b' }],
    ports: ['silent', 'closed'],
    before: async (t) => { await t.extra(() => blackHole(t.ports.silent)); },
    config: (w) => {
      const more = (...ports) => `additional_addresses: [${ports.map((p) => `{address: {socket_address: {address: 127.0.0.1, port_value: ${w.ports[p]}}}}`).join(', ')}]`;
      const host = (first, ...rest) => `[{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${w.ports[first]}}}, ${more(...rest)}}}]}]`;
      const names = ['slow', 'refused', 'none'];
      return httpProxy(w, { routes: names.map((n) => `
- match: {prefix: "/${n}"}
  route: {cluster: ${n}}
  response_headers_to_add: [{header: {key: x-host, value: "%UPSTREAM_HOST%"}}, {header: {key: x-remote, value: "%UPSTREAM_REMOTE_ADDRESS%"}}]`), clusters: [
        cluster(w, 'slow', { endpoints: host('silent', 'a') }), cluster(w, 'refused', { endpoints: host('closed', 'b', 'a') }), cluster(w, 'none', { endpoints: host('closed', 'closed') })] });
    },
    steps: async (t) => {
      const ask = async (path) => { const r = await t.quiet.http({ path, headers: { 'x-test-plain': '' } }); return { status: r.status, body: r.body, host: r.headers['x-host'], remote: r.headers['x-remote'] }; };
      t.note('slow', await t.timed('after 300 ms', () => ask('/slow'), 280, 900));
      t.note('refused', await t.timed('at once', () => ask('/refused'), 0, 280));
      t.note('none', await t.timed('at once', () => ask('/none'), 0, 280));
      await t.stats(['slow', 'refused', 'none'].flatMap((c) => ['upstream_cx_total', 'upstream_cx_active', 'upstream_cx_connect_fail', 'upstream_cx_connect_timeout', 'upstream_rq_pending_failure_eject'].map((n) => `cluster.${c}.${n}`)));
    },
  },
  // One policy a case: Envoy counts what its connections carry over all clusters of a worker, Weir over those of the cluster.
  ...Object.entries(PRECONNECT).map(([what, policy]) => ({
    name: `preconnecting: how many connections one and then more requests bring: ${what}`,
    backends: ['a', 'b', 'c', 'd'].map((name) => ({ name })),
    config: (w) => httpProxy(w, { routes: toAll(), clusters: [cluster(w, 'all', { backends: ['a', 'b', 'c', 'd'], more: `preconnect_policy: {${policy}}` })] }),
    steps: async (t) => {
      const seen = [];
      for (const [count, together] of [[1, false], [1, false], [4, true], [2, false]]) {
        if (together) await Promise.all(Array.from({ length: count }, () => t.quiet.http({ headers: { 'x-test-plain': '', 'x-test-delay-ms': '100' } }))); else for (let i = 0; i < count; i++) await t.quiet.http({ headers: { 'x-test-plain': '' } });
        await t.sleep(80);
        const all = await t.statsNow();
        seen.push([all['cluster.all.upstream_cx_total'], all['cluster.all.upstream_cx_preconnect_skipped'] ?? 0]);
      }
      t.note('connections, and those left out', seen);
    },
  })),
  {
    name: 'max_connection_pools is as if there were no host; a pool for each downstream connection',
    backends: [{ name: 'a' }, { name: 'b' }],
    config: (w) => httpProxy(w, { routes: ['few', 'own'].map((n) => `- {match: {prefix: "/${n}"}, route: {cluster: ${n}}, response_headers_to_add: [{header: {key: x-flags, value: "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%"}}]}`), clusters: [
      cluster(w, 'few', { backends: ['a', 'b'], more: 'circuit_breakers: {thresholds: [{max_connection_pools: 1}]}' }),
      cluster(w, 'own', { backends: ['a'], more: 'connection_pool_per_downstream_connection: true' })] }),
    steps: async (t) => {
      for (let i = 0; i < 2; i++) { const r = await t.quiet.http({ path: '/few', headers: { 'x-test-plain': '' } }); t.note('over two hosts, one pool', { status: r.status, body: r.status === 200 ? '' : r.body, flags: r.headers['x-flags'], overloaded: r.headers['x-envoy-overloaded'] }); }
      await t.stats(['upstream_cx_pool_overflow', 'upstream_cx_none_healthy', 'upstream_rq_pending_overflow', 'upstream_rq_503'].map((n) => `cluster.few.${n}`));
      for (let i = 0; i < 3; i++) {
        const s = connect({ port: t.ports.http, host: '127.0.0.1' });
        for (let n = 0; n < 2; n++) { s.write('GET /own HTTP/1.1\r\nhost: x\r\nx-test-plain: \r\n\r\n'); await new Promise((r) => s.once('data', r)); await t.sleep(20); }
        s.destroy();
      }
      await t.stats(['cluster.own.upstream_cx_total', 'cluster.own.upstream_rq_total']);
    },
  },
  {
    name: 'close_connections_on_host_health_failure ends a TCP session when its host fails a check; without it the session stays',
    backends: [{ name: 'a' }],
    listeners: ['closes', 'stays'],
    config: (w) => bootstrap(w, { listeners: ['closes', 'stays'].map((n) => listener(w, n, { chains: chain(tcpProxy(n)) })), clusters: [['closes', 'close_connections_on_host_health_failure: true'], ['stays', '']].map(([n, more]) => cluster(w, n, { backends: ['a'], more: [`health_checks: [{timeout: 1s, interval: 0.1s, no_traffic_interval: 0.1s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: /hc}}]`, more] })) }),
    steps: async (t) => {
      await t.sleep(300);
      const open = {};
      for (const n of ['closes', 'stays']) { const s = connect({ port: t.ports[n], host: '127.0.0.1' }); open[n] = 'open'; s.on('close', () => { open[n] = 'closed'; }); s.on('error', () => {}); s.write('GET /x HTTP/1.1\r\nhost: x\r\n\r\n'); await new Promise((r) => s.once('data', r)); await t.extra(async () => ({ stop: () => s.destroy() })); }
      t.note('with both hosts well', { ...open });
      t.backends.a.mode = { status: '503' };
      await t.until('the check has failed', async () => (await t.statsNow())['cluster.closes.membership_healthy'] === 0);
      await t.sleep(300);
      t.note('after it', { ...open });
    },
  },
];

/** A port where nothing answers a connect: its queue is full and nobody takes from it. */
async function blackHole(port) {
  const child = spawn(process.execPath, ['-e', `require('net').createServer().listen({port: ${port}, host: '127.0.0.1', backlog: 1}, () => { require('fs').writeSync(1, 'up'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); })`], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((r) => child.stdout.once('data', r));
  const fill = Array.from({ length: 6 }, () => connect({ port, host: '127.0.0.1' }).on('error', () => {}));
  await new Promise((r) => setTimeout(r, 200));
  return { stop: () => { for (const s of fill) s.destroy(); child.kill('SIGKILL'); } };
}

const assignment = (t, cluster, hosts) => `version_info: "${Object.keys(hosts).join('')}"
resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: ${cluster}
  endpoints: [{lb_endpoints: [${Object.entries(hosts).map(([n, w]) => `{load_balancing_weight: ${w}, endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${t.ports[n]}}}}, metadata: {filter_metadata: {envoy.lb: {hash_key: host-${n}}}}}`).join(', ')}]}]
`;
async function change(t, hosts) { for (const n of ['ring', 'maglev', 'murmur']) t.write(`${n}.yaml`, assignment(t, n, hosts)); }
async function placeAll(t, what, size) {
  for (const listener of ['ring', 'maglev', 'murmur']) {
    await t.poll(async () => (await t.statsNow())[`cluster.${listener}.membership_total`] === size);
    await t.sleep(50);
    const placed = [];
    for (let i = 0; i < 60; i++) placed.push((await t.quiet.http({ listener, headers: { 'x-key': `key-${i}`, 'x-test-plain': '' } })).body?.replace('ok ', ''));
    t.note(`${listener}: ${what}`, placed.join(''));
  }
}
