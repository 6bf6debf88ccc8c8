// How long a connection may last: jitter spreads the ends of connections that began together.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HttpConnection } from '../../../engine/http/connection-manager.ts';
import type { DownstreamConnection } from '../../../engine/net/connection.ts';
import { HCM } from '../../../engine/observe/stats/schemas.ts';
import { ConnectionFacts } from '../../../engine/observe/stream-facts.ts';
import { harness } from './stream-harness.ts';

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
