// Runs alone: it measures time or load.
// Every fault of a backend under every policy: how many of a client's requests fail. All rows run at the same time through one process, each with a cluster of its own:
// three good backends and one that has the fault, taken in turns, so without a policy exactly a quarter of the requests meets it. The figures are the real Envoy's:
// WEIR_CHAOS=envoy runs the same tables through it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { bootstrapYaml, clusterYaml } from '../support/bootstrap.ts';
import { ChaosBackend } from '../support/chaos-backend.ts';
import { startEither, type Either } from '../support/either.ts';
import { FakeDns, type DnsAnswer } from '../support/fake-dns.ts';
import { load } from '../support/load.ts';
import { RestartableBackend } from '../support/restartable.ts';
import { freePort, until } from '../support/weir.ts';

const REQUESTS = 16, QUARTER = REQUESTS / 4;
/** A broken answer's connection is closed at once, not a second later. */
const NO_LINGERING = 'delayed_close_timeout: 0s';
const sleep = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));
const ELSEWHERE = 'host_selection_retry_max_attempts: 10, retry_host_predicate: [{name: p, typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}], retry_back_off: {base_interval: 0.001s}';
const again = (perTry: string): string => `retry_policy: {retry_on: "connect-failure,reset,5xx", num_retries: 3, per_try_timeout: ${perTry}, ${ELSEWHERE}}`;
const MANY = 'max_connections: 10000, max_pending_requests: 10000, max_requests: 10000';
// The window: else Envoy gathers changes of health for a second before its balancers see them. Here they always do at once.
const NO_PANIC = 'common_lb_config: {healthy_panic_threshold: {value: 0}, update_merge_window: 0s}';
const outlier = (ejected: string): string => `outlier_detection: {consecutive_5xx: 2, interval: 0.05s, base_ejection_time: ${ejected}, max_ejection_percent: 50}, ${NO_PANIC}`;
/** The first check is what counts: a host has no requests before it. */
const check = (path: string, interval = '60s'): string => `health_checks: [{timeout: 1.5s, interval: ${interval}, no_traffic_interval: ${interval}, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: "${path}"}}], ${NO_PANIC}`;

/** Fields of the route, told what limits the faults that only a clock ends; and of the cluster (`path` is what a health check asks for). */
interface Policy { readonly route: (perTry: string) => string; readonly cluster: (path: string) => string }
const none = (): string => '';
const POLICIES: Readonly<Record<string, Policy>> = {
  'none': { route: none, cluster: none },
  'retries': { route: again, cluster: none },
  'hedging': { route: (perTry) => `hedge_policy: {hedge_on_per_try_timeout: true}, ${again(perTry)}`, cluster: none },
  'retries, but the breaker allows none': { route: again, cluster: () => `circuit_breakers: {thresholds: [{${MANY}, max_retries: 0}]}` },
  // One request at a time is just what the client does: a place that a fault does not give back makes all later requests fail.
  'breakers': { route: none, cluster: () => 'circuit_breakers: {thresholds: [{max_requests: 1, max_pending_requests: 1}]}' },
  'outlier detection': { route: none, cluster: () => outlier('60s') },
  'health checks': { route: none, cluster: (path) => check(path) },
};
const NAMES = Object.keys(POLICIES);

/** Errors that the client sees, of REQUESTS: a number or the least and the most. One column for each policy, in their order. */
type Errors = number | readonly [number, number];
const Q = QUARTER, FEW = [2, 3] as const;
const FAULTS: Readonly<Record<string, readonly Errors[]>> = {
  //                   none retries hedging breaker=0 breakers outlier checks
  '/refuse':           [Q, 0, 0, Q, Q, FEW, 0],
  '/hang':             [Q, 0, 0, Q, Q, FEW, 0],
  '/close':            [Q, 0, 0, Q, Q, FEW, 0],
  '/reset':            [Q, 0, 0, Q, Q, FEW, 0],
  '/reset-head':       [Q, 0, 0, Q, Q, FEW, 0],
  '/garbage':          [Q, 0, 0, Q, Q, FEW, 0],
  '/slow-head':        [Q, 0, 0, Q, Q, FEW, 0],
  '/reset-body':       [Q, Q, Q, Q, Q, Q, 0],
  '/close-body':       [Q, Q, Q, Q, Q, Q, 0],
  '/slow-body':        [Q, Q, Q, Q, Q, Q, 0],
  '/half-close':       [0, 0, 0, 0, 0, 0, 0],
  '/half-close-later': [0, 0, 0, 0, 0, 0, 0],
};

/** Only a clock ends these. They run after the others, so that no good answer is late by the load. */
const SLOW = ['/hang', '/slow-head', '/slow-body'];
const LIMITS = { quick: { timeout: '30s', perTry: '8s' }, slow: { timeout: '1.2s', perTry: '0.4s' } };

