// What is wrong with routes and what stands at them, in Envoy's words.
import assert from 'node:assert/strict';
import test from 'node:test';
import { compileJson } from '../../../scripts/fields/walk.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.filters';
type Json = { readonly [key: string]: unknown };

/** Errors of a bootstrap with these HTTP filters and fields of the one route; `host`, `table`: fields of its virtual host and route configuration. */
function faults({ filters = [], route = {}, host = {}, table = {} }: { filters?: readonly Json[]; route?: Json; host?: Json; table?: Json }): string[] {
  const hcm = {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`, stat_prefix: 's',
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 }, ...route }], ...host }], ...table },
    http_filters: [...filters, { name: 'r', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } }],
  };
  const { reports } = compileJson({ static_resources: { listeners: [{ name: 'l', address: { socket_address: { address: '127.0.0.1', port_value: 0 } }, filter_chains: [{ filters: [{ name: 'h', typed_config: hcm }] }] }] } });
  return reports.filter((r) => r.severity === 'error').map((r) => r.message);
}

test('rate limits of a filter: fields that only a rate limit service heeds, hits that are no number, a descriptor twice', () => {
  const local = (fields: Json): string[] => faults({ filters: [{ name: 'l', typed_config: { '@type': `${TYPE}.http.local_ratelimit.v3.LocalRateLimit`, stat_prefix: 'l', ...fields } }] });
  const policy = (fields: Json): string[] => local({ rate_limits: [{ actions: [{ generic_key: { descriptor_value: 'v' } }], ...fields }] }), hits = 'hits_addend must contain either a format or a number';
  const bucket = { entries: [{ key: 'u', value: 'v' }, { key: 'w', value: 'x' }], token_bucket: { max_tokens: 1, fill_interval: '1s' } };
  assert.deepEqual([policy({ stage: 0 }), policy({ disable_key: 'x' }), policy({ limit: { rate_limit: { requests_per_unit: 1, unit: 'HOUR' } } })].flat(), ["'stage' field and 'disable_key' field are not supported", "'stage' field and 'disable_key' field are not supported", "'limit' field is not supported"]);
  assert.deepEqual([policy({ hits_addend: {} }), policy({ hits_addend: { number: 1, format: '%REQ(x)%' } }), policy({ hits_addend: { format: '%REQ(x)%%REQ(y)%' } }), policy({ hits_addend: { number: 3 } })].flat(), [hits, hits, 'hits_addend format must contain exactly one substitution']);
  assert.deepEqual([local({ descriptors: [bucket, bucket] }), local({ filter_enabled: { default_value: { numerator: 100 } } })].flat(), ['duplicate descriptor in the local rate descriptor: u=v, w=x']);
  assert.deepEqual(faults({ route: { typed_per_filter_config: { l: { '@type': `${TYPE}.http.local_ratelimit.v3.LocalRateLimit`, stat_prefix: 'l' } } } }), ['local rate limit token bucket must be set for per filter configs']);
});
