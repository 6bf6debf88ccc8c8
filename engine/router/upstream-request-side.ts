// The request of one attempt through the filters behind the router, and out to the host's stream.
import type { Headers, RequestHeaders } from '../headers/headers.ts';
import { FilterChain, type ChainOwner } from '../http/filter-chain.ts';
import type { HttpFilter, StreamView, Verdict } from '../http/filter.ts';

/** What it needs of its exchange: the way out. */
export interface UpstreamRequestSideOwner extends ChainOwner, StreamView {
  readonly request: RequestHeaders;
  sendRequestHead(end: boolean): void;
  sendRequestData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  sendRequestTrailers(trailers: Headers): void;
  requestTooLarge(): void;
}

export class UpstreamRequestSide extends FilterChain {
  private readonly exchange: UpstreamRequestSideOwner;
  constructor(exchange: UpstreamRequestSideOwner) { super(exchange); this.exchange = exchange; }

  protected order(n: number): number { return n; }
  protected headHook(f: HttpFilter, end: boolean): Verdict { return f.onRequestHeaders === undefined ? 'next' : f.onRequestHeaders(this.exchange, this.exchange.request, end); }
  protected hasDataHook(f: HttpFilter): boolean { return f.onRequestData !== undefined; }
  protected dataHook(f: HttpFilter, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict { return f.onRequestData!(this.exchange, bytes, start, end, last); }
  protected hasTrailersHook(f: HttpFilter): boolean { return f.onRequestTrailers !== undefined; }
  protected trailersHook(f: HttpFilter, trailers: Headers): Verdict { return f.onRequestTrailers!(this.exchange, trailers); }
  protected exitHead(end: boolean): void { this.exchange.sendRequestHead(end); }
  protected exitData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.exchange.sendRequestData(bytes, start, end, last); }
  protected exitTrailers(trailers: Headers): void { this.exchange.sendRequestTrailers(trailers); }
  // A reason of its own: the filters before the router stop the same source.
  protected stopSource(): void { this.exchange.pauseRequest('upstream-filter'); }
  protected startSource(): void { this.exchange.resumeRequest('upstream-filter'); }
  protected tooLarge(): void { this.exchange.requestTooLarge(); }
}
