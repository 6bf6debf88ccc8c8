// The one door to 'not now': work that must run after the present stack has unwound.

export interface Later {
  /** Runs `task` once, after the present turn's work and before the loop sleeps. Order is kept. */
  soon(task: () => void): void;
}

/** Collects tasks; the owner of the loop runs them at the end of each turn. `wake` asks for a turn when one is not under way. */
export class TurnQueue implements Later {
  private tasks: (() => void)[] = [];
  private readonly wake: () => void;
  constructor(wake: () => void) { this.wake = wake; }
  soon(task: () => void): void { if (this.tasks.push(task) === 1) this.wake(); }
  get empty(): boolean { return this.tasks.length === 0; }
  /** Runs what is queued, including what it queues itself. */
  run(): void {
    while (this.tasks.length > 0) {
      const now = this.tasks;
      this.tasks = [];
      for (const task of now) task();
    }
  }
}
