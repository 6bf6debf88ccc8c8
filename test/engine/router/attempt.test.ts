// Attempts of a request: what they hold (overload action reset_high_memory_stream asks for it), and what they tell the cluster of its hosts.
import assert from 'node:assert/strict';
import test from 'node:test';
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
