// When what is served stands.
import assert from 'node:assert/strict';
import test from 'node:test';
import { allBound } from '../../../engine/control/served-resources.ts';

test('a listener that a worker could not bind never makes the process ready', () => {
  const listener = (...errors: string[]): { bound: Map<number, { addresses: readonly string[]; error: string }> } => ({ bound: new Map(errors.map((error, worker) => [worker, { addresses: [], error }])) });
  assert.deepEqual([allBound([], 2), allBound([listener('', '')], 2), allBound([listener('')], 2), allBound([listener('', ''), listener('', 'EADDRINUSE')], 2)], [true, true, false, false]);
});
