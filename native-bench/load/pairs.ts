// Several proxies, or several checkouts of Weir, side by side for as long as it takes: all are started once and warmed, then each gets a short burst of load in turn.
// Prints the median over the rounds of each one's CPU µs per request and of its ratio to the first in the same round, which holds on a machine that others use.
//   npm run bench:one -- native-bench/load/pairs.ts --works '^h1 keep' --proxies weir,weir@/other/checkout,envoy,haproxy [--rounds 20] [--seconds 1]
// A side 'weir+resilience' (or envoy+resilience, weir+resilience@/checkout) has retries with a budget, hedging, timeouts of a try, health checks, outlier detection and breakers that track:
// beside 'weir' it shows what they cost while nothing fails.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FLOOR, PROXIES, type Job } from './proxies.ts';
import { PROXY_CORE, listening, start, stopAll, usage } from './processes.ts';
import { WORKS, startBackend, warm, type Work } from './works.ts';

const { values: o } = parseArgs({ options: { rounds: { type: 'string', default: '20' }, seconds: { type: 'string', default: '1' }, works: { type: 'string', default: '' }, proxies: { type: 'string', default: 'weir,envoy' } } });
const root = new URL('../..', import.meta.url).pathname;
let port = 25_000 + (process.pid % 5000);

/** CPU of all threads of a process so far, µs, as exact as the scheduler keeps it. */
function cpuUs(pid: number): number {
  let ns = 0;
  for (const t of readdirSync(`/proc/${pid}/task`)) {
    try { ns += Number(readFileSync(`/proc/${pid}/task/${t}/schedstat`, 'utf8').split(' ')[0]); } catch { /* it ended */ }
  }
  return ns / 1000;
}

interface Side { readonly name: string; readonly pid: number; readonly port: number; readonly us: number[]; readonly began: { readonly userUs: number; readonly sysUs: number }; requests: number }

async function side(name: string, work: Work, behind: number, dir: string): Promise<Side> {
  const [kind, checkout] = name.replace('+resilience', '').split('@') as [string, string | undefined];
  const proxy = [...PROXIES, FLOOR].find((p) => p.name === kind);
  if (proxy === undefined) throw new Error(`no proxy '${kind}'`);
  const job: Job = { port: port++, admin: port++, backend: behind, dir: mkdtempSync(join(dir, 'side-')), accessLog: work.accessLog, clusters: kind === 'weir' || kind === 'envoy' ? work.clusters : 0, workers: 1, tcp: work.tcp === true, h2Upstream: work.upstream === 'h2', tls: null, resilience: name.includes('+resilience') };
  const { command, args } = proxy.command(job);
  const child = start(PROXY_CORE, checkout === undefined ? command : join(checkout, 'bin/weir'), args);
  await listening(job.port, 60_000);
  await warm(work, job.port);
  return { name, pid: child.pid!, port: job.port, us: [], began: usage(child.pid!), requests: 0 };
}

async function burst(s: Side, work: Work): Promise<void> {
  const before = cpuUs(s.pid), { requests, errors } = await work.load!(s.port, Number(o.seconds));
  if (requests === 0 || errors > 0) throw new Error(`${s.name}: ${requests} requests, ${errors} errors`);
  s.us.push((cpuUs(s.pid) - before) / requests);
  s.requests += requests;
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;

function told(s: Side, first: Side): string {
  const ratios = s.us.map((u, i) => u / first.us[i]!).sort((a, b) => a - b), at = (q: number): string => ratios[Math.floor(q * (ratios.length - 1))]!.toFixed(3);
  const now = usage(s.pid), user = now.userUs - s.began.userUs, sys = now.sysUs - s.began.sysUs;
  return `  ${s.name.padEnd(30)} ${median(s.us).toFixed(2)} µs, best ${Math.min(...s.us).toFixed(2)} (user ${(100 * user / (user + sys)).toFixed(0)} %), ratio ${at(0.5)} (quartiles ${at(0.25)} to ${at(0.75)}), ${(now.rssKb / 1024).toFixed(0)} MB`;
}

execFileSync('make', ['-s', '-C', join(root, 'native-bench/floor')], { stdio: 'inherit' });
const dir = mkdtempSync(join(tmpdir(), 'weir-pairs-'));
try {
  for (const work of WORKS.filter((w) => w.load !== null && w.tls !== true && new RegExp(o.works, 'i').test(w.name))) {
    const front = port++, behind = work.upstream === 'h2' ? port++ : front, sides: Side[] = [];
    await startBackend(work, front, behind);
    for (const name of o.proxies.split(',')) sides.push(await side(name, work, front, dir));
    for (let i = 0; i < Number(o.rounds); i++) for (const s of sides) await burst(s, work);
    console.log(`${work.name}: ${o.rounds} rounds of ${o.seconds} s`);
    for (const s of sides) console.log(told(s, sides[0]!));
    await stopAll();
  }
} finally { await stopAll(); rmSync(dir, { recursive: true, force: true }); }
