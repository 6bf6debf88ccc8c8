// Attempts of a request: what they hold (overload action reset_high_memory_stream asks for it), and what they tell the cluster of its hosts.
import assert from 'node:assert/strict';
import test from 'node:test';
import { CLUSTER_BUDGETS_SCHEMA, CLUSTER_SIZES_SCHEMA } from '../../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../../engine/observe/stats/stat-block.ts';
import type { ResponseSink } from '../../../engine/codec/codec.ts';
import { Headers, ResponseHeaders } from '../../../engine/headers/headers.ts';
import { RouterPeer } from './router-peer.ts';

test('what a request holds is its kept body and what waits at its attempts, until it is over', () => {
  const p = new RouterPeer({ retry: {} }).head(false).data('0123456789', false);
  assert.equal(p.filter.heldBytes(), 10);
  p.cluster.streams[0]!.queuedBytes = 5;
  assert.equal(p.filter.heldBytes(), 15);
  p.data('', true);
  p.cluster.streams[0]!.answer(200);
  assert.equal(p.filter.heldBytes(), 0);
});

test('each attempt that has its connection counts as reached, answered or not', () => {
  const p = new RouterPeer({ retry: {} });
  p.cluster.script.push('wait');
  p.head();
  assert.deepEqual(p.cluster.reached, []);
  const [w] = p.cluster.waiters;
  w!.who.onLease(p.cluster.give(w!.ctx, w!.host), w!.host);
  assert.deepEqual(p.cluster.reached, [w!.host.index]);
  p.upstream(0).sink.onReset('connection-end', null);
  p.pass(26);
  p.upstream(1).answer(200);
  assert.equal(p.cluster.reached.length, 2);
});

const seen = (b: StatBlock): Record<string, number[]> => { const out: Record<string, number[]> = {}; b.record = (i, v) => { (out[b.schema.names[i]!.replace('upstream_', '')] ??= []).push(v); }; return out; };

test('with track_cluster_stats an attempt records what it carried, and how much of the try\'s and of the whole time was used; the whole\'s end says nothing of the try', () => {
  const p = new RouterPeer({ retry: { retries: 1, perTryTimeoutMs: 2000 } }), { cluster } = p;
  cluster.sizeStats = new StatBlock(p.env.stats, CLUSTER_SIZES_SCHEMA, 'x'); cluster.budgetStats = new StatBlock(p.env.stats, CLUSTER_BUDGETS_SCHEMA, 'x');
  const sizes = seen(cluster.sizeStats), budgets = seen(cluster.budgetStats);
  p.head(false).data('hello', true);
  p.pass(500);
  p.upstream(0).answer(503, true, { a: 'bc' });
  assert.deepEqual([sizes.rq_body_size, sizes.rs_headers_size, sizes.rs_headers_count, sizes.rs_body_size], [[5], [13], [2], [0]]);
  assert.deepEqual(Object.entries(budgets), [['rq_timeout_budget_per_try_percent_used', [25]]]);
  p.pass(26);
  p.upstream(1).answer(200, false);
  p.pass(1474);
  p.upstream(1).sink.onData(Buffer.from('ok'), 0, 2, true);
  assert.deepEqual([sizes.rq_body_size, sizes.rs_body_size], [[5, 5], [0, 2]], 'the body that was kept counts for each');
  assert.equal(sizes.rq_headers_count!.length, 2);
  assert.equal(budgets.rq_timeout_budget_per_try_percent_used!.length, 2);
  assert.deepEqual(budgets.rq_timeout_budget_percent_used, [13], '2 s of 15');

  const late = new RouterPeer({ retry: {} });
  late.cluster.budgetStats = new StatBlock(late.env.stats, CLUSTER_BUDGETS_SCHEMA, 'x');
  const spent = seen(late.cluster.budgetStats);
  late.head();
  late.pass(15_000);
  assert.deepEqual(spent, { rq_timeout_budget_percent_used: [100] });
});

test('the body of a mirror that waited for its connection counts like any other', () => {
  const p = new RouterPeer({ forward: { mirrors: [{ cluster: 'm', header: '', fraction: null, suffix: true, host: '', mutations: [] }] } });
  p.cluster.sizeStats = new StatBlock(p.env.stats, CLUSTER_SIZES_SCHEMA, 'x');
  const sizes = seen(p.cluster.sizeStats);
  p.cluster.script.push('wait');
  p.head(false).data('hello', true);
  const [w] = p.cluster.waiters;
  w!.who.onLease(p.cluster.give(w!.ctx, w!.host), w!.host);
  p.upstream(1).answer(200);
  assert.deepEqual(sizes.rq_body_size, [5]);
});

test('a hedged try is told to outlier detection when it is slow, once; the end of the whole time counts a timeout at each host', () => {
  const p = new RouterPeer({ forward: { hedge: true, timeoutMs: 300 }, retry: { retries: 1, perTryTimeoutMs: 100 } }), { cluster } = p;
  p.head().pass(101);
  assert.deepEqual([cluster.failures, cluster.timeouts], [['timeout'], []]);
  p.pass(26).pass(101);
  assert.deepEqual([cluster.failures, cluster.timeouts], [['timeout', 'timeout'], []], 'the second is slow too, and has nothing beside it');
  p.pass(100);
  assert.deepEqual([p.out, cluster.failures, cluster.timeouts], [['local 504 response_timeout'], ['timeout', 'timeout'], [1, 2]]);
});

test('an informational answer settles on its attempt: no retry follows, a reset is told as after the answer began, a slow try is left alone', () => {
  const make = (): RouterPeer => { const p = new RouterPeer({ retry: { retries: 2, perTryTimeoutMs: 100 } }).head(), h = new ResponseHeaders(); h.status = 103; p.upstream(0).sink.onInformational(h); return p; };
  const bad = make();
  bad.upstream(0).answer(503);
  assert.deepEqual([bad.out, bad.cluster.charged, bad.cluster.streams.length], [['1xx', '503 end'], [103, 503], 1]);
  const reset = make();
  reset.upstream(0).sink.onReset('connection-end', null);
  assert.deepEqual([reset.out, reset.cluster.charged], [['1xx', 'local 503 upstream_reset_after_response_started{connection_termination}'], [103]]);
  const slow = make().pass(101);
  slow.upstream(0).answer(200);
  assert.deepEqual(slow.out, ['1xx', '200 end']);
  for (const p of [bad, reset, slow]) assert.equal(p.left, '0 requests, 0 retries, 0 timers');
});

test('whether a host has served a gRPC request is said by the status in its trailers, or in a head that is all', () => {
  const grpc = (f: (p: RouterPeer) => void): boolean[] => { const p = new RouterPeer(); p.facts.grpc = true; p.head(); f(p); return p.cluster.served; };
  const trailers = (status: string): Headers => { const t = new Headers(); t.add('grpc-status', status); return t; };
  const begun = (f: (sink: ResponseSink) => void): boolean[] => grpc((p) => { p.upstream(0).answer(200, false); f(p.upstream(0).sink); });
  assert.deepEqual(['0', '5', '14'].map((s) => begun((sink) => sink.onTrailers(trailers(s)))), [[true], [true], [false]]);
  assert.deepEqual([begun((sink) => sink.onData(Buffer.alloc(0), 0, 0, true)), begun((sink) => sink.onReset('remote', null))], [[false], [false]]);
  assert.deepEqual(['0', '14'].map((s) => grpc((p) => p.upstream(0).answer(200, true, { 'grpc-status': s }))), [[true], [false]]);
});
