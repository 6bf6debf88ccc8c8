// One request and its response: the one stream machine for every protocol pair. Takes the codec's events, drives the filters in order (decode) and in reverse
// (encode), writes the response through the codec, keeps the clocks, and ends exactly once, when the access logs are written.
//
//   head (no request yet) ──▶ active (no response yet) ──▶ answering (a response is among the filters) ──▶ responding (its head is out) ──▶ done (all is out) ──▶ ended
//   any ──▶ ended: reset from either side, timeout, an answer that cannot be given any more
import { Kept, keepLast } from '../base/kept.ts';
import type { ByteQueue } from '../base/byte-queue.ts';
import type { PeerFault } from '../base/fault.ts';
import type { MetadataMap, RequestSink, ResetReason, ServerStream, PauseReason } from '../codec/codec.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../headers/headers.ts';
import { HCM, HTTP1, HTTP2 } from '../observe/stats/schemas.ts';
import { flagBit } from '../observe/response-flags.ts';
import { StreamFacts, type ConnectionFacts } from '../observe/stream-facts.ts';
import type { ChainOwner, Effects } from './filter-chain.ts';
import type { FilterList } from './filter-list.ts';
import type { DownstreamWatcher, HttpFilter, LocalReply, ResponseEntry, Side, StreamEnd, StreamView } from './filter.ts';
import { buildLocalReply, isGrpc } from './local-reply.ts';
import { checkRequest, upgradeToken, upgradeVerdict } from './request-checks.ts';
import { countResponse, finishResponse, logTunnel } from './response-preparation.ts';
import { RequestSide } from './request-side.ts';
import { ResponseSide } from './response-side.ts';
import type { Route, RouteFilterConfig } from './route.ts';
import type { StreamOwner } from './stream-owner.ts';
import { StreamClock, type ClockOwner } from './stream-clock.ts';
import { faultReply, OVERLOADED, REPLY, STREAM_FLAG } from './stream-replies.ts';

export class Stream implements RequestSink, StreamView, ResponseEntry, ClockOwner, ChainOwner {
  /** @internal The connection's list of streams. */
  next: Stream | null = null;
  previous: Stream | null = null;
  readonly facts: StreamFacts;
  readonly connection: ConnectionFacts;
  private readonly owner: StreamOwner;
  private readonly codec: ServerStream;
  request: RequestHeaders = NO_REQUEST;
  response: ResponseHeaders | null = null;
  private matched: Route | null | undefined = undefined;
  /** The route's configs of the filters; undefined: not looked at since the route was matched. */
  private configs: readonly RouteFilterConfig[] | null | undefined = undefined;
  private filters: HttpFilter[] = NO_FILTERS;
  private state: 'head' | 'active' | 'answering' | 'responding' | 'done' | 'ended' = 'head';
  /** Who answers: what else comes from an upstream after a local reply is dropped. */
  private source: 'none' | 'upstream' | 'local' = 'none';
  private readonly requestSide: RequestSide;
  private readonly responseSide: ResponseSide;
  private requestComplete = false;
  private inHook = false;
  private queued: Effects | null = null;
  readonly random: number;
  private readonly clock: StreamClock;
  private upgraded = false;
  private limit: number;
  /** The idle timeout as configured, or once the whole answer waits the flush timeout; the clock's may be shorter under pressure. */
  private idleMs: number;

