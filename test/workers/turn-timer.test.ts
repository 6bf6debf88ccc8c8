// When the transport is asked for a turn.
import assert from 'node:assert/strict';
import test from 'node:test';
import { nextTurnMs } from '../../workers/turn-timer.ts';

test('a request that still stands is not repeated', () => {
  assert.equal(nextTurnMs(1000, 500, false, 1500), null);
  assert.equal(nextTurnMs(1000, -1, false, -1), null);
});
test('a changed need is asked for, also when it is none any more', () => {
  assert.equal(nextTurnMs(1000, 400, false, 1500), 400);
  assert.equal(nextTurnMs(1000, -1, false, 1500), -1);
});
test('after a wake, which may have used the request up, it is asked again', () => {
  assert.equal(nextTurnMs(1000, 500, false, NaN), 500);
  assert.equal(nextTurnMs(1000, -1, false, NaN), -1);
});
test('a turn that came a little early asks again for what was not yet due', () => assert.equal(nextTurnMs(1499.4, 0.6, false, 1500), 0.6));
test('events that wait for room bring a turn soon, and do not hide a timer that is due later', () => {
  assert.equal(nextTurnMs(1000, -1, true, -1), 1);
  assert.equal(nextTurnMs(1000, 500, true, 1500), 1);
  assert.equal(nextTurnMs(1001, 499, false, 1001), 499);
  assert.equal(nextTurnMs(1000, 0.5, true, 1500), 0.5);
});
