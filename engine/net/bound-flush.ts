// A socket that was let go with 'flush' still has bytes that its peer may never read: it gets as long as it takes some in every delay, then it is cut.
import { Timer, type TimerWheel } from '../loop/timer-wheel.ts';
import type { TransportSocket } from './transport/transport.ts';

/** Watches `socket` after its destroy('flush'); Envoy's delayed close timer, which every write that gets on begins anew. */
export function boundFlush(socket: TransportSocket, wheel: TimerWheel, delayMs: number): void {
  let before = Infinity;
  const timer = new Timer(() => {
    const left = socket.pendingBytes;
    if (left === 0) return;
    if (left >= before) { socket.destroy('now'); return; }
    before = left;
    wheel.arm(timer, delayMs);
  });
  wheel.arm(timer, delayMs);
}
