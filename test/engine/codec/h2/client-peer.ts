// A scripted server for the HTTP/2 client codec.
import type { ClientStream } from '../../../../engine/codec/codec.ts';
import { H2ClientCodec } from '../../../../engine/codec/h2/client-codec.ts';
import { RequestHeaders, type ResponseHeaders } from '../../../../engine/headers/headers.ts';
import { HTTP2_DEFAULTS, type Http2OptionsPlan } from '../../../../engine/plan/http2-options-plan.ts';
import { CodecPeer } from './codec-peer.ts';
import { settings } from './wire.ts';

export class ClientPeer extends CodecPeer {
  responses: ResponseHeaders[] = [];
  readonly codec: H2ClientCodec;
  private opened = 0;

  constructor(options: Partial<Http2OptionsPlan> = {}, greet = true) {
    super(true);
    this.codec = new H2ClientCodec({
      onStreamDone: (reusable) => { this.events.push(`done${reusable ? '' : ' last'}`); }, onGoAway: () => { this.events.push('goaway'); }, onStreamLimit: () => { this.events.push(`limit ${this.codec.streamLimit}`); },
      onConnectionClose: this.onConnectionClose,
    }, this.output, { ...HTTP2_DEFAULTS, ...options }, this.turn);
    if (greet) { this.feed(settings()); this.wire.take(); this.events.length = 0; }
  }

  open(): ClientStream | 'full' {
    const n = ++this.opened * 2 - 1;
    const stream = this.codec.open({
      onInformational: (h) => { this.events.push(`${n} ${h.status}`); },
      onHeaders: (h, end) => { this.responses.push(h); this.events.push(`${n} ${h.status}${end ? ' end' : ''}`); },
      onData: (b, s, e, last) => { this.body += Buffer.from(b.subarray(s, e)).toString('latin1'); if (last) this.events.push(`${n} end`); },
      onTrailers: (t) => { this.events.push(`${n} trailers ${t.flat.join(' ')}`); },
      onMetadata: (map) => { this.events.push(`${n} metadata ${[...map].map((l) => l.join('=')).join(' ')}`); },
      onReset: (reason, fault) => { this.events.push(`${n} reset ${reason}${fault === null ? '' : ` ${fault.detail}`}`); },
      onBlocked: () => { this.events.push(`${n} blocked`); }, onDrained: () => { this.events.push(`${n} drained`); },
    });
    if (stream === 'full') this.opened--;
    return stream;
  }

  /** Opens and sends a request's head. */
  ask(method = 'GET', path = '/', more: readonly (readonly [string, string])[] = [], end = true): ClientStream {
    const stream = this.open();
    if (stream === 'full') throw new Error('full');
    const h = new RequestHeaders();
    h.method = method; h.path = path; h.scheme = 'http'; h.authority = 'h.example';
    for (const [n, v] of more) h.add(n, v);
    stream.headers(h, end);
    return stream;
  }
}
