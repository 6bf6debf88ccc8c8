// Listener filters over the first bytes: what they may take, how long they may wait, and that everything else reaches the connection unchanged.
import assert from 'node:assert/strict';
import test from 'node:test';
import { AcceptingConnection, type AcceptingOwner } from '../../../engine/net/accepting-connection.ts';
import type { ListenerFilter, ListenerVerdict, PendingConnection } from '../../../engine/net/listener-filter.ts';
import { LISTENER, LISTENER_SCHEMA } from '../../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../../engine/observe/stats/stat-block.ts';
import { factsOf, fakeEnv, FakeSocket, type FakeEnv } from '../../support/fake-socket.ts';

/** Waits for `n` bytes, takes `take` of them. */
class Wants implements ListenerFilter {
  ended = 0; seen = '';
  private readonly c: PendingConnection; private readonly n: number; private readonly take: number;
  constructor(c: PendingConnection, n: number, take: number) { this.c = c; this.n = n; this.take = take; }
  onData(b: Buffer, s: number, e: number): ListenerVerdict { this.seen = b.latin1Slice(s, e); if (e - s < this.n) return 'wait'; this.c.consume(this.take); return 'next'; }
  onEnd(): void { this.ended++; }
}

function pending(env: FakeEnv, make: readonly ((c: PendingConnection) => ListenerFilter)[], continueOnTimeout = false): { socket: FakeSocket; stats: StatBlock; got: () => string | null; dropped: () => number } {
  const socket = new FakeSocket(), stats = new StatBlock(env.stats, LISTENER_SCHEMA, 'listener.x');
  let got: string | null = null, dropped = 0;
  const owner: AcceptingOwner = { stats, listenerFilters: make.map((create) => ({ factory: { create }, disabled: null })), listenerFiltersTimeoutMs: 100, continueOnTimeout, accepted: (_c, b, s, e) => { got = b.latin1Slice(s, e); }, dropped: () => { dropped++; } };
  new AcceptingConnection(socket, factsOf(socket), owner, env).start();
  return { socket, stats, got: () => got, dropped: () => dropped };
}

test('each filter sees what those before it left, however the bytes are cut', () => {
  for (const cuts of [['PROXYhello world'], ['PRO', 'XYhel', 'lo world'], [...'PROXYhello world']]) {
    const env = fakeEnv();
    let second: Wants | null = null;
    const p = pending(env, [(c) => new Wants(c, 5, 5), (c) => (second = new Wants(c, 3, 0))]);
    let sent = '';
    for (const piece of cuts) { if (p.got() !== null) break; p.socket.receive(piece); sent += piece; }
    assert.equal(p.got(), sent.slice(5));
    assert.ok(second!.seen.startsWith('hel'));
    assert.equal(p.stats.own(LISTENER.downstream_pre_cx_active), 0);
  }
});

test('waiting too long ends the connection, or goes on with the bytes that are there', () => {
  for (const goOn of [false, true]) {
    const env = fakeEnv();
    let filter: Wants | null = null;
    const p = pending(env, [(c) => (filter = new Wants(c, 10, 0))], goOn);
    p.socket.receive('abc');
    assert.equal(p.stats.own(LISTENER.downstream_pre_cx_active), 1);
    env.advance(150);
    assert.deepEqual([p.got(), p.socket.destroyed, p.dropped(), filter!.ended, p.stats.own(LISTENER.downstream_pre_cx_timeout), p.stats.own(LISTENER.downstream_pre_cx_active)], goOn ? ['abc', '', 0, 1, 1, 0] : [null, 'now', 1, 1, 1, 0]);
  }
});

test('a client that leaves meanwhile is counted, once', () => {
  const env = fakeEnv(), p = pending(env, [(c) => new Wants(c, 10, 0)]);
  p.socket.receive('abc');
  p.socket.sink.onEnd(); p.socket.sink.onClose('');
  env.advance(500);
  assert.deepEqual([p.got(), p.dropped(), p.stats.own(LISTENER.downstream_listener_filter_remote_close), p.stats.own(LISTENER.downstream_pre_cx_active)], [null, 1, 1, 0]);
});

test('bytes that wait are bounded: reading stops', () => {
  const env = fakeEnv(), p = pending(env, [(c) => new Wants(c, 1 << 20, 0)]);
  for (let i = 0; i < 3; i++) p.socket.receive('x'.repeat(1 << 16));
  assert.ok(p.socket.paused);
});
