// One request and its response: the one stream machine for every protocol pair. Takes the codec's events, drives the filters in order (decode) and in reverse
// (encode), writes the response through the codec, keeps the clocks, and ends exactly once, when the access logs are written.
//
//   head ──▶ filters ──▶ router ──▶ response filters ──▶ codec ──▶ complete      any ──▶ ended (reset from either side, timeout, local reply on top)
import { ByteQueue } from '../base/byte-queue.ts';
import type { PeerFault } from '../base/fault.ts';
import { invariant } from '../base/invariant.ts';
import type { RequestSink, ResetReason, ServerStream, PauseReason } from '../codec/codec.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../headers/headers.ts';
import { HCM } from '../observe/stats/schemas.ts';
import { StreamFacts, type ConnectionFacts } from '../observe/stream-facts.ts';
import { LocalReply, type DownstreamWatcher, type HttpFilter, type ResponseEntry, type StreamEnd, type StreamView, type Verdict } from './filter.ts';
import type { HcmRuntime } from './hcm-runtime.ts';
import { buildLocalReply } from './local-reply.ts';
import { checkRequest, buildFilters, upgradeVerdict } from './request-checks.ts';
import { countResponse, finishResponse } from './response-preparation.ts';
import type { Route } from './route.ts';
import { StreamClock, type ClockOwner } from './stream-clock.ts';
import { faultReply, REPLY, STREAM_FLAG } from './stream-replies.ts';

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly runtime: HcmRuntime;
  readonly facts: ConnectionFacts;
  readonly bufferLimit: number;
  streamEnded(stream: Stream): void;
  /** A stream has another idle timeout than before. */
  idleChanged(): void;
}

export class Stream implements RequestSink, StreamView, ResponseEntry, ClockOwner {
  readonly facts: StreamFacts;
  readonly connection: ConnectionFacts;
  private readonly owner: StreamOwner;
  private readonly codec: ServerStream;
  request: RequestHeaders = NO_REQUEST;
  response: ResponseHeaders | null = null;
  private matched: Route | null | undefined = undefined;
  private filters: HttpFilter[] = NO_FILTERS;
  private state: 'head' | 'active' | 'responding' | 'done' | 'ended' = 'head';
  private requestComplete = false;
  /** Index of the filter that holds the request or response back; -1: none. */
  private heldAt = -1;
  private heldHeaders = false;
  private holdWhole = false;
  private held: ByteQueue | null = null;
  private heldEnd = false;
  private heldTrailers: Headers | null = null;
  private deep = 0;
  private queued: (() => void)[] | null = null;
  private readonly random: number;
  private readonly clock: StreamClock;
  private upgraded = false;
  downstreamWatcher: DownstreamWatcher | null = null;

  constructor(owner: StreamOwner, codec: ServerStream) {
    this.owner = owner;
    this.codec = codec;
    this.connection = owner.facts;
    const facts = this.facts = new StreamFacts(owner.facts);
    const { env, stats, plan } = owner.runtime;
    this.random = env.random.u32();
    facts.startMs = env.clock.nowMs();
    facts.startWallMs = env.clock.wallMs();
    facts.remoteIp = owner.facts.remoteIp; facts.remotePort = owner.facts.remotePort; facts.remoteText = owner.facts.remoteText;
    stats.inc(HCM.downstream_rq_total);
    stats.inc(HCM.downstream_rq_active);
    stats.inc(HCM.downstream_rq_http1_total);
    this.clock = new StreamClock(env, this, plan.streamIdleTimeoutMs);
    if (plan.requestHeadersTimeoutMs > 0) this.clock.armHeaders(plan.requestHeadersTimeoutMs); else if (plan.requestTimeoutMs > 0) this.clock.armRequest(plan.requestTimeoutMs);
  }

  get bufferLimit(): number { return this.owner.bufferLimit; }
  get route(): Route | null { return this.matched === undefined ? this.findRoute() : this.matched; }
  clearRoute(): void { this.matched = undefined; }
  setRoute(route: Route | null): void { this.matched = route; this.noteRoute(); }

  private findRoute(): Route | null {
    this.matched = this.owner.runtime.routes.current?.match(this.request, this.facts, this.random) ?? null;
    this.noteRoute();
    return this.matched;
  }

  private noteRoute(): void { if (this.matched) { this.facts.routeName = this.matched.name; this.facts.virtualHostName = this.matched.virtualHostName; } }

  // ---- request: from the codec -------------------------------------------------------------------------------------------------

