// One fault is one report: what is refused as a whole is not refused again piece by piece.
import assert from 'node:assert/strict';
import test from 'node:test';
import { compileJson } from '../../../../scripts/fields/walk.ts';

test('a filter whose type is not supported is reported once, by its type and without a suggestion', () => {
  const TYPE = 'type.googleapis.com/envoy.extensions.filters';
  const hcm = {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`, stat_prefix: 's', route_config: { virtual_hosts: [] },
    http_filters: [{ name: 'w', disabled: true, typed_config: { '@type': `${TYPE}.http.wasm.v3.Wasm` } }, { name: 'r', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } }],
  };
  const { reports } = compileJson({ static_resources: { listeners: [{ name: 'l', address: { socket_address: { address: '127.0.0.1', port_value: 0 } }, filter_chains: [{ filters: [{ name: 'h', typed_config: hcm }] }] }] } });
  assert.deepEqual(reports.map((r) => r.message), ["'envoy.extensions.filters.http.wasm.v3.Wasm' is not supported yet"]);
});
