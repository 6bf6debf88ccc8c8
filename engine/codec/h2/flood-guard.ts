// What a peer may do at most, so that cheap frames of its cannot cost us more than it costs the peer (Envoy: Http2ProtocolOptions' limits; CVE-2019-9511 to 9518,
// CVE-2023-44487 rapid reset, CVE-2024-30255 CONTINUATION, CVE-2025-8671 MadeYouReset). Counts; time comes as an argument. Each question returns true for too much.
import type { Http2OptionsPlan } from '../../plan/http2-options-plan.ts';

/** Streams that the peer may make us reset before it is asked whether it does little else. */
const FORCED_RESETS = 200;
/** CONTINUATION frames of one header block; Envoy's codec takes no more either. */
const CONTINUATIONS = 64;

export class FloodGuard {
  private readonly options: Http2OptionsPlan;
  /** Streams ever opened, in either direction. */
  opened = 0;
  private emptyInRow = 0;
  private priorities = 0;
  private windowUpdates = 0;
  private forced = 0;
  private continuations = 0;
  /** RST_STREAMs that the peer may still send, as of a second of time. */
  private resets: number;
  private resetsAtS = 0;

  constructor(options: Http2OptionsPlan) { this.options = options; this.resets = options.streamResetBurst; }

  /** HEADERS, CONTINUATION or DATA without payload and without END_STREAM. */
  emptyFrame(): boolean { return ++this.emptyInRow > this.options.maxConsecutiveInboundFramesWithEmptyPayload; }
  fullFrame(): void { this.emptyInRow = 0; }

  priorityFrame(): boolean { return ++this.priorities > this.options.maxInboundPriorityFramesPerStream * (1 + this.opened); }

  windowUpdate(dataFramesSent: number): boolean {
    return ++this.windowUpdates > 5 + 2 * (this.opened + this.options.maxInboundWindowUpdateFramesPerDataFrameSent * dataFramesSent);
  }

  /** A stream that we had to reset for what the peer did on it. */
  forcedReset(): boolean { return ++this.forced > FORCED_RESETS && this.forced * 2 > this.opened; }

  /** An RST_STREAM of the peer's: a bucket that gains by the whole second. */
  resetFrame(nowMs: number): boolean {
    const { streamResetBurst, streamResetRate } = this.options, nowS = Math.floor(nowMs / 1000);
    if (nowS !== this.resetsAtS) {
      this.resets = Math.min(streamResetBurst, this.resets + streamResetRate * Math.max(1, nowS - this.resetsAtS));
      this.resetsAtS = nowS;
    }
    return --this.resets < 0;
  }

  headersBegin(): void { this.continuations = 0; }
  continuation(): boolean { return ++this.continuations > CONTINUATIONS; }
}
