// A real control thread that a test can make throw.
import { parentPort } from 'node:worker_threads';
await import('../../workers/control.ts');
parentPort!.on('message', (m: unknown) => { if (m === 'throw') throw new Error('planted in control'); });
