import { test } from 'node:test';
import assert from 'node:assert/strict';
import { answerAdmin } from '../../../engine/admin/admin-server.ts';
import { StatReader } from '../../../engine/control/stats/stat-reader.ts';

const stats = new StatReader([]);
stats.set('cluster.a.upstream_rq_total', 'counter', 1); stats.set('cluster.a.upstream_rq_active', 'gauge', 0); stats.set('cluster.a.upstream_rq_retry', 'counter', 0);
const nothing = (): void => undefined;
const source = { stats, state: () => 'LIVE' as const, serverInfo: () => ({}), reopenLogs: nothing, failHealthCheck: nothing, drainListeners: nothing, quit: nothing };

test('answers are those of Envoy: readiness, methods, unknown paths, bad parameters', () => {
  assert.deepEqual(answerAdmin(source, 'GET', '/ready'), { status: 200, body: 'LIVE\n' });
  assert.deepEqual(answerAdmin(source, 'GET', '/quitquitquit'), { status: 405, body: 'Method GET not allowed, POST required.' });
  assert.deepEqual(answerAdmin(source, 'GET', '/stats?type=nonsense'), { status: 400, body: 'invalid &type= param' });
  assert.equal(answerAdmin(source, 'GET', '/stats?filter=(').status, 400);
  const unknown = answerAdmin(source, 'GET', '/nosuch');
  assert.equal(unknown.status, 404);
  assert.ok('body' in unknown && unknown.body.startsWith('invalid path. admin commands are:\n'));
});

test('stats are sorted, filtered, and usedonly leaves out counters at 0', () => {
  assert.deepEqual(answerAdmin(source, 'GET', '/stats?usedonly&filter=^cluster.a.'), { status: 200, body: 'cluster.a.upstream_rq_active: 0\ncluster.a.upstream_rq_total: 1\n' });
  assert.deepEqual(answerAdmin(source, 'GET', '/stats?format=json&filter=total$'), { status: 200, json: { stats: [{ name: 'cluster.a.upstream_rq_total', value: 1 }] } });
});
