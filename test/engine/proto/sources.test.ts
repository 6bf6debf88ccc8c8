// The readers of configuration: every form of one bootstrap gives the same data; overlays merge as protobuf does; hostile bytes end in a fault.
import assert from 'node:assert/strict';
import test from 'node:test';
import { fromJson, toBinary, createRegistry } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { mergeData } from '../../../engine/control/compile/merge.ts';
import { ConfigNode } from '../../../engine/proto/config-node.ts';
import { ConfigTree } from '../../../engine/proto/config-tree.ts';
import { sourceOf } from '../../../engine/proto/config-source.ts';
import { allFiles, messageType } from '../../../engine/proto/registry.ts';
import { SourceText, SyntaxFault } from '../../../engine/proto/source-text.ts';

const BOOTSTRAP = 'envoy.config.bootstrap.v3.Bootstrap', desc = messageType(BOOTSTRAP)!;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const read = (file: string, b: Uint8Array): unknown => sourceOf(file, b, BOOTSTRAP).data();

const EXAMPLE = {
  node: { id: 'n', cluster: 'c', metadata: { a: [1, 'x', null, { b: true }] } },
  static_resources: {
    clusters: [{
      name: 'c', type: 'STATIC', connect_timeout: '0.250s', per_connection_buffer_limit_bytes: 5,
      typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': { '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions', explicit_http_config: { http_protocol_options: {} } } },
    }],
  },
};
const TEXT = `# a comment
node { id: "n" cluster: 'c' metadata { fields { key: "a" value { list_value { values { number_value: 1 } values { string_value: "x" } values { null_value: NULL_VALUE } values { struct_value { fields { key: "b" value { bool_value: true } } } } } } } } }
static_resources: {
  clusters: [ < name: "c", type: STATIC; connect_timeout { nanos: 250000000 } per_connection_buffer_limit_bytes { value: 5 }
    typed_extension_protocol_options {
      key: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
      value { [type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions] { explicit_http_config { http_protocol_options {} } } }
    }
  > ]
}
`;

test('YAML, JSON, binary and text protobuf of one bootstrap give the same data', () => {
  const registry = createRegistry(...allFiles());
  const binary = toBinary(desc, fromJson(desc, EXAMPLE, { registry }));
  assert.deepEqual(read('x.json', bytes(JSON.stringify(EXAMPLE))), EXAMPLE);
  assert.deepEqual(read('x.PB', binary), EXAMPLE);
  assert.deepEqual(read('x.pb_text', bytes(TEXT)), EXAMPLE);
});

test('text protobuf: an unknown field, a bad value and a syntax fault have their place', () => {
  const source = sourceOf('x.pb_text', bytes('node {\n  id: "n"\n  nosuch: 1\n}\nadmin { address { socket_address { address: "127.0.0.1" port_value: 99999 } } }\n'), BOOTSTRAP);
  const tree = new ConfigTree([source]);
  ConfigNode.root(tree, desc, source.data(), [], '');
  assert.deepEqual(tree.reports().map((r) => [r.place.line, r.place.column, r.place.path]), [[3, 3, 'node.nosuch'], [5, 57, 'admin.address.socket_address.port_value']]);
  assert.throws(() => read('x.pb_text', bytes('node {\n  id "n" {\n}')), (e: unknown) => e instanceof SyntaxFault && e.line === 2);
});

test('binary protobuf: unknown fields are reported, also inside of an Any', () => {
  const cluster = toBinary(messageType('envoy.config.core.v3.Node')!, fromJson(messageType('envoy.config.core.v3.Node')!, { id: 'x' }));
  const faults = (b: Uint8Array): string[] => { const s = sourceOf('x.pb', b, BOOTSTRAP), tree = new ConfigTree([s]); ConfigNode.root(tree, desc, s.data(), [], ''); return tree.reports().map((r) => `${r.place.line}: ${r.message.split(' (')[0]}`); };
  assert.deepEqual(faults(Uint8Array.of(0xf8, 0xff, 0x07, 0x01)), ["0: unknown field '#16383'"]);
  assert.deepEqual(faults(Uint8Array.of(0x0a, cluster.length + 4, ...cluster, 0xf8, 0xff, 0x07, 0x01)), ["0: unknown field '#16383'"]);
});

