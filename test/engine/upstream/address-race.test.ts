import assert from 'node:assert/strict';
import test from 'node:test';
import { ipAddress } from '../../../engine/net/address.ts';
import type { ClusterPlan } from '../../../engine/plan/cluster-plan.ts';
import { inTurns } from '../../../engine/upstream/pool/address-race.ts';
import { PoolWorld, type Request } from './pool-world.ts';

const SIX = '2001:db8::1', FOUR = '10.0.0.9';
/** A host with these addresses, and a request that waits for a connection to it. */
function world(more: readonly string[], plan: Partial<ClusterPlan> = {}): { w: PoolWorld; r: Request } {
  const w = new PoolWorld(plan);
  w.install(plan, [1024, 1024, 1024, 3, 1024], [w.host(0, { more: more.map((ip) => ipAddress(ip, 80)) })]);
  return { w, r: w.ask() };
}

test('a second address is tried when the first has not answered for 300 ms; the one that answers is taken, and the other attempt ends', () => {
  const { w, r } = world([SIX]);
  w.env.advance(299);
  assert.equal(w.sockets.length, 1);
  w.env.advance(20);
  assert.deepEqual(w.remotes, ['10.0.0.1:80', `${SIX}:80`]);
  w.connect(1);
  assert.deepEqual([r.log, w.sockets[0]!.destroyed, w.sockets[1]!.destroyed], [['waits', 'stream'], 'now', '']);
  w.answer(1);
  assert.deepEqual(r.log, ['waits', 'stream', '200 end']);
  assert.deepEqual([w.count('upstream_cx_total'), w.count('upstream_cx_active'), w.count('upstream_cx_connect_fail'), w.held()[0]], [2, 1, 0, 1], 'one connection, of two attempts');
});

test('a failed attempt brings the next at once; the last one\'s failure is that of the connection', () => {
  const { w, r } = world([SIX, FOUR]);
  w.close(0, 'ECONNREFUSED');
  w.close(1, 'ENETUNREACH');
  assert.deepEqual([w.sockets.length, r.log], [3, ['waits']]);
  w.close(2, 'ECONNREFUSED');
  assert.deepEqual(r.log, ['waits', 'connect-failure: delayed connect error: Connection refused']);
  assert.deepEqual([w.count('upstream_cx_connect_fail'), w.count('upstream_cx_active'), w.held()], [1, 0, [0, 0, 0]]);
});

test('a first address that answers late still wins if it is the first to; nothing of the race is left', () => {
  const { w, r } = world([SIX, FOUR]);
  w.env.advance(320);
  w.connect(0);
  assert.equal(w.sockets[1]!.destroyed, 'now');
  w.env.advance(900);
  assert.deepEqual([w.sockets.length, r.log], [2, ['waits', 'stream']]);
  w.sockets[1]!.sink.onConnect();
  w.sockets[1]!.sink.onClose('');
  assert.equal(w.count('upstream_cx_active'), 1, 'what an attempt that has ended says is not heard');
});

test('the connect timeout is that of all attempts together, and ends them', () => {
  const { w, r } = world([SIX], { connectTimeoutMs: 500 });
  w.env.advance(320);
  w.env.advance(200);
  assert.deepEqual([r.log, w.sockets.map((s) => s.destroyed), w.count('upstream_cx_connect_timeout')], [['waits', 'connect-timeout'], ['now', 'now'], 1]);
  w.env.advance(1000);
  assert.equal(w.sockets.length, 2);
});

test('addresses take turns by family, so many of the first before one of the other', () => {
  const list = ['1.1.1.1', '1.1.1.2', '1.1.1.3', '::1', '::2', '1.1.1.4'].map((ip) => ipAddress(ip, 1)), order = (family: 0 | 4 | 6, count: number): string => inTurns(list, { family, count }).map((a) => (a.kind === 'ip' ? a.ip : '')).join(' ');
  assert.equal(order(0, 1), '1.1.1.1 ::1 1.1.1.2 ::2 1.1.1.3 1.1.1.4');
  assert.equal(order(6, 1), '::1 1.1.1.1 ::2 1.1.1.2 1.1.1.3 1.1.1.4');
  assert.equal(order(4, 3), '1.1.1.1 1.1.1.2 1.1.1.3 ::1 1.1.1.4 ::2');
  assert.equal(order(6, 2), '::1 ::2 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4');
});
