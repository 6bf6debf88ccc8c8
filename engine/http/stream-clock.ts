// The clocks of one stream: the head, the whole request, the stream's life, the flush of a whole answer; idleness is only a number that the connection's sweep looks at, so activity arms nothing.
import { Timer } from '../loop/timer-wheel.ts';
import type { WorkerEnv } from '../net/worker-env.ts';

/** What expires; called from the wheel. */
export interface ClockOwner { onHeadersTimeout(): void; onRequestTimeout(): void; onMaxDuration(): void; onLogInterval(): void; onFlushTimeout(): void }

export class StreamClock {
  private readonly env: WorkerEnv;
  private readonly owner: ClockOwner;
  private request: Timer | null = null;
  private life: Timer | null = null;
  private log: Timer | null = null;
  private flush: Timer | null = null;
  /** 0: never idle. */
  idleMs: number;
  private lastActivity: number;

  constructor(env: WorkerEnv, owner: ClockOwner, idleMs: number) { this.env = env; this.owner = owner; this.idleMs = idleMs; this.lastActivity = env.clock.nowMs(); }

  touch(): void { this.lastActivity = this.env.clock.nowMs(); }
  /** Milliseconds until the stream may be idle; Infinity: no timeout. */
  untilIdle(now: number): number { return this.idleMs <= 0 ? Infinity : Math.max(1, this.lastActivity + this.idleMs - now); }
  isIdle(now: number): boolean { return this.idleMs > 0 && this.lastActivity + this.idleMs <= now; }

  armHeaders(ms: number): void { this.request = new Timer(() => this.owner.onHeadersTimeout()); this.env.wheel.arm(this.request, ms); }
  armRequest(ms: number): void { this.requestOver(); this.request = new Timer(() => this.owner.onRequestTimeout()); this.env.wheel.arm(this.request, ms); }
  armLife(ms: number): void { this.life = new Timer(() => this.owner.onMaxDuration()); this.env.wheel.arm(this.life, ms); }
  /** Every `ms` until the end. */
  armLog(ms: number): void { this.log = this.env.wheel.every(ms, () => this.owner.onLogInterval()); }
  /** The whole answer waits for the client's window: of all clocks only this one goes on, and what the client takes does not begin it anew (as in Envoy's codec). `ms` 0: none. */
  armFlush(ms: number): void {
    this.stop();
    this.idleMs = 0;
    this.touch();
    if (ms <= 0) return;
    this.flush = new Timer(() => this.owner.onFlushTimeout());
    this.env.wheel.arm(this.flush, ms);
  }
  /** The flush has another length than before, counted from its beginning. */
  moveFlush(ms: number): void { if (this.flush !== null) this.env.wheel.arm(this.flush, Math.max(1, this.lastActivity + ms - this.env.clock.nowMs())); }
  /** The request (or its head) is there. */
  requestOver(): void { this.request = this.cancelled(this.request); }
  stop(): void {
    this.requestOver();
    this.life = this.cancelled(this.life);
    this.log = this.cancelled(this.log);
    this.flush = this.cancelled(this.flush);
  }
  private cancelled(timer: Timer | null): null { if (timer !== null) this.env.wheel.cancel(timer); return null; }
}
