// The chain of network filters on one connection: order, bytes held by a filter that is not ready, the limit, pauses by reason, the end.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { DownstreamConnection, NetworkFilter, NetworkVerdict } from '../../../engine/net/connection.ts';
import { AcceptedConnection, type ListenerState } from '../../../engine/net/downstream-connection.ts';
import { LISTENER, LISTENER_SCHEMA, LISTENER_WORKER_SCHEMA } from '../../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../../engine/observe/stats/stat-block.ts';
import { factsOf, fakeEnv, FakeSocket, type FakeEnv } from '../../support/fake-socket.ts';

class Recorder implements NetworkFilter {
  private readonly name: string; private readonly log: string[]; private readonly begin: NetworkVerdict; private readonly bytes: NetworkVerdict;
  constructor(name: string, log: string[], begin: NetworkVerdict, bytes: NetworkVerdict) { this.name = name; this.log = log; this.begin = begin; this.bytes = bytes; }
  onConnection(): NetworkVerdict { this.log.push(`${this.name} begins`); return this.begin; }
  onData(b: Buffer, s: number, e: number): NetworkVerdict { this.log.push(`${this.name} ${b.latin1Slice(s, e)}`); return this.bytes; }
  onEnd(): void { this.log.push(`${this.name} end`); }
  onClose(error: string, local: boolean): void { this.log.push(`${this.name} closed ${error}${local}`); }
}

function connection(env: FakeEnv, make: readonly ((c: DownstreamConnection) => NetworkFilter)[], bufferLimit = 10): { socket: FakeSocket; c: AcceptedConnection; stats: StatBlock; left: () => number } {
  const socket = new FakeSocket(), stats = new StatBlock(env.stats, LISTENER_SCHEMA, 'listener.x');
  let left = 0;
  const state: ListenerState = { stats, workerStats: new StatBlock(env.stats, LISTENER_WORKER_SCHEMA, 'listener.x.worker_0'), statPrefix: 'listener.x', bufferLimit, accessLogs: [], draining: false, plan: { bypassOverload: false }, handshakeMs: (ms) => ms, left: () => { left++; } };
  const c = new AcceptedConnection(socket, factsOf(socket), state, env);
  c.start(make.map((create) => ({ terminal: false, create })));
  return { socket, c, stats, left: () => left };
}

test('filters begin in order, bytes pass them in order, the end too', () => {
  const log: string[] = [], env = fakeEnv();
  const { socket } = connection(env, [() => new Recorder('a', log, 'next', 'next'), () => new Recorder('t', log, 'stop', 'stop')]);
  socket.receive('hello'); socket.sink.onEnd();
  assert.deepEqual(log, ['a begins', 't begins', 'a hello', 't hello', 'a end', 't end']);
});

test('a filter that says stop holds bytes and the end; those after it begin when it goes on', () => {
  for (const [begin, bytes] of [['stop', 'next'], ['next', 'stop']] as const) {
    const log: string[] = [], env = fakeEnv(), a = new Recorder('a', log, begin, bytes);
    const { socket, c } = connection(env, [() => a, () => new Recorder('t', log, 'stop', 'stop')]);
    socket.receive('hel'); socket.receive('lo');
    assert.ok(!log.includes('t hello') && !socket.paused);
    socket.receive(' world'); socket.sink.onEnd();
    assert.ok(socket.paused, 'the limit holds the client back');
    c.continueReading(a);
    env.later.run();
    assert.deepEqual(log.filter((x) => x.startsWith('t')), ['t begins', 't hello world', 't end']);
    assert.ok(!socket.paused);
  }
});

test("'close' of any filter ends the connection at once and is told to all, once", () => {
  for (const at of ['begin', 'bytes']) {
    const log: string[] = [], env = fakeEnv();
    const { socket, stats, left } = connection(env, [() => new Recorder('a', log, at === 'begin' ? 'close' : 'next', 'close'), () => new Recorder('t', log, 'stop', 'stop')]);
    socket.receive('x'); socket.sink.onClose('ECONNRESET');
    assert.equal(socket.destroyed, 'now');
    assert.deepEqual(log.filter((x) => x.includes('closed')), ['a closed true', 't closed true']);
    assert.ok(!log.includes('t x'));
    assert.deepEqual([left(), stats.own(LISTENER.downstream_cx_destroy)], [1, 1]);
  }
});

test('reading goes on when the last reason is gone; bytes that came meanwhile are delivered in order, on a stack of their own', () => {
  const log: string[] = [], env = fakeEnv();
  const { socket, c } = connection(env, [() => new Recorder('t', log, 'stop', 'stop')], 1000);
  c.pauseReading('upstream-wait'); c.pauseReading('upstream-full');
  socket.receive('one '); socket.receive('two'); socket.sink.onEnd();
  c.resumeReading('upstream-wait');
  assert.ok(socket.paused);
  c.resumeReading('upstream-full');
  assert.ok(!socket.paused);
  assert.deepEqual(log, ['t begins']);
  env.later.run();
  assert.deepEqual(log, ['t begins', 't one two', 't end']);
});
