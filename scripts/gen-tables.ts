// Makes the tables of what is supported from what the compiler does: engine/proto/field-status.md (every field that a configuration can reach) and the summary in the
// README. `npm run tables` after a feature has landed; `--check` tells whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { EXTENSIONS } from '../engine/catalog-config.ts';
import { FieldWalk, type FieldStatus } from './fields/walk.ts';

const short = (name: string): string => name.replace(/^envoy\.(config|extensions)\./, '').replace(/^envoy\./, '');

function messageSection(name: string, fields: readonly FieldStatus[]): string {
  const line = (label: string, of: readonly FieldStatus[]): string => (of.length === 0 ? '' : `- ${label}: ${of.map((f) => `\`${f.field}\`${f.note === '' ? '' : ` (${f.note})`}`).join(', ')}\n`);
  const by = (...s: FieldStatus['status'][]): FieldStatus[] => fields.filter((f) => s.includes(f.status));
  return `### ${name}\n${line('supported', by('implemented', 'read'))}${line('no effect (warned)', by('no-op'))}${line('refused', by('refused', 'unknown'))}`;
}

export function tables(): { readonly list: string; readonly summary: string } {
  const all = new FieldWalk().run().summary(), messages = new Map<string, FieldStatus[]>();
  for (const f of all) messages.set(f.message, [...(messages.get(f.message) ?? []), f]);
  const count = (...s: FieldStatus['status'][]): number => all.filter((f) => s.includes(f.status)).length;
  const counts = `${count('implemented', 'read')} fields are supported, ${count('no-op')} have no effect here and are warned of, ${count('refused', 'unknown')} are refused by name`;
  const list = `# Fields\nMade by \`npm run tables\`: each field that a configuration can reach, from Bootstrap and through every registered extension, was set alone and compiled; this is what became of it.\n${counts}; a message of which no field is listed is refused as a whole.\n\n${[...messages].sort(([a], [b]) => a.localeCompare(b)).map(([n, f]) => messageSection(n, f)).join('\n')}`;
  const categories = new Map<string, string[]>();
  for (const [type, e] of EXTENSIONS) categories.set(e.category, [...(categories.get(e.category) ?? []), short(type).replace(/\.v\d\w*\.\w+$/, '').replace(/^.*\./, '')]);
  const extensions = [...categories].sort(([a], [b]) => a.localeCompare(b)).map(([c, names]) => `- \`${c}\`: ${[...new Set(names)].sort().join(', ')}`);
  return { list, summary: `What becomes of [every field](engine/proto/field-status.md) is found out by setting it alone (\`npm run tables\`). Extensions:\n\n${extensions.join('\n')}` };
}

if (import.meta.main) {
  const { list, summary } = tables(), root = new URL('../', import.meta.url), file = new URL('engine/proto/field-status.md', root), readmeFile = new URL('README.md', root);
  const before = readFileSync(readmeFile, 'utf8'), readme = before.replace(/(<!-- fields -->\n)[^]*?(\n<!-- \/fields -->)/, (_, a: string, b: string) => `${a}${summary}${b}`);
  if (process.argv.includes('--check')) { if (readme !== before || readFileSync(file, 'utf8') !== list) { console.error('the tables are not up to date: npm run tables'); process.exit(1); } } else { writeFileSync(file, list); writeFileSync(readmeFile, readme); }
}
