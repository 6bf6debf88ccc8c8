import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_BOUNDS } from '../../../engine/control/stats/buckets.ts';
import { StatReader } from '../../../engine/control/stats/stat-reader.ts';
import { DEFAULT_STATS } from '../../../engine/control/stats/stat-view.ts';
import { CLUSTER_CONTROL_SCHEMA, CLUSTER_LB_SCHEMA, CLUSTER_SCHEMA, CLUSTER, LISTENER_SCHEMA } from '../../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../../engine/observe/stats/stat-block.ts';
import { ThreadStatStore } from '../../../engine/observe/stats/thread-stat-store.ts';
import { ask, FakeSource } from './fake-source.ts';

function source(): { s: FakeSource; block: StatBlock; flush: () => void } {
  const reader = new StatReader([CLUSTER_SCHEMA, CLUSTER_LB_SCHEMA, LISTENER_SCHEMA]), memory = new SharedArrayBuffer(8 * 32768);
  reader.attach(0, memory);
  const store = new ThreadStatStore(memory, (c) => reader.claim(0, c)), block = new StatBlock(store, CLUSTER_SCHEMA, 'cluster.a');
  for (const schema of [CLUSTER_SCHEMA, CLUSTER_CONTROL_SCHEMA]) reader.declare(schema, 'cluster.a');
  block.inc(CLUSTER.upstream_rq_total);
  store.column[store.claimOne('cluster.a.upstream_rq_200', 'counter')]!++;
  return { s: new FakeSource(reader), block, flush: () => { for (const _ of reader.flush()) { /* all */ } } };
}

test('text is sorted over scopes and single names, filtered, and usedonly leaves out what was never written', async () => {
  const { s } = source();
  assert.equal((await ask(s, '/stats?filter=^cluster.a.upstream_rq_(200|total|active|retry)$')).body, 'cluster.a.upstream_rq_200: 1\ncluster.a.upstream_rq_active: 0\ncluster.a.upstream_rq_retry: 0\ncluster.a.upstream_rq_total: 1\n');
  assert.equal((await ask(s, '/stats?usedonly&filter=^cluster.a.upstream_rq_(200|total|retry)$')).body, 'cluster.a.upstream_rq_200: 1\ncluster.a.upstream_rq_total: 1\n');
  const names = (await ask(s, '/stats')).body.split('\n').filter((l) => /: \d+$/.test(l)).map((l) => l.split(':')[0]!);
  assert.deepEqual(names, [...new Set(names)].sort());
});

test('JSON, types, inversion and bad parameters as in Envoy', async () => {
  const { s } = source();
  assert.equal((await ask(s, '/stats?format=json&filter=rq_total$')).body, '{"stats":[{"name":"cluster.a.upstream_rq_total","value":1}]}');
  assert.equal((await ask(s, '/stats?type=Gauges&filter=^cluster.a.membership')).body, ['degraded', 'excluded', 'healthy', 'total'].map((n) => `cluster.a.membership_${n}: 0\n`).join(''));
  assert.equal((await ask(s, '/stats?filter=[^t]$&invert_filter&usedonly')).body, '');
  assert.equal((await ask(s, '/stats?hidden=only')).body, '');
  for (const [q, status, body] of [['type=nonsense', 400, 'invalid &type= param'], ['invert_filter=x', 400, 'invert_filter can only be used if filter is also provided'], ['histogram_buckets=zzz', 400, 'usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n'], ['histogram_buckets=prometheusnative', 400, 'Invalid histogram_buckets type for non prometheus stats type']] as const) assert.deepEqual(await ask(s, `/stats?${q}`), { status, body, type: 'text' });
  assert.match((await ask(s, '/stats?filter=(')).body, /^Invalid re2 regex: missing/);
  assert.equal((await ask(s, '/stats?format=nonsense')).status, 400);
});

