// What a request holds in the router, as overload action reset_high_memory_stream asks for it.
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
