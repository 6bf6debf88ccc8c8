// What a worker held in the shared tables comes back when it dies, and what it has let go of before is not given back again.
import assert from 'node:assert/strict';
import test from 'node:test';
import { WorkerTakeBack } from '../../../../engine/control/stats/take-back.ts';
import { LIMIT_SCHEMA } from '../../../../engine/observe/stats/l4-schemas.ts';
import { CIRCUIT_SCHEMA, CLUSTER, CLUSTER_SCHEMA, HOST, HOST_COUNTERS, HOST_SCHEMA, LISTENER_WORKER, LISTENER_WORKER_SCHEMA } from '../../../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../../../engine/observe/stats/stat-block.ts';
import { ThreadStatStore } from '../../../../engine/observe/stats/thread-stat-store.ts';
import { CIRCUIT_KIND, CircuitTable } from '../../../../engine/shm/circuit-table.ts';
import { HostTable } from '../../../../engine/shm/host-table.ts';
import { RecordBook } from '../../../../engine/shm/record-book.ts';
import { SharedLimits } from '../../../../engine/shm/shared-limits.ts';
import { SharedWords } from '../../../../engine/shm/shared-words.ts';

const hosts = (n: number): HostTable => new HostTable(new SharedArrayBuffer(HostTable.bytes(n)));
const circuits = (n: number): CircuitTable => new CircuitTable(new SharedArrayBuffer(CircuitTable.bytes(n)));

/** One worker, whose claims are told at once. */
function setUp(): { shared: { hosts: HostTable; circuits: CircuitTable; words: SharedWords; limits: SharedLimits }; takeBack: WorkerTakeBack; store: ThreadStatStore } {
  const shared = { hosts: hosts(8), circuits: circuits(8), words: new SharedWords(new SharedArrayBuffer(SharedWords.bytes)), limits: new SharedLimits(new SharedArrayBuffer(SharedLimits.bytes(8))) };
  const takeBack = new WorkerTakeBack(shared, new RecordBook(new SharedArrayBuffer(RecordBook.bytes(8, HOST_COUNTERS)), HOST_COUNTERS)), memory = new SharedArrayBuffer(8 * 4096);
  takeBack.attach(0, memory);
  return { shared, takeBack, store: new ThreadStatStore(memory, (c) => { takeBack.claim(0, c); }) };
}

test('requests, connections, circuits and limits of a dead worker come back to where it took them', () => {
  const { shared, takeBack, store } = setUp(), limit = shared.limits.claim('l');
  const host = new StatBlock(store, HOST_SCHEMA, 'host.5'), circuit = new StatBlock(store, CIRCUIT_SCHEMA, 'circuit.3'), held = new StatBlock(store, LIMIT_SCHEMA, `limit.${limit}`), listener = new StatBlock(store, LISTENER_WORKER_SCHEMA, 'listener.127.0.0.1:80.worker_0');
  // A cluster whose name ends like a record has nothing to do with it.
  new StatBlock(store, CLUSTER_SCHEMA, 'cluster.5').inc(CLUSTER.upstream_rq_active);
  shared.hosts.addActive(5, 3); shared.hosts.addConnections(5, 2); host.add(HOST.rq_active, 2); host.add(HOST.cx_active, 1); host.add(HOST.rq_total, 9);
  for (let i = 0; i < 4; i++) shared.circuits.acquire(3, CIRCUIT_KIND.RQ);
  circuit.add(CIRCUIT_KIND.RQ, 3);
  shared.limits.tryHold(limit, 7); shared.limits.tryHold(limit, 7); held.add(0, 1);
  shared.words.setConnectionLimit(9);
  for (let i = 0; i < 5; i++) shared.words.tryConnection();
  listener.add(LISTENER_WORKER.downstream_cx_active, 4);
  assert.deepEqual([takeBack.hostStats(5)[HOST.rq_total], takeBack.hostStat(5, HOST.rq_active), takeBack.hostStat(4, HOST.rq_active)], [9, 2, 0]);
  takeBack.detach(0); takeBack.detach(0);
  assert.deepEqual([shared.hosts.active(5), shared.hosts.connections(5), shared.circuits.value(3, CIRCUIT_KIND.RQ), shared.limits.held(limit), shared.words.connections()], [1, 1, 1, 1, 1]);
  assert.deepEqual([takeBack.hostStat(5, HOST.rq_total), takeBack.hostStat(5, HOST.rq_active)], [9, 0], 'what it had counted is kept');
});

test('a record of which a worker has two claims, as its owner changed while requests were under way, is given back by both', () => {
  const { shared, takeBack, store } = setUp();
  const held = (owner: string): StatBlock[] => [new StatBlock(store.owned(owner), CIRCUIT_SCHEMA, 'circuit.3'), new StatBlock(store.owned(owner), HOST_SCHEMA, 'host.2'), new StatBlock(store.owned(owner), LIMIT_SCHEMA, 'limit.4')];
  for (const owner of ['cluster.old', 'cluster.new']) {
    const [circuit, host, limit] = held(owner);
    shared.circuits.acquire(3, CIRCUIT_KIND.RQ); circuit!.add(CIRCUIT_KIND.RQ, 1);
    shared.hosts.addActive(2, 1); host!.add(HOST.rq_active, 1);
    shared.limits.tryHold(4, 9); limit!.add(0, 1);
  }
  takeBack.detach(0);
  assert.deepEqual([shared.circuits.value(3, CIRCUIT_KIND.RQ), shared.hosts.active(2), shared.limits.held(4)], [0, 0, 0]);
});

test('what was let go of is not taken back; a record that was used again since stands for its new claim', () => {
  const { shared, takeBack, store } = setUp();
  const claim = (schema: { readonly id: number }, prefix: string, base: number): Parameters<WorkerTakeBack['gone']>[1] => ({ kind: 'stat-block', schema: schema.id, prefix, base });
  const first = store.owned('cluster.a').claim(HOST_SCHEMA, 'host.1'), second = store.owned('cluster.b').claim(HOST_SCHEMA, 'host.1'), listener = store.claim(LISTENER_WORKER_SCHEMA, 'listener.x.worker_0');
  shared.hosts.addActive(1, 3); store.column[second + HOST.rq_active]! += 3; store.column[listener + LISTENER_WORKER.downstream_cx_active]! += 1;
  takeBack.gone(0, claim(HOST_SCHEMA, 'host.1', first));
  assert.equal(takeBack.hostStat(1, HOST.rq_active), 3);
  takeBack.gone(0, claim(LISTENER_WORKER_SCHEMA, 'listener.x.worker_0', listener));
  takeBack.detach(0);
  assert.deepEqual([shared.hosts.active(1), shared.words.connections()], [0, 0]);
});
