// What a run has measured, as lines and as the README's table. Values are medians of rounds; the table is of ratios to Envoy in the same run.
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Load, Work } from './works.ts';
import { WORKS } from './works.ts';

export interface Round extends Load { readonly userUs: number; readonly sysUs: number; readonly rssKb: number; readonly idleRssKb: number; readonly readyMs: number }
/** Rounds by work and proxy. */
export type Report = Record<string, Record<string, Round[]>>;

const median = (list: readonly number[]): number => { const s = [...list].sort((a, b) => a - b); return s.length ? s[s.length >> 1]! : NaN; };

/** What a work compares: CPU µs per request, or kB per idle connection. */
export function valueOf(work: Pick<Work, 'idle'>, rounds: readonly Round[]): number {
  const m = (f: (r: Round) => number): number => median(rounds.map(f));
  return work.idle > 0 ? (m((r) => r.idleRssKb) - m((r) => r.rssKb)) / work.idle : m((r) => r.userUs + r.sysUs);
}

export function line(name: string, work: Work, rounds: readonly Round[], envoy: number): string {
  const m = (f: (r: Round) => number): number => median(rounds.map(f)), value = valueOf(work, rounds);
  const cells = work.idle > 0
    ? [`${value.toFixed(2)} kB per idle connection`, `base ${(m((r) => r.rssKb) / 1024).toFixed(0)} MB`]
    : [`${value.toFixed(1)} µs (user ${m((r) => r.userUs).toFixed(1)}, sys ${m((r) => r.sysUs).toFixed(1)})`, `${m((r) => r.perSecond).toFixed(0)} rq/s`, ...(Number.isNaN(m((r) => r.p50Us)) ? [] : [`p50 ${m((r) => r.p50Us).toFixed(0)} µs`, `p99 ${m((r) => r.p99Us).toFixed(0)} µs`]), `${(m((r) => r.rssKb) / 1024).toFixed(0)} MB`, `ready ${m((r) => r.readyMs).toFixed(0)} ms`];
  const errors = rounds.reduce((n, r) => n + r.errors, 0);
  return `  ${name.padEnd(8)} ${cells.join(', ')}${envoy > 0 ? `, ${(value / envoy).toFixed(2)} × Envoy` : ''}${errors ? `, ${errors} errors` : ''}`;
}

/** Writes the README's table between its markers: of each work the newest run that has Weir and Envoy. */
export function writeTable(root: string): void {
  const dir = join(root, 'native-bench/results'), newest: Report = {};
  for (const f of readdirSync(dir).filter((n) => n.endsWith('.json')).sort()) {
    const { works } = JSON.parse(readFileSync(join(dir, f), 'utf8')) as { works: Report };
    for (const [name, results] of Object.entries(works)) if (results['weir']?.length && results['envoy']?.length) newest[name] = results;
  }
  const columns = ['weir', 'haproxy', 'nginx', 'nghttpx', 'floor'];
  const rows = WORKS.filter((w) => newest[w.name] !== undefined).map((w) => {
    const results = newest[w.name]!, envoy = valueOf(w, results['envoy']!);
    const ratio = (p: string): string => (results[p]?.length ? (valueOf(w, results[p]!) / envoy).toFixed(2) : '–');
    return `| ${w.name}${w.idle > 0 ? ', memory' : ''} | ${columns.map(ratio).join(' | ')} |`;
  });
  const text = ['', 'CPU per request of the proxy (user and kernel), or memory per connection; Envoy 1.40 = 1.', '', '| work | Weir | HAProxy | nginx | nghttpx | C forwarder |', '| --- | --- | --- | --- | --- | --- |', ...rows, ''].join('\n');
  const path = join(root, 'README.md'), readme = readFileSync(path, 'utf8');
  writeFileSync(path, readme.replace(/<!-- bench -->[^]*<!-- \/bench -->/, `<!-- bench -->${text}<!-- /bench -->`));
}

/** Keeps the newest `count` results. */
export function prune(root: string, count: number): void {
  const dir = join(root, 'native-bench/results');
  for (const f of readdirSync(dir).filter((n) => n.endsWith('.json')).sort().reverse().slice(count)) rmSync(join(dir, f));
}
