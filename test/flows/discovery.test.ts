// Resources by discovery from files: LDS, CDS, RDS, EDS. What is good goes live, what is bad keeps its previous version and is named with its place.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { httpBackend, type Backend } from '../support/backend.ts';
import { ask, freePort, runWeir, startWeir, until, type RunningWeir } from '../support/weir.ts';

const TYPE = 'type.googleapis.com/envoy';
const says = (text: string): string => `{match: {path: "/version"}, direct_response: {status: 200, body: {inline_string: "${text}"}}}`;

class Files {
  readonly dir = mkdtempSync(join(tmpdir(), 'weir-xds-'));
  put(name: string, text: string): void { writeFileSync(join(this.dir, `.${name}`), text); renameSync(join(this.dir, `.${name}`), join(this.dir, name)); }
  source(name: string, more = ''): string { return `{resource_api_version: V3, path_config_source: {path: ${join(this.dir, name)}}${more}}`; }
  boot(): string { return `node: {id: one, cluster: two}\ndynamic_resources: {lds_config: ${this.source('lds.yaml')}, cds_config: ${this.source('cds.yaml')}}\n`; }
  lds(version: string, listeners: readonly { readonly name: string; readonly port: number; readonly more?: string; readonly rds?: string }[]): void {
    this.put('lds.yaml', `version_info: ${version}\nresources:\n${listeners.map((l) => `- "@type": ${TYPE}.config.listener.v3.Listener
  name: ${l.name}
  address: {socket_address: {address: 127.0.0.1, port_value: ${l.port}}}
  filter_chains:
  - filters:
    - name: h
      typed_config:
        "@type": ${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: in
        ${l.more ?? ''}
        rds: {route_config_name: table, config_source: ${l.rds ?? this.source('rds.yaml')}}
        http_filters: [{name: r, typed_config: {"@type": ${TYPE}.extensions.filters.http.router.v3.Router}}]
`).join('')}`);
  }
  rds(text: string): void { this.put('rds.yaml', `version_info: "${text}"\nresources:\n- "@type": ${TYPE}.config.route.v3.RouteConfiguration\n  name: table\n  virtual_hosts:\n  - {name: v, domains: ["*"], routes: [${says(text)}, {match: {prefix: "/"}, route: {cluster: dyn}}]}\n`); }
  cds(more = ''): void { this.put('cds.yaml', `version_info: c\nresources:\n- "@type": ${TYPE}.config.cluster.v3.Cluster\n  name: dyn\n  type: EDS\n  connect_timeout: 1s\n  eds_cluster_config: {service_name: service, eds_config: ${this.source('eds.yaml')}}\n${more}`); }
  eds(ports: readonly number[], policy = ''): void { this.put('eds.yaml', `version_info: e\nresources:\n- {"@type": ${TYPE}.config.endpoint.v3.ClusterLoadAssignment, cluster_name: service, ${policy}endpoints: [{lb_endpoints: [${ports.map((p) => `{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${p}}}}}`).join(', ')}]}]}\n`); }
}

async function begin(t: TestContext, args: string[] = []): Promise<{ f: Files; port: number; weir: RunningWeir; a: Backend; b: Backend }> {
  const f = new Files(), a = await httpBackend('a'), b = await httpBackend('b'), port = await freePort();
  f.eds([a.port]); f.cds(); f.rds('one'); f.lds('l1', [{ name: 'http', port }]);
  const weir = await startWeir(f.boot(), { args, concurrency: 2 });
  t.after(async () => { await weir.stop(); await a.stop(); await b.stop(); rmSync(f.dir, { recursive: true, force: true }); });
  return { f, port, weir, a, b };
}
const version = async (port: number): Promise<string> => (await ask(port, '/version').catch(() => null))?.body ?? 'gone';

