// `after(ms, task)` on a clock that a test drives, as the control thread's rooms are given it.

export class ManualTimers {
  nowMs = 0;
  private readonly pending: { at: number; task: () => void }[] = [];
  readonly after = (ms: number, task: () => void): (() => void) => {
    const entry = { at: this.nowMs + ms, task };
    this.pending.push(entry);
    return () => { const i = this.pending.indexOf(entry); if (i >= 0) this.pending.splice(i, 1); };
  };
  get armed(): number { return this.pending.length; }

  /** Runs what falls due within the next `ms`, in order of time. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = this.pending.filter((p) => p.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.pending.splice(this.pending.indexOf(next), 1);
      this.nowMs = Math.max(this.nowMs, next.at);
      next.task();
    }
    this.nowMs = end;
  }
}