test('histograms in every mode: three samples of 1 as Envoy shows them', async () => {
  const { s, block, flush } = source(), q = 'filter=upstream_cx_length_ms$';
  assert.equal((await ask(s, `/stats?${q}`)).body, 'cluster.a.upstream_cx_length_ms: No recorded values\n');
  for (let i = 0; i < 3; i++) block.record(CLUSTER.upstream_cx_length_ms, 1);
  flush(); flush();
  const summary = 'P0(nan,1.025) P25(nan,1.025) P50(nan,1.05) P75(nan,1.075) P90(nan,1.075) P95(nan,1.075) P99(nan,1.075) P99.5(nan,1.075) P99.9(nan,1.075) P100(nan,1.075)';
  assert.equal((await ask(s, `/stats?${q}`)).body, `cluster.a.upstream_cx_length_ms: ${summary}\n`);
  assert.equal((await ask(s, `/stats?${q}&histogram_buckets=detailed`)).body, `cluster.a.upstream_cx_length_ms:\n  totals=1,0.1:3\n  intervals=\n  summary=${summary}\n`);
  assert.match((await ask(s, `/stats?${q}&histogram_buckets=cumulative`)).body, /: B0\.5\(0,0\) B1\(0,3\) B5\(0,3\).* B1\.8e\+06\(0,3\) B3\.6e\+06\(0,3\)\n$/);
  assert.match((await ask(s, `/stats?${q}&histogram_buckets=disjoint`)).body, /: B0\.5\(0,0\) B1\(0,3\) B5\(0,0\)/);
  const json = JSON.parse((await ask(s, `/stats?${q}&format=json`)).body) as { stats: [{ histograms: { supported_quantiles: number[]; computed_quantiles: { name: string; values: { cumulative: number; interval: number | null }[] }[] } }] };
  assert.deepEqual(json.stats[0].histograms.computed_quantiles[0]!.values[0], { cumulative: 1.025, interval: null });
  const buckets = JSON.parse((await ask(s, `/stats?${q}&format=json&histogram_buckets=cumulative`)).body) as { stats: [{ histograms: [{ buckets: { upper_bound: number; cumulative: number }[] }] }] };
  assert.deepEqual(buckets.stats[0].histograms[0].buckets.map((b) => b.upper_bound), DEFAULT_BOUNDS);
});

