// Counting: a counter, a gauge, a histogram of this thread's column; a first use for comparison.
import Benchmark from 'benchmark';
import { CLUSTER, CLUSTER_SCHEMA } from '../../engine/observe/stats/schemas.ts';
import { StatBlock } from '../../engine/observe/stats/stat-block.ts';
import { ThreadStatStore } from '../../engine/observe/stats/thread-stat-store.ts';
import { workerMemory } from '../../workers/threads.ts';
import { printed } from './in-process.ts';

const block = new StatBlock(new ThreadStatStore(workerMemory().column, () => {}), CLUSTER_SCHEMA, 'cluster.a');
let n = 0;
printed(new Benchmark.Suite()
  .add('counter', () => block.inc(CLUSTER.upstream_rq_total))
  .add('gauge up and down', () => { block.inc(CLUSTER.upstream_rq_active); block.dec(CLUSTER.upstream_rq_active); })
  .add('histogram', () => block.record(CLUSTER.upstream_rq_time, n++ % 5000)))
  .run();
if (block.own(CLUSTER.upstream_rq_active) !== 0) throw new Error('miscounted');
