// Requests through the filters, in the order of the configuration; the last one, the router, takes them.
import type { PauseReason } from '../codec/codec.ts';
import type { Headers, RequestHeaders } from '../headers/headers.ts';
import { FilterChain, type ChainOwner } from './filter-chain.ts';
import type { HttpFilter, StreamView, Verdict } from './filter.ts';

/** What the request side needs of its stream. */
export interface RequestSideOwner extends ChainOwner, StreamView {
  readonly request: RequestHeaders;
  requestTooLarge(): void;
}

export class RequestSide extends FilterChain {
  private readonly stream: RequestSideOwner;
  private readonly reason: PauseReason;
  /** `reason`: why the source is stopped, where filters of several chains stop the same one. */
  constructor(stream: RequestSideOwner, reason: PauseReason = 'filter') { super(stream); this.stream = stream; this.reason = reason; }

  protected order(n: number): number { return n; }
  protected headHook(f: HttpFilter, end: boolean): Verdict { return f.onRequestHeaders === undefined ? 'next' : f.onRequestHeaders(this.stream, this.stream.request, end); }
  protected hasDataHook(f: HttpFilter): boolean { return f.onRequestData !== undefined; }
  protected dataHook(f: HttpFilter, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict { return f.onRequestData!(this.stream, bytes, start, end, last); }
  protected hasTrailersHook(f: HttpFilter): boolean { return f.onRequestTrailers !== undefined; }
  protected trailersHook(f: HttpFilter, trailers: Headers): Verdict { return f.onRequestTrailers!(this.stream, trailers); }
  protected exitHead(_end: boolean): void { /* the terminal filter takes everything */ }
  protected exitData(_bytes: Uint8Array, _start: number, _end: number, _last: boolean): void { /* as above */ }
  protected exitTrailers(_trailers: Headers): void { /* as above */ }
  protected stopSource(): void { this.stream.pauseRequest(this.reason); }
  protected startSource(): void { this.stream.resumeRequest(this.reason); }
  protected tooLarge(): void { this.stream.requestTooLarge(); }
}
