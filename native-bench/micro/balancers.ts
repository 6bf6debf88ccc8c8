// Picking a host: each policy over 10 and 1,000 hosts, equal and weighted.
import Benchmark from 'benchmark';
import { RequestHeaders } from '../../engine/headers/headers.ts';
import { ConnectionFacts, StreamFacts } from '../../engine/observe/stream-facts.ts';
import type { PickContext } from '../../engine/upstream/upstream.ts';
import { httpBootstrap, inProcess, printed } from './in-process.ts';

const suite = new Benchmark.Suite(), request = new RequestHeaders();
request.path = '/';
for (const policy of ['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM', 'RING_HASH', 'MAGLEV']) {
  for (const [hosts, weighted] of [[10, false], [1000, false], [1000, true]] as const) {
    const endpoints = Array.from({ length: hosts }, (_, i) => `{endpoint: {address: {socket_address: {address: 10.0.${i >> 8}.${i & 255}, port_value: 80}}}${weighted ? `, load_balancing_weight: ${1 + (i % 7)}` : ''}}`).join(', ');
    const worker = await inProcess(httpBootstrap({ clusters: `  - {name: c, type: STATIC, lb_policy: ${policy}, load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [${endpoints}]}]}}` }), () => {});
    const cluster = worker.clusters.get('c')!, facts = new StreamFacts(new ConnectionFacts());
    const context = { hasHash: true, hashHigh: 1, hashLow: 2, avoid: null, maxReselect: 0, overrideHost: null, request, facts, metadataMatch: null, client: null } as unknown as PickContext & { hashLow: number };
    let n = 0;
    suite.add(`${policy}, ${hosts} hosts${weighted ? ', weighted' : ''}`, () => { context.hashLow = n++ | 0; if (cluster.choose(context) === null) throw new Error('no host'); });
  }
}
printed(suite).run();
