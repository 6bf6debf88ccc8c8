// statsd, DogStatsD and Graphite: the lines that the real Envoy 1.40 sent for the same counts, over real sockets.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import test from 'node:test';
import { makeSinks } from '../../../../engine/control/stats/sinks/make-sinks.ts';
import type { StatSinkPlan } from '../../../../engine/control/stats/sinks/sink-plan.ts';
import type { StatFlush } from '../../../../engine/control/stats/sinks/stat-flush.ts';
import { StatReader } from '../../../../engine/control/stats/stat-reader.ts';
import { DEFAULT_STATS, StatView } from '../../../../engine/control/stats/stat-view.ts';
import { ipAddress } from '../../../../engine/net/address.ts';
import { NodeTransport } from '../../../../engine/net/transport/node.ts';
import { CLUSTER, CLUSTER_SCHEMA } from '../../../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../../../engine/observe/stats/stat-block.ts';
import { ThreadStatStore } from '../../../../engine/observe/stats/thread-stat-store.ts';
import { compileJson } from '../../../../scripts/fields/walk.ts';
import { until } from '../../../support/weir.ts';

/** One worker's stats of cluster 'a', as three requests leave them. */
function stats(): { reader: StatReader; block: StatBlock; view: StatView; flush: (sinks: StatFlush) => void } {
  const reader = new StatReader([CLUSTER_SCHEMA]), memory = new SharedArrayBuffer(8 * 8192);
  reader.attach(0, memory);
  const store = new ThreadStatStore(memory, (c) => reader.claim(0, c)), block = new StatBlock(store, CLUSTER_SCHEMA, 'cluster.a');
  block.add(CLUSTER.upstream_rq_total, 3); block.inc(CLUSTER.upstream_cx_active);
  store.column[store.claimOne('cluster.a.upstream_rq_200', 'counter')]! += 3;
  for (const ms of [9, 46, 43]) block.record(CLUSTER.upstream_rq_time, ms);
  const flush = (sinks: StatFlush): void => { for (const _ of reader.flush()) { /* all */ } for (const _ of sinks.run(3)) { /* all */ } };
  return { reader, block, view: new StatView(reader, { ...DEFAULT_STATS, matcher: { kind: 'exclusion', patterns: [{ kind: 'suffix', text: 'tx_bytes_buffered', ignoreCase: false }] } }), flush };
}

async function receiver(): Promise<{ port: number; datagrams: string[]; lines: () => string[]; close: () => void }> {
  const s = createSocket('udp4'), datagrams: string[] = [];
  s.on('message', (b) => datagrams.push(b.toString()));
  await new Promise<void>((r) => s.bind(0, '127.0.0.1', r));
  return { port: s.address().port, datagrams, lines: () => datagrams.flatMap((d) => d.split('\n')), close: () => s.close() };
}

async function sent(plan: (port: number) => StatSinkPlan): Promise<{ lines: string[]; datagrams: string[]; s: ReturnType<typeof stats>; again: (lines: number) => Promise<string[]> }> {
  const s = stats(), r = await receiver(), transport = new NodeTransport({ onTurnStart() {}, onTurnEnd() {} });
  const sinks = makeSinks([plan(r.port)], s.view, { transport, connect: () => null, count: () => undefined })!;
  await new Promise((done) => setTimeout(done, 5)); // the socket opens
  const wait = async (n: number): Promise<string[]> => { s.flush(sinks); await until('the datagrams', () => r.lines().length >= n); return r.lines(); };
  const lines = await wait(9), datagrams = [...r.datagrams];
  return { lines, datagrams, s, again: async (n) => { r.datagrams.length = 0; const l = await wait(n); sinks.close(); r.close(); transport.close(); return l; } };
}

test('statsd: one datagram a line; a counter that was ever used goes out at each flush with what came since', async () => {
  const { lines, datagrams, s, again } = await sent((port) => ({ kind: 'udp', to: ipAddress('127.0.0.1', port), prefix: 'pre', style: 'none', maxBytes: 0 }));
  assert.equal(datagrams.length, lines.length);
  for (const l of ['pre.cluster.a.upstream_rq_time:9|ms', 'pre.cluster.a.upstream_rq_time:46|ms', 'pre.cluster.a.upstream_rq_time:43|ms', 'pre.cluster.a.upstream_rq_total:3|c', 'pre.cluster.a.upstream_rq_200:3|c', 'pre.cluster.a.upstream_cx_active:1|g', 'pre.cluster.a.upstream_rq_active:0|g']) assert.ok(lines.includes(l), l);
  assert.ok(!lines.some((l) => l.includes('upstream_cx_total') || l.includes('tx_bytes_buffered')), 'what was never counted, and what stats_matcher leaves out');
  s.block.inc(CLUSTER.upstream_rq_total);
  for (let i = 0; i < 4; i++) s.block.record(CLUSTER.upstream_rq_time, 1234);
  const next = await again(6);
  for (const l of ['pre.cluster.a.upstream_rq_total:1|c', 'pre.cluster.a.upstream_rq_200:0|c', 'pre.cluster.a.upstream_rq_time:1250|ms|@0.25']) assert.ok(next.includes(l), l);
});

