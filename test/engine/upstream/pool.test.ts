import assert from 'node:assert/strict';
import test from 'node:test';
import { ipAddress } from '../../../engine/net/address.ts';
import type { HostPlan } from '../../../engine/plan/cluster-plan.ts';
import { HTTP2_DEFAULTS } from '../../../engine/plan/http2-options-plan.ts';
import { HOST_FLAG } from '../../../engine/shm/host-table.ts';
import { PoolWorld, Request } from './pool-world.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
const frame = (type: number, flags: number, id: number, payload = ''): string => String.fromCharCode(payload.length >> 16, (payload.length >> 8) & 255, payload.length & 255, type, flags, id >>> 24, (id >> 16) & 255, (id >> 8) & 255, id & 255) + payload;
const SETTINGS = (max?: number): string => frame(4, 0, 0, max === undefined ? '' : `\0\x03\0\0\0${String.fromCharCode(max)}`);
const H2_OK = (id: number): string => frame(1, 5, id, '\x88');
const GOAWAY = (last: number): string => frame(7, 0, 0, `\0\0\0${String.fromCharCode(last)}\0\0\0\0`);

test('a request waits for its connection, the next one takes the idle connection, nothing is left over', () => {
  const w = new PoolWorld();
  const a = w.ask();
  assert.deepEqual([a.log, w.held()], [['waits'], [1, 1, 1]]);
  w.connect(0);
  assert.deepEqual(a.log, ['waits', 'stream']);
  w.answer(0);
  const b = w.ask();
  w.answer(0);
  assert.deepEqual([b.log, w.sockets.length, w.count('upstream_cx_http1_total')], [['stream', '200 end'], 1, 1]);
  assert.equal(b.facts.requestsOfConnection, 2);
  w.close(0);
  assert.deepEqual([w.held(), w.count('upstream_cx_active'), w.shared.hosts.connections(0)], [[0, 0, 0], 0, 0]);
});

test('as many connections are begun as requests wait, at most three for one event; they are used last one first', () => {
  const w = new PoolWorld();
  for (let i = 0; i < 4; i++) w.ask();
  assert.equal(w.sockets.length, 4);
  for (let i = 0; i < 4; i++) w.connect(i);
  for (const i of [1, 3, 0, 2]) w.answer(i);
  w.ask();
  assert.equal(w.sockets[2]!.written.split('GET /').length, 3);
});

test('a failed connect fails all that wait, and the counts go back', () => {
  const w = new PoolWorld(), list = [w.ask(), w.ask()];
  w.close(0, 'ECONNREFUSED');
  for (const r of list) assert.deepEqual(r.log, ['waits', 'connect-failure: delayed connect error: Connection refused']);
  assert.equal(w.count('upstream_rq_pending_failure_eject'), 2);
  w.close(1, 'ECONNREFUSED');
  assert.deepEqual([w.held(), w.count('upstream_cx_connect_fail'), w.count('upstream_cx_destroy_remote'), w.shared.hosts.connections(0)], [[0, 0, 0], 2, 2, 0]);
});

test('a request counts from when it has a connection: one whose connect fails was never there', () => {
  const w = new PoolWorld(), counted = (): number[] => [w.count('upstream_rq_total'), w.count('upstream_rq_active')];
  w.ask();
  assert.deepEqual(counted(), [0, 0]);
  w.close(0, 'ECONNREFUSED');
  assert.deepEqual(counted(), [0, 0]);
  w.ask();
  w.connect(1);
  assert.deepEqual(counted(), [1, 1]);
  w.answer(1);
  assert.deepEqual(counted(), [1, 0]);
});

test('a connect that takes too long', () => {
  const w = new PoolWorld(), r = w.ask();
  w.env.advance(1001);
  assert.deepEqual([r.log, w.count('upstream_cx_connect_timeout'), w.held()], [['waits', 'connect-timeout'], 1, [0, 0, 0]]);
});

test('a request that is cancelled while it waits leaves the queue; its connection is the next one\'s', () => {
  const w = new PoolWorld(), a = w.ask();
  a.waiting!.cancel();
  assert.deepEqual(w.held(), [1, 0, 1]);
  w.connect(0);
  assert.deepEqual(w.ask().log, ['stream']);
  assert.deepEqual(a.log, ['waits']);
});

