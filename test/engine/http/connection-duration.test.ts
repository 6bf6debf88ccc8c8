// How long a connection may last (jitter spreads the ends of connections that began together), and a whole answer that nobody takes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HttpConnection } from '../../../engine/http/connection-manager.ts';
import type { DownstreamConnection } from '../../../engine/net/connection.ts';
import { HCM, HTTP2 } from '../../../engine/observe/stats/schemas.ts';
import { ConnectionFacts } from '../../../engine/observe/stream-facts.ts';
import type { HcmPlan } from '../../../engine/plan/hcm-plan.ts';
import { harness, route, type Harness } from './stream-harness.ts';

/** ms after which a connection's time was up. */
function lasted(jitterPercent: number, chance: number): number {
  const h = harness([], { plan: { codec: 'HTTP1', maxConnectionDurationMs: 1000, maxConnectionJitterPercent: jitterPercent } });
  (h.runtime.env.random as { unit(): number }).unit = () => chance;
  new HttpConnection(h.runtime, { facts: new ConnectionFacts(), bufferLimit: 1000, close: () => {} } as unknown as DownstreamConnection);
  for (let ms = 0; ms < 3000; ms += 10) { if (h.runtime.stats.own(HCM.downstream_cx_max_duration_reached) > 0) return ms; h.advance(10); }
  return -1;
}

test('max_connection_duration is lengthened by up to its jitter', () => {
  assert.deepEqual([lasted(0, 0.9), lasted(50, 0), lasted(50, 0.5), lasted(100, 0.99)], [1000, 1000, 1250, 1990]);
});

/** A whole answer of which something waits for the client's window. */
function waiting(plan: Partial<HcmPlan>, flushTimeoutMs = -1): Harness {
  const h = harness([], { plan, route: () => route(null, { flushTimeoutMs }) });
  h.codec.stuck = true;
  h.request('GET', '/', true);
  h.terminal.answer(200, false);
  h.terminal.body('x', true);
  return h;
}

test('a whole answer that waits has stream_flush_timeout, or its route\'s, and no other clock', () => {
  for (const [plan, own] of [[{ streamFlushTimeoutMs: 1000 }, -1], [{ streamFlushTimeoutMs: 9000 }, 1000]] as const) {
    const h = waiting({ ...plan, streamIdleTimeoutMs: 200, maxStreamDurationMs: 500 }, own);
    h.advance(990);
    assert.deepEqual([h.ended(), h.runtime.stats.own(HCM.downstream_rq_idle_timeout), h.runtime.stats.own(HCM.downstream_rq_max_duration_reached)], [0, 0, 0]);
    h.advance(20);
    assert.deepEqual([h.ended(), h.codec.sent.list.at(-1), h.stream.facts.flags, h.runtime.http2Stats.own(HTTP2.tx_flush_timeout), h.runtime.stats.own(HCM.downstream_rq_tx_reset), h.wheel.size], [1, 'reset local', 0, 1, 0, 0]);
  }
  const forEver = waiting({ streamFlushTimeoutMs: 1000, streamIdleTimeoutMs: 200 }, 0);
  forEver.advance(100_000);
  assert.equal(forEver.ended(), 0);
});