const told = (n: number, wanted: Errors, all = REQUESTS): string => (typeof wanted === 'number' ? n === wanted : n >= wanted[0] && n <= wanted[1]) ? 'as wanted' : `${n} of ${all} failed, not ${String(wanted)}`;
const errors = async (port: number, path: string, requests = REQUESTS): Promise<number> => (await load({ port, path, connections: 1, requests })).errors;
const checked = (p: Either, hosts: number): Promise<unknown> => until('the health checks have made up their minds', async () => Object.values(await p.stats('health-checks.membership_healthy$')).every((n) => n >= hosts), 30_000);
/** A machine that stops for a second makes no failed connection. */
const patientCluster = (name: string, ports: readonly number[], more: string): string => clusterYaml(name, ports, more).replace('connect_timeout: 1s', 'connect_timeout: 10s');
const slug = (text: string): string => text.replace(/[^a-z]+/g, '-');

test('each fault under each policy: how many requests fail', async (t) => {
  const bad = await new ChaosBackend().start(), good = await RestartableBackend.many(3), dead = await freePort(), port = await freePort();
  t.after(async () => { await bad.stop(); for (const g of good) await g.kill(); });
  const rows = Object.entries(FAULTS).flatMap(([fault, wanted]) => NAMES.map((policy, i) => ({ fault, policy, wanted: wanted[i]!, name: `${fault.slice(1)}.${slug(policy)}`, path: `${fault}/${slug(policy)}` })));
  const routes = rows.map((r) => { const l = LIMITS[SLOW.includes(r.fault) ? 'slow' : 'quick']; return `{match: {path: "${r.path}"}, route: {cluster: "${r.name}", timeout: ${l.timeout}, ${POLICIES[r.policy]!.route(l.perTry)}}}`; });
  const p = await startEither(t, bootstrapYaml([{ port, hcm: NO_LINGERING, routes: `[${routes.join(', ')}]` }], rows.map((r) => patientCluster(`"${r.name}"`, [...good.map((g) => g.port), r.fault === '/refuse' ? dead : bad.port], POLICIES[r.policy]!.cluster(r.path)))));
  await checked(p, 3);
  const run = (slow: boolean): Promise<string[]> => Promise.all(rows.filter((r) => SLOW.includes(r.fault) === slow).map(async (r) => `${r.fault}, ${r.policy}: ${told(await errors(port, r.path), r.wanted)}`));
  const got = [...await run(false), ...await run(true)];
  assert.deepEqual(got.filter((row) => !row.endsWith('as wanted')), []);
});

/** What the name comes to → the errors, all policies as in POLICIES; the same backends listen on one port of 127.0.0.1 and 127.0.0.2, nothing on 127.0.0.9. */
const GOOD = '127.0.0.1', OTHER = '127.0.0.2', DEAD = '127.0.0.9', DNS_REQUESTS = 12;
const ALL = DNS_REQUESTS, HALF = ALL / 2, NEVER = [0, 0, 0, 0, 0, 0, 0];
const FLAPS: readonly (readonly [string, DnsAnswer, Readonly<Record<'STRICT_DNS' | 'LOGICAL_DNS', readonly Errors[]>>])[] = [
  ['well', [GOOD], { STRICT_DNS: NEVER, LOGICAL_DNS: NEVER }],
  ['moved', [OTHER], { STRICT_DNS: NEVER, LOGICAL_DNS: NEVER }],
  // Each address is a host, or all are one host's: those are tried in turns, but only the first is checked.
  ['half dead', [DEAD, OTHER], { STRICT_DNS: [HALF, 0, 0, HALF, HALF, FEW, 0], LOGICAL_DNS: [0, 0, 0, 0, 0, 0, ALL] }],
  // STRICT_DNS keeps a host that passes its checks though the name no longer has it.
  ['dead', [DEAD], { STRICT_DNS: [ALL, ALL, ALL, ALL, ALL, ALL, 0], LOGICAL_DNS: [ALL, ALL, ALL, ALL, ALL, ALL, ALL] }],
  ['well again', [GOOD], { STRICT_DNS: NEVER, LOGICAL_DNS: NEVER }],
  ['unknown', 'no such name', { STRICT_DNS: [ALL, ALL, ALL, ALL, ALL, ALL, 0], LOGICAL_DNS: NEVER }],
  ['back', [GOOD], { STRICT_DNS: NEVER, LOGICAL_DNS: NEVER }],
  ['failing', 'failure', { STRICT_DNS: NEVER, LOGICAL_DNS: NEVER }],
  ['silent', 'silence', { STRICT_DNS: NEVER, LOGICAL_DNS: NEVER }],
];

