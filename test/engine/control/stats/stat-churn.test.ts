// Clusters that come and go give their stat slots back: with real threads and rings, and what a thread still holds of a removed one harms nobody.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { ProcessStats } from '../../../../engine/control/stats/process-stats.ts';
import { ManualClock } from '../../../../engine/loop/clock.ts';
import { TimerWheel } from '../../../../engine/loop/timer-wheel.ts';
import { CLUSTER, CLUSTER_SCHEMA, REQUEST_SCOPE_SCHEMA } from '../../../../engine/observe/stats/schemas.ts';
import type { CountedHost } from '../../../../engine/plan/route-plan.ts';
import { StatBlock } from '../../../../engine/observe/stats/stat-block.ts';
import { SINK } from '../../../../engine/observe/stats/stat-column.ts';
import { StatLeaves, type StatsTold } from '../../../../engine/observe/stats/stat-leaves.ts';
import { ThreadStatStore, type StatClaim } from '../../../../engine/observe/stats/thread-stat-store.ts';
import { pack, unpack } from '../../../../engine/plan/plan-wire.ts';
import type { PlanRecord } from '../../../../engine/plan/records.ts';
import { Ring } from '../../../../engine/shm/ring.ts';
import type { ChurnOrder } from '../../../support/stat-churn-worker.ts';

type Event = StatClaim | StatsTold;
const take = (stats: ProcessStats, id: number, e: Event): void => { if (e.kind === 'stat-gone' || e.kind === 'stats-left' || e.kind === 'stats-owner') stats.onLeave(id, e); else stats.reader.claim(id, e); };
function names(stats: ProcessStats, prefix: string): string[] { const out: string[] = [], w = stats.reader.walk(); while (w.next()) if (w.name.startsWith(prefix)) out.push(w.name); return out; }

/** One worker without a thread, whose messages are given by hand. */
class Bench {
  readonly clock = new ManualClock();
  readonly wheel = new TimerWheel(this.clock);
  readonly toWorker: PlanRecord[] = [];
  readonly toControl: Event[] = [];
  readonly stats = new ProcessStats(1, { send: (_id, records) => { this.toWorker.push(...records); }, workerIds: () => [0], soon: (task) => task() });
  readonly store: ThreadStatStore;
  readonly leaves: StatLeaves;
  constructor(slots = 8192) {
    const memory = new SharedArrayBuffer(8 * slots);
    this.stats.reader.attach(0, memory);
    this.store = new ThreadStatStore(memory, (c) => { this.toControl.push(c); });
    this.leaves = new StatLeaves(this.store, this.wheel, (e) => { this.toControl.push(e); });
  }
  block(name: string): StatBlock { return new StatBlock(this.store.owned(`cluster.${name}`), CLUSTER_SCHEMA, `cluster.${name}`); }
  workerReads(): void { for (const r of this.toWorker.splice(0)) if (r.kind === 'stats-leave') this.leaves.asked(r.owner, r.ask); else if (r.kind === 'stats-free') this.store.free(r.number); }
  controlReads(): void { for (const e of this.toControl.splice(0)) take(this.stats, 0, e); }
  settle(): void { for (let i = 0; i < 4; i++) { this.controlReads(); this.workerReads(); } }
  total(name: string): number | undefined { return this.stats.reader.value(`cluster.${name}.upstream_rq_total`); }
}

test('5,000 cluster versions with two threads: columns, names and what is kept stay as large as after the first hundred, and no count is lost', async () => {
  const rings = [0, 1].map(() => ({ column: new SharedArrayBuffer(8 << 17), config: new SharedArrayBuffer(Ring.bytes(1 << 16)), events: new SharedArrayBuffer(Ring.bytes(1 << 16)) }));
  const channels = rings.map((r) => ({ config: new Ring(r.config), events: new Ring(r.events) }));
  const threads = rings.map((r) => new Worker(new URL('../../../support/stat-churn-worker.ts', import.meta.url), { workerData: r }));
  const ends = threads.map((t) => new Promise<{ lasting: number; used: number }>((done, fail) => { t.once('message', done); t.once('error', fail); }));
  const say = (id: number, o: ChurnOrder | PlanRecord): void => channels[id]!.config.write(pack(o));
  const stats = new ProcessStats(2, { send: (id, records) => { for (const r of records) say(id, r); }, workerIds: () => [0, 1], soon: (task) => { setImmediate(task); } });
  rings.forEach((r, id) => stats.reader.attach(id, r.column));
  const read = (): void => channels.forEach((c, id) => { c.config.pump(); for (let b = c.events.read(); b !== null; b = c.events.read()) take(stats, id, unpack<Event>(b)); });
  stats.declareCluster('lasting');
  const VERSIONS = 5000, LIVE = 20;
  let most = 0;
  for (let i = 0; i < VERSIONS; i++) {
    stats.declareCluster(`c${i}`);
    for (const id of [0, 1]) say(id, { kind: 'count', cluster: `c${i}` });
    if (i >= LIVE) stats.retireCluster(`c${i - LIVE}`);
    read();
    if (i % 100 === 99) { await new Promise((r) => setImmediate(r)); while (channels.some((c) => c.config.used > 32_768 || c.config.backlog > 0)) { read(); await new Promise((r) => setTimeout(r, 0)); } most = Math.max(most, stats.reader.scopeList().length); }
  }
  for (let i = VERSIONS - LIVE; i < VERSIONS; i++) stats.retireCluster(`c${i}`);
  const until = Date.now() + 20_000;
  while (names(stats, 'cluster.c').length > 0 && Date.now() < until) { read(); await new Promise((r) => setTimeout(r, 1)); }
  assert.deepEqual(names(stats, 'cluster.c'), []);
  for (const id of [0, 1]) say(id, { kind: 'end' });
  const done = await Promise.all(ends);
  assert.equal(stats.reader.value('cluster.lasting.upstream_rq_total'), 2 * VERSIONS);
  assert.deepEqual(done.map((d) => d.lasting), [VERSIONS, VERSIONS]);
  // Some 250 slots a cluster: 5,000 of them would be more than a million; how many are there at once is the threads' pace.
  for (const d of done) assert.ok(d.used < 450_000, `${d.used} slots`);
  assert.ok(most < 1500, `${most} scopes`);
});