  constructor(owner: StreamOwner, codec: ServerStream) {
    keepLast(Kept.stream, this);
    this.owner = owner; this.codec = codec; this.connection = owner.facts;
    const facts = this.facts = new StreamFacts(owner.facts);
    const { env, stats, plan } = owner.runtime;
    if (codec.protocol === 'HTTP/2') facts.protocol = 'HTTP/2'; // what becomes of a head that is none is logged as well
    this.requestSide = new RequestSide(this);
    this.responseSide = new ResponseSide(this);
    this.limit = owner.bufferLimit;
    this.random = env.random.u32();
    facts.startMs = env.clock.nowMs();
    facts.startWallMs = env.clock.wallMs();
    facts.remoteIp = owner.facts.remoteIp; facts.remotePort = owner.facts.remotePort; facts.remoteText = owner.facts.remoteText;
    stats.inc(HCM.downstream_rq_total);
    stats.inc(HCM.downstream_rq_active);
    stats.inc(codec.protocol === 'HTTP/2' ? HCM.downstream_rq_http2_total : HCM.downstream_rq_http1_total);
    this.idleMs = plan.streamIdleTimeoutMs;
    this.clock = new StreamClock(env, this, owner.streamIdleMs(this.idleMs));
    if (plan.requestHeadersTimeoutMs > 0) this.clock.armHeaders(plan.requestHeadersTimeoutMs); else if (plan.requestTimeoutMs > 0) this.clock.armRequest(plan.requestTimeoutMs);
  }
  get shedsLoad(): boolean { return this.owner.shedsRequest(); }
  /** The pressure that shortens timeouts has changed, or the timeout itself. */
  scaleTimers(): void { if (this.state === 'done') this.clock.moveFlush(this.owner.streamFlushMs(this.idleMs)); else this.clock.idleMs = this.owner.streamIdleMs(this.idleMs); }
  get bufferLimit(): number { return this.limit; }
  setBufferLimit(bytes: number): void { this.limit = bytes; }
  get route(): Route | null { return this.matched === undefined ? this.findRoute() : this.matched; }
  clearRoute(): void { this.matched = this.configs = undefined; }
  setRoute(route: Route | null): void { this.matched = route; this.noteRoute(); }

  private findRoute(): Route | null {
    this.facts.routeResolutions++;
    this.matched = this.owner.runtime.routes.current?.match(this.request, this.facts, this.random) ?? null;
    this.noteRoute();
    return this.matched;
  }

  private noteRoute(): void {
    const route = this.matched ?? null;
    this.configs = undefined;
    if (route === null) return;
    this.facts.routeName = route.name;
    this.facts.virtualHostName = route.virtualHostName;
    if (route.idleTimeoutMs >= 0 && route.idleTimeoutMs !== this.idleMs) { this.idleMs = route.idleTimeoutMs; this.scaleTimers(); this.owner.idleChanged(); }
    if (route.bufferLimit >= 0) this.limit = route.bufferLimit;
  }

  private filterConfig(filterIndex: number): RouteFilterConfig | undefined {
    if (this.configs === undefined) this.configs = this.route?.filterConfigs(this.chain) ?? null;
    return this.configs?.[filterIndex];
  }
  private get chain(): FilterList { const { runtime } = this.owner; return this.upgraded ? runtime.filtersOf(upgradeToken(this.request)) : runtime.filters; }
  routeConfig(filterIndex: number): unknown { return this.filterConfig(filterIndex)?.all.at(-1); }
  routeConfigs(filterIndex: number): readonly unknown[] { return this.filterConfig(filterIndex)?.all ?? NO_CONFIGS; }

  // ---- request: from the codec -------------------------------------------------------------------------------------------------
  onHeaders(headers: RequestHeaders, end: boolean): void {
    const { runtime } = this.owner, { plan } = runtime, facts = this.facts;
    this.request = facts.request = headers;
    facts.protocol = this.codec.protocol;
    facts.grpc = isGrpc(headers);
    facts.requestHeadersBytes = this.codec.headerBytesReceived;
    this.state = 'active';
    this.clock.touch();
    if (plan.requestHeadersTimeoutMs > 0) { this.clock.requestOver(); if (plan.requestTimeoutMs > 0 && !end) this.clock.armRequest(plan.requestTimeoutMs); }
    if (end) this.requestEnded();
    const shed = this.owner.refusesRequest();
    if (shed !== null) { this.locally(shed); return; }
    const refused = checkRequest(runtime, headers, facts);
    if (refused !== null) {
      if (refused.status === 400 && !plan.http1.streamErrorOnInvalidHttpMessage) this.codec.closeAfter();
      this.locally(refused);
      return;
    }
    this.routed(headers, end);
  }

