// Http2ProtocolOptions: what is refused, in Envoy's words, and what goes out as SETTINGS.
import assert from 'node:assert/strict';
import test from 'node:test';
import { compileJson } from '../../../../scripts/fields/walk.ts';
import { ClientPeer } from './client-peer.ts';
import { ServerPeer } from './server-peer.ts';
import { ask, data } from './wire.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.';
function reports(http2: object, more: object = {}, upstream = {}, common: object = { max_response_headers_kb: 64 }): string[] {
  const hcm = { '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`, stat_prefix: 's', route_config: { virtual_hosts: [] }, http_filters: [{ name: 'r', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } }], http2_protocol_options: http2, ...more };
  const protocol = { '@type': `${TYPE}upstreams.http.v3.HttpProtocolOptions`, common_http_protocol_options: common, explicit_http_config: { http2_protocol_options: upstream } };
  return compileJson({ static_resources: {
    listeners: [{ name: 'l', address: { socket_address: { address: '127.0.0.1', port_value: 0 } }, filter_chains: [{ filters: [{ name: 'h', typed_config: hcm }] }] }],
    clusters: [{ name: 'c', connect_timeout: '1s', typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': protocol } }],
  } }).reports.map((r) => r.message);
}
const custom = (...s: [number, number][]): object => ({ custom_settings_parameters: s.map(([identifier, value]) => ({ identifier, value })) });

test('custom settings: which are refused, and why', () => {
  assert.deepEqual(reports(custom([2, 0], [6, 9], [4, 9], [0xa0, 5], [0xa0, 5], [9, 1])), []);
  assert.deepEqual(reports(custom([2, 1])), ['server push is not supported by Envoy and can not be enabled via a SETTINGS parameter.']);
  assert.deepEqual(reports(custom([8, 0])), ['the "allow_connect" SETTINGS parameter must only be configured through the named field']);
  assert.deepEqual(reports({ ...custom([3, 1], [1, 1]), max_concurrent_streams: 1, hpack_table_size: 2 }), ['the {max_concurrent_streams,hpack_table_size} HTTP/2 SETTINGS parameter(s) can not be configured through both named and custom parameters']);
  assert.deepEqual(reports(custom([160, 1], [160, 2], [161, 1], [161, 2])), ['inconsistent HTTP/2 custom SETTINGS parameter(s) detected; identifiers = {0xa0,0xa1}']);
  assert.deepEqual(reports({}, {}, custom([10, 1], [10, 2])), ['inconsistent HTTP/2 custom SETTINGS parameter(s) detected; identifiers = {0x0a}']);
  assert.equal(reports(custom([5, 16_383], [9, 2], [4, 2 ** 31])).length, 3);
});

test('a header field may not be allowed to be longer than a head', () => {
  assert.deepEqual(reports({ max_header_field_size_kb: 64 }), ['max_header_field_size_kb must not exceed max_request_headers_kb']);
  assert.deepEqual(reports({ max_header_field_size_kb: 64 }, { max_request_headers_kb: 64 }, { max_header_field_size_kb: 64 }), []);
  assert.deepEqual(reports({}, {}, { max_header_field_size_kb: 65 }), ['max_header_field_size_kb must not exceed max_response_headers_kb']);
  assert.deepEqual(reports({}, {}, { max_header_field_size_kb: 65 }, {}), [], 'as Envoy: not against the default');
});

test('SETTINGS stand on the wire in Envoy\'s order, our own last; a larger frame that we announce is taken', () => {
  const customSettings = [[2, 0], [0xa0, 5], [5, 20_000]] as const;
  const server = new ServerPeer({ customSettings }, false), client = new ClientPeer({ customSettings });
  server.codec.start();
  server.codec.flush();
  client.codec.flush();
  assert.deepEqual(server.wire.settings, [[2, 0], [0xa0, 5], [5, 20_000], [1, 4096], [8, 0], [3, 1024], [4, 16 << 20]]);
  assert.deepEqual(client.wire.settings, [[2, 0], [0xa0, 5], [5, 20_000], [1, 4096], [8, 0], [3, 1024], [4, 16 << 20]]);
  const large = new ServerPeer({ customSettings });
  large.feed(large.heads.headers(1, ask('/', [], 'POST')), data(1, 'x'.repeat(20_000)));
  assert.equal(large.closed, null);
  large.feed(data(1, 'x'.repeat(20_001)));
  assert.equal(large.closed, 'flush codec_error:The_user_callback_function_failed');
});
