// A control thread that dies when the file 'crash-control' appears in WEIR_TEST_CRASH_DIR.
import { existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

const file = join(process.env['WEIR_TEST_CRASH_DIR']!, 'crash-control');
setInterval(() => { if (existsSync(file)) { unlinkSync(file); throw new Error('a planted crash'); } }, 5);
await import('../../workers/control.ts');
