// Earliest deadline first: weighted round robin without bursts. A host of weight w is due every 1/w; ties go in insertion order.

interface Entry<T> { readonly item: T; readonly weight: number; deadline: number; order: number }

export class EdfSchedule<T> {
  private readonly heap: Entry<T>[] = [];
  private time = 0;
  private orders = 0;

  add(item: T, weight: number): void { this.push({ item, weight, deadline: this.time + 1 / weight, order: this.orders++ }); }

  /** The item that is due; it is put back behind its next interval. */
  next(): T | undefined {
    const top = this.heap[0];
    if (top === undefined) return undefined;
    this.time = top.deadline;
    top.deadline += 1 / top.weight;
    top.order = this.orders++;
    this.sink(0);
    return top.item;
  }

  private before(a: Entry<T>, b: Entry<T>): boolean { return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order); }
  private push(e: Entry<T>): void {
    const heap = this.heap;
    let i = heap.push(e) - 1;
    while (i > 0) { const p = (i - 1) >> 1; if (!this.before(heap[i]!, heap[p]!)) break; [heap[i], heap[p]] = [heap[p]!, heap[i]!]; i = p; }
  }
  private sink(i: number): void {
    const heap = this.heap;
    for (;;) {
      let best = i;
      for (const c of [2 * i + 1, 2 * i + 2]) if (c < heap.length && this.before(heap[c]!, heap[best]!)) best = c;
      if (best === i) return;
      [heap[i], heap[best]] = [heap[best]!, heap[i]!];
      i = best;
    }
  }
}
