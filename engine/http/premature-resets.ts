// Streams that a client resets before they are answered, counted per connection (CVE-2023-44487): where half of all are, the connection ends (Envoy:
// maybeDrainDueToPrematureResets, runtime keys overload.premature_reset_total_stream_count and …_min_stream_lifetime_seconds).

export class PrematureResets {
  private ended = 0;
  private premature = 0;

  /** A stream has ended; `early`: reset by the peer, young and unanswered. True: too much. */
  count(early: boolean, limit: number): boolean {
    this.ended++;
    if (!early) return false;
    this.premature++;
    // If every stream from here on were good, it would still be half of them at the limit.
    return this.premature * 2 >= Math.max(limit, this.ended);
  }
}
