import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const script = new URL('../../../native-bench/micro/quiet.ts', import.meta.url).pathname;

test('a collection while no request lives leaves the optimised code of the request path', () => {
  const out = execFileSync(process.execPath, ['--trace-deopt', '--disable-warning=ExperimentalWarning', script, '4'], { encoding: 'utf8', maxBuffer: 64 << 20 });
  const rounds = out.split(/^round \d.*$/m);
  assert.equal(rounds.length, 5, 'four rounds of requests were served');
  const dropped = rounds.slice(1, 4).map((r) => [...r.matchAll(/SharedFunctionInfo (\S+)>.*embedded weak objects cleared/g)].map((m) => m[1]!));
  for (const functions of dropped) assert.ok(functions.length <= 15, `${functions.length} functions lost their code: ${functions.join(' ')}`);
});
