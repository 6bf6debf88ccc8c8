// A scripted client for the HTTP/2 server codec: feeds bytes, keeps what came of them, answers when told.
import type { RequestSink, ServerStream } from '../../../../engine/codec/codec.ts';
import { H2ServerCodec } from '../../../../engine/codec/h2/server-codec.ts';
import { ResponseHeaders, type Headers, type RequestHeaders } from '../../../../engine/headers/headers.ts';
import { HTTP2_DEFAULTS, type Http2OptionsPlan } from '../../../../engine/plan/http2-options-plan.ts';
import { CodecPeer } from './codec-peer.ts';
import { PREFACE, settings } from './wire.ts';

export class ServerPeer extends CodecPeer {
  readonly streams: ServerStream[] = [];
  readonly requests: RequestHeaders[] = [];
  readonly codec: H2ServerCodec;
  /** Answers each request with 200 as soon as it is whole. */
  answer = true;

  constructor(options: Partial<Http2OptionsPlan> = {}, greet = true) {
    super();
    this.codec = new H2ServerCodec({
      onStream: (s) => this.begin(s), onGoAway: () => { this.events.push('goaway'); }, onBadRequest: () => { this.events.push('bad'); },
      onConnectionClose: this.onConnectionClose,
    }, this.output, { ...HTTP2_DEFAULTS, ...options }, this.turn);
    if (greet) { this.feed(PREFACE, settings()); this.wire.take(); }
  }

  private begin(stream: ServerStream): RequestSink {
    const n = this.streams.push(stream) * 2 - 1;
    const whole = (): void => { this.events.push(`${n} end`); if (this.answer) this.respond(stream); };
    return {
      onHeaders: (h, end) => { this.requests.push(h); this.events.push(`${n} ${h.method} ${h.path} ${h.authority}`); if (end) whole(); },
      onData: (b, s, e, last) => { if (e > s) { const text = Buffer.from(b.subarray(s, e)).toString('latin1'); this.body += text; } if (last) whole(); },
      onTrailers: (t: Headers) => { this.events.push(`${n} trailers ${t.flat.join(' ')}`); whole(); },
      onMetadata: (map) => { this.events.push(`${n} metadata ${[...map].map((l) => l.join('=')).join(' ')}`); },
      onReset: (reason, fault) => { this.events.push(`${n} reset ${reason}${fault === null ? '' : ` ${fault.detail}`}`); },
      onBlocked: () => { this.events.push(`${n} blocked`); }, onDrained: () => { this.events.push(`${n} drained`); }, onComplete: () => { this.events.push(`${n} complete`); },
    };
  }

  respond(stream: ServerStream, body = '', status = 200): void {
    const h = new ResponseHeaders();
    h.status = status;
    stream.headers(h, body === '');
    if (body !== '') { const b = Buffer.from(body, 'latin1'); stream.data(b, 0, b.length, true); }
  }
}