test('names that flap under each policy, STRICT_DNS and LOGICAL_DNS: how many requests fail', async (t) => {
  const dns = await new FakeDns().start(), servers = [await new ChaosBackend().start()];
  servers.push(await new ChaosBackend().start(OTHER, servers[0]!.port));
  t.after(async () => { await dns.stop(); for (const s of servers) await s.stop(); });
  const port = await freePort();
  const rows = (['STRICT_DNS', 'LOGICAL_DNS'] as const).flatMap((type) => NAMES.map((policy, i) => ({ type, policy, i, name: `${slug(type.toLowerCase())}-${slug(policy)}.test` })));
  const resolver = `typed_dns_resolver_config: {name: envoy.network.dns_resolver.cares, typed_config: {"@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, resolvers: [{socket_address: {address: 127.0.0.1, port_value: ${dns.port}}}]}}`;
  const clusters = rows.map((r) => `  - {name: ${r.name}, type: ${r.type}, connect_timeout: 10s, dns_lookup_family: V4_ONLY, dns_refresh_rate: 0.05s, ${resolver}, ${r.policy === 'health checks' ? check('/ok', '0.05s') : POLICIES[r.policy]!.cluster('/ok')}, load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: ${r.name}, port_value: ${servers[0]!.port}}}}}]}]}}\n`.replace(', ,', ','));
  const routes = rows.map((r) => `{match: {path: "/ok/${r.name}"}, route: {cluster: ${r.name}, timeout: 30s, ${POLICIES[r.policy]!.route('8s')}}}`);
  dns.set([GOOD]);
  await startEither(t, bootstrapYaml([{ port, hcm: NO_LINGERING, routes: `[${routes.join(', ')}]` }], clusters));
  const got: string[] = [];
  for (const [what, answer, wanted] of FLAPS) {
    dns.set(answer);
    const asked = answer === 'silence' ? 1 : 2; // the second query: the first one's answer has been dealt with
    await until('every name is looked up anew', () => rows.every((r) => dns.queries(r.name) >= asked));
    await sleep(100);
    got.push(...await Promise.all(rows.map(async (r) => `${r.type}, ${what}, ${r.policy}: ${told(await errors(port, `/ok/${r.name}`, DNS_REQUESTS), wanted[r.type][r.i]!, DNS_REQUESTS)}`)));
  }
  assert.deepEqual(got.filter((row) => !row.endsWith('as wanted')), []);
});

/** The least number, and the most as a share: a quarter of the requests meets a backend that is down more than half of the time. */
const MET = [1, 0.3] as const, FEWER = [0, 0.2] as const;
const ROTATION: Readonly<Record<string, readonly [number, number]>> = { 'none': MET, 'retries': [0, 0], 'hedging': [0, 0], 'retries, but the breaker allows none': MET, 'breakers': MET, 'outlier detection': FEWER, 'health checks': FEWER };

test('backends that restart in rotation under each policy: what share of the requests fails', async (t) => {
  const backends = await RestartableBackend.many(4), port = await freePort();
  t.after(async () => { for (const b of backends) await b.kill(); });
  const clusters = NAMES.map((policy) => patientCluster(slug(policy), backends.map((b) => b.port), policy === 'health checks' ? check('/', '0.02s') : policy === 'outlier detection' ? outlier('0.2s') : POLICIES[policy]!.cluster('/')));
  const routes = NAMES.map((policy) => `{match: {path: "/${slug(policy)}"}, route: {cluster: ${slug(policy)}, timeout: 30s, ${POLICIES[policy]!.route('8s')}}}`);
  const p = await startEither(t, bootstrapYaml([{ port, hcm: NO_LINGERING, routes: `[${routes.join(', ')}]` }], clusters));
  await checked(p, 4);
  // A slow machine rotates slowly: each step lasts until every row has had its requests.
  const answered = new Map<string, number>(NAMES.map((n) => [n, 0]));
  const step = async (ms: number): Promise<void> => { const before = new Map(answered); await Promise.all([sleep(ms), until('requests of every row', () => NAMES.every((n) => answered.get(n)! >= before.get(n)! + 8), 60_000)]); };
  const rotated = (async () => { for (const b of backends) { await b.kill(); await step(150); await b.start(); await step(100); } })();
  const rates = await Promise.all(NAMES.map(async (policy) => { const r = await load({ port, path: `/${slug(policy)}`, connections: 1, until: rotated, onAnswer: () => answered.set(policy, answered.get(policy)! + 1) }); return [policy, r.errors, r.total] as const; }));
  t.diagnostic(rates.map(([policy, failed, all]) => `${policy}: ${failed} of ${all}`).join('; '));
  const wrong = rates.filter(([policy, failed, all]) => { const [least, most] = ROTATION[policy]!; return failed < least || failed > Math.max(least, all * most); });
  assert.deepEqual(wrong, []);
});
