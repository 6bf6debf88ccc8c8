// The client's side of one exchange: the request is written here, the response goes to the sink. Made by the codec's `open`; the peer knows of it once HEADERS are sent.
import { Kept, keepLast } from '../../base/kept.ts';
import type { RequestHeaders, ResponseHeaders } from '../../headers/headers.ts';
import type { ClientStream, HttpProtocol, ResponseSink } from '../codec.ts';
import type { H2ClientCodec } from './client-codec.ts';
import { H2Stream, type StreamSink } from './stream.ts';

export class H2ClientStream extends H2Stream implements ClientStream {
  readonly protocol: HttpProtocol = 'HTTP/2';
  readonly sink: ResponseSink;
  private readonly codec: H2ClientCodec;
  private isHead = false;
  /** The upgrade token that was asked for, '' for none. */
  private upgrade = '';

  constructor(codec: H2ClientCodec, sink: ResponseSink) { super(codec); keepLast(Kept.h2ClientStream, this); this.codec = codec; this.sink = sink; }

  get streamSink(): StreamSink { return this.sink; }

  headers(headers: RequestHeaders, end: boolean): void {
    if (this.state !== 'idle') return;
    // The connection has said goodbye since the stream was opened: nothing was sent, so it may go elsewhere.
    if (!this.codec.begin(this)) { this.lost('refused', null); return; }
    this.state = 'open';
    this.isHead = headers.method === 'HEAD';
    this.upgrade = headers.protocol;
    this.codec.sendRequestHead(this, headers, end);
    if (end) this.endLocal();
  }

  /** Responses without a body whatever their content-length says. */
  bodiless(status: number): boolean { return this.isHead || status === 304; }

  /** An accepted extended CONNECT is shown as the switch that the other rooms know (as in Envoy). */
  adapt(response: ResponseHeaders): void {
    if (this.upgrade === '' || response.status !== 200) return;
    response.status = 101;
    response.remove('content-length');
    response.add('upgrade', this.upgrade);
    response.add('connection', 'upgrade');
  }

  protected localEnded(): void { if (this.state === 'closed') this.close(-1); }
  released(): void { /* the sink knows */ }
}
