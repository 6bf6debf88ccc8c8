// Runs alone: it measures time or load.
// The parity suite: the same configuration and traffic as the recorded real Envoy 1.40, through Weir. Every case of the topics built must be the same, but for
// known-differences.json, where each entry has its reason; an entry that starts to pass fails here, so that the list stays true.
// WEIR_PARITY='routing|admin' narrows it; WEIR_PARITY_UNTIL (seconds of the epoch, from `npm test`) bounds it on a slow machine: topics that no time is left for are skipped, others
// each day; scripts/parity.ts runs it by hand and records anew from the real Envoy.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

interface Known { readonly modules: readonly string[]; readonly differences: Record<string, string>; readonly notBuilt: Record<string, string> }
interface Result { readonly case: string; readonly same: boolean; readonly diffs: string[] }

// WEIR_TRANSPORT=node plays all over node:net (test/README.md).
const PLAYED_ON = process.env['WEIR_TRANSPORT'] ?? '', PROXY = PLAYED_ON === '' ? './bin/weir' : `./bin/weir --transport=${PLAYED_ON}`;
const here = new URL('.', import.meta.url).pathname;
const known = JSON.parse(readFileSync(join(here, 'known-differences.json'), 'utf8')) as Known;

function runOracle(filter: string, jobs: number): Promise<Result[]> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-parity-'));
  const json = join(dir, 'report.json');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(here, 'run.mjs'), '--proxy', PROXY, '--recorded', join(here, 'recorded-envoy-1.40.json'), '--jobs', String(jobs), '--filter', filter, '--json', json], { cwd: join(here, '../..'), stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (b: Buffer) => { out += b; });
    child.stderr.on('data', (b: Buffer) => { out += b; });
    child.on('close', () => {
      try { resolve(JSON.parse(readFileSync(json, 'utf8')) as Result[]); } catch { reject(new Error(out.slice(-2000))); } finally { rmSync(dir, { recursive: true, force: true }); }
    });
  });
}

const modules = known.modules.filter((m) => new RegExp(process.env['WEIR_PARITY'] ?? '').test(m));
const until = Number(process.env['WEIR_PARITY_UNTIL'] ?? Infinity) * 1000, day = Math.floor(Date.now() / 86_400_000) % Math.max(1, modules.length);
const results: Result[] = [], played = new Set<string>();
for (const m of [...modules.slice(day), ...modules.slice(0, day)]) {
  if (Date.now() > until) { test(`${m}: as Envoy 1.40`, { skip: 'no time is left on this machine; npm run parity plays all' }); continue; }
  results.push(...await runOracle(`^${m}:`, 2));
  played.add(m);
}
// Cases have clocks of a few hundred ms. One that differs is played once more by itself before it is believed, so that a busy machine is not taken for a fault.
const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
for (const [i, r] of results.entries()) if (!r.same && known.differences[r.case] === undefined && known.notBuilt[r.case] === undefined) results[i] = (await runOracle(`^${literal(r.case)}$`, 1))[0] ?? r;

for (const r of results) {
  const reason = known.differences[r.case] ?? known.notBuilt[r.case];
  if (reason === undefined) test(`${r.case}: as Envoy 1.40`, () => assert.deepEqual(r.diffs, []));
  else test(`${r.case}: differs as listed (${reason})`, () => assert.equal(r.same, false, 'this case passes now: take it off known-differences.json'));
}

test('every listed difference names a case that exists', () => {
  const names = new Set(results.map((r) => r.case));
  for (const name of [...Object.keys(known.differences), ...Object.keys(known.notBuilt)]) if (played.has(name.split(':')[0]!)) assert.ok(names.has(name), `no case is called "${name}"`);
});
