// The shape of an HTTP filter (layout.md section 4). A hook returns its effect, it does not call up the stack; effects are applied by the chain after the
// hook has returned. The router is the last filter of a chain; it lives in its own room.
import type { ByteQueue } from '../base/byte-queue.ts';
import type { ConnectionFacts, StreamFacts } from '../observe/stream-facts.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { MetadataMap, PauseReason, ResetReason } from '../codec/codec.ts';
import type { Route } from './route.ts';

/** The two directions of a stream, each with its chain: requests pass the filters in order, responses in reverse. */
export type Side = 'request' | 'response';

/**
 * What a hook wishes done with what it was shown.
 * next: go on; if this filter held something back, that goes on first.
 * next-open: the same, and the message does not end here though `end`/`last` was true: the filter will `push` the rest (a body for a message that had none, trailers).
 * hold: stop here; the chain keeps what comes and pauses the source at the limit, until `resume`.
 * hold-whole: stop here until the message is whole, then go on by itself (a hook that wants to wait on returns 'hold' for the last piece); over the limit the answer is 413 (request) or 500 (response).
 * taken: the filter has the bytes itself and will `push` what is to go on (for headers: only the terminal filter).
 * A LocalReply is returned, not sent from inside; on the response side it replaces a response whose head has not gone out yet, and passes no further filter.
 *
 * While a filter holds, what follows is shown to its own data and trailers hooks (and kept or released as they say); without such a hook it is kept. Filters before it have seen it, those behind have not.
 * Envoy's codes: Continue = next, ContinueAndDontEndStream = next-open, StopIteration = hold, StopAllIterationAndWatermark and StopIterationAndWatermark = hold,
 * StopAllIterationAndBuffer and StopIterationAndBuffer = hold-whole, StopIterationNoBuffer = taken.
 */
export type Verdict = 'next' | 'next-open' | 'hold' | 'hold-whole' | 'taken' | LocalReply;

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
export type StreamEnd = 'complete' | 'downstream-reset' | 'downstream-closed' | 'upstream-reset-after-headers' | 'idle-timeout' | 'max-duration' | 'protocol-error' | 'local-reset' | 'drained' | 'recreated';

export interface HttpFilter {
  // Leave out the hooks you do not need; absent hooks cost nothing. `data` is lent until the hook returns.
  onRequestHeaders?(s: StreamView, headers: RequestHeaders, end: boolean): Verdict;
  onRequestData?(s: StreamView, data: Uint8Array, start: number, dataEnd: number, last: boolean): Verdict;
  onRequestTrailers?(s: StreamView, trailers: Headers): Verdict;
  onResponseHeaders?(s: StreamView, headers: ResponseHeaders, end: boolean): Verdict;
  onResponseData?(s: StreamView, data: Uint8Array, start: number, dataEnd: number, last: boolean): Verdict;
  onResponseTrailers?(s: StreamView, trailers: Headers): Verdict;
  /** METADATA of an HTTP/2 request. Only the terminal filter is shown it: no other has a use for it. */
  onRequestMetadata?(map: MetadataMap): void;
  /** Exactly once, before the access log. Frees what the filter took (side calls, timers). */
  onEnd?(s: StreamView, how: StreamEnd): void;
  /** Bytes of the stream that wait in queues of its own. Asked only under memory pressure. */
  heldBytes?(): number;
}

/** A stream as filters see it. Calls that act (resume, reply, push, reset) may be made from anywhere: inside a hook they are queued until the chain has stopped. */
export interface StreamView {
  readonly facts: StreamFacts;
  readonly connection: ConnectionFacts;
  readonly request: RequestHeaders;
  readonly response: ResponseHeaders | null;
  /** The stream's random number (u32), the same for every decision by chance about it. */
  readonly random: number;
  /** The route as matched now; null: none. */
  readonly route: Route | null;
  /** Forgets the route: it is matched again at the next look (after a filter changed what it depends on). Which filters the stream has stays as it was. */
  clearRoute(): void;
  setRoute(route: Route | null): void;
  /** Lets go of what `filter` holds back on that side: on with the next filter. Harmless when nothing is held. */
  resume(filter: HttpFilter, side?: Side): void;
  reply(filter: HttpFilter, reply: LocalReply): void;
  /** Sends body bytes onward from this filter (takes ownership of the queue's chunks); behind what it holds, if it holds; from inside a trailers hook, before the trailers. An empty queue with `last` ends the message. */
  push(filter: HttpFilter, data: ByteQueue, last: boolean, side?: Side): void;
  /** Ends the message with trailers, onward from this filter. */
  pushTrailers(filter: HttpFilter, trailers: Headers, side?: Side): void;
  /** The body that the chain keeps for a filter that holds; null: none. It may be read and changed in place. */
  heldBody(filter: HttpFilter, side?: Side): ByteQueue | null;
  /** Stops and restarts the source of that side on behalf of a filter with a queue of its own; it runs when no filter (and nothing else) stops it. */
  pause(filter: HttpFilter, side?: Side): void;
  unpause(filter: HttpFilter, side?: Side): void;
  reset(reason: ResetReason): void;
  /** This filter's compiled config of the route (most specific of route configuration, virtual host, route, weighted cluster), or undefined. `filterIndex` is what its factory was made with. */
  routeConfig(filterIndex: number): unknown;
  /** The same, of all levels that have one, the least specific first. */
  routeConfigs(filterIndex: number): readonly unknown[];
  /** Under the present load the request is not to go to an upstream (http_downstream_filter_check). */
  readonly shedsLoad: boolean;
  /** What the chain keeps of one message at most, bytes; 0: no limit. */
  readonly bufferLimit: number;
  setBufferLimit(bytes: number): void;
  /** Back-pressure on the request body by the terminal filter, by reason. */
  pauseRequest(why: PauseReason): void;
  resumeRequest(why: PauseReason): void;
}

/** What the router filter uses to give the response to the chain: the encode side's entry, last filter first. The stream implements it. */
export interface ResponseEntry {
  respondInformational(headers: ResponseHeaders): void;
  respondHeaders(headers: ResponseHeaders, end: boolean): void;
  respondData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  respondTrailers(trailers: Headers): void;
  /** METADATA of an HTTP/2 answer; before its head too. */
  respondMetadata(map: MetadataMap): void;
  /** A local reply from the router after its hook has returned (timeouts, upstream failures). */
  respondLocally(reply: LocalReply): void;
  /** The upstream broke after response headers were sent: the downstream is reset (h1: closed). */
  respondReset(reason: ResetReason, flags: number, details: string): void;
  /** Begins the request anew, as a stream of its own on the same exchange, when an answer is followed instead of given (internal redirects). This stream ends, logged with `response`. */
  recreate(response: ResponseHeaders, body: ByteQueue | null, trailers: Headers | null): void;
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
  /** Turns a compiled per-route plan into what `routeConfig` gives; called once per route when it is first used. Left out: the plan itself. */
  routeConfig?(plan: unknown): unknown;
}
