// Weir as a process of its own whose threads break on demand: a line 'worker N' or 'control' on stdin makes that thread throw.
import { createInterface } from 'node:readline';
import type { Worker } from 'node:worker_threads';
import { parseFlags } from '../../workers/flags.ts';
import { Supervisor } from '../../workers/supervisor.ts';

const parsed = parseFlags(process.argv.slice(2));
if ('print' in parsed) throw new Error(parsed.print);
const supervisor = new Supervisor(parsed.flags, (code) => process.exit(code), { worker: new URL('./breakable-worker.ts', import.meta.url), control: new URL('./breakable-control.ts', import.meta.url) });
supervisor.start();
const threads = supervisor as unknown as { readonly control: Worker | null; readonly workers: readonly (Worker | null)[] };
createInterface({ input: process.stdin }).on('line', (line) => {
  const [what, id = '0'] = line.split(' ');
  (what === 'control' ? threads.control : threads.workers[Number(id)])?.postMessage('throw');
});
