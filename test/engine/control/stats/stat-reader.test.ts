import { test } from 'node:test';
import assert from 'node:assert/strict';
import { quantiles, total } from '../../../../engine/control/stats/buckets.ts';
import { sanitizeName, StatReader } from '../../../../engine/control/stats/stat-reader.ts';
import { StatBlock, type StatSchema } from '../../../../engine/observe/stats/stat-block.ts';
import { LISTENER, LISTENER_SCHEMA } from '../../../../engine/observe/stats/schemas.ts';
import { SINK } from '../../../../engine/observe/stats/stat-column.ts';
import { ProcessStats } from '../../../../engine/control/stats/process-stats.ts';
import { StatView } from '../../../../engine/control/stats/stat-view.ts';
import { CIRCUIT_KIND, CircuitTable } from '../../../../engine/shm/circuit-table.ts';
import { ipAddress, type Address } from '../../../../engine/net/address.ts';
import { ThreadStatStore } from '../../../../engine/observe/stats/thread-stat-store.ts';

function worker(reader: StatReader, id: number): StatBlock {
  const memory = new SharedArrayBuffer(8 * 8192);
  reader.attach(id, memory);
  return new StatBlock(new ThreadStatStore(memory, (c) => reader.claim(id, c)), LISTENER_SCHEMA, 'listener.127.0.0.1:80');
}

test('values of all workers are summed, and a dead worker leaves its counters but not its gauges', () => {
  const reader = new StatReader([LISTENER_SCHEMA]), a = worker(reader, 0), b = worker(reader, 1);
  a.add(LISTENER.downstream_cx_total, 3); b.add(LISTENER.downstream_cx_total, 4);
  a.inc(LISTENER.downstream_cx_active); b.inc(LISTENER.downstream_cx_active);
  const share = (id: number): number => reader.total(LISTENER_SCHEMA, LISTENER.downstream_cx_total, id);
  assert.deepEqual([share(0), share(1), share(2)], [3, 4, 0], 'what each counts alone');
  reader.attach(-1, new SharedArrayBuffer(8)); // control's own
  assert.equal(reader.total(LISTENER_SCHEMA, LISTENER.downstream_cx_total), 7);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_total'), 7);
  reader.detach(0);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_total'), 7);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_active'), 1);
});

const within = (prefix: string) => (name: string): boolean => name.startsWith(`${sanitizeName(prefix)}.`);

test('a declared scope reads 0 and a dropped one is gone', () => {
  const reader = new StatReader([LISTENER_SCHEMA]);
  reader.declare(LISTENER_SCHEMA, 'listener.x');
  assert.equal(reader.value('listener.x.downstream_cx_total'), 0);
  reader.drop(within('listener.x'));
  assert.equal(reader.value('listener.x.downstream_cx_total'), undefined);
});

test('resetting sets counters to zero and leaves gauges', () => {
  const reader = new StatReader([LISTENER_SCHEMA]), a = worker(reader, 0);
  a.inc(LISTENER.downstream_cx_total); a.inc(LISTENER.downstream_cx_active);
  reader.resetCounters();
  a.inc(LISTENER.downstream_cx_total);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_total'), 1);
  assert.equal(reader.value('listener.127.0.0.1_80.downstream_cx_active'), 1);
});

const flush = (reader: StatReader): void => { for (const _ of reader.flush()) { /* all of it */ } };

test('histograms show nothing before a flush, then the interval and the whole', () => {
  const reader = new StatReader([LISTENER_SCHEMA]), a = worker(reader, 0), name = 'listener.127.0.0.1_80.downstream_cx_length_ms';
  a.record(LISTENER.downstream_cx_length_ms, 10);
  assert.equal(total(reader.histogramView(name).cumulative), 0);
  flush(reader);
  a.record(LISTENER.downstream_cx_length_ms, 20); a.record(LISTENER.downstream_cx_length_ms, 20);
  flush(reader);
  const view = reader.histogramView(name);
  assert.equal(total(view.interval), 2);
  assert.equal(total(view.cumulative), 3);
  assert.ok(quantiles(view.interval)[0]! >= 20);
});

