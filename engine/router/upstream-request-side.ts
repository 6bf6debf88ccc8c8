// The request of one attempt through the filters behind the router, and out to the host's stream.
import type { Headers } from '../headers/headers.ts';
import { RequestSide, type RequestSideOwner } from '../http/request-side.ts';

/** What it needs of its exchange: the way out. */
export interface UpstreamRequestSideOwner extends RequestSideOwner {
  sendRequestHead(end: boolean): void;
  sendRequestData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  sendRequestTrailers(trailers: Headers): void;
}

export class UpstreamRequestSide extends RequestSide {
  private readonly exchange: UpstreamRequestSideOwner;
  constructor(exchange: UpstreamRequestSideOwner) { super(exchange, 'upstream-filter'); this.exchange = exchange; }

  protected override exitHead(end: boolean): void { this.exchange.sendRequestHead(end); }
  protected override exitData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.exchange.sendRequestData(bytes, start, end, last); }
  protected override exitTrailers(trailers: Headers): void { this.exchange.sendRequestTrailers(trailers); }
}