test('an overlay merges as protobuf does', () => {
  const merge = (a: unknown, b: unknown): unknown => mergeData(a, b, desc);
  assert.deepEqual(merge({ node: { id: 'a', cluster: 'c' } }, { node: { id: 'b' } }), { node: { id: 'b', cluster: 'c' } });
  assert.deepEqual(merge({ staticResources: { clusters: [{ name: 'a' }] } }, { static_resources: { clusters: { name: 'b' } } }), { staticResources: { clusters: [{ name: 'a' }, { name: 'b' }] } });
  assert.deepEqual(merge({ admin: { address: { socket_address: { address: 'x', port_value: 1 } } } }, { admin: { address: { pipe: { path: '/p' } } } }), { admin: { address: { pipe: { path: '/p' } } } }, 'a oneof has one member');
  assert.deepEqual(merge({ enable_dispatcher_stats: true, flags_path: 'x' }, { enable_dispatcher_stats: false, flags_path: '' }), { enable_dispatcher_stats: true, flags_path: 'x' }, 'a default value is not set');
  assert.deepEqual(merge({ stats_flush_interval: '1s' }, { stats_flush_interval: '2s' }), { stats_flush_interval: '2s' });
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('faults of an overlay are placed in the overlay, also in lists that were appended to', () => {
  const file = new SourceText('f.yaml', 'node: {id: a}\nstatic_resources:\n  clusters:\n  - {name: a, nosuch: 1}\n'), over = new SourceText('--config-yaml', 'static_resources:\n  clusters:\n  - {name: b}\n  - {name: c, other: 1}\n');
  const a = file.data(), tree = new ConfigTree([file, over], [undefined, a]);
  ConfigNode.root(tree, desc, mergeData(a, over.data(), desc), [], '');
  assert.deepEqual(tree.reports().map((r) => [r.place.file, r.place.line, r.place.path]), [['f.yaml', 4, 'static_resources.clusters[0].nosuch'], ['--config-yaml', 4, 'static_resources.clusters[2].other']]);
});

test('any bytes end in data or a fault, never in an exception or a long wait', () => {
  const valid = toBinary(desc, fromJson(desc, EXAMPLE, { registry: createRegistry(...allFiles()) }));
  const attempt = (file: string, b: Uint8Array): void => {
    // CPU time: whatever else the machine computes.
    const began = process.cpuUsage();
    try {
      const s = sourceOf(file, b, BOOTSTRAP), tree = new ConfigTree([s]);
      ConfigNode.root(tree, desc, s.data(), [], '');
      tree.reports();
    } catch (e) { if (!(e instanceof SyntaxFault)) throw e; }
    assert.ok(process.cpuUsage(began).user < 2_000_000);
  };
  const cut = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 });
  fc.assert(fc.property(cut, fc.nat(valid.length), (edits, end) => { const b = valid.slice(0, end || valid.length); for (const [i, v] of edits) if (i < b.length) b[i] = v; attempt('x.pb', b); }), { numRuns: 300 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (b) => attempt('x.pb', b)), { numRuns: 300 });
  const words = fc.constantFrom('{', '}', '[', ']', ':', ',', '\n', ' ', '  ', '- ', '"', "'", '#', 'node', 'id', 'admin', 'static_resources', 'clusters', '&a', '*a', '<<', '|', '>', '!!x', '__proto__', 'constructor', '1', '1e999', '-', '?', '%', '---', '\t', '\u0000', '<', ';', '@type', 'é');
  for (const file of ['x.yaml', 'x.json', 'x.pb_text']) fc.assert(fc.property(fc.array(words, { maxLength: 40 }), (w) => attempt(file, bytes(w.join('')))), { numRuns: 300 });
  for (const file of ['x.yaml', 'x.json', 'x.pb_text']) { attempt(file, bytes('['.repeat(50_000))); attempt(file, bytes('node{'.repeat(50_000))); }
  attempt('x.yaml', bytes(`a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'.split('').map((k, i) => `${k}: &${k} [${`*${'abcdefghi'[i]},`.repeat(9).slice(0, -1)}]`).join('\n')}\n`));
});
