// A real data worker that a test can make throw.
import { parentPort } from 'node:worker_threads';
await import('../../workers/worker.ts');
parentPort!.on('message', (m: unknown) => { if (m === 'throw') throw new Error('planted in the worker'); });
