// `npm run parity -- [options of test/parity/run.mjs]`: the oracle by hand. Without options: all cases against the recorded answers.
// `npm run parity -- --record` asks the real Envoy anew (it must be on the PATH as `envoy`).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const dir = join(import.meta.dirname, '../test/parity');
const recorded = join(dir, 'recorded-envoy-1.40.json');
const given = process.argv.slice(2);
const args = given[0] === '--record' ? ['--record', recorded, ...given.slice(1)] : ['--proxy', './bin/weir', '--recorded', recorded, ...given];
process.exit(spawnSync(process.execPath, [join(dir, 'run.mjs'), ...args], { cwd: join(dir, '../..'), stdio: 'inherit' }).status ?? 1);
