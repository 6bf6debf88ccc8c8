import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TagExtractor } from '../../../../engine/control/stats/tag-extractor.ts';

const extract = (name: string, own: { name: string; regex: string; value: string }[] = [], useDefaultTags = true): string => {
  const { name: n, tags } = new TagExtractor({ tags: own, useDefaultTags, overrides: false }).extract(name);
  return `${n} ${tags.map(([t, v]) => `${t}=${v}`).join(',')}`;
};

test('the default tags as Envoy takes them out, in its order', () => {
  for (const [name, wanted] of [
    ['cluster.a.upstream_rq_2xx', 'cluster.upstream_rq_xx envoy.response_code_class=2,envoy.cluster_name=a'],
    ['cluster.a.upstream_rq_503', 'cluster.upstream_rq envoy.response_code=503,envoy.cluster_name=a'],
    ['cluster.a.external.upstream_rq_time', 'cluster.external.upstream_rq_time envoy.cluster_name=a'],
    ['http.in.downstream_cx_active', 'http.downstream_cx_active envoy.http_conn_manager_prefix=in'],
    ['listener.127.0.0.1_80.http.in.downstream_rq_4xx', 'listener.http.downstream_rq_xx envoy.response_code_class=4,envoy.http_conn_manager_prefix=in,envoy.listener_address=127.0.0.1_80'],
    ['listener.[__1]_80.downstream_cx_total', 'listener.downstream_cx_total envoy.listener_address=[__1]_80'],
    ['listener.127.0.0.1_80.worker_3.downstream_cx_total', 'listener.worker.downstream_cx_total envoy.worker_id=3,envoy.listener_address=127.0.0.1_80'],
    ['listener.admin.downstream_cx_total', 'listener.admin.downstream_cx_total '],
    ['server.worker_1.watchdog_miss', 'server.worker.watchdog_miss envoy.worker_id=1'],
    ['vhost.v.vcluster.vc.upstream_rq_200', 'vhost.vcluster.upstream_rq envoy.response_code=200,envoy.virtual_cluster=vc,envoy.virtual_host=v'],
    ['vhost.v.route.r.upstream_rq_total', 'vhost.route.upstream_rq_total envoy.virtual_host=v,envoy.route=r'],
    ['tcp.t.downstream_cx_total', 'tcp.downstream_cx_total envoy.tcp_prefix=t'],
    ['http.in.rds.a.b.update_success', 'http.rds.update_success envoy.rds_route_config=a.b,envoy.http_conn_manager_prefix=in'],
    ['listener.edge.worker_3.downstream_cx_total', 'listener.worker.downstream_cx_total envoy.worker_id=3,envoy.listener_address=edge'],
    ['listener.edge.ssl.ciphers.TLS_AES_256_GCM_SHA384', 'listener.ssl.ciphers envoy.ssl_cipher=TLS_AES_256_GCM_SHA384,envoy.listener_address=edge'],
    ['cluster.a.ssl.curves.X25519', 'cluster.ssl.curves envoy.ssl_curve=X25519,envoy.cluster_name=a'],
    ['cluster.a.ssl.sigalgs.rsa_pss_rsae_sha256', 'cluster.ssl.sigalgs envoy.ssl_sigalg=rsa_pss_rsae_sha256,envoy.cluster_name=a'],
    ['listener.127.0.0.1_80.ssl.versions.TLSv1.2', 'listener.ssl.versions envoy.ssl_version=TLSv1.2,envoy.listener_address=127.0.0.1_80'],
    ['listener.edge.ssl.certificate.cert.expiration_unix_time_seconds', 'listener.ssl.certificate.expiration_unix_time_seconds envoy.tls_certificate=cert,envoy.listener_address=edge'],
    ['sds.cert.version', 'sds.version envoy.xds_resource_name=cert'],
    ['http.in.rbac.policy.p.denied', 'http.rbac.policy.denied envoy.rbac_policy_name=p,envoy.http_conn_manager_prefix=in'],
    ['http.in.rbac.mine.denied', 'http.rbac.denied envoy.http_conn_manager_prefix=in,envoy.rbac_http_prefix=mine'],
    ['proxy_proto.versions.v2.found', 'proxy_proto.found envoy.proxy_protocol_version=2'],
    ['server.live', 'server.live '],
  ] as const) assert.equal(extract(name), wanted);
});

test('own regexes take out their first group, the second is the value; a fixed tag is everywhere', () => {
  assert.equal(extract('cluster.a.rq', [{ name: 'shard', regex: '^cluster\\.((\\w+)\\.)', value: '' }, { name: 'zone', regex: '', value: 'z' }], false), 'cluster.rq zone=z,shard=a');
  assert.equal(extract('cluster.a.rq', [{ name: 'envoy.cluster_name', regex: '', value: '' }], false), 'cluster.rq envoy.cluster_name=a');
});

test('a tag of the configuration comes after a default one of its name, or stands in its place with allow_default_tag_overrides, as the real Envoy has it', () => {
  const regex = '^cluster\\.[^.]+\\.(([^.]+)\\.)', name = 'cluster.foo.bar.membership_total';
  const of = (overrides: boolean, more: { regex?: string; value?: string }): unknown => new TagExtractor({ tags: [{ name: 'envoy.cluster_name', regex: '', value: '', ...more }], useDefaultTags: true, overrides }).extract(name);
  assert.deepEqual(of(false, { regex }), { name: 'cluster.bar.membership_total', tags: [['envoy.cluster_name', 'foo']] });
  assert.deepEqual(of(true, { regex }), { name: 'cluster.foo.membership_total', tags: [['envoy.cluster_name', 'bar']] });
  assert.deepEqual(of(true, {}), { name: 'cluster.bar.membership_total', tags: [['envoy.cluster_name', 'foo']] });
  assert.deepEqual(of(true, { value: 'xx' }), { name, tags: [['envoy.cluster_name', 'xx']] });
  assert.deepEqual(new TagExtractor({ tags: [{ name: 'rest', regex: '^cluster\\.foo\\.(bar\\.)', value: '' }], useDefaultTags: false, overrides: false }).extract(name), { name: 'cluster.foo.membership_total', tags: [['rest', 'bar']] });
});