test('circuit breakers: connections make the next one wait, waiting ones make it overflow; a pool without any connection may have one', () => {
  const w = new PoolWorld({}, [1, 1, 9, 3, 9], 2), [first, second] = [w.cluster.hostSets()[0]!.all[0]!, w.cluster.hostSets()[0]!.all[1]!];
  const a = w.ask(new Request(), first);
  w.connect(0);
  const b = w.ask(new Request(), first);
  assert.deepEqual([b.log, w.sockets.length, w.count('upstream_cx_overflow')], [['waits'], 1, 1]);
  assert.deepEqual([w.ask(new Request(), first).log, w.count('upstream_rq_pending_overflow')], [['overflow'], 1]);
  b.waiting!.cancel();
  assert.deepEqual(w.ask(new Request(), second).log, ['waits']);
  assert.equal(w.sockets.length, 2);
  w.answer(0);
  assert.deepEqual(a.log, ['waits', 'stream', '200 end']);
});

test('per-host limit: the others wait for the one connection', () => {
  const w = new PoolWorld({ perHostMaxConnections: 1 }), a = w.ask(), b = w.ask();
  w.connect(0);
  assert.deepEqual([w.sockets.length, b.log], [1, ['waits']]);
  w.answer(0);
  assert.deepEqual([a.log.at(-1), b.log], ['200 end', ['waits', 'stream']]);
});

test('max_connection_pools refuses a host more', () => {
  const w = new PoolWorld({}, [9, 9, 9, 3, 1], 2), hosts = w.cluster.hostSets()[0]!.all;
  w.ask(new Request(), hosts[0]!);
  assert.deepEqual([w.ask(new Request(), hosts[1]!).log, w.count('upstream_cx_pool_overflow')], [['no-pool'], 1]);
  w.close(0, 'ECONNREFUSED');
  assert.deepEqual(w.ask(new Request(), hosts[1]!).log, ['waits']);
});

test('an idle connection is closed by its timeout, by bytes that nobody asked for, and by the other side', () => {
  const w = new PoolWorld();
  for (const [i, ends] of [() => w.env.advance(60_001), () => w.receive(1, 'HTTP/1.1 408 x\r\n\r\n'), () => w.sockets[2]!.sink.onEnd()].entries()) {
    const r = w.ask();
    assert.deepEqual(r.log, ['waits'], `${i}`);
    w.connect(i);
    w.answer(i);
    ends();
    assert.notEqual(w.sockets[i]!.destroyed, '', `${i}`);
  }
  assert.deepEqual([w.held(), w.count('upstream_cx_idle_timeout'), w.count('upstream_cx_protocol_error')], [[0, 0, 0], 1, 1]);
});

test('max_requests_per_connection and the greatest age end a connection after its stream', () => {
  const w = new PoolWorld({ maxRequestsPerConnection: 2, maxConnectionDurationMs: 5000 });
  w.ask(); w.connect(0); w.answer(0);
  w.ask(); w.answer(0);
  assert.deepEqual([w.sockets[0]!.destroyed, w.count('upstream_cx_max_requests')], ['flush', 1]);
  const r = w.ask();
  w.connect(1);
  w.env.advance(5001);
  assert.deepEqual([w.sockets[1]!.destroyed, w.count('upstream_cx_max_duration_reached')], ['', 1]);
  assert.deepEqual(w.ask().log, ['waits']);
  w.answer(1);
  assert.deepEqual([r.log.at(-1), w.sockets[1]!.destroyed], ['200 end', 'flush']);
});

test('preconnect: one connection more than is used', () => {
  const w = new PoolWorld({ preconnectRatio: 2 });
  w.ask();
  assert.equal(w.sockets.length, 2);
});

test('HTTP/2: many streams on one connection, as many as the peer lets; the next one gets a connection of its own', () => {
  const w = new PoolWorld({ protocol: 'http2' });
  const a = w.ask();
  w.connect(0);
  w.receive(0, SETTINGS(2));
  const b = w.ask(), c = w.ask();
  assert.deepEqual([a.log, b.log, c.log, w.sockets.length], [['waits', 'stream'], ['stream'], ['waits'], 2]);
  w.receive(0, H2_OK(1));
  assert.deepEqual([a.log.at(-1), c.log], ['200 end', ['waits', 'stream']]);
  assert.equal(w.count('upstream_cx_http2_total'), 2, 'one that is still on its way counts for its protocol, as in Envoy');
});

test('HTTP/2: own max_concurrent_streams holds before the peer has said anything', () => {
  const w = new PoolWorld({ protocol: 'http2', http2: { ...HTTP2_DEFAULTS, maxConcurrentStreams: 1 } });
  w.ask(); w.ask();
  assert.equal(w.sockets.length, 2);
});

