// Faults of configurations as people make them: each is reported on its line, k of them give k reports. `npm run faults` takes 1,000.
import assert from 'node:assert/strict';
import test from 'node:test';
import { errorsOf, EXAMPLES, manyFaults, singleFaults } from '../../../scripts/faults/measure.ts';
import { COMPILERS } from '../../../engine/catalog-config.ts';
import { compileBootstrap } from '../../../engine/control/compile/bootstrap.ts';
import { formatReport } from '../../../engine/proto/config-tree.ts';

const lines = (text: string): string[] => errorsOf('x.yaml', text).map(formatReport);

test('the examples themselves have no fault', () => { for (const e of EXAMPLES) assert.deepEqual(errorsOf(e.file, e.text).map(formatReport), [], e.file); });

test('of 200 single faults at least 99 % have the right line, and hardly one has a second report', (t) => {
  const o = singleFaults(200, 7);
  t.diagnostic(`${o.right} of ${o.tried} right, ${o.alone} with no other report`);
  assert.ok(o.right >= 198, o.misses.join('\n'));
  assert.ok(o.alone >= 190, o.misses.join('\n'));
});

test('two to five faults at once give as many reports', (t) => {
  const o = manyFaults(60, 7);
  t.diagnostic(`${o.same} of ${o.tried}`);
  assert.ok(o.same >= 54, o.misses.join('\n'));
});

test('a slip in a name is one report, and what stands under it is checked all the same', () => {
  assert.deepEqual(lines('static_resource:\n  cluster:\n  - nam: a\n    type: STATICK\n    connect_timeout: 5\n'), [
    "x.yaml:1:1: static_resource: unknown field 'static_resource' (did you mean 'static_resources'?)",
    "x.yaml:2:3: static_resources.cluster: unknown field 'cluster' (did you mean 'clusters'?)",
    "x.yaml:3:5: static_resources.clusters[0].nam: unknown field 'nam' (did you mean 'name'?)",
    "x.yaml:4:5: static_resources.clusters[0].type: the text 'STATICK' is not a value of DiscoveryType (did you mean 'STATIC'?)",
    "x.yaml:5:5: static_resources.clusters[0].connect_timeout: expected a duration such as '1.5s', not the number 5",
  ]);
});

test('a key given twice is found in JSON too', () => assert.deepEqual(errorsOf('x.json', '{"node": {"id": "a",\n "id": "b"}}').map((r) => r.place.line), [2]));

test('YAML 1.1 words for booleans are read as Envoy reads them, with a warning', () => {
  const flags = { serviceNode: '', serviceCluster: '', serviceZone: '', allowUnknown: false, skipDeprecatedLogs: true, statsTags: [], disableExtensions: [] };
  const reports = (text: string): string[] => compileBootstrap({ file: 'x.yaml', bytes: Buffer.from(text), overlay: '', concurrency: 1, flags }, COMPILERS).reports.map(formatReport);
  assert.deepEqual(reports('stats_config:\n  use_all_default_tags: off\n'), ['x.yaml:2:3: warning: stats_config.use_all_default_tags: off is read as false, as YAML 1.1 has it: write that, or quote the text']);
  assert.deepEqual(reports('stats_config:\n  use_all_default_tags: False\n'), []);
  assert.equal(reports('node: {id: n, cluster: c}\n').length, 2);
});

test('a port by name and a resolver that is not there are refused as by the one resolver that Envoy has; a metadata kind without a kind is a fault', () => {
  const cluster = (address: string, more = ''): string[] => errorsOf('x.yaml', `static_resources: {clusters: [{name: a, type: STATIC, load_assignment: {cluster_name: a, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, ${address}}}}}]}]}${more}}]}`).map((r) => r.message);
  assert.deepEqual(cluster('named_port: http'), ["IP resolver can't handle port specifier type 4. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'"]);
  assert.deepEqual(cluster('port_value: 1, resolver_name: foo'), ["Unknown address resolver: foo. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'"]);
  assert.deepEqual(cluster('port_value: 1, resolver_name: envoy.ip'), []);
  const passing = (kind: string): string[] => cluster('port_value: 1', `, transport_socket: {name: i, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport, passthrough_metadata: [{name: x, kind: ${kind}}], transport_socket: {name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}}`);
  assert.deepEqual(passing('{host: {}}'), []);
  assert.deepEqual([passing('{}'), passing('{route: {}}')], [['one of request, route, cluster, host is required'], ['metadata type is not supported: route']]);
});
