// V8 forgets the hidden class of objects of which none lives at a full collection, and with it throws away the optimised code of every function that has met one. When a worker
// falls quiet, it has no stream and its heap is collected (quiet-collector.ts): without a live one of each kind that would cost all of its warm-up, some 80 functions; the next 20,000
// requests then cost three times as much. So the last of each kind lives on until the next takes its place.

/** What comes and goes with connections and requests. */
export const Kept = { downstream: 0, upstream: 1, stream: 2, attempt: 3, h1ServerStream: 4, h1ClientStream: 5, h2ServerStream: 6, h2ClientStream: 7 } as const;

const kept: (object | null)[] = Object.values(Kept).map(() => null);

/** Called by the constructor of `one`. */
export function keepLast(kind: number, one: object): void { kept[kind] = one; }