test('prometheus: tags out of names, types, buckets and sums; a summary on demand', async () => {
  const { s, block, flush } = source();
  assert.equal((await ask(s, '/stats/prometheus?filter=^cluster.a.upstream_rq_(200|total)$')).body, '# TYPE envoy_cluster_upstream_rq counter\nenvoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="a"} 1\n# TYPE envoy_cluster_upstream_rq_total counter\nenvoy_cluster_upstream_rq_total{envoy_cluster_name="a"} 1\n');
  for (let i = 0; i < 3; i++) block.record(CLUSTER.upstream_cx_length_ms, 1);
  flush();
  const h = (await ask(s, '/stats/prometheus?filter=upstream_cx_length_ms')).body.split('\n');
  assert.equal(h[0], '# TYPE envoy_cluster_upstream_cx_length_ms histogram');
  assert.equal(h[2], 'envoy_cluster_upstream_cx_length_ms_bucket{envoy_cluster_name="a",le="1"} 3');
  assert.deepEqual(h.slice(-4, -1), ['envoy_cluster_upstream_cx_length_ms_bucket{envoy_cluster_name="a",le="+Inf"} 3', 'envoy_cluster_upstream_cx_length_ms_sum{envoy_cluster_name="a"} 3.1428571428571432377907513000537', 'envoy_cluster_upstream_cx_length_ms_count{envoy_cluster_name="a"} 3']);
  assert.match((await ask(s, '/stats/prometheus?filter=upstream_cx_length_ms&histogram_buckets=summary')).body, /# TYPE envoy_cluster_upstream_cx_length_ms summary\n.*\{envoy_cluster_name="a",quantile="0"\} 1\.02/);
  assert.equal((await ask(s, '/stats/prometheus?histogram_buckets=disjoint')).body, 'unsupported prometheus histogram bucket mode');
  assert.equal((await ask(s, '/stats/prometheus?prom_protobuf')).status, 400);
  assert.equal((await ask(s, '/stats?format=prometheus&filter=rq_total$')).body.split('\n').length, 3);
});

test('text readouts come first, and as gauges of value 0 where they are asked for', async () => {
  const { s } = source();
  s.reader.setText('control_plane.identifier', 'x"y');
  assert.ok((await ask(s, '/stats')).body.startsWith('control_plane.identifier: "x"y"\n'));
  assert.equal((await ask(s, '/stats/prometheus?text_readouts&filter=^control')).body, '# TYPE envoy_control_plane_identifier gauge\nenvoy_control_plane_identifier{text_value="x\\"y"} 0\n');
});

test('own tags, fixed tags, no default ones, a matcher and own buckets', async () => {
  const { s, block, flush } = source();
  block.record(CLUSTER.upstream_cx_length_ms, 50); flush();
  s.plan = { ...DEFAULT_STATS, useDefaultTags: false, tags: [{ name: 'shard', regex: '^cluster\\.((\\w+)\\.)', value: '' }, { name: 'fixed', regex: '', value: 'f1' }], matcher: { kind: 'exclusion', patterns: [{ kind: 'suffix', text: '_overflow', ignoreCase: false }] }, buckets: [{ match: { kind: 'suffix', text: 'length_ms', ignoreCase: false }, bounds: [10, 100] }] };
  assert.equal((await ask(s, '/stats/prometheus?filter=^cluster.a.upstream_rq_(total|200)$')).body, '# TYPE envoy_cluster_upstream_rq_200 counter\nenvoy_cluster_upstream_rq_200{fixed="f1",shard="a"} 1\n# TYPE envoy_cluster_upstream_rq_total counter\nenvoy_cluster_upstream_rq_total{fixed="f1",shard="a"} 1\n');
  assert.equal((await ask(s, '/stats?filter=_overflow')).body, '');
  assert.match((await ask(s, '/stats/prometheus?filter=length_ms')).body, /le="10"\} 0\n.*le="100"\} 1\n.*le="\+Inf"\} 1\n/);
});

test('ten thousand clusters come in pieces, in order, in bounded time each', () => {
  const reader = new StatReader([CLUSTER_SCHEMA, CLUSTER_LB_SCHEMA]);
  for (let i = 0; i < 10_000; i++) for (const schema of [CLUSTER_SCHEMA, CLUSTER_LB_SCHEMA, CLUSTER_CONTROL_SCHEMA]) reader.declare(schema, `cluster.c${i}`);
  const view = new FakeSource(reader).stats(), walk = view.scalars();
  let n = 0, last = '';
  while (walk.next()) { assert.ok(walk.name > last); last = walk.name; n++; }
  assert.ok(n > 900_000, String(n));
});

test('recent lookups: a total always, names once they are asked for, as Envoy prints them', async () => {
  const s = new FakeSource(), { lookups } = s, of = async (): Promise<string> => (await ask(s, '/stats/recentlookups')).body;
  lookups.note('cluster.a.upstream_rq_200');
  assert.equal(await of(), 'Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n\ntotal: 1\n');
  assert.equal((await ask(s, '/stats/recentlookups/enable')).status, 405);
  assert.equal((await ask(s, '/stats/recentlookups/enable', 'POST')).body, 'OK\n');
  for (const n of ['b', 'a', 'b']) lookups.note(n);
  assert.equal(await of(), '   Count Lookup\n       2 b\n       1 a\n\ntotal: 4\n');
  await ask(s, '/stats/recentlookups/clear', 'POST');
  assert.equal(await of(), '   Count Lookup\n\ntotal: 0\n');
  for (let i = 0; i < 500; i++) lookups.note(`n${i}`);
  assert.equal(lookups.entries().length, 100);
  await ask(s, '/stats/recentlookups/disable', 'POST');
  assert.match(await of(), /^Lookup tracking is not enabled/);
});
