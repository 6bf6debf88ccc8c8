// A data worker that dies by an uncaught exception when a file appears: 'crash-<id>' in the folder named by WEIR_TEST_CRASH_DIR.
import { existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';

const file = join(process.env['WEIR_TEST_CRASH_DIR']!, `crash-${(workerData as { id: number }).id}`);
setInterval(() => { if (existsSync(file)) { unlinkSync(file); throw new Error('a planted crash'); } }, 5);
await import('../../workers/worker.ts');
