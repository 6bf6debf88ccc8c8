// connection_keepalive: PINGs at an interval, and an end when one is not answered (Envoy: KeepaliveSettings). The owner has the clock: it calls `tick` when asked to.
import type { KeepalivePlan } from '../../plan/http2-options-plan.ts';
import type { FrameWriter } from './frames.ts';

const OPAQUE = Buffer.from('weirping', 'latin1');

export class Keepalive {
  private readonly plan: KeepalivePlan | null;
  private readonly writer: FrameWriter | null;
  private sentMs = -1;
  private nextMs = -1;

  /** Without a plan it does nothing, for any number of connections. */
  constructor(plan: KeepalivePlan | null, writer: FrameWriter | null) { this.plan = plan; this.writer = writer; }

  get wanted(): boolean { return this.plan !== null; }

  /** Does what is due at `nowMs` (`chance` in [0,1) for the jitter): returns the ms until it wants to be called again, -1 for never, -2 when a ping was not answered. */
  tick(nowMs: number, chance: number): number {
    const { plan } = this;
    if (plan === null) return -1;
    if (this.sentMs >= 0) {
      if (nowMs - this.sentMs >= plan.timeoutMs) return -2;
      return this.sentMs + plan.timeoutMs - nowMs;
    }
    if (plan.intervalMs <= 0) return -1;
    const interval = plan.intervalMs + plan.intervalMs * chance * plan.jitterPercent / 100;
    if (this.nextMs < 0) { this.nextMs = nowMs + interval; return interval; }
    if (nowMs < this.nextMs) return this.nextMs - nowMs;
    this.ping(nowMs);
    this.nextMs = nowMs + interval;
    return Math.min(plan.timeoutMs, interval);
  }

  /** A request begins after `idleMs` of idleness; true: a ping went out and `tick` wants to be called within the timeout. */
  used(nowMs: number, idleMs: number): boolean {
    const { plan } = this;
    if (plan === null || plan.idleIntervalMs <= 0 || idleMs < plan.idleIntervalMs || this.sentMs >= 0) return false;
    this.ping(nowMs);
    return true;
  }

  private ping(nowMs: number): void { this.sentMs = nowMs; this.writer!.ping(false, OPAQUE, 0); }

  acknowledged(): void { this.sentMs = -1; }
}
