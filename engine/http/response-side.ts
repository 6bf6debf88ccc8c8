// Responses through the filters, in reverse order, and out to the codec. Also the ledger of what keeps the response's source (the router) from reading on.
import type { MetadataMap } from '../codec/codec.ts';
import type { Headers, ResponseHeaders } from '../headers/headers.ts';
import { FilterChain, type ChainOwner } from './filter-chain.ts';
import type { DownstreamWatcher, HttpFilter, StreamView, Verdict } from './filter.ts';

/** What the response side needs of its stream: the way out. */
export interface ResponseSideOwner extends ChainOwner, StreamView {
  sendHead(end: boolean): void;
  sendData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  sendTrailers(trailers: Headers): void;
  /** Left out: METADATA does not come here. */
  sendMetadata?(map: MetadataMap): void;
  responseTooLarge(): void;
}

export class ResponseSide extends FilterChain {
  private readonly stream: ResponseSideOwner;
  /** The response that is on its way through the filters. */
  headers: ResponseHeaders | null = null;
  private blockedBy: 'nothing' | 'downstream' | 'filters' | 'both' = 'nothing';
  private source: DownstreamWatcher | null = null;
  /** METADATA that came before the head, while filters may yet change it. */
  private early: MetadataMap[] | null = null;
  constructor(stream: ResponseSideOwner) { super(stream); this.stream = stream; }

  protected order(n: number): number { return this.filters.length - 1 - n; }
  protected headHook(f: HttpFilter, end: boolean): Verdict { return f.onResponseHeaders === undefined ? 'next' : f.onResponseHeaders(this.stream, this.headers!, end); }
  protected hasDataHook(f: HttpFilter): boolean { return f.onResponseData !== undefined; }
  protected dataHook(f: HttpFilter, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict { return f.onResponseData!(this.stream, bytes, start, end, last); }
  protected hasTrailersHook(f: HttpFilter): boolean { return f.onResponseTrailers !== undefined; }
  protected trailersHook(f: HttpFilter, trailers: Headers): Verdict { return f.onResponseTrailers!(this.stream, trailers); }
  protected exitHead(end: boolean): void { this.stream.sendHead(end); }
  protected exitData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.stream.sendData(bytes, start, end, last); }
  protected exitTrailers(trailers: Headers): void { this.stream.sendTrailers(trailers); }
  protected tooLarge(): void { this.stream.responseTooLarge(); }

  metadata(map: MetadataMap, headOut: boolean): void { if (headOut || this.filters.every((f) => f.onResponseHeaders === undefined)) this.stream.sendMetadata?.(map); else (this.early ??= []).push(map); }
  /** The head went out: what waited for it follows. */
  headOut(): void { const { early } = this; this.early = null; if (early !== null) for (const map of early) this.stream.sendMetadata?.(map); }

  /** The source of the response from now on; one that comes while the way is blocked is told at once. */
  watch(source: DownstreamWatcher | null): void { this.source = source; if (source !== null && this.blockedBy !== 'nothing') source.onDownstreamBlocked(); }
  get watcher(): DownstreamWatcher | null { return this.source; }

  downstreamBlocked(): void { this.block('downstream', 'filters'); }
  downstreamDrained(): void { this.unblock('downstream', 'filters'); }
  protected stopSource(): void { this.block('filters', 'downstream'); }
  protected startSource(): void { this.unblock('filters', 'downstream'); }

  private block(by: 'downstream' | 'filters', other: 'downstream' | 'filters'): void {
    if (this.blockedBy === 'nothing') { this.blockedBy = by; this.source?.onDownstreamBlocked(); } else if (this.blockedBy === other) this.blockedBy = 'both';
  }
  private unblock(by: 'downstream' | 'filters', other: 'downstream' | 'filters'): void {
    if (this.blockedBy === by) { this.blockedBy = 'nothing'; this.source?.onDownstreamDrained(); } else if (this.blockedBy === 'both') this.blockedBy = other;
  }
}
