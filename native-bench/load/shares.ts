// How evenly two workers share load: connections and CPU time of each, for Weir and Envoy in one run, and requests where a proxy tells them (Weir: /server_info).
//   npm run bench:one -- native-bench/load/shares.ts [--seconds 3] [--rounds 1] [--connections 64,128,256] [--proxies weir,envoy]
// All programs have both cores: on a machine that others use the workers' requests follow the cores' leisure, and the connections alone are exact.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LOAD_CORE, PROXY_CORE, listening, start, stop, stopAll, workerCpu } from './processes.ts';
import { PROXIES, type Job, type Proxy } from './proxies.ts';

const { values: o } = parseArgs({ options: { seconds: { type: 'string', default: '3' }, rounds: { type: 'string', default: '1' }, connections: { type: 'string', default: '64,128,256' }, proxies: { type: 'string', default: 'weir,envoy' } } });
const root = new URL('../..', import.meta.url).pathname, BOTH = `${PROXY_CORE},${LOAD_CORE}`, WORKERS = [0, 1];
let port = 22_000 + (process.pid % 3000);

const text = async (url: string): Promise<string> => (await fetch(url)).text();
type Shares = { readonly connections: number[]; readonly cpuUs: number[]; readonly requests: number[] | null };

async function counts(job: Job, pid: number): Promise<Shares> {
  const stats = await text(`http://127.0.0.1:${job.admin}/stats?filter=worker_._*.downstream_cx_total`), cpu = workerCpu(pid);
  const told = /"weir":(\{.*?\]\})/s.exec((await text(`http://127.0.0.1:${job.admin}/server_info`)).replace(/\s+/g, ''))?.[1];
  const workers = told === undefined ? null : (JSON.parse(told) as { workers: { id: number; downstream_rq_total: number }[] }).workers;
  return {
    connections: WORKERS.map((w) => Number(new RegExp(`_${job.port}\\.worker_${w}\\.downstream_cx_total: (\\d+)`).exec(stats)?.[1] ?? 0)),
    cpuUs: WORKERS.map((w) => cpu.get(w) ?? 0),
    requests: workers === null ? null : WORKERS.map((w) => workers.find((x) => x.id === w)?.downstream_rq_total ?? 0),
  };
}

/** 'a/b (+n %)': how much more the larger one is. */
function ratio(list: readonly number[], unit = 1): string {
  const [a, b] = list as [number, number];
  return `${Math.round(a / unit)}/${Math.round(b / unit)} (+${((Math.max(a, b) / Math.max(1, Math.min(a, b)) - 1) * 100).toFixed(0)} %)`;
}

const done = (command: string, args: string[]): Promise<void> => new Promise((resolve, reject) => { const child = spawn(command, args, { stdio: 'ignore' }); child.on('error', reject); child.on('close', () => resolve()); });
const LOADS: readonly { readonly name: string; run(connections: number): Promise<void> }[] = [
  { name: 'wrk', run: (n) => done('wrk', ['-t1', `-c${n}`, `-d${o.seconds}s`, `http://127.0.0.1:${port}/`]) },
  // As many requests on each connection as the time allows to everybody: what is left is how connections are shared.
  { name: 'h2load --h1 --rps=10', run: (n) => done('h2load', ['-t1', '--h1', '--rps=10', `-c${n}`, `-D${o.seconds}`, `http://127.0.0.1:${port}/`]) },
  { name: 'h2load -m10', run: (n) => done('h2load', ['-t1', `-c${n}`, '-m10', `-D${o.seconds}`, `http://127.0.0.1:${port}/`]) },
];

async function play(proxy: Proxy): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-shares-')), backend = port + 6000;
  const job: Job = { port, admin: port + 3000, backend, dir, accessLog: false, clusters: 0, workers: 2, tcp: false, h2Upstream: false, tls: null };
  const server = start(BOTH, join(root, 'native-bench/floor/bin/backend'), [String(backend), '128', '0']);
  const { command, args } = proxy.command(job), child = start(BOTH, command, args);
  try {
    await listening(port, 60_000);
    await LOADS[0]!.run(64); // code that is compiled while it runs belongs to no worker's share
    for (const load of LOADS) for (const n of o.connections.split(',').map(Number)) {
      const before = await counts(job, child.pid!);
      await load.run(n);
      const after = await counts(job, child.pid!), of = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x - b[i]!);
      console.log(`${proxy.name.padEnd(6)} ${load.name} -c${n}: connections ${ratio(of(after.connections, before.connections))}, CPU ms ${ratio(of(after.cpuUs, before.cpuUs), 1000)}${after.requests === null ? '' : `, requests ${ratio(of(after.requests, before.requests!))}`}`);
    }
  } finally { await stop(child); await stop(server); rmSync(dir, { recursive: true, force: true }); port++; }
}

execFileSync('make', ['-s', '-C', join(root, 'native-bench/floor')], { stdio: 'inherit' });
try { for (let i = 0; i < Number(o.rounds); i++) for (const p of PROXIES) if (o.proxies.split(',').includes(p.name) && p.available()) await play(p); } finally { await stopAll(); }
