// Our own bugs. In tests an invariant throws; in service it is counted, reported once per place, and the caller ends one stream.

let onBroken: (what: string) => void = (what) => { throw new Error(`invariant broken: ${what}`); };

/** Replaces what a broken invariant does (the workers count it and log it; tests throw). */
export function setInvariantHandler(handler: (what: string) => void): void { onBroken = handler; }

/** States what must be true here. Returns the condition, so that the caller can bail out where the handler does not throw. */
export function invariant(condition: boolean, what: string): boolean {
  if (!condition) onBroken(what);
  return condition;
}
