// What tcp_proxy refuses is what Envoy 1.40 refuses, with its words (each was asked of `envoy --mode validate`).
import assert from 'node:assert/strict';
import test from 'node:test';
import { errorsOf } from '../../../../../scripts/faults/measure.ts';

const faults = (fields: string): string[] => errorsOf('x.yaml', `static_resources: {listeners: [{name: l, address: {socket_address: {address: 127.0.0.1, port_value: 1}}, filter_chains: [{filters: [{name: t, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: a, ${fields}}}]}]}]}`).map((r) => r.message);

test('TLVs have either a value or a format, and a type of one byte', () => {
  assert.deepEqual(faults('proxy_protocol_tlvs: [{type: 1}]'), ["Invalid TLV configuration: one of 'value' or 'format_string' must be set."]);
  assert.deepEqual(faults('proxy_protocol_tlvs: [{type: 1, value: YQ==, format_string: {text_format_source: {inline_string: x}}}]'), ["Invalid TLV configuration: only one of 'value' or 'format_string' may be set."]);
  assert.equal(faults('proxy_protocol_tlvs: [{type: 256, value: YQ==}]').length, 1);
  assert.deepEqual(faults('proxy_protocol_tlvs: [{type: 255, value: YQ==}, {type: 1, format_string: {text_format_source: {inline_string: "%CONNECTION_ID%"}}}], proxy_protocol_tlv_merge_policy: APPEND_IF_EXISTS_OR_ADD'), []);
});

test('the older log options stand alone', () => {
  assert.deepEqual(faults('access_log_flush_interval: 1s, flush_access_log_on_connected: true'), []);
  assert.deepEqual(faults('access_log_flush_interval: 1s, access_log_options: {}'), ['Only one of access_log_flush_interval or access_log_options can be specified.']);
  assert.deepEqual(faults('flush_access_log_on_connected: true, access_log_options: {}'), ['Only one of flush_access_log_on_connected or access_log_options can be specified.']);
});

test('connect modes, back-off and tunnels', () => {
  for (const mode of ['ON_DOWNSTREAM_TLS_HANDSHAKE', 'ON_DOWNSTREAM_DATA']) {
    assert.deepEqual(faults(`upstream_connect_mode: ${mode}`), ['max_early_data_bytes must be set when upstream_connect_mode is not IMMEDIATE']);
    assert.deepEqual(faults(`upstream_connect_mode: ${mode}, max_early_data_bytes: 0`), []);
  }
  assert.deepEqual(faults('backoff_options: {base_interval: 2s, max_interval: 1s}'), ['max_backoff_interval must be greater or equal to base_backoff_interval']);
  assert.deepEqual(faults('tunneling_config: {hostname: x, post_path: /p}'), ["Can't set a post path when POST method isn't used"]);
  assert.deepEqual(faults('tunneling_config: {hostname: x, headers_to_add: [{header: {key: host, value: a}}]}'), [':-prefixed or host headers may not be modified']);
  assert.deepEqual(faults('on_demand: {}, downstream_idle_timeout: 1s, upstream_idle_timeout: 1s'), []);
  assert.equal(faults('on_demand: {odcds_config: {path_config_source: {path: /x}}}').length, 1);
});
