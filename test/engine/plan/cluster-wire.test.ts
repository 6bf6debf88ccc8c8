import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { RetryPlan } from '../../../engine/plan/route-plan.ts';
import type { ClusterPlan, HostPlan } from '../../../engine/plan/cluster-plan.ts';
import { BALANCER_DEFAULTS, packCluster, packHosts, unpackCluster, unpackHosts } from '../../../engine/plan/cluster-wire.ts';
import { same } from '../../../engine/plan/defaults.ts';
import { HTTP1_DEFAULTS } from '../../../engine/plan/http1-options-plan.ts';
import { HTTP2_DEFAULTS } from '../../../engine/plan/http2-options-plan.ts';

const PLAN: ClusterPlan = {
  name: 'c', statName: 's', connectTimeoutMs: 5000, balancer: BALANCER_DEFAULTS, kind: null, panicPercent: 50, overprovisioning: 140, weightedHealth: false, overrideStatus: ['UNKNOWN', 'HEALTHY', 'DEGRADED'], bufferLimit: 1 << 20, protocol: 'http1', http1: HTTP1_DEFAULTS, http2: HTTP2_DEFAULTS,
  autoSni: null, autoSanValidation: false, closeOnHostSetChange: false, closeOnHealthFailure: false, poolPerConnection: false, idleTimeoutMs: 3_600_000, maxConnectionDurationMs: 0, maxRequestsPerConnection: 0, maxStreamDurationMs: -1, upstreamFilters: null, hashPolicies: [], retryPolicy: null, mirrors: [], preconnectRatio: 1, preconnect: null, eyeballs: { family: 0, count: 1 }, keepalive: null, bind: null, socketOptions: [], metadata: null,
  circuits: [4, 5], trackSizes: false, trackBudgets: false, retryBudgets: [null, null], hostRecord: -1, perHostMaxConnections: 0, outlier: null, healthChecked: false, transportSocket: null, transportSocketMatches: [],
};

test('a cluster of which nothing is said is a few bytes, and whole again', () => {
  const bytes = packCluster(PLAN);
  assert.ok(bytes.length < 60, `${bytes.length}`);
  assert.deepEqual(unpackCluster(bytes), PLAN);
});

test('every field that differs from its default arrives', () => {
  const other: ClusterPlan = {
    name: 'd', statName: 't', connectTimeoutMs: 1, balancer: { ...BALANCER_DEFAULTS, kind: 'maglev' }, kind: { kind: 'aggregate', clusters: ['x'] }, panicPercent: 0, overprovisioning: 1, weightedHealth: true, overrideStatus: [], bufferLimit: 0, protocol: 'auto',
    http1: { ...HTTP1_DEFAULTS, acceptHttp10: true }, http2: { ...HTTP2_DEFAULTS, maxConcurrentStreams: 7 }, autoSni: { header: '' }, autoSanValidation: true, closeOnHostSetChange: true, closeOnHealthFailure: true, poolPerConnection: true, idleTimeoutMs: 0, maxConnectionDurationMs: 1, maxRequestsPerConnection: 1, maxStreamDurationMs: 0, upstreamFilters: [], hashPolicies: [{ kind: 'source-ip', terminal: true }], preconnectRatio: 2, preconnect: { predictive: 2, enabled: null }, eyeballs: { family: 6, count: 2 },
    keepalive: { idleS: 1, intervalS: 2, probes: 3 }, bind: { sources: [{ address: { kind: 'ip', family: 4, ip: '1.1.1.1', port: 0 }, options: [{ level: 1, name: 2, value: 4 }] }], freebind: true }, retryPolicy: { on: 1 } as RetryPlan, mirrors: [{ cluster: 'm', header: '', fraction: null, suffix: true, host: '', mutations: [] }], socketOptions: [{ level: 1, name: 2, value: 3 }], metadata: { a: 1 }, circuits: [1, 2], trackSizes: true, trackBudgets: true, retryBudgets: [{ percent: 1, least: 2, slotMs: 3 }, null], hostRecord: 3, perHostMaxConnections: 9, outlier: { consecutive5xx: 1, consecutiveGatewayFailure: 2, consecutiveLocalOriginFailure: 3, splitLocalOrigin: true, detectDegraded: true, errors: { kind: 'constant', matches: true } },
    healthChecked: true, transportSocket: { kind: 'k', body: null }, transportSocketMatches: [{ match: {}, socket: null }],
  };
  for (const key of Object.keys(PLAN) as (keyof ClusterPlan)[]) {
    if (key !== 'circuits') assert.equal(same(PLAN[key], other[key]), false, key);
    const one = { ...PLAN, [key]: other[key] };
    assert.deepEqual(unpackCluster(packCluster(one)), one, key);
  }
});

test('endpoints are short rows, and whole again', () => {
  const plain: HostPlan = { index: 300, address: { kind: 'ip', family: 4, ip: '10.0.0.1', port: 8080 }, hostname: '', weight: 1, priority: 0, locality: { region: '', zone: '', subZone: '' }, localityWeight: 0, metadata: null, health: 'UNKNOWN' };
  assert.ok(packHosts(Array(10).fill(plain)).length < 220);
  const address = fc.oneof(fc.record({ kind: fc.constant('ip' as const), family: fc.constant(4 as const), ip: fc.ipV4(), port: fc.nat(65535) }, { noNullPrototype: true }), fc.record({ kind: fc.constant('pipe' as const), path: fc.string(), mode: fc.nat(511) }, { noNullPrototype: true }), fc.constant({ kind: 'ip' as const, family: 6 as const, ip: '::1', port: 1 }));
  const text = fc.constantFrom('', 'a', 'b');
  const host: fc.Arbitrary<HostPlan> = fc.record({ index: fc.nat(), address, hostname: fc.constantFrom('', 'h'), weight: fc.constantFrom(1, 7), priority: fc.nat(3), locality: fc.record({ region: text, zone: text, subZone: text }, { noNullPrototype: true }), localityWeight: fc.nat(2), metadata: fc.constantFrom(null, { 'envoy.lb': { v: '1' } }), health: fc.constantFrom('UNKNOWN', 'HEALTHY', 'UNHEALTHY', 'DRAINING', 'TIMEOUT', 'DEGRADED') }, { noNullPrototype: true });
  const several: HostPlan = { ...plain, more: [{ kind: 'ip', family: 6, ip: '::1', port: 1 }] };
  assert.deepEqual(unpackHosts(packHosts([several, plain])), [several, plain]);
  fc.assert(fc.property(fc.array(host, { maxLength: 12 }), (hosts) => { assert.deepEqual(unpackHosts(packHosts(hosts)), hosts); }), { numRuns: 300 });
});
