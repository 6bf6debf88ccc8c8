// One noun, one file: at most 400 lines a file and 60 a function body (tables, generated files and test data are free). Run by `npm test`.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const LINES = 400;
const FUNCTION_LINES = 60;
/** Files that are tables or generated. */
const FREE = [/^engine\/observe\/stats\/schemas\.ts$/, /-table\.ts$/, /^engine\/proto\/generated/, /^test\/parity\/cases\//, /^test\/corpus\//];

function* sources(dir: string): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) { if (entry.name !== 'node_modules') yield* sources(path); } else if (/\.(ts|c|h|mjs)$/.test(entry.name)) yield path;
  }
}

const faults: string[] = [];
for (const top of ['engine', 'workers', 'native-bench', 'scripts', 'test']) {
  for (const path of sources(top)) {
    if (FREE.some((f) => f.test(path))) continue;
    const lines = readFileSync(path, 'utf8').split('\n');
    if (lines.length > LINES + 1) faults.push(`${path}: ${lines.length} lines (at most ${LINES})`);
    if (!path.endsWith('.ts') || path.startsWith('test/')) continue;
    // A function or method: its head and its closing brace stand at the same indentation.
    for (let i = 0; i < lines.length; i++) {
      const head = /^(\s*)(?:export )?(?:default )?(?:private |protected |public |static |override |async )*(?:function\*? \w+|(?!if|for|while|switch|return|catch|else)[\w*]+\s*)(?:<[^>]*>)?\(.*\{$/.exec(lines[i]!);
      if (head === null) continue;
      const end = lines.findIndex((l, j) => j > i && l.startsWith(`${head[1]!}}`));
      if (end - i - 1 > FUNCTION_LINES) faults.push(`${path}:${i + 1}: a function of ${end - i - 1} lines (at most ${FUNCTION_LINES})`);
    }
  }
}
for (const f of faults) console.error(f);
if (faults.length > 0) process.exit(1);
