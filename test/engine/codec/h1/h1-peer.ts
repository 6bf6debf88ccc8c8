// A scripted peer for the HTTP/1 server codec: feeds bytes, keeps what came of them.
import { H1ServerCodec } from '../../../../engine/codec/h1/server-codec.ts';
import type { PeerFault } from '../../../../engine/base/fault.ts';
import type { RequestSink, ServerStream } from '../../../../engine/codec/codec.ts';
import { ResponseHeaders, type RequestHeaders } from '../../../../engine/headers/headers.ts';
import { HTTP1_DEFAULTS, type Http1OptionsPlan } from '../../../../engine/plan/http1-options-plan.ts';

export class H1Peer {
  readonly events: string[] = [];
  out = '';
  closed: string | null = null;
  paused = 0;
  requests: RequestHeaders[] = [];
  body = '';
  stream: ServerStream | null = null;
  readonly codec: H1ServerCodec;
  /** Answers each request as soon as it is whole. */
  answer = true;

  constructor(options: Partial<Http1OptionsPlan> = {}) {
    const output = { writeLatin1: (t: string) => { this.out += t; }, write: (b: Uint8Array, s: number, e: number) => { this.out += Buffer.from(b.subarray(s, e)).toString('latin1'); }, pauseReading: () => { this.paused++; }, resumeReading: () => { this.paused--; } };
    this.codec = new H1ServerCodec({
      onStream: (s) => this.begin(s), onGoAway: () => {},
      onConnectionClose: (how, fault: PeerFault | null) => { this.closed ??= `${how}${fault === null ? '' : ` ${fault.detail}`}`; },
      onBadRequest: (s, fault) => { this.events.push(`bad ${fault.status} ${fault.detail}`); this.respond(s, fault.status); },
    }, output, { ...HTTP1_DEFAULTS, ...options }, { onResponseFlood: () => { this.events.push('flood'); }, onUnderscoreDropped: () => {}, onUnderscoreRejected: () => {} });
  }

  private begin(stream: ServerStream): RequestSink {
    this.stream = stream;
    const whole = (): void => { this.events.push('end'); if (this.answer) this.respond(stream, 200); };
    return {
      onHeaders: (h, end) => { this.requests.push(h); this.events.push(`${h.method} ${h.path} ${h.authority}`); if (h.missingHost) { stream.closeAfter(); this.events.push('bad 400 missing_host'); this.respond(stream, 400); } else if (end) whole(); },
      onData: (b, s, e, last) => { this.body += Buffer.from(b.subarray(s, e)).toString('latin1'); if (last) whole(); },
      onTrailers: (t) => { this.events.push(`trailers ${t.flat.join(' ')}`); whole(); },
      onReset: (reason, fault) => { this.events.push(`reset ${reason}${fault === null ? '' : ` ${fault.status}`}`); if (fault !== null) this.respond(stream, fault.status); },
      onBlocked: () => {}, onDrained: () => {}, onComplete: () => { this.events.push('complete'); },
    };
  }

  respond(stream: ServerStream, status: number): void {
    const h = new ResponseHeaders();
    h.status = status;
    h.add('content-length', '0');
    stream.headers(h, true);
  }

  /** Feeds text cut into pieces of `size` bytes. */
  feed(text: string, size = text.length): this {
    const bytes = Buffer.from(text, 'latin1');
    for (let i = 0; i < bytes.length; i += size) this.codec.receive(bytes, i, Math.min(bytes.length, i + size));
    return this;
  }
}
