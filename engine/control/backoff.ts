// When what failed is tried again: at random within a span that doubles up to the longest (Envoy: JitteredExponentialBackOffStrategy).
import type { Random } from '../loop/random.ts';

export interface BackoffSpans { readonly baseMs: number; readonly maxMs: number }

export class Backoff {
  private readonly spans: BackoffSpans;
  private readonly random: Random;
  private span: number;
  constructor(spans: BackoffSpans, random: Random) { this.spans = spans; this.random = random; this.span = spans.baseMs; }

  /** The pause before the next try, ms. */
  next(): number {
    const { span } = this;
    this.span = Math.min(span * 2, this.spans.maxMs);
    return Math.floor(this.random.unit() * span);
  }
  /** It went well. */
  reset(): void { this.span = this.spans.baseMs; }
}
