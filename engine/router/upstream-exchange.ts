// One attempt's way through the HTTP filters behind the router (Envoy: UpstreamFilterManager): the request passes them on its way to the host, once per attempt, and the
// answer in reverse before the router judges it. They share the request, its facts and its route with the filters before the router; a reply of theirs is sent by the
// router's stream, is not tried again, and passes none of them. Made only where such filters are configured; ended by its attempt, once.
//
//   request: router ──▶ filters ──▶ gate (holds until the stream is there) ──▶ stream          response: stream ──▶ filters in reverse ──▶ attempt
import type { ByteQueue } from '../base/byte-queue.ts';
import type { ClientStream, PauseReason, RequestWriter, ResetReason } from '../codec/codec.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { Effects } from '../http/filter-chain.ts';
import type { FilterList } from '../http/filter-list.ts';
import type { DownstreamWatcher, HttpFilter, LocalReply, ResponseEntry, Side, StreamView } from '../http/filter.ts';
import { ResponseSide, type ResponseSideOwner } from '../http/response-side.ts';
import type { RouteFilterConfig } from '../http/route.ts';
import { REPLY } from '../http/stream-replies.ts';
import type { ConnectionFacts, StreamFacts } from '../observe/stream-facts.ts';
import { UpstreamRequestSide, type UpstreamRequestSideOwner } from './upstream-request-side.ts';

/** What upstream filters see of the request that the attempt is for. */
export type RequestView = Pick<StreamView, 'facts' | 'request' | 'random' | 'route' | 'bufferLimit' | 'pauseRequest' | 'resumeRequest' | 'reset'>;

/** The attempt, behind which the stream is. Each call may end it. */
export interface ExchangeAttempt {
  filteredHeaders(headers: ResponseHeaders, end: boolean): void;
  filteredData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  filteredTrailers(trailers: Headers): void;
  filterReplied(reply: LocalReply): void;
  /** The head went out to the host. */
  headSent(): void;
}

const NO_CONFIGS: readonly unknown[] = [];

export class UpstreamExchange implements RequestWriter, StreamView, UpstreamRequestSideOwner, ResponseSideOwner, DownstreamWatcher {
  readonly facts: StreamFacts;
  readonly request: RequestHeaders;
  response: ResponseHeaders | null = null;
  private readonly attempt: ExchangeAttempt;
  private readonly view: RequestView;
  private readonly list: FilterList;
  private readonly filters: HttpFilter[];
  private readonly gate: HttpFilter = { onRequestHeaders: () => (this.stream === null ? 'hold' : 'next') };
  private readonly requestSide: UpstreamRequestSide;
  private readonly responseSide: ResponseSide;
  private configs: readonly RouteFilterConfig[] | null | undefined = undefined;
  private stream: ClientStream | null = null;
  private over = false;
  private inHook = false;
  private queued: Effects | null = null;
  private limit: number;
  /** The end of the request went out to the host. */
  requestWhole = false;

  constructor(attempt: ExchangeAttempt, view: RequestView, list: FilterList) {
    this.attempt = attempt; this.view = view; this.list = list;
    this.facts = view.facts; this.request = view.request; this.limit = view.bufferLimit;
    this.requestSide = new UpstreamRequestSide(this);
    this.responseSide = new ResponseSide(this);
    // Only the router, which is not among these, responds.
    this.filters = [...list.build(this as unknown as StreamView & ResponseEntry, view.route), this.gate];
    this.requestSide.install(this.filters);
    this.responseSide.install(this.filters);
    this.responseSide.watch(this);
  }

  /** The host's stream is there: what waits for it goes out. */
  open(stream: ClientStream): void { this.stream = stream; this.requestSide.resume(this.gate); }

  // ---- RequestWriter: what the router writes ---------------------------------------------------------------------------------------
  headers(_headers: RequestHeaders, end: boolean): void { this.requestSide.head(0, end); }
  data(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.requestSide.data(0, bytes, start, end, last); }
  trailers(trailers: Headers): void { this.requestSide.trailers(0, trailers); }

