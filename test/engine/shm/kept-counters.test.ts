import assert from 'node:assert/strict';
import test from 'node:test';
import { StatReader } from '../../../engine/control/stats/stat-reader.ts';
import { KeptCounters } from '../../../engine/shm/kept-counters.ts';
import { LISTENER_SCHEMA, SERVER_SCHEMA } from '../../../engine/observe/stats/schemas.ts';
import { ThreadStatStore } from '../../../engine/observe/stats/thread-stat-store.ts';

test('what one life of control counted, and what a dead worker had, is there in the next', () => {
  const memory = new SharedArrayBuffer(KeptCounters.bytes), first = new StatReader([LISTENER_SCHEMA], [], new KeptCounters(memory)), column = new SharedArrayBuffer(8 * 8192);
  first.declare(LISTENER_SCHEMA, 'listener.x');
  first.attach(0, column);
  const store = new ThreadStatStore(column, (c) => first.claim(0, c)), total = LISTENER_SCHEMA.names.indexOf('downstream_cx_total');
  store.column[store.claim(LISTENER_SCHEMA, 'listener.x') + total] = 5;
  store.column[store.claimOne('cluster.a.upstream_rq_404', 'counter')] = 3;
  first.set('server.worker_restarts', 'counter', 2);
  first.set('server.uptime', 'gauge', 9);
  first.set('listener.gone.ssl.handshake', 'counter', 1);
  first.detach(0);

  const second = new StatReader([LISTENER_SCHEMA, SERVER_SCHEMA], [], new KeptCounters(memory));
  second.declare(SERVER_SCHEMA, 'server');
  second.declare(LISTENER_SCHEMA, 'listener.x');
  assert.equal(second.own('server.worker_restarts'), 2, 'before anybody showed it');
  second.set('cluster.a.upstream_rq_404', 'counter', second.own('cluster.a.upstream_rq_404') + 1);
  second.endInheritance();
  assert.deepEqual(['listener.x.downstream_cx_total', 'cluster.a.upstream_rq_404', 'server.worker_restarts', 'server.uptime', 'listener.gone.ssl.handshake'].map((n) => second.value(n)), [5, 4, 2, 0, undefined]);
});

test('a cluster that was removed starts from 0 in the next life too', () => {
  const memory = new SharedArrayBuffer(KeptCounters.bytes), first = new StatReader([LISTENER_SCHEMA], [], new KeptCounters(memory));
  first.declare(LISTENER_SCHEMA, 'listener.x');
  first.set('listener.x.downstream_cx_total', 'counter', 7);
  first.drop((name) => name.startsWith('listener.x.'));
  const second = new StatReader([LISTENER_SCHEMA], [], new KeptCounters(memory));
  second.declare(LISTENER_SCHEMA, 'listener.x');
  assert.equal(second.value('listener.x.downstream_cx_total'), 0);
});

test('a full table keeps what it has', () => {
  const memory = new SharedArrayBuffer(96), kept = new KeptCounters(memory);
  for (const [name, n] of [['a', 1], ['b'.repeat(100), 2], ['c', 3], ['a', 4]] as const) kept.set(name, n);
  assert.deepEqual(new KeptCounters(memory).entries(), [['a', 4], ['c', 3]]);
});

test('names that come and go take no more room than those that are there at once', () => {
  const memory = new SharedArrayBuffer(512), kept = new KeptCounters(memory);
  for (let i = 0; i < 10_000; i++) {
    kept.set(`cluster.c${i}.membership_change`, i + 1);
    kept.set(`cluster.c${i}.update_success`, i + 1);
    if (i < 9999) kept.drop((name) => name.startsWith(`cluster.c${i}.`));
  }
  assert.deepEqual(new KeptCounters(memory).entries().sort(), [['cluster.c9999.membership_change', 10_000], ['cluster.c9999.update_success', 10_000]]);
});
