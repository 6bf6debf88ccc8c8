// The shape of an HTTP filter (layout.md section 4). A hook returns its effect, it does not call up the stack; effects are applied by the chain after the
// hook has returned. The router is the last filter of a chain; it lives in its own room.
import type { ByteQueue } from '../base/byte-queue.ts';
import type { ConnectionFacts, StreamFacts } from '../observe/stream-facts.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { PauseReason, ResetReason } from '../codec/codec.ts';
import type { Route } from './route.ts';

/**
 * next: go on. hold: stop here; the chain keeps what comes and pauses the source at the limit. hold-whole: keep all to the end; over the limit is 413 (request) or 500.
 * taken: the filter took the bytes itself (it will `push`, or it is the router). A LocalReply is returned, not sent from inside.
 */
export type Verdict = 'next' | 'hold' | 'hold-whole' | 'taken' | LocalReply;

/** An answer made by the proxy itself. */
export class LocalReply {
  readonly status: number;
  readonly body: string;
  /** Response code details, e.g. 'route_not_found'. */
  readonly details: string;
  /** Bit set of response flags (response-flags.ts). */
  readonly flags: number;
  /** Changes the headers after the default ones are set; built ahead, not per request where it can be. */
  readonly headers: ((h: ResponseHeaders, s: StreamView) => void) | null;
  /** gRPC status in place of the one mapped from `status`; -1: mapped. */
  readonly grpcStatus: number;
  /** The body's bytes where it is not text (direct_response); '' otherwise is `body`. */
  readonly contentType: string;
  constructor(status: number, body: string, details: string, flags = 0, headers: ((h: ResponseHeaders, s: StreamView) => void) | null = null, grpcStatus = -1, contentType = 'text/plain') {
    this.status = status; this.body = body; this.details = details; this.flags = flags; this.headers = headers; this.grpcStatus = grpcStatus; this.contentType = contentType;
  }
}

/** How a stream ended: closed list; each stream ends in exactly one of them, once. */
export type StreamEnd = 'complete' | 'downstream-reset' | 'downstream-closed' | 'upstream-reset-after-headers' | 'idle-timeout' | 'max-duration' | 'protocol-error' | 'local-reset' | 'drained';

export interface HttpFilter {
  // Leave out the hooks you do not need; absent hooks cost nothing. `data` is lent until the hook returns.
  onRequestHeaders?(s: StreamView, headers: RequestHeaders, end: boolean): Verdict;
  onRequestData?(s: StreamView, data: Uint8Array, start: number, dataEnd: number, last: boolean): Verdict;
  onRequestTrailers?(s: StreamView, trailers: Headers): Verdict;
  onResponseHeaders?(s: StreamView, headers: ResponseHeaders, end: boolean): Verdict;
  onResponseData?(s: StreamView, data: Uint8Array, start: number, dataEnd: number, last: boolean): Verdict;
  onResponseTrailers?(s: StreamView, trailers: Headers): Verdict;
  /** Exactly once, before the access log. Frees what the filter took (side calls, timers). */
  onEnd?(s: StreamView, how: StreamEnd): void;
}

/** A stream as filters see it. Calls that act (resume, reply, push, reset) are for use from outside a hook; inside one they are queued until the chain has stopped. */
export interface StreamView {
  readonly facts: StreamFacts;
  readonly connection: ConnectionFacts;
  readonly request: RequestHeaders;
  readonly response: ResponseHeaders | null;
  /** The route as matched now; null: none. */
  readonly route: Route | null;
  /** Forgets the route: it is matched again at the next look (after a filter changed what it depends on). */
  clearRoute(): void;
  setRoute(route: Route | null): void;
  resume(filter: HttpFilter): void;
  reply(filter: HttpFilter, reply: LocalReply): void;
  /** Sends body bytes onward from this filter (takes ownership of the queue's chunks). */
  push(filter: HttpFilter, data: ByteQueue, last: boolean): void;
  reset(reason: ResetReason): void;
  /** This filter's compiled config of the route (most specific of route, virtual host, route configuration; weighted cluster before all), or undefined. */
  routeConfig(filterIndex: number): unknown;
  /** Body limit of this stream, bytes. */
  readonly bufferLimit: number;
  /** Back-pressure on the request body, by reason. */
  pauseRequest(why: PauseReason): void;
  resumeRequest(why: PauseReason): void;
}

/** What the router filter uses to give the response to the chain: the encode side's entry, last filter first. The stream implements it. */
export interface ResponseEntry {
  respondInformational(headers: ResponseHeaders): void;
  respondHeaders(headers: ResponseHeaders, end: boolean): void;
  respondData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  respondTrailers(trailers: Headers): void;
  /** A local reply from the router after its hook has returned (timeouts, upstream failures). */
  respondLocally(reply: LocalReply): void;
  /** The upstream broke after response headers were sent: the downstream is reset (h1: closed). */
  respondReset(reason: ResetReason, flags: number, details: string): void;
  /** Set by the router, to pause its upstream. */
  downstreamWatcher: DownstreamWatcher | null;
}

/** Told when the response is stuck downstream, and when it flows again. */
export interface DownstreamWatcher { onDownstreamBlocked(): void; onDownstreamDrained(): void }

/** A filter of a chain, built once when the plan is installed. */
export interface HttpFilterFactory {
  readonly name: string;
  /** Called per stream. A filter without per-stream state returns the same object always. */
  create(s: StreamView & ResponseEntry): HttpFilter;
  /** Turns a compiled per-route plan into what `routeConfig` gives. */
  routeConfig?(plan: unknown): unknown;
}
