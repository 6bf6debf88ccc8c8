// Bytes of one direction of a stream let through at a rate (Envoy: StreamRateLimiter): in 16 slices a second; what is too fast waits and stops its source.
import { ByteQueue } from '../base/byte-queue.ts';
import { Timer } from '../loop/timer-wheel.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import type { HttpFilter, Side, StreamView } from './filter.ts';

const SLICES = 16;

export class StreamRateLimiter {
  private readonly env: WorkerEnv;
  private readonly s: StreamView;
  private readonly filter: HttpFilter;
  private readonly side: Side;
  private readonly sliceBytes: number;
  private readonly queue = new ByteQueue();
  private readonly timer = new Timer(() => this.slice());
  private last = false;
  private stopped = false;
  /** Bytes that may go at once. */
  private free: number;
  private whenIdle: (() => void) | null = null;

  /** `kbps`: KiB per second. Bytes go on through `s.push` of `filter`. */
  constructor(env: WorkerEnv, s: StreamView, filter: HttpFilter, side: Side, kbps: number) {
    this.env = env; this.s = s; this.filter = filter; this.side = side;
    this.sliceBytes = this.free = Math.max(1, Math.floor((kbps * 1024) / SLICES));
  }

  /** Takes bytes: the filter's hook answers 'taken'. */
  take(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const waiting = this.queue.length > 0;
    this.queue.pushCopy(bytes, start, end);
    if (last) this.last = true;
    if (this.queue.length > this.s.bufferLimit && this.s.bufferLimit > 0 && !this.stopped) { this.stopped = true; this.s.pause(this.filter, this.side); }
    if (!waiting) this.send();
  }

  /** True: nothing waits. Else `then` is called once when nothing does any more (trailers that wait behind). */
  idle(then: () => void): boolean {
    if (this.queue.length === 0) return true;
    this.whenIdle = then;
    return false;
  }

  get heldBytes(): number { return this.queue.length; }

  private slice(): void { this.free = this.sliceBytes; if (this.queue.length > 0) this.send(); }

  private send(): void {
    const out = new ByteQueue();
    while (this.free > 0) {
      const chunk = this.queue.shift();
      if (chunk === undefined) break;
      const n = Math.min(chunk.length, this.free);
      out.push(chunk.subarray(0, n));
      if (n < chunk.length) this.queue.unshift(chunk.subarray(n));
      this.free -= n;
    }
    const end = this.queue.length === 0 && this.last;
    if (this.free === 0 && !end && !this.timer.armed) this.env.wheel.arm(this.timer, 1000 / SLICES);
    if (this.stopped && this.queue.length <= this.s.bufferLimit) { this.stopped = false; this.s.unpause(this.filter, this.side); }
    if (out.length > 0 || end) this.s.push(this.filter, out, end, this.side);
    if (this.queue.length === 0 && this.whenIdle !== null) { const then = this.whenIdle; this.whenIdle = null; then(); }
  }

  /** The stream is over. */
  end(): void { this.env.wheel.cancel(this.timer); this.queue.clear(); this.whenIdle = null; }
}