  // UpstreamRequestSideOwner: what has passed the filters
  sendRequestHead(end: boolean): void { this.requestWhole ||= end; this.stream!.headers(this.request, end); this.attempt.headSent(); }
  sendRequestData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.requestWhole ||= last; this.stream!.data(bytes, start, end, last); }
  sendRequestTrailers(trailers: Headers): void { this.requestWhole = true; this.stream!.trailers(trailers); }
  requestTooLarge(): void { this.replied(REPLY.tooLarge); }

  // ---- the answer ----------------------------------------------------------------------------------------------------------------
  responseHeaders(headers: ResponseHeaders, end: boolean): void { this.response = this.responseSide.headers = headers; this.responseSide.head(0, end); }
  responseData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.responseSide.data(0, bytes, start, end, last); }
  responseTrailers(trailers: Headers): void { this.responseSide.trailers(0, trailers); }
  sendHead(end: boolean): void { this.attempt.filteredHeaders(this.response!, end); }
  sendData(bytes: Uint8Array, start: number, end: number, last: boolean): void { this.attempt.filteredData(bytes, start, end, last); }
  sendTrailers(trailers: Headers): void { this.attempt.filteredTrailers(trailers); }
  responseTooLarge(): void { this.replied(REPLY.responseTooLarge); }
  onDownstreamBlocked(): void { this.stream?.pause('filter'); }
  onDownstreamDrained(): void { this.stream?.resume('filter'); }

  // ---- what filters ask for (StreamView): done now, or after the hook that is running has returned ---------------------------------
  enter(): void { this.inHook = true; }
  leave(): Effects | null { this.inHook = false; const asked = this.queued; this.queued = null; return asked; }
  run(effects: Effects): void { for (const effect of effects) { if (this.over) return; effect(); } }
  private later(effect: () => void): void {
    if (this.over) return;
    if (this.inHook) (this.queued ??= []).push(effect); else effect();
  }
  private side(side: Side): UpstreamRequestSide | ResponseSide { return side === 'request' ? this.requestSide : this.responseSide; }

  get connection(): ConnectionFacts { return this.facts.connection; }
  get random(): number { return this.view.random; }
  get route(): StreamView['route'] { return this.view.route; }
  /** The route is settled by now, as in Envoy. */
  clearRoute(): void { /* it stays */ }
  setRoute(): void { /* it stays */ }
  /** It was asked before. */
  readonly shedsLoad = false;
  get bufferLimit(): number { return this.limit; }
  setBufferLimit(bytes: number): void { this.limit = bytes; }
  private filterConfig(index: number): RouteFilterConfig | undefined { return (this.configs === undefined ? (this.configs = this.view.route?.filterConfigs(this.list) ?? null) : this.configs)?.[index]; }
  routeConfig(index: number): unknown { return this.filterConfig(index)?.all.at(-1); }
  routeConfigs(index: number): readonly unknown[] { return this.filterConfig(index)?.all ?? NO_CONFIGS; }
  resume(filter: HttpFilter, side: Side = 'request'): void { this.later(() => this.side(side).resume(filter)); }
  pause(filter: HttpFilter, side: Side = 'request'): void { this.side(side).stop(filter); }
  unpause(filter: HttpFilter, side: Side = 'request'): void { this.side(side).start(filter); }
  reply(_filter: HttpFilter, reply: LocalReply): void { this.later(() => this.replied(reply)); }
  push(filter: HttpFilter, data: ByteQueue, last: boolean, side: Side = 'request'): void { this.later(() => this.side(side).push(filter, data, last)); }
  pushTrailers(filter: HttpFilter, trailers: Headers, side: Side = 'request'): void { this.later(() => this.side(side).pushTrailers(filter, trailers)); }
  heldBody(filter: HttpFilter, side: Side = 'request'): ByteQueue | null { return this.side(side).heldBody(filter); }
  pauseRequest(why: PauseReason): void { this.view.pauseRequest(why); }
  resumeRequest(why: PauseReason): void { this.view.resumeRequest(why); }
  reset(reason: ResetReason): void { this.later(() => this.view.reset(reason)); }
  replied(reply: LocalReply): void { if (!this.over) this.attempt.filterReplied(reply); }

  get heldBytes(): number { let n = this.requestSide.heldBytes + this.responseSide.heldBytes; for (const f of this.filters) n += f.heldBytes?.() ?? 0; return n; }

  /** Lets go of the filters, once. `whole`: the answer was. */
  end(whole: boolean): void {
    if (this.over) return;
    this.over = true;
    this.queued = null;
    this.stream = null;
    this.requestSide.close();
    this.responseSide.close();
    for (const f of this.filters) f.onEnd?.(this, whole ? 'complete' : 'local-reset');
  }
}