  /** The request is what it should be: on to its route and through the filters. */
  private routed(headers: RequestHeaders, end: boolean): void {
    const { owner: { runtime }, facts } = this, { plan } = runtime;
    const route = this.findRoute();
    if (headers.protocol !== '' || headers.method === 'CONNECT') {
      const verdict = upgradeVerdict(runtime, headers, route);
      if (verdict === 'refused') { this.locally(REPLY.upgradeRefused); return; }
      this.upgraded = verdict === 'allowed';
    }
    const max = route === null ? plan.maxStreamDurationMs : route.streamDurationMs(headers, plan.maxStreamDurationMs);
    if (max > 0) this.clock.armLife(max);
    if (plan.logOnStart) for (const log of runtime.accessLogs) log.log(facts, 'DownstreamStart');
    if (plan.logIntervalMs > 0) this.clock.armLog(plan.logIntervalMs);
    this.makeFilters(route);
    this.requestSide.head(0, end);
  }

  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.facts.requestBodyBytes += end - start;
    this.clock.touch();
    if (last) this.requestEnded();
    this.requestSide.data(0, bytes, start, end, last);
  }

  onTrailers(trailers: Headers): void {
    this.facts.requestTrailers = trailers;
    this.requestEnded();
    this.requestSide.trailers(0, trailers);
  }

  onMetadata(map: MetadataMap): void { this.clock.touch(); this.filters.at(-1)?.onRequestMetadata?.(map); }

  private requestEnded(): void {
    this.requestComplete = true;
    this.facts.requestEndMs = this.owner.runtime.env.clock.nowMs();
    this.clock.requestOver();
  }

  onReset(reason: ResetReason, fault: PeerFault | null): void {
    const facts = this.facts, { stats } = this.owner.runtime;
    if (this.state === 'ended') return;
    if (fault !== null && fault.status !== 0) {
      // The body could not be understood. Answered if nothing was sent yet.
      stats.inc(fault === OVERLOADED ? HCM.downstream_rq_overload_close : HCM.downstream_cx_protocol_error);
      if (this.state === 'active' || this.state === 'head' || this.state === 'answering') { this.locally(faultReply(fault.status, fault.detail)); return; }
    }
    if (fault !== null && fault.status === 0) facts.statusDetails = fault.detail;
    else if (reason === 'remote') facts.statusDetails = 'http2.remote_reset';
    else if (facts.statusDetails === '' || this.state !== 'done') facts.statusDetails = 'downstream_remote_disconnect';
    facts.flags |= fault !== null ? flagBit(fault.flag) : reason === 'remote' ? STREAM_FLAG.DR : STREAM_FLAG.DC;
    stats.inc(HCM.downstream_rq_rx_reset);
    this.end('downstream-closed');
  }

  onBlocked(): void { this.owner.runtime.stats.inc(HCM.downstream_flow_control_paused_reading_total); this.responseSide.downstreamBlocked(); }
  onDrained(): void { this.owner.runtime.stats.inc(HCM.downstream_flow_control_resumed_reading_total); this.responseSide.downstreamDrained(); }
  onComplete(): void { this.end('complete'); }

  /** A head that no request came of (ServerHost.onBadRequest). */
  badRequest(fault: PeerFault): void {
    this.owner.runtime.stats.inc(fault === OVERLOADED ? HCM.downstream_rq_overload_close : HCM.downstream_cx_protocol_error);
    this.facts.protocol = this.codec.protocol;
    this.locally(faultReply(fault.status, fault.detail));
  }

  requestTooLarge(): void { this.owner.runtime.stats.inc(HCM.downstream_rq_too_large); this.locally(REPLY.tooLarge); }

  private makeFilters(route: Route | null): void {
    this.filters = this.chain.build(this, route);
    this.requestSide.install(this.filters);
    this.responseSide.install(this.filters);
  }

  // ---- what filters ask for (StreamView): done now, or after the hook that is running has returned --------------------------------
  enter(): void { this.inHook = true; }
  leave(): Effects | null { this.inHook = false; const asked = this.queued; this.queued = null; return asked; }
  run(effects: Effects): void { for (const effect of effects) { if (this.state === 'ended') return; effect(); } }
  private later(effect: () => void): void {
    if (this.state === 'ended') return;
    if (this.inHook) (this.queued ??= []).push(effect); else effect();
  }
  private side(side: Side): RequestSide | ResponseSide { return side === 'request' ? this.requestSide : this.responseSide; }

  resume(filter: HttpFilter, side: Side = 'request'): void { this.later(() => this.side(side).resume(filter)); }
  reply(_filter: HttpFilter, reply: LocalReply): void { this.later(() => this.locally(reply)); }
  push(filter: HttpFilter, data: ByteQueue, last: boolean, side: Side = 'request'): void { this.later(() => this.side(side).push(filter, data, last)); }
  pushTrailers(filter: HttpFilter, trailers: Headers, side: Side = 'request'): void { this.later(() => this.side(side).pushTrailers(filter, trailers)); }
  heldBody(filter: HttpFilter, side: Side = 'request'): ByteQueue | null { return this.side(side).heldBody(filter); }
  pause(filter: HttpFilter, side: Side = 'request'): void { this.side(side).stop(filter); }
  unpause(filter: HttpFilter, side: Side = 'request'): void { this.side(side).start(filter); }
  reset(reason: ResetReason): void { this.later(() => this.respondReset(reason, 0, 'local_reset')); }
  pauseRequest(why: PauseReason): void { this.codec.pause(why); }
  resumeRequest(why: PauseReason): void { this.codec.resume(why); }
  replied(reply: LocalReply): void { this.locally(reply); }

  // ---- response: from the router, filters in reverse -------------------------------------------------------------------------
  respondInformational(headers: ResponseHeaders): void { if (this.state === 'active' && this.owner.runtime.plan.proxy100) this.codec.informational(headers); }

  respondHeaders(headers: ResponseHeaders, end: boolean): void {
    if (this.state !== 'active') return;
    this.begin(headers, 'upstream');
    this.responseSide.head(0, end);
  }
  respondData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.source !== 'upstream') return;
    this.clock.touch();
    this.responseSide.data(0, bytes, start, end, last);
  }
  respondTrailers(trailers: Headers): void { if (this.source === 'upstream') this.responseSide.trailers(0, trailers); }
  respondMetadata(map: MetadataMap): void { if (this.source !== 'local') { this.clock.touch(); this.responseSide.metadata(map, this.state === 'responding'); } }
  respondLocally(reply: LocalReply): void { this.later(() => this.locally(reply)); }
  get downstreamWatcher(): DownstreamWatcher | null { return this.responseSide.watcher; }
  set downstreamWatcher(watcher: DownstreamWatcher | null) { this.responseSide.watch(watcher); }

  respondReset(reason: ResetReason, flags: number, details: string): void {
    if (this.state === 'ended' || this.state === 'done') return;
    this.facts.flags |= flags;
    if (details !== '') this.facts.statusDetails = details;
    this.owner.runtime.stats.inc(HCM.downstream_rq_tx_reset);
    this.end('local-reset');
    this.codec.reset(reason);
  }

  get heldBytes(): number { let n = this.codec.queuedBytes + this.requestSide.heldBytes + this.responseSide.heldBytes; for (const f of this.filters) n += f.heldBytes?.() ?? 0; return n; }
  /** reset_high_memory_stream. To Envoy a reset of the codec's own, so it counts as received. */
  resetForMemory(): boolean {
    if (this.state === 'ended') return false;
    this.owner.runtime.stats.inc(HCM.downstream_rq_rx_reset);
    this.facts.flags |= STREAM_FLAG.OM; this.facts.statusDetails = REPLY.overloaded.details;
    this.end('local-reset'); this.codec.reset('overflow');
    return true;
  }
  recreate(response: ResponseHeaders, body: ByteQueue | null, trailers: Headers | null): void {
    const { facts, codec } = this;
    facts.response = response;
    facts.status = response.status;
    facts.statusDetails = 'internal_redirect';
    const next = codec.sink = this.owner.recreateStream(codec);
    this.end('recreated');
    next.again(this, body, trailers);
  }

  /** Takes over the whole request of a stream that ended; what was checked and prepared there stays so. */
  private again(before: Stream, body: ByteQueue | null, trailers: Headers | null): void {
    const { facts } = this, old = before.facts, headers = this.request = facts.request = before.request;
    facts.protocol = old.protocol; facts.remoteIp = old.remoteIp; facts.remotePort = old.remotePort; facts.remoteText = old.remoteText;
    facts.internal = old.internal; facts.requestId = old.requestId; facts.filterState = old.filterState; facts.requestHeadersBytes = old.requestHeadersBytes; facts.requestBodyBytes = old.requestBodyBytes;
    this.state = 'active';
    this.requestEnded();
    this.routed(headers, (body === null || body.length === 0) && trailers === null);
    if (body !== null) for (let c = body.shift(); c !== undefined; c = body.shift()) this.requestSide.data(0, c, 0, c.length, body.length === 0 && trailers === null);
    if (trailers !== null) { facts.requestTrailers = trailers; this.requestSide.trailers(0, trailers); }
  }

  private begin(headers: ResponseHeaders, source: 'upstream' | 'local'): void {
    this.response = this.responseSide.headers = this.facts.response = headers;
    this.state = 'answering';
    this.source = source;
    this.clock.touch();
  }

  /** Sends an answer of our own through the response filters; past them if another response is among them already; cuts the response if its head is out. */
  private locally(reply: LocalReply): void {
    if (this.state === 'ended' || this.state === 'done') return;
    if (this.state === 'responding') { this.respondReset('local', reply.flags, reply.details); return; }
    const direct = this.state === 'answering';
    this.requestSide.close();
    if (direct) this.responseSide.close();
    else if (this.filters === NO_FILTERS) this.makeFilters(this.state === 'head' ? null : this.matched ?? null);
    const { headers, body } = buildLocalReply(this.owner.runtime, this, this.facts, reply, this.matched ?? null);
    this.begin(headers, 'local');
    const bytes = body === '' || this.request.method === 'HEAD' ? null : Buffer.from(body, 'latin1');
    if (direct) { this.sendHead(bytes === null); if (bytes !== null) this.sendData(bytes, 0, bytes.length, true); return; }
    this.responseSide.head(0, bytes === null);
    if (bytes !== null && this.response === headers) this.responseSide.data(0, bytes, 0, bytes.length, true);
  }

  // ---- response: what has passed the filters ------------------------------------------------------------------------------------
  sendHead(end: boolean): void {
    const { runtime } = this.owner, facts = this.facts, headers = this.response!;
    this.state = 'responding';
    facts.status = headers.status;
    finishResponse(runtime, this.request, headers, facts, this.upgraded);
    facts.status = headers.status;
    if (facts.healthCheck) runtime.stats.inc(HCM['tracing.health_check']); else countResponse(runtime, headers.status); // Envoy counts no health checks
    if (!this.requestComplete && !this.upgraded) runtime.stats.inc(HCM.downstream_rq_response_before_rq_complete);
    facts.firstTxMs = runtime.env.clock.nowMs();
    if (end) this.responseEnding();
    this.codec.headers(headers, end);
    this.responseSide.headOut();
    if (runtime.plan.logOnTunnel && this.upgraded) logTunnel(runtime, this.request, facts);
  }

  sendData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.state !== 'responding') return;
    this.clock.touch();
    this.facts.responseBodyBytes += end - start;
    if (last) this.responseEnding();
    this.codec.data(bytes, start, end, last);
    if (last) this.awaitFlush();
  }

  sendTrailers(trailers: Headers): void {
    if (this.state !== 'responding') return;
    this.facts.responseTrailers = trailers;
    this.responseEnding();
    this.codec.trailers(trailers);
    this.awaitFlush();
  }

  sendMetadata(map: MetadataMap): void { if (this.codec.metadata === undefined) this.owner.runtime.http1Stats.inc(HTTP1.metadata_not_supported_error); else this.codec.metadata(map); }
  responseTooLarge(): void { this.owner.runtime.stats.inc(HCM.rs_too_large); this.locally(REPLY.responseTooLarge); }
  /** The last bytes go out now; the rest of a request that is still coming reaches no filter: to Envoy, a reset of its own that counts as received. */
  private responseEnding(): void { this.state = 'done'; if (!this.requestComplete && !this.upgraded) this.owner.runtime.stats.inc(HCM.downstream_rq_rx_reset); this.requestSide.close(); this.facts.lastTxMs = this.owner.runtime.env.clock.nowMs(); }
  /** What of the answer still waits (HTTP/2) has so long to leave. A route's idle timeout is not looked at, in spite of Envoy's documentation. */
  private awaitFlush(): void {
    if (this.state !== 'done' || this.codec.queuedBytes === 0) return;
    const own = this.matched?.flushTimeoutMs ?? -1;
    this.idleMs = own >= 0 ? own : this.owner.runtime.plan.streamFlushTimeoutMs;
    this.clock.armFlush(this.owner.streamFlushMs(this.idleMs));
  }
  /** The connection ends with this stream's answer. */
  closeAfter(): void { this.codec.closeAfter(); }

  // ---- time --------------------------------------------------------------------------------------------------------------------
  onRequestTimeout(): void { this.owner.runtime.stats.inc(HCM.downstream_rq_timeout); this.locally(REPLY.requestTimeout); }
  onHeadersTimeout(): void { this.owner.runtime.stats.inc(HCM.downstream_rq_header_timeout); this.facts.protocol = this.codec.protocol; this.locally(REPLY.headersTimeout); }
  onFlushTimeout(): void { this.owner.runtime.http2Stats.inc(HTTP2.tx_flush_timeout); this.end('complete'); this.codec.reset('local'); }
  onLogInterval(): void { for (const log of this.owner.runtime.accessLogs) log.log(this.facts, 'DownstreamPeriodic'); }
  onMaxDuration(): void { this.owner.runtime.stats.inc(HCM.downstream_rq_max_duration_reached); this.locally(this.requestComplete ? REPLY.maxDurationLate : REPLY.maxDuration); }

  untilIdle(now: number): number { return this.state === 'ended' ? Infinity : this.clock.untilIdle(now); }
  /** Called by the connection's sweep: ends the stream if nothing moved for its idle timeout. */
  checkIdle(now: number): void {
    if (this.state === 'ended' || !this.clock.isIdle(now)) return;
    this.owner.runtime.stats.inc(HCM.downstream_rq_idle_timeout);
    this.facts.flags |= STREAM_FLAG.SI;
    if (this.state === 'head') this.facts.protocol = this.codec.protocol;
    this.locally(this.requestComplete ? REPLY.idleLate : REPLY.idleEarly);
  }

  // ---- the end -----------------------------------------------------------------------------------------------------------------
  private end(how: StreamEnd): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    const { runtime } = this.owner, { env, stats } = runtime, facts = this.facts;
    this.clock.stop();
    this.queued = null;
    this.requestSide.close();
    this.responseSide.close();
    for (const f of this.filters) f.onEnd?.(this, how);
    facts.endMs = env.clock.nowMs();
    facts.wireReceived = this.codec.bytesReceived;
    facts.wireSent = this.codec.bytesSent;
    facts.responseHeadersBytes = this.codec.headerBytesSent;
    facts.ended = true;
    stats.dec(HCM.downstream_rq_active);
    if (this.upgraded) stats.dec(HCM.downstream_cx_upgrades_active);
    stats.record(HCM.downstream_rq_time, facts.endMs - facts.startMs);
    for (const log of runtime.accessLogs) log.log(facts, 'DownstreamEnd');
    this.owner.streamEnded(this);
  }
}

const NO_REQUEST = new RequestHeaders();
const NO_FILTERS: HttpFilter[] = [];
const NO_CONFIGS: readonly unknown[] = [];

