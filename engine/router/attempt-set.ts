// The attempts of one request that are under way: the latest, slow ones that hedging left running beside it, and the one whose answer goes downstream.
import type { Attempt } from './attempt.ts';

export class AttemptSet {
  /** The latest; null while none is under way. */
  current: Attempt | null = null;
  private slow: Attempt[] | null = null;
  /** The attempt whose answer goes downstream. */
  final: Attempt | null = null;

  all(): Attempt[] { return [...(this.slow ?? []), ...(this.current === null ? [] : [this.current])]; }
  /** The one that is under way; null: none, or several (METADATA then goes to none, as in Envoy). */
  get only(): Attempt | null { return this.slow === null || this.slow.length === 0 ? this.current : null; }
  /** Whether another than `a` may still bring an answer. */
  othersAwaited(a: Attempt): boolean { return (this.current !== null && this.current !== a && this.current.awaitingHeaders) || (this.slow !== null && this.slow.some((o) => o !== a && o.awaitingHeaders)); }
  /** The latest is slow: it goes on beside the next. */
  setAside(): void { (this.slow ??= []).push(this.current!); this.current = null; }
  /** Takes an attempt out, without ending it. */
  remove(a: Attempt): void { if (this.current === a) this.current = null; else if (this.slow !== null) this.slow = this.slow.filter((o) => o !== a); }

  /** The answer of `a` it is: the others end. */
  settleOn(a: Attempt): void {
    this.final = a;
    if (this.slow === null) return;
    const others = this.all();
    this.slow = null;
    this.current = a;
    for (const o of others) if (o !== a) o.end();
  }

  end(): void {
    const { current, slow } = this;
    this.current = this.slow = null;
    current?.end();
    if (slow !== null) for (const a of slow) a.end();
  }
}
