// A worker's answers to stats-leave: an owner's slots are let go of as soon as nothing there is active; looked at once a second while something is.
import { Timer, type TimerWheel } from '../../loop/timer-wheel.ts';
import type { OwnedStatStore, StatClaim } from './thread-stat-store.ts';

const AGAIN_MS = 1000;

/** What a worker says of slots that it lets go of; and, to a control thread that took the place of another, whose there are. */
export type StatsTold = { readonly kind: 'stats-owner'; readonly owner: string } | { readonly kind: 'stat-gone'; readonly claim: StatClaim } | { readonly kind: 'stats-left'; readonly owner: string; readonly ask: number; readonly number: number };

export class StatLeaves {
  private readonly store: OwnedStatStore;
  private readonly wheel: TimerWheel;
  private readonly tell: (event: StatsTold) => void;
  /** Owners that something is active of still, with control's asking. */
  private readonly waiting = new Map<string, { readonly ask: number; readonly wants: number }>();
  private readonly timer = new Timer(() => this.look());
  constructor(store: OwnedStatStore, wheel: TimerWheel, tell: (event: StatsTold) => void) { this.store = store; this.wheel = wheel; this.tell = tell; }

  asked(owner: string, ask: number): void {
    this.waiting.delete(owner);
    if (this.answer(owner, ask)) return;
    this.waiting.set(owner, { ask, wants: this.store.wants(owner) });
    if (!this.timer.armed) this.wheel.arm(this.timer, AGAIN_MS);
  }
  private answer(owner: string, ask: number): boolean {
    const left = this.store.letGo(owner);
    if (left === null) return false;
    for (const claim of left.claims) this.tell({ kind: 'stat-gone', claim });
    this.tell({ kind: 'stats-left', owner, ask, number: left.number });
    return true;
  }

  private look(): void {
    // What was asked for again meanwhile stays: control knows that it is back, too.
    for (const [owner, { ask, wants }] of this.waiting) if (this.store.wants(owner) !== wants || this.answer(owner, ask)) this.waiting.delete(owner);
    if (this.waiting.size > 0) this.wheel.arm(this.timer, AGAIN_MS);
  }
}
