// Records of the host and circuit tables: whom they stand for, and that they come back.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HOST } from '../../../../engine/observe/stats/schemas.ts';
import { CIRCUIT_KIND } from '../../../../engine/shm/circuit-table.ts';
import { clusterOf, RecordWorld } from './record-world.ts';

test('a record goes to another cluster only when the last request of the one before is over', () => {
  const w = new RecordWorld(2);
  w.apply(clusterOf('old', 5), 80);
  w.settle();
  const ends = [w.worker(0).begin('old')!, w.worker(1).begin('old')!], [host] = w.hosts('old'), [circuit] = w.control.clusters.circuitsOf('old');
  w.remove('old');
  w.settle();
  w.apply(clusterOf('new', 1), 80);
  w.settle();
  assert.ok(!w.hosts('new').includes(host!) && w.control.clusters.circuitsOf('new')[0] !== circuit);
  const end = w.worker(0).begin('new');
  assert.notEqual(end, null, 'nothing of the old one counts against it');
  for (const e of ends) e();
  assert.equal(w.worker(1).begin('new'), null, 'nor for it: one at a time');
  end!();
  w.settle();
  w.apply(clusterOf('third', 1), 81);
  assert.deepEqual([w.hosts('third'), w.control.clusters.circuitsOf('third').includes(circuit)], [[host], true]);
  assert.deepEqual([w.shared.hosts.active(host!), w.shared.circuits.value(circuit, CIRCUIT_KIND.RQ)], [0, 0]);
});

test('20,000 endpoint changes of a living cluster take no more records and slots than its hosts, and a new host starts at 0', () => {
  const w = new RecordWorld(2);
  w.apply(clusterOf('c', 9), 1, 2);
  w.settle();
  let used = 0;
  for (let i = 0; i < 1000; i++) {
    w.endpoints('c', ...Array.from({ length: 10 }, (_, n) => 1 + (i % 50) * 10 + n));
    for (const worker of [0, 1]) { w.worker(worker).read(); for (let n = 0; n < 10; n++) w.worker(worker).begin('c')!(); }
    if (i % 5 === 4) w.settle();
    if (i === 100) used = w.worker(0).store.used;
  }
  w.settle();
  assert.equal(w.worker(0).store.used, used);
  w.endpoints('c', 7, 8, 9);
  w.settle();
  assert.deepEqual(w.hosts('c').map((h) => w.control.takeBack.hostStat(h, HOST.rq_success)), [0, 0, 0]);
  assert.ok(Math.max(...w.hosts('c')) < 63);
});

test('a worker that dies while a removed cluster drains on it gives everything back, and what it had counted stays', () => {
  const w = new RecordWorld(2), c = clusterOf('c', 9, { perEndpoint: true });
  w.apply(c, 80); w.apply(clusterOf('gone', 9), 81);
  w.settle();
  for (let i = 0; i < 3; i++) { w.worker(0).begin('c'); w.worker(0).begin('gone'); }
  w.worker(1).begin('c'); w.worker(1).begin('c');
  const [host] = w.hosts('c'), [lost] = w.hosts('gone'), [circuit] = w.control.clusters.circuitsOf('c'), [former] = w.control.clusters.circuitsOf('gone');
  w.remove('gone');
  w.settle();
  assert.deepEqual([w.shared.hosts.active(lost!), w.shared.circuits.value(former, CIRCUIT_KIND.RQ)], [3, 3]);
  const total = (): number | undefined => w.control.own.reader.value('cluster.c.endpoint.10.0.0.1_80.rq_success');
  assert.equal(total(), 5);
  w.kill(0);
  w.startWorker(0);
  w.settle();
  assert.deepEqual([w.shared.hosts.active(host!), w.shared.circuits.value(circuit, CIRCUIT_KIND.RQ), w.shared.hosts.active(lost!), w.shared.circuits.value(former, CIRCUIT_KIND.RQ), total()], [2, 2, 0, 0, 5]);
  w.worker(0).begin('c')!();
  w.settle();
  assert.deepEqual([total(), w.control.takeBack.hostStats(host!)[HOST.rq_success]], [6, 6]);
  w.apply(clusterOf('next', 1), 82);
  assert.deepEqual([w.hosts('next'), w.control.clusters.circuitsOf('next').includes(former)], [[lost], true]);
});

test('a control thread that takes over gives every host and cluster its record, and forgets a cluster that was removed once it has drained', () => {
  const w = new RecordWorld(2), names = (): string[] => [...new Set(w.control.own.reader.scopeList().map((s) => s.prefix).filter((p) => p.startsWith('cluster.')))].sort();
  w.apply(clusterOf('drains', 9), 80); w.apply(clusterOf('missed', 9), 81); w.apply(clusterOf('stays', 3), 82, 83);
  w.settle();
  const end = w.worker(0).begin('drains')!, ends = [w.worker(0).begin('stays')!, w.worker(1).begin('stays')!];
  w.worker(1).begin('missed')!();
  const before = { hosts: w.hosts('stays'), circuits: w.control.clusters.circuitsOf('stays') };
  w.remove('drains');
  w.settle();
  // 'missed' leaves the configuration while there is no control.
  w.replaceControl(() => { w.apply(clusterOf('new', 1), 90); w.apply(clusterOf('stays', 3), 83, 82); });
  w.settle();
  assert.deepEqual([new Set(w.hosts('stays')), w.control.clusters.circuitsOf('stays')], [new Set(before.hosts), before.circuits]);
  const another = w.worker(1).begin('stays');
  assert.notEqual(another, null);
  assert.equal(w.worker(0).begin('stays'), null, 'three at a time, as before');
  assert.deepEqual([w.worker(1).clusters.has('missed'), names()], [false, ['cluster.drains.', 'cluster.stays.', 'cluster.new.'].sort()]);
  end();
  for (const e of ends) e();
  another!();
  w.settle();
  assert.deepEqual(names(), ['cluster.new.', 'cluster.stays.']);
  assert.deepEqual([w.control.books.hosts.orphans(), w.control.books.circuits.orphans()], [[], []]);
  for (let i = 0; i < 64; i++) assert.equal(w.shared.hosts.active(i) + w.shared.circuits.value(i, CIRCUIT_KIND.RQ), 0);
});

test('a removed cluster that had been asked of the workers before control died is not shown for ever', () => {
  const w = new RecordWorld(1), shown = (): boolean => w.control.own.reader.value('cluster.drains.upstream_rq_completed') !== undefined;
  w.apply(clusterOf('drains', 9), 80);
  w.settle();
  const end = w.worker(0).begin('drains')!;
  w.remove('drains');
  w.settle();
  w.replaceControl(() => {});
  end();
  w.worker(0).env.advance(1001); // the old asking is answered before the new one is heard
  assert.ok(!shown());
  w.settle();
  assert.ok(!shown());
});