test('a scope that comes back after it was dropped starts from 0 in slots that threads still have', () => {
  const reader = new StatReader([LISTENER_SCHEMA]), a = worker(reader, 0), prefix = 'listener.127.0.0.1:80', total_ = 'listener.127.0.0.1_80.downstream_cx_total';
  a.add(LISTENER.downstream_cx_total, 5); a.record(LISTENER.downstream_cx_length_ms, 10);
  flush(reader);
  reader.drop(within(prefix));
  assert.equal(reader.value(total_), undefined);
  const walk = reader.walk();
  assert.equal(walk.next(), false);
  reader.declare(LISTENER_SCHEMA, prefix);
  assert.equal(reader.value(total_), 0);
  a.inc(LISTENER.downstream_cx_total); a.record(LISTENER.downstream_cx_length_ms, 10);
  flush(reader);
  assert.equal(reader.value(total_), 1);
  assert.equal(total(reader.histogramView('listener.127.0.0.1_80.downstream_cx_length_ms').cumulative), 1);
});

test('control sets names of declared scopes where they belong, and a walk shows every name once and in order', () => {
  const reader = new StatReader([LISTENER_SCHEMA]);
  reader.declare(LISTENER_SCHEMA, 'listener.b'); reader.declare(LISTENER_SCHEMA, 'listener.a-b'); reader.declare(LISTENER_SCHEMA, 'listener.a');
  reader.set('listener.a.downstream_cx_total', 'counter', 7);
  reader.set('listener.a.zz', 'gauge', 1);
  reader.set('server.live', 'gauge', 1);
  const names: string[] = [], walk = reader.walk();
  while (walk.next()) names.push(walk.name);
  assert.deepEqual(names, [...new Set(names)].sort());
  assert.equal(names.filter((n) => n === 'listener.a.downstream_cx_total').length, 1);
  assert.equal(reader.value('listener.a.downstream_cx_total'), 7);
  assert.equal(reader.own('listener.a.downstream_cx_total'), 7);
});

test('a histogram takes room for the decades that it has seen, and loses samples for which there is none', () => {
  const reader = new StatReader([LISTENER_SCHEMA]), memory = new SharedArrayBuffer(8 * (SINK + LISTENER_SCHEMA.names.length + 12 + 90));
  reader.attach(0, memory);
  const store = new ThreadStatStore(memory, (c) => reader.claim(0, c)), block = new StatBlock(store, LISTENER_SCHEMA, 'listener.x');
  block.touch();
  for (const v of [0, 5, 6, 500]) block.record(LISTENER.downstream_cx_length_ms, v);
  assert.equal(store.used, store.column.length);
  flush(reader);
  assert.equal(total(reader.histogramView('listener.x.downstream_cx_length_ms').cumulative), 3);
});

test('names lose the characters that a stat name may not have', () => assert.equal(sanitizeName('listener.[::1]:80'), 'listener.[__1]_80'));

test('a walk keeps the order of names where one scope lies within another, and a single name within a third', () => {
  const A: StatSchema = { id: 90, names: ['a', 'm', 'z'], kinds: ['counter', 'counter', 'counter'] }, reader = new StatReader([A]);
  for (const prefix of ['cluster.x', 'cluster.x.m', 'cluster.y', 'cluster.y-z', 'cluster.z']) reader.declare(A, prefix);
  reader.set('cluster.y.b', 'counter', 1);
  reader.set('cluster.y.b.c', 'counter', 1);
  const names: string[] = [], walk = reader.walk();
  while (walk.next()) names.push(walk.name);
  assert.deepEqual(names, [...names].sort());
  assert.equal(names.length, 17);
});

test('a histogram that is known by its scope and by its samples hides none of those after it', () => {
  const schema: StatSchema = { id: 900, names: ['a', 'b', 'c'], kinds: ['histogram', 'histogram', 'histogram'] }, reader = new StatReader([schema]), memory = new SharedArrayBuffer(8 * 8192);
  reader.attach(0, memory);
  const block = new StatBlock(new ThreadStatStore(memory, (c) => reader.claim(0, c)), schema, 'x');
  block.record(1, 5); // in the list of samples before its scope is used up
  reader.declare(schema, 'x');
  reader.declareHistogram('y.later');
  const names: string[] = [], walk = reader.histogramWalk();
  while (walk.next()) names.push(walk.name);
  assert.deepEqual(names, ['x.a', 'x.b', 'x.c', 'y.later']);
});

