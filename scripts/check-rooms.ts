// The walls of layout.md section 3, checked: who may import whom, which package and which word has its home where, no async function on the request path.
// The table is rooms.json; it must be a DAG. Run by `npm test`; test/scripts/check-rooms.test.ts plants faults and sees them found.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

interface Table {
  rooms: Record<string, string[]>;
  /** Rooms that may take types (not code) of others: the plans name the shapes of what they carry. */
  typesOnly: Record<string, string[]>; configMayImport: string[]; packages: Record<string, string[]>; words: Record<string, string[]>;
  wordExceptions: Record<string, string>; noAsync: string[];
}

/** Room of a file path relative to the project's root, or '' for what has no walls. */
export function roomOf(path: string): string {
  const parts = path.split('/');
  if (parts[0] === 'workers') return 'workers';
  if (parts[0] !== 'engine') return '';
  return parts.length === 2 ? 'engine' : parts[1]!;
}

function cycleIn(rooms: Record<string, string[]>): string | null {
  const state = new Map<string, 'open' | 'done'>();
  const visit = (room: string, trail: string[]): string | null => {
    if (state.get(room) === 'done') return null;
    if (state.get(room) === 'open') return [...trail, room].join(' → ');
    state.set(room, 'open');
    for (const to of rooms[room] ?? []) { const found = visit(to, [...trail, room]); if (found) return found; }
    state.set(room, 'done');
    return null;
  };
  for (const room of Object.keys(rooms)) { const found = visit(room, []); if (found) return found; }
  return null;
}

/** Code without comments and the contents of string literals, line structure kept. */
function bare(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (c) => c.replace(/[^\n]/g, ' ')).replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');
}

/** Faults of one file's text. Pure, so that tests feed it planted faults. */
export function faultsOf(path: string, text: string, table: Table): string[] {
  const room = roomOf(path);
  if (room === '') return [];
  const out: string[] = [];
  const isConfig = /(^|\/)config\.ts$/.test(path) || /(^|\/)config\//.test(path) || /-config\.ts$/.test(path);
  const code = bare(text);
  const at = (index: number): string => `${path}:${code.slice(0, index).split('\n').length}`;
  const allowed = table.rooms[room];
  if (allowed === undefined) return [`${path}: room '${room}' is not in the table`];
  for (const m of code.matchAll(/(?:import|export)\s[^;'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|import\s+['"]([^'"]+)['"]/g)) {
    const target = m[1] ?? m[2] ?? m[3]!, typeOnly = /^(?:import|export)\s+type\b/.test(m[0]);
    if (!target.startsWith('.')) {
      const homes = table.packages[target];
      if (homes !== undefined && !typeOnly && !homes.includes(room) && !(isConfig && homes.includes('proto'))) out.push(`${at(m.index)}: package ${target} has its home in ${homes.join(', ')}`);
      continue;
    }
    const file = normalize(join(dirname(path), target));
    const other = roomOf(file);
    if (other === room || other === '') continue;
    if (isConfig && table.configMayImport.includes(other)) continue;
    if (room === 'engine') continue;
    if (other === 'engine' && room !== 'workers') { out.push(`${at(m.index)}: ${room} may not import ${relative('.', file)}`); continue; }
    if (typeOnly && (table.typesOnly[room] ?? []).includes(other)) continue;
    if (!allowed.includes(other)) out.push(`${at(m.index)}: ${room} may not import ${other} (${file})`);
  }
  for (const m of code.matchAll(/import\s+(type\s)?[^;]*?from\s*['"](\.[^'"]*\/config\.ts)['"]/g)) {
    if (m[1] === undefined && !isConfig && path !== 'engine/catalog-config.ts' && room !== 'control') out.push(`${at(m.index)}: only catalog-config.ts and other config.ts import a config.ts`);
  }
  for (const [word, homes] of Object.entries(table.words)) {
    if (homes.includes(room) || path in table.wordExceptions) continue;
    for (const m of code.matchAll(new RegExp(word, 'g'))) out.push(`${at(m.index)}: '${m[0]}' has its home in ${homes.join(', ')}`);
  }
  if (table.noAsync.includes(room) && !isConfig) {
    for (const m of code.matchAll(/\basync\s+(?:function|\w+\s*\(|\()|\bawait\s/g)) out.push(`${at(m.index)}: no async function in ${room}`);
  }
  return out;
}

function* sources(dir: string): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* sources(path); else if (entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts')) yield path;
  }
}

export function loadTable(): Table { return JSON.parse(readFileSync(new URL('./rooms.json', import.meta.url), 'utf8')) as Table; }

if (import.meta.main) {
  const table = loadTable();
  const faults: string[] = [];
  const cycle = cycleIn(table.rooms);
  if (cycle !== null) faults.push(`rooms.json: the table has a cycle: ${cycle}`);
  for (const top of ['engine', 'workers']) for (const path of sources(top)) faults.push(...faultsOf(path, readFileSync(path, 'utf8'), table));
  for (const f of faults) console.error(f);
  if (faults.length > 0) process.exit(1);
}

export { cycleIn };
