import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../engine/loop/clock.ts';
import { Timer, TimerWheel } from '../../../engine/loop/timer-wheel.ts';

test('timers of any length fire at their time, once, in any order of arming, and never early', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 20_000_000 }), { maxLength: 30 }), (delays) => {
    const clock = new ManualClock(1000.5), wheel = new TimerWheel(clock);
    const fired: number[] = [];
    delays.forEach((ms) => wheel.after(ms, () => { assert.ok(clock.nowMs() >= 1000.5 + ms, 'early'); assert.ok(clock.nowMs() <= 1000.5 + ms + 2, `late by ${clock.nowMs() - 1000.5 - ms}`); fired.push(ms); }));
    while (wheel.size > 0) { const next = wheel.nextMs(); assert.ok(next >= 0); clock.set(clock.nowMs() + Math.max(next, 0.25)); wheel.advance(); }
    assert.deepEqual(fired.sort((a, b) => a - b), [...delays].sort((a, b) => a - b));
  }), { numRuns: 60 });
});

test('a cancelled timer does not fire; one that is armed again moves', () => {
  const clock = new ManualClock(0), wheel = new TimerWheel(clock);
  let fired = 0;
  const timer = new Timer(() => { fired++; });
  wheel.arm(timer, 10);
  wheel.arm(timer, 500);
  clock.set(400); wheel.advance();
  assert.equal(fired, 0);
  wheel.cancel(timer);
  clock.set(1000); wheel.advance();
  assert.equal(fired, 0);
  assert.equal(wheel.nextMs(), -1);
});

test('what comes again and again ends when it is cancelled, also by itself', () => {
  const clock = new ManualClock(0), wheel = new TimerWheel(clock), at: number[] = [];
  const timer = wheel.every(10, () => { at.push(clock.nowMs()); if (at.length === 3) wheel.cancel(timer); });
  for (let ms = 1; ms <= 100; ms++) { clock.set(ms); wheel.advance(); }
  assert.deepEqual(at, [10, 20, 30]);
  assert.equal(wheel.size, 0);
});