test('dog_statsd: tags behind the value, lines gathered up to max_bytes_per_datagram', async () => {
  const { lines, datagrams, again } = await sent((port) => ({ kind: 'udp', to: ipAddress('127.0.0.1', port), prefix: 'envoy', style: 'dog', maxBytes: 120 }));
  for (const l of ['envoy.cluster.upstream_rq_time:9|ms|#envoy.cluster_name:a', 'envoy.cluster.upstream_rq_total:3|c|#envoy.cluster_name:a', 'envoy.cluster.upstream_rq:3|c|#envoy.response_code:200,envoy.cluster_name:a', 'envoy.cluster.upstream_rq_active:0|g|#envoy.cluster_name:a']) assert.ok(lines.includes(l), l);
  assert.ok(datagrams.every((d) => d.length <= 120) && datagrams.some((d) => d.includes('\n')) && !datagrams.some((d) => d.endsWith('\n')));
  await again(1);
});

test('graphite_statsd: tags behind the name', async () => {
  const { lines, again } = await sent((port) => ({ kind: 'udp', to: ipAddress('127.0.0.1', port), prefix: 'envoy', style: 'graphite', maxBytes: 0 }));
  for (const l of ['envoy.cluster.upstream_rq_time;envoy.cluster_name=a:9|ms', 'envoy.cluster.upstream_rq;envoy.response_code=200;envoy.cluster_name=a:3|c']) assert.ok(lines.includes(l), l);
  await again(1);
});

test('statsd by TCP: one connection for many flushes, opened anew when it was closed', async () => {
  const s = stats(), transport = new NodeTransport({ onTurnStart() {}, onTurnEnd() {} }), sockets: Socket[] = [];
  let text = '';
  const server = createServer((c) => { sockets.push(c); c.on('data', (b) => { text += b.toString(); }); });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  const remote = ipAddress('127.0.0.1', (server.address() as AddressInfo).port);
  const sinks = makeSinks([{ kind: 'tcp', cluster: 'sd', prefix: 'envoy' }], s.view, { transport, connect: (cluster, sink) => { assert.equal(cluster, 'sd'); return transport.connect({ remote, bind: null, freebind: false, options: [], noDelay: true, keepalive: null }, sink); }, count: () => undefined })!;
  s.flush(sinks);
  await until('the first lines', () => text.includes('envoy.cluster.a.upstream_rq_total:3|c\n'));
  s.flush(sinks);
  await until('the second', () => text.includes('envoy.cluster.a.upstream_rq_total:0|c\n'));
  assert.equal(sockets.length, 1);
  sockets[0]!.destroy();
  await until('a new connection', () => { s.flush(sinks); return sockets.length === 2; });
  sinks.close(); transport.close(); for (const c of sockets) c.destroy(); server.close();
});

test('what cannot be a sink is refused as Envoy does it', () => {
  const T = 'type.googleapis.com/envoy.config.metrics.v3', at = (address: string): unknown => ({ socket_address: { address, port_value: 1 } });
  const faults = (sink: unknown): string[] => compileJson({ stats_sinks: [sink] }).reports.map((r) => r.message);
  assert.deepEqual(faults({ name: 'x', typed_config: { '@type': `${T}.DogStatsdSink`, address: at('localhost') } }), ['malformed IP address: localhost']);
  assert.deepEqual(faults({ name: 'foo' }), ["Didn't find a registered implementation for 'foo' with type URL: ''"]);
  assert.match(faults({ name: 's', typed_config: { '@type': `${T}.StatsdSink`, tcp_cluster_name: 'nope' } })[0]!, /^tcp statsd: unknown cluster 'nope'/);
  assert.match(faults({ name: 's', typed_config: { '@type': `${T}.DogStatsdSink`, max_bytes_per_datagram: 0, address: at('127.0.0.1') } })[0]!, /greater than 0/);
  assert.equal(faults({ name: 'm', typed_config: { '@type': `${T}.MetricsServiceConfig`, grpc_service: { envoy_grpc: { cluster_name: 'x' } } } }).length, 1);
});
