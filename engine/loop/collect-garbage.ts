// The door to the collector: frees now what would be freed some time (overload action shrink_heap), or gives back what a large configuration needed while it was
// compiled. Each thread has a heap of its own.
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options?: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }) => void;
let collect: Collect | null = null;
function door(): Collect {
  if (collect === null) { setFlagsFromString('--expose-gc'); collect = runInNewContext('gc') as Collect; }
  return collect;
}

/** Bytes of this thread's heap that are in use or garbage, with what its buffers hold outside. */
export function heapBytes(): number { const s = getHeapStatistics(); return s.used_heap_size + s.external_memory; }

/** Bytes of its pages in memory that are in no use. */
export function spareHeapBytes(): number { const s = getHeapStatistics(); return s.total_physical_size - s.used_heap_size; }

export function collectGarbage(): void { door()(); }

/** Packs the heap and gives its free pages back to the system: what a start or a large change needed goes. A pause of some ten to hundred ms, so not for a thread under load. */
export function compactHeap(): void { door()({ type: 'major', execution: 'sync', flavor: 'last-resort' }); }
