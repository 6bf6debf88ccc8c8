// Earliest deadline first: weighted round robin without bursts. A host of weight w is due every 1/w; ties go in insertion order. The weight is asked anew each time
// a host is put back, so it may change as requests begin and slow starts end (Envoy: EdfScheduler::pickAndAdd).

interface Entry<T> { readonly item: T; deadline: number; order: number }

export class EdfSchedule<T> {
  private readonly heap: Entry<T>[] = [];
  private readonly weightOf: (item: T) => number;
  private time = 0;
  private orders = 0;
  constructor(weightOf: (item: T) => number) { this.weightOf = weightOf; }

  get size(): number { return this.heap.length; }

  add(item: T): void {
    const heap = this.heap, e = { item, deadline: this.time + 1 / this.weightOf(item), order: this.orders++ };
    let i = heap.push(e) - 1;
    while (i > 0) { const p = (i - 1) >> 1; if (!this.before(e, heap[p]!)) break; heap[i] = heap[p]!; i = p; }
    heap[i] = e;
  }

  /** The item that is due; it is put back behind its next interval. */
  next(): T | undefined {
    const top = this.heap[0];
    if (top === undefined) return undefined;
    this.time = top.deadline;
    top.deadline += 1 / this.weightOf(top.item);
    top.order = this.orders++;
    this.sink();
    return top.item;
  }

  private before(a: Entry<T>, b: Entry<T>): boolean { return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order); }
  /** Moves the top down to its place. */
  private sink(): void {
    const heap = this.heap, n = heap.length, e = heap[0]!;
    let i = 0;
    for (;;) {
      let c = 2 * i + 1;
      if (c >= n) break;
      if (c + 1 < n && this.before(heap[c + 1]!, heap[c]!)) c++;
      if (!this.before(heap[c]!, e)) break;
      heap[i] = heap[c]!;
      i = c;
    }
    heap[i] = e;
  }
}
