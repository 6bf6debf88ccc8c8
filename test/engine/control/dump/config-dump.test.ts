import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dumpConfig, type DumpWish } from '../../../../engine/control/dump/config-dump.ts';
import { redact } from '../../../../engine/control/dump/redact.ts';
import { configSections } from '../../../../engine/control/dump/sections.ts';

const HCM = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const BOOTSTRAP = {
  node: { id: 'n' },
  static_resources: {
    clusters: [{ name: 'a', type: 'STATIC' }, { name: 'b', lb_policy: 'RANDOM' }],
    listeners: [{ name: 'l', filter_chains: [{ filters: [{ name: 'h', typed_config: { '@type': HCM, route_config: { name: 'r' } } }] }] }],
    secrets: [{ name: 's', tls_certificate: { certificate_chain: { filename: '/c' }, private_key: { inline_string: 'KEY' }, password: { inline_bytes: 'AAAA' } } }],
  },
};
const sections = configSections(BOOTSTRAP, { user_agent_name: 'envoy' }, [{ cluster_name: 'a' }], () => '2026-01-01T00:00:00.000Z', { versions: { listeners: '', clusters: 'v1' }, clusters: [], listeners: [], routes: [] });
const NONE: DumpWish = { resource: '', mask: '', nameRegex: '', includeEds: false };
const dump = (wish: Partial<DumpWish>): Record<string, unknown>[] => { const d = dumpConfig(sections, { ...NONE, ...wish }); assert.ok('configs' in d, JSON.stringify(d)); return [...d.configs]; };
const names = (list: Record<string, unknown>[]): string[] => list.map((c) => String(c['@type']).split('.').slice(-1)[0]!);

test('the sections, with endpoints where they are asked for', () => {
  assert.deepEqual(names(dump({})), ['BootstrapConfigDump', 'ClustersConfigDump', 'ListenersConfigDump', 'ScopedRoutesConfigDump', 'RoutesConfigDump', 'SecretsConfigDump']);
  assert.deepEqual(names(dump({ includeEds: true }))[2], 'EndpointsConfigDump');
  assert.deepEqual((dump({})[4]!['static_route_configs'] as { route_config: unknown }[])[0]!.route_config, { '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration', name: 'r' });
});

test('resource, mask and name_regex take parts; what is no field or no list is refused', () => {
  assert.deepEqual(dump({ resource: 'static_clusters', mask: 'cluster.name' }), ['a', 'b'].map((name) => ({ '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster', cluster: { '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster', name } })));
  assert.deepEqual(dump({ mask: 'bootstrap.node.id' }), [{ '@type': 'type.googleapis.com/envoy.admin.v3.BootstrapConfigDump', bootstrap: { node: { id: 'n' } } }]);
  assert.deepEqual((dump({ nameRegex: 'b' })[1]!['static_clusters'] as unknown[]).length, 1);
  assert.equal('static_listeners' in dump({ nameRegex: 'b' })[2]!, false);
  assert.deepEqual(dump({ resource: 'dynamic_listeners' }), []);
  for (const [wish, status, error] of [[{ resource: 'nonsense' }, 404, 'nonsense not found in config dump'], [{ resource: 'bootstrap' }, 400, 'bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field'], [{ mask: 'static_clusters.cluster.name' }, 400, 'FieldMask static_clusters.cluster.name could not be successfully applied to any configs.'], [{ nameRegex: '(' }, 400, /^INVALID_ARGUMENT: Error while parsing name_regex from \(: /], [{ resource: 'static_clusters', mask: 'no.such' }, 400, /could not be successfully used/]] as const) {
    const d = dumpConfig(sections, { ...NONE, ...wish });
    assert.ok('error' in d);
    assert.equal(d.status, status);
    if (typeof error === 'string') assert.equal(d.error, error); else assert.match(d.error, error);
  }
});

test('what the API marks as sensitive is redacted, within Anys too', () => {
  const [secret] = dump({})[5]!['static_secrets'] as { secret: { tls_certificate: Record<string, unknown> } }[];
  assert.deepEqual(secret!.secret.tls_certificate, { certificate_chain: { filename: '/c' }, private_key: { inline_string: '[redacted]' }, password: { inline_bytes: 'W3JlZGFjdGVkXQ==' } });
  const any = { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', common_tls_context: { tls_certificates: [{ private_key: { filename: '/k' } }] } };
  assert.deepEqual((redact({ name: 't', typed_config: any }, 'envoy.config.core.v3.TransportSocket') as { typed_config: { common_tls_context: unknown } }).typed_config.common_tls_context, { tls_certificates: [{ private_key: { filename: '[redacted]' } }] });
});