test('endpoints, routes, clusters and listeners follow their files; their stats are Envoy\'s', async (t) => {
  const { f, port, weir, b } = await begin(t);
  assert.equal(await version(port), 'one');
  assert.equal((await ask(port, '/x')).body, 'a GET /x 0');
  f.eds([b.port]);
  await until('b serves', async () => (await ask(port, '/x')).body.startsWith('b '));
  const before = (await weir.stats('cluster.dyn.upstream_cx_destroy'))['cluster.dyn.upstream_cx_destroy'];
  f.eds([b.port], 'policy: {drop_overloads: [{category: c, drop_percentage: {numerator: 100}}]}, ');
  await until('all is dropped', async () => (await ask(port, '/x')).body === 'unconditional drop overload');
  f.eds([b.port]);
  await until('b serves again', async () => (await ask(port, '/x')).body.startsWith('b '));
  assert.equal((await weir.stats('cluster.dyn.upstream_cx_destroy'))['cluster.dyn.upstream_cx_destroy'], before, 'no connection ends with that');
  f.rds('two');
  await until('the second table', async () => (await version(port)) === 'two');
  const other = await freePort();
  f.lds('l2', [{ name: 'http', port }, { name: 'late', port: other }]);
  await until('a listener more', async () => (await version(other)) === 'two');
  f.lds('l3', [{ name: 'late', port: other }]);
  await until('the first is gone', async () => (await version(port)) === 'gone');
  f.cds(`- {"@type": ${TYPE}.config.cluster.v3.Cluster, name: more, type: STATIC, connect_timeout: 1s}\n`);
  await until('a cluster more', async () => (await weir.stats('active_clusters'))['cluster_manager.active_clusters'] === 2);
  const s = await weir.stats('lds|cds|rds|cluster.dyn.(update|version|membership)|_manager.*(added|removed|modified|active|warming)');
  const of = (names: string[]): number[] => names.map((n) => s[n] ?? -1);
  assert.deepEqual(of(['listener_manager.lds.update_attempt', 'listener_manager.lds.update_success', 'listener_manager.lds.update_rejected', 'listener_manager.listener_added', 'listener_manager.listener_removed', 'listener_manager.total_listeners_active', 'listener_manager.total_listeners_warming']), [3, 3, 0, 2, 1, 1, 0]);
  assert.deepEqual(of(['cluster_manager.cds.update_success', 'cluster_manager.cluster_added', 'cluster.dyn.update_success', 'cluster.dyn.membership_total', 'http.in.rds.table.update_success', 'http.in.rds.table.config_reload']), [2, 2, 4, 1, 2, 2]);
  assert.ok(s['listener_manager.lds.version']! > 0 && s['listener_manager.lds.update_time']! > 1.6e12);
});

test('a bad resource is refused with its place and keeps its previous version; the good ones of the same file go live', async (t) => {
  const { f, port, weir } = await begin(t);
  const other = await freePort();
  f.lds('l2', [{ name: 'http', port, more: 'codec_type: HTTP7' }, { name: 'late', port: other }]);
  await until('the good one is there', async () => (await version(other)) === 'one');
  assert.equal(await version(port), 'one');
  assert.match(weir.log, /lds: listener 'http' config rejected: \S+lds\.yaml:12:9: resources\[0\]\.filter_chains\[0\]\.filters\[0\]\.typed_config\.codec_type: the text 'HTTP7' is not a value of CodecType/);
  f.put('rds.yaml', `resources:\n- "@type": ${TYPE}.config.route.v3.RouteConfiguration\n  name: table\n  virtual_hosts:\n  - {name: v, domains: ["*"], routes: [{match: {safe_regex: {regex: "("}}, route: {cluster: dyn}}]}\n`);
  await until('the table is refused', async () => (await weir.stats('rds'))['http.in.rds.table.update_rejected'] === 1);
  f.put('eds.yaml', ':::{');
  await until('the endpoints cannot be read', async () => (await weir.stats('cluster.dyn'))['cluster.dyn.update_failure'] === 1);
  f.put('cds.yaml', `resources:\n- {"@type": ${TYPE}.config.cluster.v3.Cluster, name: dyn, type: EDS}\n- {"@type": ${TYPE}.config.cluster.v3.Cluster, name: good, type: STATIC}\n`);
  await until('the clusters are refused', async () => (await weir.stats('cds'))['cluster_manager.cds.update_rejected'] === 1);
  assert.equal(await version(port), 'one');
  assert.equal((await ask(port, '/x')).body, 'a GET /x 0');
  assert.equal((await weir.stats('active_clusters'))['cluster_manager.active_clusters'], 2);
  f.put('rds.yaml', `resources:\n- {"@type": ${TYPE}.config.route.v3.RouteConfiguration, name: other}\n`);
  await until('another table than asked for', () => weir.log.includes('Unexpected RDS configuration (expecting table): other'));
});

