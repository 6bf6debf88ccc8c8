// Who holds a source back, by reason (layout.md rule 8): the source runs when no reason is left. A bit set over the closed list of reasons.
import type { PauseReason } from './codec.ts';

const BIT: Record<PauseReason, number> = { 'downstream-full': 1, 'upstream-full': 2, 'upstream-wait': 4, filter: 8, answering: 16, drain: 32, 'upstream-filter': 64 };

export class PauseSet {
  private bits = 0;
  get paused(): boolean { return this.bits !== 0; }
  /** True if the source has to stop now. */
  add(why: PauseReason): boolean { const first = this.bits === 0; this.bits |= BIT[why]; return first; }
  /** True if the source may run again now. */
  remove(why: PauseReason): boolean { if (this.bits === 0) return false; this.bits &= ~BIT[why]; return this.bits === 0; }
  /** The reasons, for debug dumps. */
  toString(): string { return Object.keys(BIT).filter((k) => this.bits & BIT[k as PauseReason]).join('+'); }
}
