// How good reports of faults are: plants seeded faults in the configurations of test/corpus/config and looks whether each is reported on its line, and whether k faults
// give k reports. `npm run faults` prints the figures of 1,000; the tests take a part.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILERS } from '../../engine/catalog-config.ts';
import { compileBootstrap } from '../../engine/control/compile/bootstrap.ts';
import { formatReport } from '../../engine/proto/config-tree.ts';
import type { Report } from '../../engine/proto/config-message.ts';
import { KINDS, Mutator, SYNTAX, withFaults, type Fault, type Pick } from './mutate.ts';

const CORPUS = join(import.meta.dirname, '../../test/corpus/config');
export const EXAMPLES = readdirSync(CORPUS).sort().map((file) => ({ file, text: readFileSync(join(CORPUS, file), 'utf8') }));

/** Numbers in [0, 1) that are the same every time. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => { a = (a + 0x6d2b79f5) >>> 0; let t = Math.imul(a ^ (a >>> 15), 1 | a); t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t; return ((t ^ (t >>> 14)) >>> 0) / 4294967296; };
}

export function errorsOf(file: string, text: string): Report[] {
  const flags = { serviceNode: '', serviceCluster: '', serviceZone: '', allowUnknown: false, skipDeprecatedLogs: true, statsTags: [], disableExtensions: [] };
  return compileBootstrap({ file, bytes: Buffer.from(text), overlay: '', concurrency: 1, flags }, COMPILERS).reports.filter((r) => r.severity === 'error');
}

export interface Outcome { readonly tried: number; /** The line was right. */ readonly right: number; /** The line was right and there was no other report. */ readonly alone: number; readonly misses: readonly string[]; readonly byKind: Readonly<Record<string, readonly [number, number]>> }

export function singleFaults(count: number, seed: number): Outcome {
  const random = seeded(seed), pick: Pick = (list) => list[Math.floor(random() * list.length)]!, mutators = EXAMPLES.map((e) => ({ ...e, m: new Mutator(e.text) }));
  let right = 0, alone = 0;
  const misses: string[] = [], byKind: Record<string, [number, number]> = {};
  for (let tried = 0; tried < count;) {
    const { file, m } = pick(mutators), f = m.plant(pick(KINDS), pick);
    if (f === null || (file.endsWith('.json') && (f.kind === 'bad indentation' || f.kind === 'missing colon'))) continue;
    tried++;
    const errors = errorsOf(file, withFaults(m.text, [f])), hit = errors.some((r) => f.lines.includes(r.place.line)), only = hit && errors.length === 1, of = byKind[f.kind] ??= [0, 0];
    of[1]++;
    if (hit) { right++; of[0]++; }
    if (only) alone++; else misses.push(`${hit ? 'more than one report' : 'the wrong line'}: ${f.kind} at ${file}:${f.lines.join('|')} ${f.path} → ${f.text.trim()}\n${errors.map((r) => `    ${formatReport(r)}`).join('\n')}`);
  }
  return { tried: count, right, alone, misses, byKind };
}

/** Several faults at once: each has its report, on its line. */
export function manyFaults(count: number, seed: number): { readonly tried: number; readonly same: number; readonly misses: readonly string[] } {
  const random = seeded(seed), pick: Pick = (list) => list[Math.floor(random() * list.length)]!, mutators = EXAMPLES.map((e) => ({ ...e, m: new Mutator(e.text) }));
  let same = 0;
  const misses: string[] = [];
  for (let tried = 0; tried < count; tried++) {
    const { file, m } = pick(mutators), faults: Fault[] = [];
    for (let i = 0; i < 40 && faults.length < 2 + (tried % 4); i++) {
      const f = m.plant(pick(KINDS.filter((k) => !SYNTAX.has(k))), pick);
      if (f !== null && !faults.some((o) => (f.extent[0] <= o.extent[1] && o.extent[0] <= f.extent[1]) || o.lines.some((l) => f.lines.includes(l)))) faults.push(f);
    }
    const errors = errorsOf(file, withFaults(m.text, faults));
    if (errors.length === faults.length && faults.every((f) => errors.some((r) => f.lines.includes(r.place.line)))) same++;
    else misses.push(`${file}: ${faults.map((f) => `${f.kind} ${f.lines.join('|')} ${f.path} → ${f.text.trim()}`).join('; ')}\n${errors.map((r) => `    ${formatReport(r)}`).join('\n')}`);
  }
  return { tried: count, same, misses };
}

if (import.meta.main) {
  const seed = Number(process.argv[2] ?? 1), one = singleFaults(1000, seed), many = manyFaults(300, seed);
  for (const m of process.argv.includes('--verbose') ? [...one.misses, ...many.misses] : []) console.log(m);
  console.log(`1,000 single faults: ${one.right} with the right line (${(one.right / 10).toFixed(1)} %), ${one.alone} with no other report; ${many.same} of ${many.tried} configurations with two to five faults have exactly as many reports`);
  console.log(Object.entries(one.byKind).map(([k, [a, b]]) => `${k} ${a}/${b}`).join(', '));
}
