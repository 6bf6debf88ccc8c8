// What a stream holds, as it tells when asked, and its end by reset_high_memory_stream.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { HttpFilter } from '../../../engine/http/filter.ts';
import { HCM } from '../../../engine/observe/stats/schemas.ts';
import { STREAM_FLAG } from '../../../engine/http/stream-replies.ts';
import { activeStreams, harness } from './stream-harness.ts';

const holding: HttpFilter = { onRequestHeaders: () => 'hold', onResponseHeaders: () => 'hold' };
const queueing: HttpFilter = { heldBytes: () => 7 };

test('a stream holds what its codec, its holding filters and the queues of filters hold', () => {
  const h = harness([queueing, holding]);
  h.request('POST', '/', false);
  assert.equal(h.stream.heldBytes, 7);
  h.body('0123456789', false);
  assert.equal(h.stream.heldBytes, 17);
  h.codec.queuedBytes = 100;
  assert.equal(h.stream.heldBytes, 117);
});

test('a stream reset for its memory ends once, as Envoy logs and counts it', () => {
  const h = harness([holding]);
  h.request('POST', '/', false);
  h.body('0123456789', false);
  assert.equal(h.stream.resetForMemory(), true);
  assert.equal(h.stream.resetForMemory(), false);
  assert.deepEqual([h.ended(), h.logged(), activeStreams(h), h.stream.heldBytes - h.codec.queuedBytes], [1, 1, 0, 0]);
  assert.deepEqual([h.stream.facts.flags, h.stream.facts.statusDetails, h.stream.facts.status], [STREAM_FLAG.OM, 'overload', 0]);
  assert.deepEqual([HCM.downstream_rq_rx_reset, HCM.downstream_rq_tx_reset].map((s) => h.runtime.stats.own(s)), [1, 0]);
  assert.equal(h.codec.over, true);
});