test('a removed cluster is shown while something is active there, then its names are gone and its slots serve the next', () => {
  const b = new Bench();
  b.stats.declareCluster('a'); b.stats.declareCluster('a.b');
  const block = b.block('a'), other = b.block('a.b');
  block.inc(CLUSTER.upstream_rq_total); block.inc(CLUSTER.upstream_cx_active); other.inc(CLUSTER.upstream_rq_total);
  b.settle();
  b.stats.retireCluster('a');
  b.settle();
  assert.equal(b.total('a'), 1);
  block.inc(CLUSTER.upstream_rq_total); block.dec(CLUSTER.upstream_cx_active);
  b.clock.set(b.clock.nowMs() + 1001); b.wheel.advance(); b.settle();
  assert.deepEqual([b.total('a'), b.total('a.b')], [undefined, 1], 'nothing of a cluster goes with one whose name it starts with');
  const { used } = b.store;
  b.stats.declareCluster('c');
  b.block('c').inc(CLUSTER.upstream_rq_total);
  block.add(CLUSTER.upstream_rq_total, 1000); block.inc(CLUSTER.upstream_cx_active);
  b.settle();
  assert.deepEqual([b.total('c'), b.store.used], [1, used]);
});

test('slots are not handed out again before control has stopped reading them', () => {
  const b = new Bench();
  b.stats.declareCluster('a');
  b.block('a').inc(CLUSTER.upstream_rq_total);
  b.settle();
  b.stats.retireCluster('a'); b.workerReads();
  const before = b.store.used;
  b.stats.declareCluster('c');
  b.block('c').inc(CLUSTER.upstream_rq_total);
  assert.ok(b.store.used > before, 'control has not answered yet');
  assert.equal(b.total('a'), 1);
  b.settle();
  assert.deepEqual([b.total('a'), b.total('c')], [undefined, 1]);
});

test('a cluster that is back before the workers have let go counts on; one that is back later starts from 0', () => {
  const b = new Bench();
  b.stats.declareCluster('a');
  const block = b.block('a');
  block.add(CLUSTER.upstream_rq_total, 3); block.inc(CLUSTER.upstream_rq_active);
  b.settle();
  b.stats.retireCluster('a'); b.workerReads();
  b.stats.declareCluster('a');
  const again = b.block('a');
  block.dec(CLUSTER.upstream_rq_active); again.inc(CLUSTER.upstream_rq_total);
  b.clock.set(b.clock.nowMs() + 1001); b.wheel.advance(); b.settle();
  again.inc(CLUSTER.upstream_rq_total);
  assert.equal(b.total('a'), 5);
  b.stats.retireCluster('a'); b.settle();
  b.stats.declareCluster('a');
  b.block('a').inc(CLUSTER.upstream_rq_total);
  b.settle();
  assert.equal(b.total('a'), 1);
});

test('a worker that dies keeps nobody waiting, and a full column says so once and corrupts nothing', () => {
  const b = new Bench(SINK + CLUSTER_SCHEMA.names.length + 1);
  b.stats.declareCluster('a'); b.stats.declareCluster('b');
  let told = 0;
  const store = new ThreadStatStore(new SharedArrayBuffer(8 * (SINK + CLUSTER_SCHEMA.names.length + 1)), () => undefined, () => { told++; });
  const first = new StatBlock(store, CLUSTER_SCHEMA, 'cluster.a'), none = new StatBlock(store, CLUSTER_SCHEMA, 'cluster.b');
  first.inc(CLUSTER.upstream_rq_total);
  for (let i = 0; i < CLUSTER_SCHEMA.names.length; i++) none.inc(i);
  none.record(CLUSTER.upstream_cx_length_ms, 5);
  assert.deepEqual([told, first.own(CLUSTER.upstream_rq_total), first.own(CLUSTER.upstream_cx_total)], [1, 1, 0]);
  b.block('a').inc(CLUSTER.upstream_cx_active); b.settle();
  b.stats.retireCluster('a'); b.settle();
  assert.notEqual(b.total('a'), undefined);
  b.stats.workerDown(0);
  assert.equal(b.total('a'), undefined);
});

test('the stat_prefix of a listener\'s filters and virtual hosts with stats go with the last that has them', () => {
  const b = new Bench(), host = (name: string): CountedHost => ({ name, scopes: ['vcluster.x'] });
  b.stats.declareRoutes('one', [host('v'), host('w')]); b.stats.declareRoutes('two', [host('v')]);
  for (const h of ['v', 'w']) { const s = b.store.owned(`vhost.${h}`); s.column[s.claimOne(`vhost.${h}.vcluster.x.upstream_rq_200`, 'counter')]!++; }
  b.settle();
  b.stats.declareRoutes('one', []); b.settle();
  assert.deepEqual(names(b.stats, 'vhost.'), ['200', ...REQUEST_SCOPE_SCHEMA.names.map((n) => n.slice('upstream_rq_'.length))].map((n) => `vhost.v.vcluster.x.upstream_rq_${n}`));
  b.stats.declareRoutes('two', []); b.settle();
  assert.deepEqual(names(b.stats, 'vhost.'), []);
});
