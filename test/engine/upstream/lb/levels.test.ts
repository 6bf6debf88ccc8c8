// Priorities, localities, zones.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HOST_FLAG } from '../../../../engine/shm/host-table.ts';
import { BALANCER } from '../../../../engine/upstream/balancer-config.ts';
import { HostSet, hostSetsOf } from '../../../../engine/upstream/host-sets.ts';
import { PriorityLoads } from '../../../../engine/upstream/priority-loads.ts';
import { chiSquare, World, zone } from './hosts.ts';

const BAD = HOST_FLAG.FAILED_ACTIVE_HC, DEGRADED = HOST_FLAG.DEGRADED_ACTIVE_HC;

/** One letter a host: h healthy, d degraded, x unhealthy; one word a priority. */
function loads(text: string, options: { overprovisioning?: number; panicPercent?: number } = {}, tried = 0): PriorityLoads {
  const w = new World();
  text.split(' ').forEach((word, priority) => { for (const c of word === '-' ? '' : word) w.add(`${priority}`, { priority, flags: c === 'x' ? BAD : c === 'd' ? DEGRADED : 0 }); });
  const sets = hostSetsOf(w.hosts, w.table, null);
  return new PriorityLoads(sets, { overprovisioning: 140, panicPercent: 50, weightedHealth: false, ...options }, tried);
}

test('load spills to the next priority as health falls below what overprovisioning covers', () => {
  assert.deepEqual(loads('hhhh hhhh').healthy, [100, 0]);
  assert.deepEqual(loads('hhhx hhhh').healthy, [100, 0]);
  assert.deepEqual(loads('hhxx hhhh').healthy, [70, 30]);
  assert.deepEqual(loads('hxxx hhhh').healthy, [35, 65]);
  assert.deepEqual(loads('xxxx hhhh').healthy, [0, 100]);
  assert.deepEqual(loads('hhxx hhhh', { overprovisioning: 200 }).healthy, [100, 0]);
});

test('degraded hosts take what healthy ones of all priorities cannot', () => {
  const l = loads('hxdd xxdd', { panicPercent: 0 });
  assert.deepEqual([l.healthy, l.degraded], [[35, 0], [65, 0]]);
  const scaled = loads('hxxx xxxd', { panicPercent: 0 });
  assert.deepEqual([scaled.healthy, scaled.degraded], [[50, 0], [0, 50]]);
});

test('below the threshold a priority panics only when the cluster as a whole is short', () => {
  assert.deepEqual(loads('hxxx hhhh').panic, [false, false]);
  assert.deepEqual(loads('hxxxx hxxxx').panic, [true, true]);
  assert.deepEqual(loads('hxxxx hxxxx').healthy, [50, 50]);
  assert.deepEqual(loads('xxx x').healthy, [75, 25]);
  assert.deepEqual(loads('xx xx', { panicPercent: 0 }).healthy, [100, 0]);
  assert.deepEqual(loads('xx xx', { panicPercent: 0 }).panic, [false, false]);
});

test('tried priorities get nothing while others can take load', () => {
  assert.deepEqual(loads('hh hh hh', {}, 0b1).healthy, [0, 100, 0]);
  assert.deepEqual(loads('hh hh hh', {}, 0b11).healthy, [0, 0, 100]);
  assert.equal(loads('hh hh', {}, 0b11).none, true);
});

test('locality weights share the traffic, less where too few hosts of a locality are healthy', () => {
  const w = new World();
  for (let i = 0; i < 2; i++) w.add(`a${i}`, { locality: zone('a'), localityWeight: 3 });
  for (let i = 0; i < 2; i++) w.add(`b${i}`, { locality: zone('b'), localityWeight: 1, flags: i === 0 ? 0 : BAD });
  w.add('c', { locality: zone('c') });
  const n = w.tally(w.balancer({ localityWeighted: true }), 3700);
  // b: 1 × 1.4 × ½ = 0.7 of 3.7
  assert.ok(Math.abs(n['b0']! - 700) < 10 && Math.abs(n['a0']! + n['a1']! - 3000) < 10 && n['c'] === undefined, JSON.stringify(n));
});

test('localities without any weight are used alike', () => {
  const w = new World();
  w.add('a', { locality: zone('a') }); w.add('b', { locality: zone('b') });
  assert.deepEqual(w.tally(w.balancer({ localityWeighted: true }), 10), { a: 5, b: 5 });
});

/** Upstream hosts a zone, and proxies a zone; this proxy stands in 'a'. */
function zones(upstream: Record<string, number>, proxies: Record<string, number>, plan = {}): { w: World; tally: (n: number) => Record<string, number> } {
  const w = new World(), local = new World();
  for (const [z, n] of Object.entries(upstream)) for (let i = 0; i < n; i++) w.add(z, { locality: zone(z) });
  for (const [z, n] of Object.entries(proxies)) for (let i = 0; i < n; i++) local.add(z, { locality: zone(z) });
  const b = w.balancer({ zone: { ...BALANCER.zone, minClusterSize: 1, ...plan } }, { own: zone('a'), localHosts: new HostSet(0, local.hosts, local.table, zone('a')) });
  return { w, tally: (n) => w.tally(b, n) };
}

test('zone routing keeps all requests where upstream hosts are as many as proxies', () => {
  const { w, tally } = zones({ a: 3, b: 3 }, { a: 2, b: 2 });
  assert.deepEqual(tally(100), { a: 100 });
  assert.equal(w.count('lb_zone_routing_all_directly'), 100);
});

test('zone routing sends on what the own zone cannot take, to where there is room', () => {
  const { w, tally } = zones({ a: 1, b: 2, c: 1 }, { a: 2, b: 1, c: 1 }), n = tally(4000);
  // 25 % of the hosts for 50 % of the proxies: half stays; b alone has room.
  assert.ok(chiSquare([n['a']!, n['b']!], [1, 1]) < 10.8 && n['c'] === undefined, JSON.stringify(n));
  assert.equal(w.count('lb_zone_routing_sampled') + w.count('lb_zone_routing_cross_zone'), 4000);
});

test('zone routing is off for small clusters and a local cluster without this zone; force_local_zone keeps all', () => {
  const small = zones({ a: 1, b: 2 }, { a: 1, b: 1 }, { minClusterSize: 6 });
  assert.equal(Object.keys(small.tally(30)).length, 2);
  assert.equal(small.w.count('lb_zone_cluster_too_small'), 1);
  const lost = zones({ a: 1, b: 2 }, { b: 1, c: 1 });
  assert.equal(Object.keys(lost.tally(30)).length, 2);
  assert.equal(lost.w.count('lb_local_cluster_not_ok'), 1);
  assert.deepEqual(zones({ a: 1, b: 4 }, { a: 4, b: 1 }, { minLocal: 1 }).tally(50), { a: 50 });
});