test('HTTP/2: after GOAWAY streams that the peer has seen end there, others were refused; new ones go to a new connection', () => {
  const w = new PoolWorld({ protocol: 'http2' }), a = w.ask();
  w.connect(0);
  w.receive(0, SETTINGS());
  const b = w.ask();
  w.receive(0, GOAWAY(1));
  assert.deepEqual([a.log.at(-1), b.log.at(-1), w.count('upstream_cx_close_notify')], ['stream', 'reset refused', 1]);
  assert.deepEqual([w.ask().log, w.sockets.length], [['waits'], 2]);
  w.receive(0, H2_OK(1));
  assert.deepEqual([a.log.at(-1), w.sockets[0]!.destroyed], ['200 end', 'flush']);
});

test('HTTP/2: a lost connection resets all of its streams, and is never given another', () => {
  const w = new PoolWorld({ protocol: 'http2' }), a = w.ask(), b = w.ask();
  w.connect(0);
  w.close(0, 'ECONNRESET');
  assert.deepEqual([a.log.at(-1), b.log.at(-1)], ['reset connection-end', 'reset connection-end']);
  assert.deepEqual([w.held(), w.count('upstream_cx_destroy_remote_with_active_rq')], [[0, 0, 0], 1]);
  assert.deepEqual(w.ask().log, ['waits']);
});

test('HTTP/2: a ping that is not answered ends the connection', () => {
  const w = new PoolWorld({ protocol: 'http2', http2: { ...HTTP2_DEFAULTS, keepalive: { intervalMs: 1000, timeoutMs: 500, jitterPercent: 0, idleIntervalMs: 0 } } });
  w.ask();
  w.connect(0);
  w.receive(0, SETTINGS() + H2_OK(1));
  for (let i = 0; i < 20; i++) w.env.advance(100);
  assert.equal(w.sockets[0]!.destroyed, 'now');
});

test('a fresh connection is asked for: an idle one is passed over', () => {
  const w = new PoolWorld();
  w.ask(); w.connect(0); w.receive(0, OK);
  const r = new Request();
  r.fresh = true;
  w.ask(r);
  assert.deepEqual([r.log, w.sockets.length], [['waits'], 2]);
});

test('a host that goes: idle connections close, busy ones after their stream; a changed set of hosts closes all where it is asked for', () => {
  const w = new PoolWorld({ closeOnHostSetChange: true }, undefined, 2), hosts = w.cluster.hostSets()[0]!.all;
  w.ask(new Request(), hosts[0]!); w.connect(0); w.answer(0);
  const b = w.ask(new Request(), hosts[1]!);
  w.connect(1);
  w.cluster.setHosts([w.host(0)]);
  assert.deepEqual([w.sockets[0]!.destroyed, w.sockets[1]!.destroyed], ['flush', '']);
  w.answer(1);
  assert.deepEqual([b.log.at(-1), w.sockets[1]!.destroyed], ['200 end', 'flush']);
  assert.deepEqual(w.held(), [0, 0, 0]);
});

test('a request ends at each step: what it held goes back', () => {
  for (const protocol of ['http1', 'http2'] as const) {
    const w = new PoolWorld({ protocol }), a = w.ask();
    w.connect(0);
    a.stream!.reset('local');
    w.env.later.run();
    if (protocol === 'http1') assert.notEqual(w.sockets[0]!.destroyed, ''); else assert.deepEqual(w.ask().log, ['stream']);
    w.close(0);
    assert.deepEqual([w.held(), w.count('upstream_cx_active')], [[0, 0, 0], 0], protocol);
  }
});

test('a retry budget lets as many retries be active as its share of what is under way, and at least its minimum', () => {
  const w = new PoolWorld({ retryBudgets: [{ percent: 50, least: 1, slotMs: 0 }, null] });
  w.shared.circuits.setLimits(1, [9, 9, 9, 3, 9]);
  assert.equal(w.cluster.beginRetry('default'), true, 'the minimum');
  assert.equal(w.cluster.beginRetry('default'), false);
  for (let i = 0; i < 6; i++) assert.equal(w.cluster.beginRequest(w.cluster.choose(w.ctx)!, 'default'), true);
  assert.deepEqual([1, 2, 3].map(() => w.cluster.beginRetry('default')), [true, true, false], 'three of six');
  w.cluster.endRetry('default');
  assert.equal(w.cluster.beginRetry('default'), true);
  assert.deepEqual([1, 2, 3, 4].map(() => w.cluster.beginRetry('high')), [true, true, true, false], 'high priority has its max_retries');
});

