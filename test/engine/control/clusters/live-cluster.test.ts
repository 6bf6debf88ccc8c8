import assert from 'node:assert/strict';
import test from 'node:test';
import { LiveCluster, type LiveHost } from '../../../../engine/control/clusters/live-cluster.ts';
import { unpackHosts } from '../../../../engine/plan/cluster-wire.ts';
import type { CompiledCluster } from '../../../../engine/upstream/config.ts';

const host = (index: number): LiveHost => ({ index, address: { kind: 'ip', family: 4, ip: '127.0.0.1', port: index + 1 }, hostname: '', weight: 1, priority: 0, locality: { region: 'r', zone: '', subZone: '' }, localityWeight: 1, metadata: null, health: 'UNKNOWN', check: { port: 0, hostname: '', address: null, disabled: false } });
function cluster(more: Partial<CompiledCluster> = {}): LiveCluster {
  const compiled = { discovery: 'static', healthCheck: null, outlier: null, endpoints: [host(0)], cluster: { name: 'c', statName: 'c', balancer: { orca: null } }, ...more } as unknown as CompiledCluster;
  const c = new LiveCluster(compiled, [1, 2]);
  c.hosts = new Map([0, 1, 2].map((i) => [`127.0.0.1:${i + 1}`, host(i)]));
  return c;
}
const body = (r: { readonly kind: string }): Uint8Array => (r as unknown as { body: Uint8Array }).body;

test('a static cluster at rest shows the hosts that it had, and lets its endpoints go', () => {
  const c = cluster(), before = [...c.hosts];
  c.rest();
  assert.deepEqual([...c.hosts], before);
  assert.equal(c.compiled.endpoints.length, 0);
  assert.deepEqual(unpackHosts(body(c.hostsRecord())).map((h) => h.index), [0, 1, 2]);
});

test('packed records are made once, and anew when what they are of changes', () => {
  const c = cluster(), hosts = body(c.hostsRecord()), plan = body(c.planRecord());
  assert.equal(body(c.hostsRecord()), hosts);
  assert.equal(body(c.planRecord()), plan);
  c.hosts = new Map();
  c.hostRecord = 7;
  assert.equal(unpackHosts(body(c.hostsRecord())).length, 0);
  assert.notDeepEqual(body(c.planRecord()), plan);
});

test('a cluster whose hosts are checked does not rest', () => {
  const c = cluster({ healthCheck: {} as never });
  c.rest();
  assert.equal(c.compiled.endpoints.length, 1);
});