test('a listener waits for its route table, and goes on without it after initial_fetch_timeout', async (t) => {
  const { f, weir } = await begin(t);
  f.put('late.yaml', 'resources: []\n');
  f.put('later.yaml', '{');
  const one = await freePort(), two = await freePort();
  const both = (name: string, timeout: string): void => f.lds(name, [{ name: 'waits', port: one, rds: f.source('later.yaml', `, initial_fetch_timeout: ${timeout}`) }, { name: 'empty', port: two, rds: f.source('late.yaml') }]);
  both('l2', '600s');
  await until('an empty answer ends the waiting', async () => (await ask(two, '/').catch(() => null))?.status === 404);
  assert.equal(await version(one), 'gone');
  assert.equal((await weir.stats('warming'))['listener_manager.total_listeners_warming'], 1);
  both('l3', '0.1s');
  await until('the time is over', async () => (await ask(one, '/').catch(() => null))?.status === 404);
  assert.equal((await weir.stats('rds'))['http.in.rds.table.init_fetch_timeout'], 1);
});

test('unknown fields of dynamic resources: a warning, an error with --reject-unknown-dynamic-fields, nothing with --ignore-unknown-dynamic-fields', async (t) => {
  for (const [args, served, counted, logged] of [[[], 'yes', 1, true], [['--reject-unknown-dynamic-fields'], 'no', 0, true], [['--ignore-unknown-dynamic-fields'], 'yes', 1, false]] as const) {
    const { f, port, weir } = await begin(t, [...args]);
    f.lds('l2', [{ name: 'http', port, more: 'server_name: changed\n        no_such_field: 1' }]);
    await until('the update is judged', async () => (await weir.stats('lds'))['listener_manager.lds.update_attempt'] === 2);
    if (served === 'yes') await until('it serves', async () => (await ask(port, '/version')).headers['server'] === 'changed');
    assert.equal((await weir.stats('dynamic_unknown'))['server.dynamic_unknown_fields'], counted, args.join());
    assert.equal(weir.log.includes('no_such_field'), logged);
  }
});

test('a watched directory whose link is swapped, as Kubernetes mounts it', async (t) => {
  const f = new Files(), port = await freePort();
  t.after(() => rmSync(f.dir, { recursive: true, force: true }));
  const folder = (name: string, text: string): void => { mkdirSync(join(f.dir, name)); writeFileSync(join(f.dir, name, 'table.yaml'), `resources: [{"@type": ${TYPE}.config.route.v3.RouteConfiguration, name: table, virtual_hosts: [{name: v, domains: ["*"], routes: [${says(text)}]}]}]\n`); symlinkSync(name, join(f.dir, '..tmp')); renameSync(join(f.dir, '..tmp'), join(f.dir, '..data')); };
  folder('..v1', 'one');
  symlinkSync('..data/table.yaml', join(f.dir, 'rds.yaml'));
  f.put('cds.yaml', 'resources: []\n');
  f.lds('l', [{ name: 'http', port, rds: `{path_config_source: {path: ${join(f.dir, 'rds.yaml')}, watched_directory: {path: ${f.dir}}}}` }]);
  const weir = await startWeir(f.boot());
  t.after(() => weir.stop());
  assert.equal(await version(port), 'one');
  folder('..v2', 'two');
  await until('the new content', async () => (await version(port)) === 'two');
});

test('what is not there yet is refused by name', async (t) => {
  const f = new Files();
  t.after(() => rmSync(f.dir, { recursive: true, force: true }));
  writeFileSync(join(f.dir, 'b.yaml'), `dynamic_resources:\n  ads_config: {api_type: GRPC}\n  lds_config: {ads: {}}\n  cds_config: {path: /no/such/file}\n`);
  const r = await runWeir(['--mode', 'validate', '-c', join(f.dir, 'b.yaml')]);
  assert.deepEqual(r.stderr.split('\n').filter((l) => /b\.yaml:\d/.test(l) && !l.includes('warning')).slice(0, 3).map((l) => l.replace(/^.*b\.yaml:/, '')), [
    "2:3: dynamic_resources.ads_config: 'ads_config' is not supported yet",
    "3:16: dynamic_resources.lds_config.ads: 'ads' is not supported yet",
    "4:16: dynamic_resources.cds_config.path: paths must refer to an existing path in the system: '/no/such/file' does not exist",
  ]);
});