test('a retry budget over an interval counts attempts that had a stream, under way or over, for nine to ten tenths of it', () => {
  const w = new PoolWorld({ retryBudgets: [{ percent: 50, least: 0, slotMs: 100 }, null] }), run = (): void => { const r = w.ask(); if (r.waiting !== null) w.connect(w.sockets.length - 1); w.answer(w.sockets.length - 1); };
  const retries = (): number => { let n = 0; while (w.cluster.beginRetry('default')) n++; for (let i = 0; i < n; i++) w.cluster.endRetry('default'); return n; };
  w.ask(); w.close(0, 'ECONNREFUSED');
  assert.equal(retries(), 0, 'one that found no connection was never there');
  for (let i = 0; i < 6; i++) run();
  assert.equal(retries(), 3);
  w.env.clock.set(w.env.clock.nowMs() + 500);
  run(); run();
  assert.equal(retries(), 4);
  w.env.clock.set(w.env.clock.nowMs() + 450);
  assert.equal(retries(), 4, 'the first are still of the interval');
  w.env.clock.set(w.env.clock.nowMs() + 100);
  assert.equal(retries(), 1);
  w.env.clock.set(w.env.clock.nowMs() + 500);
  assert.equal(retries(), 0);
});

test('a host whose address or metadata change keeps its connections; new ones go to the new address', () => {
  const w = new PoolWorld(), { cluster } = w, at = (n: number, more: object = {}): HostPlan => ({ ...w.host(0), address: ipAddress(`10.9.9.${n}`, 80), ...more });
  w.ask(); w.connect(0); w.answer(0);
  cluster.setHosts([at(1)]);
  const kept = w.ask(); w.answer(0);
  cluster.setHosts([at(2, { metadata: { 'envoy.lb': { v: '2' } } })]);
  const again = w.ask(); w.ask();
  assert.deepEqual([kept.log, again.log, w.remotes, cluster.choose(w.ctx)?.metadata], [['stream', '200 end'], ['stream'], ['10.0.0.1:80', '10.9.9.2:80'], { 'envoy.lb': { v: '2' } }]);
});

test('connections go from the source address of the host\'s IP version, with its socket options', () => {
  const option = { level: 1, name: 2, value: 3 }, sources = [{ address: ipAddress('127.0.0.9', 0), options: null }, { address: ipAddress('::9', 0), options: [option, option] }];
  const w = new PoolWorld({ bind: { sources, freebind: true }, socketOptions: [option] }, undefined, 0), only = new PoolWorld({ bind: { sources: sources.slice(1), freebind: false } });
  w.cluster.setHosts([w.host(0), { ...w.host(1), address: ipAddress('::1', 80) }]);
  w.ask(); w.ask(); only.ask();
  assert.deepEqual([w.sources.sort(), only.sources], [['127.0.0.9/1 free', '::9/2 free'], ['::9/2']]);
});

test('connections of a host that fails its checks are not used again; idle ones close', () => {
  const w = new PoolWorld({}, undefined, 2), fail = (index: number, flag: number): void => { w.shared.hosts.setFlags(index, flag); w.shared.words.bumpHealthEpoch(); w.cluster.choose(w.ctx); w.env.later.run(); };
  const idle = w.ask(), busy = w.ask();
  w.connect(0); w.connect(1); w.answer(0);
  assert.deepEqual(w.sockets.map((s) => s.destroyed !== ''), [false, false]);
  fail(0, HOST_FLAG.FAILED_ACTIVE_HC); fail(1, HOST_FLAG.FAILED_OUTLIER);
  assert.deepEqual(w.sockets.map((s) => s.destroyed !== ''), [true, false]);
  w.answer(1);
  assert.deepEqual([idle.log, busy.log, w.sockets.map((s) => s.destroyed !== '')], [['waits', 'stream', '200 end'], ['waits', 'stream', '200 end'], [true, true]]);
});

test('drop_overloads refuses its share of requests, all of them apart from some; runtime sets a limit to it', () => {
  const w = new PoolWorld(), share = (millionths: number): Record<string, number> => {
    w.shared.circuits.setDropped(0, millionths);
    const out: Record<string, number> = {};
    for (let i = 0; i < 2000; i++) { const r = w.cluster.refusal() ?? 'none'; out[r] = (out[r] ?? 0) + 1; }
    return out;
  };
  assert.deepEqual([share(0), share(1_000_000)], [{ none: 2000 }, { 'drop-all': 2000 }]);
  const quarter = share(250_000).drop!;
  assert.ok(quarter > 400 && quarter < 600, String(quarter)); // 5 deviations
  w.env.runtime.install({ 'load_balancing_policy.drop_overload_limit': 25 });
  const limited = share(1_000_000).drop!;
  assert.ok(limited > 400 && limited < 600, String(limited));
  w.env.runtime.install({ 'upstream.maintenance_mode.c': 100 });
  assert.deepEqual(share(1_000_000), { maintenance: 2000 });
  w.shared.circuits.reset(0);
  assert.equal(w.shared.circuits.dropped(0), 0, 'another cluster does not inherit it');
});
