// A data worker that dies by an uncaught exception when a file appears: 'crash-<id>' in the folder named by WEIR_TEST_CRASH_DIR; is stuck for ever by 'stuck-<id>'; and that has two bugs: a request
// with the header 'bug' throws, and so does an answer with it.
import { existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import type { Headers } from '../../engine/headers/headers.ts';
import { Stream } from '../../engine/http/stream.ts';
import { Attempt } from '../../engine/router/attempt.ts';

const file = join(process.env['WEIR_TEST_CRASH_DIR']!, `crash-${(workerData as { id: number }).id}`);
const stuck = file.replace('crash-', 'stuck-');
setInterval(() => { if (existsSync(file)) { unlinkSync(file); throw new Error('a planted crash'); } if (existsSync(stuck)) { unlinkSync(stuck); for (;;); } }, 5);

function plantBug<H extends Headers>(of: { onHeaders(headers: H, end: boolean): void }, what: string): void {
  const real = of.onHeaders;
  of.onHeaders = function (headers: H, end: boolean): void { if (headers.has('bug')) throw new Error(what); real.call(this, headers, end); };
}
plantBug(Stream.prototype, 'a planted bug in the request');
plantBug(Attempt.prototype, 'a planted bug in the answer');
await import('../../workers/worker.ts');
