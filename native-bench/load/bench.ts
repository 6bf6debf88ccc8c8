// `npm run bench`: Weir, Envoy, HAProxy, nginx (each where installed) and the C floor, in one run and alternating, each pinned to one core with load and
// backend on the other. Prints CPU µs per request (user, sys), requests/s, p50/p99, memory and ratios to Envoy; keeps JSON under native-bench/results.
//   npm run bench -- [--rounds 5] [--seconds 3] [--works 'keep-alive|MiB'] [--proxies weir,envoy] [--readme]
// --readme writes the README's table from the newest runs, and keeps few of them.
// This measures ratios: absolute times of a shared machine mean nothing.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FLOOR, PROXIES, type Certificate, type Job, type Proxy } from './proxies.ts';
import { LOAD_CORE, PROXY_CORE, listening, start, stop, stopAll, usage } from './processes.ts';
import { line, prune, valueOf, writeTable, type Report, type Round } from './report.ts';
import { WORKS, idleConnections, startBackend, warm, type Load, type Work } from './works.ts';

const { values: o } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' }, works: { type: 'string', default: '' }, proxies: { type: 'string', default: '' }, workers: { type: 'string', default: '1' }, readme: { type: 'boolean', default: false } } });
const FIRST_IDLE = 1000, SETTLE_MS = 2500;
const root = new URL('../..', import.meta.url).pathname;
let port = 20_000 + (process.pid % 5000);

/** A self-signed one, P-256. */
function certificate(dir: string): Certificate {
  const cert = join(dir, 'cert.pem'), key = join(dir, 'key.pem'), both = join(dir, 'both.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' });
  writeFileSync(both, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
  return { cert, key, both };
}

async function round(proxy: Proxy, work: Work, seconds: number): Promise<Round> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const job: Job = { port: port++, admin: port++, backend: port++, dir, accessLog: work.accessLog, clusters: proxy.name === 'weir' || proxy.name === 'envoy' ? work.clusters : 0, workers: Number(o.workers), tcp: work.tcp === true, h2Upstream: work.upstream === 'h2', tls: work.tls === true ? certificate(dir) : null };
  const behind = job.h2Upstream ? port++ : job.backend;
  const backends = await startBackend(work, job.backend, behind);
  const { command, args } = proxy.command(job);
  const began = performance.now();
  const child = start(Number(o.workers) > 1 ? `${PROXY_CORE},${LOAD_CORE}` : PROXY_CORE, command, args);
  try {
    await listening(job.port, 60_000);
    const readyMs = performance.now() - began;
    if (work.load !== null) await warm(work, job.port);
    // Idle connections are counted from the second thousand on: the first brings up what all share, and lets what starting has left behind be freed.
    const closes: (() => void)[] = [];
    if (work.idle > 0) { closes.push(await idleConnections(job.port, FIRST_IDLE)); await new Promise((r) => setTimeout(r, SETTLE_MS)); }
    const before = usage(child.pid!);
    let load: Load = { requests: 0, perSecond: 0, p50Us: NaN, p99Us: NaN, errors: 0 };
    if (work.load !== null) load = await work.load(job.port, seconds);
    if (work.idle > 0) { closes.push(await idleConnections(job.port, work.idle)); await new Promise((r) => setTimeout(r, SETTLE_MS)); }
    const after = usage(child.pid!);
    for (const close of closes) close();
    return { ...load, userUs: (after.userUs - before.userUs) / Math.max(1, load.requests), sysUs: (after.sysUs - before.sysUs) / Math.max(1, load.requests), rssKb: before.rssKb, idleRssKb: after.rssKb, readyMs };
  } finally {
    await stop(child);
    for (const b of backends) await stop(b);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  execFileSync('make', ['-s', '-C', join(root, 'native-bench/floor')], { stdio: 'inherit' });
  const wanted = o.proxies === '' ? null : o.proxies.split(',');
  const chosen = PROXIES.filter((p) => wanted === null || wanted.includes(p.name));
  const there = chosen.filter((p) => p.available() || (console.log(`${p.name} is not installed: ${p.howToInstall}`), false));
  const report: Report = {};
  for (const work of WORKS.filter((w) => new RegExp(o.works, 'i').test(w.name))) {
    // A proxy that serves one kind of client only is left out of works of another, and of passing bytes on.
    const serving = there.filter((p) => p.serves === undefined || (work.tcp === undefined && p.serves(work)));
    const list = work.floor && wanted === null ? [...(work.tcp === undefined ? there : serving), FLOOR] : serving;
    const results: Record<string, Round[]> = report[work.name] = Object.fromEntries(list.map((p) => [p.name, []]));
    for (let i = 0; i < Number(o.rounds); i++) for (const p of list) results[p.name]!.push(await round(p, work, Number(o.seconds)));
    console.log(work.name);
    const envoy = results['envoy'] ? valueOf(work, results['envoy']) : 0;
    for (const p of list) console.log(line(p.name, work, results[p.name]!, envoy));
  }
  mkdirSync(join(root, 'native-bench/results'), { recursive: true });
  const path = join(root, 'native-bench/results', `${new Date().toISOString().slice(0, 16).replace(':', '')}.json`);
  writeFileSync(path, JSON.stringify({ at: new Date().toISOString(), node: process.version, rounds: o.rounds, seconds: o.seconds, works: report }, null, 1));
  console.log(`kept in ${path.slice(root.length)}`);
  if (o.readme) { prune(root, 6); writeTable(root); }
}

try { await main(); } finally { await stopAll(); }