  onHeaders(headers: RequestHeaders, end: boolean): void {
    const { runtime } = this.owner, { plan } = runtime, facts = this.facts;
    this.request = facts.request = headers;
    facts.protocol = this.codec.protocol;
    facts.requestHeadersBytes = this.codec.bytesReceived;
    this.state = 'active';
    this.clock.touch();
    if (plan.requestHeadersTimeoutMs > 0) { this.clock.requestOver(); if (plan.requestTimeoutMs > 0 && !end) this.clock.armRequest(plan.requestTimeoutMs); }
    if (end) this.requestEnded();
    const refused = checkRequest(runtime, headers, facts);
    if (refused !== null) {
      if ((refused === REPLY.missingHost || refused === REPLY.fragment) && !plan.http1.streamErrorOnInvalidHttpMessage) this.codec.closeAfter();
      this.locally(refused);
      return;
    }
    const route = this.findRoute();
    if (headers.protocol !== '' || headers.method === 'CONNECT') {
      const verdict = upgradeVerdict(runtime, headers, route);
      if (verdict === 'refused') { this.locally(REPLY.upgradeRefused); return; }
      this.upgraded = verdict === 'allowed';
    }
    this.armTimers(route);
    if (plan.logOnStart) for (const log of runtime.accessLogs) log.log(facts, 'DownstreamStart');
    this.filters = buildFilters(runtime, this, route);
    this.decodeHeaders(0, end);
  }

  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.facts.requestBodyBytes += end - start;
    this.clock.touch();
    if (last) this.requestEnded();
    if (this.state === 'ended' || this.state === 'done') return;
    this.decodeData(0, bytes, start, end, last);
  }

  onTrailers(trailers: Headers): void {
    this.facts.requestTrailers = trailers;
    this.requestEnded();
    if (this.state === 'ended' || this.state === 'done') return;
    this.decodeTrailers(0, trailers);
  }

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
      stats.inc(HCM.downstream_cx_protocol_error);
      if (this.state === 'active' || this.state === 'head') { this.locally(faultReply(fault.status, fault.detail)); return; }
    }
    if (facts.statusDetails === '' || this.state !== 'done') facts.statusDetails = reason === 'remote' ? 'downstream_remote_reset' : 'downstream_remote_disconnect';
    facts.flags |= fault === null ? STREAM_FLAG.DC : STREAM_FLAG.DPE;
    stats.inc(HCM.downstream_rq_rx_reset);
    this.end('downstream-closed');
  }

  onBlocked(): void { this.owner.runtime.stats.inc(HCM.downstream_flow_control_paused_reading_total); this.downstreamWatcher?.onDownstreamBlocked(); }
  onDrained(): void { this.owner.runtime.stats.inc(HCM.downstream_flow_control_resumed_reading_total); this.downstreamWatcher?.onDownstreamDrained(); }
  onComplete(): void { this.end('complete'); }

  /** A head that no request came of (ServerHost.onBadRequest). */
  badRequest(fault: PeerFault): void {
    this.owner.runtime.stats.inc(HCM.downstream_cx_protocol_error);
    this.facts.protocol = this.codec.protocol;
    this.locally(faultReply(fault.status, fault.detail));
  }

  // ---- decode: filters in order ------------------------------------------------------------------------------------------------

  private decodeHeaders(from: number, end: boolean): void {
    const filters = this.filters;
    this.deep++;
    for (let i = from; i < filters.length; i++) {
      const f = filters[i]!;
      if (f.onRequestHeaders === undefined) continue;
      const v = f.onRequestHeaders(this, this.request, end);
      if (v === 'next') continue;
      this.deep--;
      if (v !== 'taken') this.stopped(i, v, true, end);
      this.runQueued();
      return;
    }
    this.deep--;
    this.runQueued();
  }

  private decodeData(from: number, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.heldAt >= 0 && from <= this.heldAt) { this.hold(bytes, start, end, last); return; }
    const filters = this.filters;
    this.deep++;
    for (let i = from; i < filters.length; i++) {
      const f = filters[i]!;
      if (f.onRequestData === undefined) continue;
      const v = f.onRequestData(this, bytes, start, end, last);
      if (v === 'next') continue;
      this.deep--;
      if (v === 'hold' || v === 'hold-whole') { this.stopped(i, v, false, last); this.hold(bytes, start, end, last); } else if (v !== 'taken') this.stopped(i, v, false, last);
      this.runQueued();
      return;
    }
    this.deep--;
    this.runQueued();
  }

  private decodeTrailers(from: number, trailers: Headers): void {
    if (this.heldAt >= 0 && from <= this.heldAt) { this.heldTrailers = trailers; if (this.holdWhole) this.release(); return; }
    const filters = this.filters;
    for (let i = from; i < filters.length; i++) {
      const f = filters[i]!;
      if (f.onRequestTrailers === undefined) continue;
      const v = f.onRequestTrailers(this, trailers);
      if (v === 'next') continue;
      if (v instanceof LocalReply) this.locally(v); else if (v !== 'taken') { this.heldAt = i; this.heldTrailers = trailers; }
      return;
    }
  }

  private stopped(at: number, v: Verdict, headers: boolean, end: boolean): void {
    if (v instanceof LocalReply) { this.locally(v); return; }
    this.heldAt = at;
    this.heldHeaders = headers;
    this.holdWhole = v === 'hold-whole';
    if (headers) this.heldEnd = end;
    if (this.holdWhole && end && headers) this.release();
  }

  private hold(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.held ??= new ByteQueue();
    this.held.pushCopy(bytes, start, end);
    if (last) this.heldEnd = true;
    if (this.held.length > this.bufferLimit && this.bufferLimit > 0) {
      if (this.holdWhole) { this.owner.runtime.stats.inc(HCM.downstream_rq_too_large); this.locally(REPLY.tooLarge); return; }
      this.codec.pause('filter');
    }
    if (this.holdWhole && last) this.release();
  }

  /** Lets go of what is held: on from the filter after the one that held. */
  private release(): void {
    const at = this.heldAt + 1, held = this.held, trailers = this.heldTrailers;
    if (this.heldAt < 0) return;
    this.heldAt = -1;
    this.held = null;
    this.heldTrailers = null;
    this.codec.resume('filter');
    if (this.heldHeaders) { this.heldHeaders = false; this.decodeHeaders(at, this.heldEnd && held === null && trailers === null); }
    if (held !== null) {
      for (let chunk = held.shift(); chunk !== undefined && this.state !== 'ended'; chunk = held.shift()) this.decodeData(at, chunk, 0, chunk.length, this.heldEnd && held.length === 0 && trailers === null);
    }
    if (trailers !== null && this.state !== 'ended') this.decodeTrailers(at, trailers);
  }

  resume(filter: HttpFilter): void { this.later(() => { if (this.heldAt >= 0 && this.filters[this.heldAt] === filter) this.release(); }); }
  reply(_filter: HttpFilter, reply: LocalReply): void { this.later(() => this.locally(reply)); }
  push(filter: HttpFilter, data: ByteQueue, last: boolean): void {
    this.later(() => {
      const at = this.filters.indexOf(filter) + 1;
      for (let chunk = data.shift(); chunk !== undefined && this.state !== 'ended'; chunk = data.shift()) this.decodeData(at, chunk, 0, chunk.length, last && data.length === 0);
    });
  }
  reset(reason: ResetReason): void { this.later(() => this.respondReset(reason, 0, 'local_reset')); }
  routeConfig(filterIndex: number): unknown { return this.route?.filterConfig(filterIndex); }
  pauseRequest(why: PauseReason): void { this.codec.pause(why); } resumeRequest(why: PauseReason): void { this.codec.resume(why); }

  /** Runs an effect now, or after the hook that is running has returned. */
  private later(effect: () => void): void {
    if (this.state === 'ended') return;
    if (this.deep === 0) effect(); else (this.queued ??= []).push(effect);
  }
  private runQueued(): void {
    while (this.deep === 0 && this.queued !== null && this.state !== 'ended') {
      const list = this.queued;
      this.queued = null;
      for (const effect of list) effect();
    }
  }

  // ---- response: from the router, filters in reverse -------------------------------------------------------------------------

  respondInformational(headers: ResponseHeaders): void { if (this.state === 'active' && this.owner.runtime.plan.proxy100) this.codec.informational(headers); }

  respondHeaders(headers: ResponseHeaders, end: boolean): void {
    if (this.state !== 'active') return;
    this.response = this.facts.response = headers;
    this.state = 'responding';
    this.clock.touch();
    const filters = this.filters;
    for (let i = filters.length - 1; i >= 0; i--) {
      const f = filters[i]!;
      if (f.onResponseHeaders === undefined) continue;
      const v = f.onResponseHeaders(this, headers, end);
      if (v instanceof LocalReply) { this.state = 'active'; this.locally(v); return; }
      invariant(v === 'next', 'a response filter held headers');
    }
    this.sendHeaders(headers, end);
  }

  respondData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.state !== 'responding') return;
    this.clock.touch();
    const filters = this.filters;
    for (let i = filters.length - 1; i >= 0; i--) if (filters[i]!.onResponseData !== undefined) filters[i]!.onResponseData!(this, bytes, start, end, last);
    this.facts.responseBodyBytes += end - start;
    if (last) this.responseEnding();
    this.codec.data(bytes, start, end, last);
  }

  respondTrailers(trailers: Headers): void {
    if (this.state !== 'responding') return;
    this.facts.responseTrailers = trailers;
    for (let i = this.filters.length - 1; i >= 0; i--) this.filters[i]!.onResponseTrailers?.(this, trailers);
    this.responseEnding();
    this.codec.trailers(trailers);
  }

  respondLocally(reply: LocalReply): void { this.later(() => this.locally(reply)); }

  respondReset(reason: ResetReason, flags: number, details: string): void {
    if (this.state === 'ended' || this.state === 'done') return;
    this.facts.flags |= flags;
    if (details !== '') this.facts.statusDetails = details;
    this.owner.runtime.stats.inc(HCM.downstream_rq_tx_reset);
    this.end('local-reset');
    this.codec.reset(reason);
  }

  private sendHeaders(headers: ResponseHeaders, end: boolean): void {
    const { runtime } = this.owner, facts = this.facts;
    facts.status = headers.status;
    finishResponse(runtime, this.request, headers, facts, this.upgraded);
    countResponse(runtime, headers.status);
    if (!this.requestComplete && !this.upgraded) runtime.stats.inc(HCM.downstream_rq_response_before_rq_complete);
    facts.firstTxMs = runtime.env.clock.nowMs();
    const before = this.codec.bytesSent;
    if (end) this.responseEnding();
    this.codec.headers(headers, end);
    facts.responseHeadersBytes = this.codec.bytesSent - before;
  }

  private responseEnding(): void { this.state = 'done'; this.facts.lastTxMs = this.owner.runtime.env.clock.nowMs(); }

  /** Sends an answer of our own, or cuts the response if one has begun. */
  private locally(reply: LocalReply): void {
    if (this.state === 'ended' || this.state === 'done') return;
    if (this.state === 'responding') { this.respondReset('local', reply.flags, reply.details); return; }
    if (this.heldAt >= 0) { this.heldAt = -1; this.held = null; }
    const { headers, body } = buildLocalReply(this.owner.runtime, this, this.facts, reply, this.matched ?? null);
    this.response = headers;
    this.state = 'responding';
    const head = this.request.method === 'HEAD';
    const bytes = body === '' || head ? null : Buffer.from(body, 'latin1');
    this.sendHeaders(headers, bytes === null);
    if (bytes === null || this.state !== ('responding' as typeof this.state)) return;
    this.facts.responseBodyBytes = bytes.length;
    this.responseEnding();
    this.codec.data(bytes, 0, bytes.length, true);
  }

  // ---- time --------------------------------------------------------------------------------------------------------------------

  onRequestTimeout(): void { this.owner.runtime.stats.inc(HCM.downstream_rq_timeout); this.locally(REPLY.requestTimeout); }
  onHeadersTimeout(): void { this.owner.runtime.stats.inc(HCM.downstream_rq_header_timeout); this.facts.protocol = this.codec.protocol; this.locally(REPLY.headersTimeout); }
  onMaxDuration(): void { this.owner.runtime.stats.inc(HCM.downstream_rq_max_duration_reached); this.locally(REPLY.maxDuration); }

  private armTimers(route: Route | null): void {
    if (route !== null && route.idleTimeoutMs >= 0) { this.clock.idleMs = route.idleTimeoutMs; this.owner.idleChanged(); }
    const max = route !== null && route.maxStreamDurationMs >= 0 ? route.maxStreamDurationMs : this.owner.runtime.plan.maxStreamDurationMs;
    if (max > 0) this.clock.armLife(max);
  }

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
    for (const f of this.filters) f.onEnd?.(this, how);
    facts.endMs = env.clock.nowMs();
    facts.wireReceived = this.codec.bytesReceived;
    facts.wireSent = this.codec.bytesSent;
    facts.ended = true;
    stats.dec(HCM.downstream_rq_active);
    if (this.upgraded) stats.dec(HCM.downstream_cx_upgrades_active);
    stats.record(HCM.downstream_rq_time, facts.endMs - facts.startMs);
    for (const log of runtime.accessLogs) log.log(facts, 'DownstreamEnd');
    this.held = null;
    this.owner.streamEnded(this);
  }
}

const NO_REQUEST = new RequestHeaders();
const NO_FILTERS: HttpFilter[] = [];

