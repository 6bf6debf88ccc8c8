// What the policies of resilience cost a request while nothing fails: the same GET through a worker without and one with retries under a budget, hedging, timeouts of a try,
// outlier detection and breakers that track what remains. (Health checks are the control thread's, so not in here.) Batches of both in turns; the best and the median of each.
import { POLICIES } from '../load/proxies.ts';
import { GET, httpBootstrap, inProcess, type InProcess } from './in-process.ts';

const ANSWER = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 128\r\ncontent-type: text/plain\r\n\r\n${'x'.repeat(128)}`, 'latin1');
const ROUNDS = 5000, BATCH = 40, CONNECTIONS = 64;
const PLAIN = { name: 'plain', route: '', cluster: '' };
/** One policy after the other, then all: which of them costs what. */
const SIDES = [
  PLAIN,
  { name: 'timeouts', route: POLICIES.timeouts, cluster: '' },
  { name: 'retries', route: POLICIES.retries, cluster: '' },
  { name: 'retries, hedging', route: `${POLICIES.hedging}, ${POLICIES.retries}`, cluster: '' },
  { name: 'breakers', route: '', cluster: `circuit_breakers: {thresholds: [{${POLICIES.threshold}}]}` },
  { name: 'outlier detection', route: '', cluster: POLICIES.outlier },
  { name: 'all', route: `${POLICIES.timeouts}, ${POLICIES.hedging}, ${POLICIES.retries}`, cluster: `circuit_breakers: {thresholds: [{${POLICIES.threshold}}]}, ${POLICIES.outlier}` },
];

async function side(s: typeof PLAIN): Promise<{ readonly name: string; readonly us: number[]; batch(): number }> {
  const yaml = httpBootstrap({ virtualHosts: `{name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: backend${s.route && `, ${s.route}`}}}]}` });
  const worker: InProcess = await inProcess(s.cluster === '' ? yaml : yaml.replace('connect_timeout: 1s,', `connect_timeout: 1s, ${s.cluster},`), (upstream) => upstream.sink.onData(ANSWER, 0, ANSWER.length));
  const clients = Array.from({ length: CONNECTIONS }, () => worker.transport.accept());
  let next = 0;
  return {
    name: s.name, us: [],
    batch: () => {
      worker.turn(); // its clock has stood still
      const start = performance.now();
      for (let i = 0; i < BATCH; i++) {
        const c = clients[next++ % CONNECTIONS]!, before = c.bytes;
        c.sink.onData(GET, 0, GET.length);
        worker.turn();
        for (let k = 0; k < 5 && c.bytes === before; k++) worker.turn(); // a first connection
        if (c.bytes - before < 128) throw new Error(`${s.name}: no answer`);
      }
      return ((performance.now() - start) * 1000) / BATCH;
    },
  };
}

const only = process.argv[2], chosen = only === undefined ? SIDES : [PLAIN, SIDES.find((s) => s.name === only)!];
const sides = [];
for (const s of chosen) sides.push(await side(s));
for (let i = 0; i < 400; i++) for (const s of sides) s.batch();
for (let i = 0; i < ROUNDS; i++) for (const s of sides) s.us.push(s.batch());
const at = (list: readonly number[], q: number): number => [...list].sort((a, b) => a - b)[Math.floor(q * (list.length - 1))]!;
// The quickest tenth is what ran without being interrupted.
for (const s of sides) console.log(`${s.name}: quickest tenth ${at(s.us, 0.05).toFixed(2)} µs (${(at(s.us, 0.05) - at(sides[0]!.us, 0.05)).toFixed(2)} more), best ${at(s.us, 0).toFixed(2)}, median ${at(s.us, 0.5).toFixed(2)}`);
process.exit(0);
