// When a worker's transport must be asked for its next turn. Asking costs a call into the transport, so it is left out where the last request still stands.

/** A turn this near is asked for again each time: timers of the loop count whole milliseconds and may come up to one early, and a turn that came early used the request up. */
const NEAR_MS = 2;
/** How soon the event ring is tried again when it was full. */
const RETRY_MS = 1;

/**
 * Milliseconds to ask for, -1 to ask for none, or null where the last request stands.
 * `nowMs`: the clock; `wheelMs`: what the timer wheel wants, -1 nothing; `waiting`: events wait for room in the ring; `askedMs`: the time last asked for on the clock, -1 none, NaN unknown.
 */
export function nextTurnMs(nowMs: number, wheelMs: number, waiting: boolean, askedMs: number): number | null {
  const ms = waiting && (wheelMs < 0 || wheelMs > RETRY_MS) ? RETRY_MS : wheelMs;
  if (ms < 0) return askedMs === -1 ? null : -1;
  const due = nowMs + ms;
  // The sum of floating point parts may differ in its last bits.
  if (ms > NEAR_MS && Math.abs(due - askedMs) < 0.001) return null;
  return ms;
}
