// Signs of life: one word a thread, which the thread moves on now and then and the supervisor looks at.
//
//   word 0: control   word 1 + N: data worker N       0: the thread has not begun to show that it lives
//
// Each word has one writer, its thread; the supervisor sets it to 0 before it starts a new one.

export class Heartbeats {
  private readonly words: Int32Array;
  constructor(memory: SharedArrayBuffer) { this.words = new Int32Array(memory); }
  static bytes(workers: number): number { return 4 * (1 + workers); }

  beat(thread: number): void { if (Atomics.add(this.words, thread, 1) === -1) Atomics.store(this.words, thread, 1); }
  seen(thread: number): number { return Atomics.load(this.words, thread); }
  begin(thread: number): void { Atomics.store(this.words, thread, 0); }
}
