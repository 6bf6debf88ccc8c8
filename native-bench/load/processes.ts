// Starting, pinning and measuring the programs of a load run. Linux only: CPU times come from /proc.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';

/** One core for the proxy under test, the other for load and backends. */
export const PROXY_CORE = '0';
export const LOAD_CORE = '1';

const started: ChildProcess[] = [];

/** Starts a program pinned to a core; ended with the bench. */
export function start(core: string, command: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn('taskset', ['-c', core, command, ...args], { stdio: ['ignore', 'ignore', process.env['BENCH_LOG'] ? 'inherit' : 'ignore'], env: { ...process.env, ...env } });
  started.push(child);
  return child;
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((r) => child.once('exit', r));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 1500);
  // Envoy and Weir drain on SIGTERM; a second one stops.
  setTimeout(() => child.exitCode === null && child.kill('SIGTERM'), 300);
  await gone;
  clearTimeout(timer);
}

export async function stopAll(): Promise<void> { await Promise.all(started.map(stop)); }

/** Runs to the end on the load core and gives its output. */
export function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('taskset', ['-c', LOAD_CORE, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (b: Buffer) => { out += b; });
    child.stderr.on('data', (b: Buffer) => { out += b; });
    child.on('error', reject);
    child.on('close', () => resolve(out));
  });
}

/** Waits until a TCP port accepts. */
export async function listening(port: number, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  for (;;) {
    const ok = await new Promise<boolean>((resolve) => {
      const s = connect(port, '127.0.0.1', () => { s.destroy(); resolve(true); });
      s.on('error', () => resolve(false));
    });
    if (ok) return;
    if (Date.now() > end) throw new Error(`nothing listens on ${port}`);
    await new Promise((r) => setTimeout(r, 30));
  }
}

/** A process and its descendants. */
function tree(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      parents.set(ppid, [...(parents.get(ppid) ?? []), Number(entry)]);
    } catch { /* it ended */ }
  }
  const all = [pid];
  for (let i = 0; i < all.length; i++) all.push(...(parents.get(all[i]!) ?? []));
  return all;
}

/** CPU so far of the data workers of a process tree, by their number: µs, from threads called as Envoy calls them. */
export function workerCpu(pid: number): Map<number, number> {
  const out = new Map<number, number>();
  for (const p of tree(pid)) for (const thread of readdirSync(`/proc/${p}/task`)) {
    const stat = readFileSync(`/proc/${p}/task/${thread}/stat`, 'utf8'), name = /\(wrk:worker_(\d+)\)/.exec(stat);
    if (name === null) continue;
    const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    out.set(Number(name[1]), (Number(f[11]) + Number(f[12])) * 10_000);
  }
  return out;
}

export interface Usage { readonly userUs: number; readonly sysUs: number; readonly rssKb: number }

/** CPU so far (µs, 10 ms steps of the kernel's clock ticks) and memory of a process tree. */
export function usage(pid: number): Usage {
  let user = 0, sys = 0, rss = 0;
  for (const p of tree(pid)) {
    try {
      const stat = readFileSync(`/proc/${p}/stat`, 'utf8');
      const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      user += Number(f[11]); sys += Number(f[12]);
      rss += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${p}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch { /* it ended */ }
  }
  return { userUs: user * 10_000, sysUs: sys * 10_000, rssKb: rss };
}
