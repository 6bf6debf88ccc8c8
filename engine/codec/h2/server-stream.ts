// The server's side of one exchange: the response is written here. Made by the codec for each request.
import { Kept, keepLast } from '../../base/kept.ts';
import type { RequestSink, ServerStream, HttpProtocol } from '../codec.ts';
import type { Headers, ResponseHeaders } from '../../headers/headers.ts';
import { ERROR } from './frames.ts';
import type { H2ServerCodec } from './server-codec.ts';
import { H2Stream, type StreamSink } from './stream.ts';

export class H2ServerStream extends H2Stream implements ServerStream {
  readonly protocol: HttpProtocol = 'HTTP/2';
  sink: RequestSink | null = null;
  isConnect = false;
  /** Extended CONNECT, shown to the other rooms as an upgrade. */
  isUpgrade = false;
  private responding = false;

  constructor(codec: H2ServerCodec, id: number, state: 'open' | 'half-remote') { super(codec); keepLast(Kept.h2ServerStream, this); this.id = id; this.state = state; }

  get streamSink(): StreamSink | null { return this.sink; }

  informational(headers: ResponseHeaders): void {
    if (!this.responding && !this.localOver) this.head(headers, headers.status, false);
  }

  headers(headers: ResponseHeaders, end: boolean): void {
    if (this.responding || this.localOver) return;
    this.responding = true;
    // A switched protocol is a plain success here (RFC 8441 section 5).
    this.head(headers, this.isUpgrade && headers.status === 101 ? 200 : headers.status, end);
    if (end) this.endLocal();
  }

  private head(headers: ResponseHeaders, status: number, end: boolean): void { this.connection.sendResponseHead(this, status, headers, end); }

  override data(bytes: Uint8Array, start: number, end: number, last: boolean): void { if (this.responding) super.data(bytes, start, end, last); }
  override trailers(trailers: Headers): void { if (this.responding) super.trailers(trailers); }

  closeAfter(): void { /* other requests of the connection go on */ }

  protected localEnded(): void {
    // The response is whole before the request is: the rest is not wanted (RFC 9113 section 8.1).
    this.close(this.state === 'closed' ? -1 : ERROR.NO_ERROR);
    this.sink?.onComplete();
  }

  released(): void { /* onComplete and onReset say what there is to say */ }
}
