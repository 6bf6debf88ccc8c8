// The door to the collector: frees now what would be freed some time (overload action shrink_heap). Each thread has a heap of its own.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | null = null;

export function collectGarbage(): void {
  if (collect === null) { setFlagsFromString('--expose-gc'); collect = runInNewContext('gc') as () => void; }
  collect();
}
