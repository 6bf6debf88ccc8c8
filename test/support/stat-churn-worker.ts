// A worker of nothing but stats, for churn: counts under owners as it is told, lets go of them as a data worker does, and says what it counted.
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../engine/loop/clock.ts';
import { TimerWheel } from '../../engine/loop/timer-wheel.ts';
import { CLUSTER, CLUSTER_SCHEMA } from '../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../engine/observe/stats/stat-block.ts';
import { StatLeaves } from '../../engine/observe/stats/stat-leaves.ts';
import { ThreadStatStore } from '../../engine/observe/stats/thread-stat-store.ts';
import { pack, unpack } from '../../engine/plan/plan-wire.ts';
import { Ring } from '../../engine/shm/ring.ts';

export type ChurnOrder = { readonly kind: 'count'; readonly cluster: string } | { readonly kind: 'stats-leave'; readonly owner: string; readonly ask: number } | { readonly kind: 'stats-free'; readonly number: number } | { readonly kind: 'end' };

const { column, config, events } = workerData as { column: SharedArrayBuffer; config: SharedArrayBuffer; events: SharedArrayBuffer };
const orders = new Ring(config), told = new Ring(events), clock = new SystemClock(), wheel = new TimerWheel(clock);
const tell = (e: unknown): void => told.write(pack(e));
const store = new ThreadStatStore(column, tell), leaves = new StatLeaves(store, wheel, tell);
/** Blocks of clusters that are long gone are written to all the same, as a stream that outlives its cluster does. */
const old: StatBlock[] = [];
let lasting = 0;
// Keeps the thread alive while nothing else does.
parentPort!.on('message', () => undefined);

function count(cluster: string): void {
  const owned = store.owned(`cluster.${cluster}`), block = new StatBlock(owned, CLUSTER_SCHEMA, `cluster.${cluster}`);
  block.inc(CLUSTER.upstream_rq_total); block.inc(CLUSTER.upstream_rq_active); block.record(CLUSTER.upstream_cx_length_ms, 12 + old.length % 900);
  owned.column[owned.claimOne(`cluster.${cluster}.upstream_rq_200`, 'counter')]!++;
  block.dec(CLUSTER.upstream_rq_active);
  for (const o of old) { o.inc(CLUSTER.upstream_rq_total); o.record(CLUSTER.upstream_cx_length_ms, 5000); }
  old.push(block);
  if (old.length > 8) old.shift();
  new StatBlock(store.owned('cluster.lasting'), CLUSTER_SCHEMA, 'cluster.lasting').inc(CLUSTER.upstream_rq_total);
  lasting++;
}

for (let going = true; going;) {
  const seen = orders.wakeWord;
  clock.tick(); wheel.advance();
  for (let b = orders.read(); b !== null; b = orders.read()) {
    const o = unpack<ChurnOrder>(b);
    if (o.kind === 'count') count(o.cluster); else if (o.kind === 'stats-leave') leaves.asked(o.owner, o.ask); else if (o.kind === 'stats-free') store.free(o.number); else going = false;
  }
  if (!going) break;
  if (!told.pump()) { await new Promise((r) => setTimeout(r, 1)); continue; }
  const changed = orders.changed(seen);
  if (changed !== null) await changed;
}
parentPort!.postMessage({ lasting, used: store.used });
parentPort!.close();
