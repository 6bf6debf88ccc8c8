// The real process with threads that can be made to crash.
import { parseFlags } from '../../workers/flags.ts';
import { Supervisor } from '../../workers/supervisor.ts';

const parsed = parseFlags(process.argv.slice(2));
if ('print' in parsed) throw new Error(parsed.print);
new Supervisor(parsed.flags, (code) => process.exit(code), { worker: new URL('./crashing-worker.ts', import.meta.url), control: new URL('./crashing-control.ts', import.meta.url) }).start();
