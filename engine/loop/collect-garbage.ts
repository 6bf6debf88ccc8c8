// The door to the collector: frees now what would be freed some time (overload action shrink_heap), or gives back what a large configuration needed while it was
// compiled. Each thread has a heap of its own.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options?: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }) => void;
let collect: Collect | null = null;
function door(): Collect {
  if (collect === null) { setFlagsFromString('--expose-gc'); collect = runInNewContext('gc') as Collect; }
  return collect;
}

export function collectGarbage(): void { door()(); }

/** Memory of this thread's heap that no object is in, worth a pause of some hundred ms. */
const WORTH = 64 << 20;
/** Packs the heap and gives its free pages back to the system, if that is worth the pause. Not for a thread under load. */
export function compactHeap(): void {
  const { heapTotal, heapUsed } = process.memoryUsage();
  // What is used may be garbage too; a heap of that size has seen a large configuration.
  if (heapTotal - heapUsed > WORTH || heapTotal > 3 * WORTH) door()({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