test('endpoints of a cluster are scopes whose values are found when asked for; one that goes is gone', () => {
  const own = new ProcessStats(1, { send: () => undefined, workerIds: () => [], soon: (task) => task() }), counts = [[0, 2, 0, 0, 0, 5, 1, 1, 0], [0, 1, 0, 0, 0, 0, 3, 0, 0]], host = (index: number, port: number, hostname = ''): { index: number; address: Address; hostname: string } => ({ index, address: ipAddress('10.0.0.1', port), hostname });
  const declare = (...hosts: ReturnType<typeof host>[]): void => own.declareEndpoints('c', 'c', hosts, { stat: (i, at) => counts[i]![at]!, healthy: (i) => i === 0 }), { reader } = own, at = (name: string): number | undefined => reader.value(`cluster.c.endpoint.10.0.0.1_${name}`);
  own.declareCluster('c');
  declare(host(0, 80, 'one'), host(1, 81));
  assert.deepEqual(['80.cx_total', '80.rq_total', '80.rq_active', '80.healthy', '81.cx_total', '81.cx_active', '81.healthy'].map(at), [2, 5, 1, 1, 1, 3, 0]);
  const view = new StatView(reader), scope = view.scopes().find((s) => s.prefix === 'cluster.c.endpoint.10.0.0.1_80.')!;
  assert.deepEqual(view.tagsOf(scope, 'rq_total'), { name: 'cluster.endpoint.rq_total', tags: [['envoy.cluster_name', 'c'], ['envoy.endpoint_address', '10.0.0.1:80'], ['envoy.endpoint_hostname', 'one']] });
  declare(host(1, 81));
  assert.deepEqual([at('80.cx_total'), at('81.cx_total')], [undefined, 1]);
  own.retireCluster('c');
  assert.equal(at('81.cx_total'), undefined);
});

test('clusters with one alt_stat_name keep each other\'s endpoints, and their stats as long as one of them is there', () => {
  const asked: string[] = [], own = new ProcessStats(1, { send: (_w, records) => { for (const r of records) if (r.kind === 'stats-leave') asked.push(r.owner); }, workerIds: () => [0], soon: (task) => task() }), { reader } = own;
  const circuits = new CircuitTable(new SharedArrayBuffer(CircuitTable.bytes(4))), host = (index: number, port: number): { index: number; address: Address; hostname: string } => ({ index, address: ipAddress('10.0.0.1', port), hostname: '' });
  const declare = (name: string, ...hosts: ReturnType<typeof host>[]): void => own.declareEndpoints(name, 'alt', hosts, { stat: (i) => 10 ** i, healthy: (i) => i === 1 }), names = (): string[] => reader.scopeList().map((s) => s.prefix).filter((p) => p.includes('endpoint')), open = (): number | undefined => reader.value('cluster.alt.circuit_breakers.default.rq_open');
  for (const [i, name] of ['a', 'b'].entries()) { own.declareCluster(name, 'alt'); circuits.setLimits(2 * i, [1, 1, 1, 1, 1]); circuits.setLimits(2 * i + 1, [1, 1, 1, 1, 1]); own.watchBreakers(name, 'alt', [2 * i, 2 * i + 1], circuits, [false, false]); }
  circuits.acquire(0, CIRCUIT_KIND.RQ);
  declare('a', host(0, 80), host(1, 81));
  declare('b', host(2, 80), host(3, 82));
  assert.deepEqual(names(), [80, 81, 82].map((p) => `cluster.alt.endpoint.10.0.0.1_${p}.`));
  assert.deepEqual([80, 81, 82].map((p) => reader.value(`cluster.alt.endpoint.10.0.0.1_${p}.rq_total`)), [101, 10, 1000]);
  declare('a', host(1, 81));
  assert.deepEqual([names().length, reader.value('cluster.alt.endpoint.10.0.0.1_80.rq_total'), open()], [3, 100, 0]);
  own.retireCluster('b');
  assert.deepEqual([names(), asked, open()], [['cluster.alt.endpoint.10.0.0.1_81.'], [], 1]);
  own.declareCluster('a', 'other');
  assert.deepEqual([names(), asked], [[], ['cluster.alt']], 'the last one has another name now');
});
