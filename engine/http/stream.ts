// One request and its response: the one stream machine for every protocol pair. Takes the codec's events, drives the filters in order (decode) and in reverse
// (encode), writes the response through the codec, keeps the clocks, and ends exactly once, when the access logs are written.
//
//   head ──▶ filters ──▶ router ──▶ response filters ──▶ codec ──▶ complete      any ──▶ ended (reset from either side, timeout, local reply on top)
import { ByteQueue } from '../base/byte-queue.ts';
import type { PeerFault } from '../base/fault.ts';
import { invariant } from '../base/invariant.ts';
import type { RequestSink, ResetReason, ServerStream, PauseReason } from '../codec/codec.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../headers/headers.ts';
import { Timer } from '../loop/timer-wheel.ts';
import { flagBit } from '../observe/response-flags.ts';
import { HCM, LISTENER_HTTP } from '../observe/stats/schemas.ts';
import { StreamFacts, type ConnectionFacts } from '../observe/stream-facts.ts';
import { LocalReply, type DownstreamWatcher, type HttpFilter, type ResponseEntry, type StreamEnd, type StreamView, type Verdict } from './filter.ts';
import type { HcmRuntime } from './hcm-runtime.ts';
import { buildLocalReply } from './local-reply.ts';
import { finishResponse } from './response-preparation.ts';
import type { Route } from './route.ts';

const FLAG = { DC: flagBit('DC'), SI: flagBit('SI'), DPE: flagBit('DPE'), NR: flagBit('NR'), UMSDR: flagBit('UMSDR'), DT: flagBit('DT') };
const MISSING_HOST = new LocalReply(400, '', 'missing_host_header');
const MISSING_PATH = new LocalReply(404, '', 'missing_path_rejected');
const RELATIVE_PATH = new LocalReply(404, '', 'absolute_path_rejected');
const FRAGMENT = new LocalReply(400, '', 'path_normalization_failed');
const UPGRADE_REFUSED = new LocalReply(403, '', 'upgrade_failed');
const NO_ROUTE_TABLE = new LocalReply(404, '', 'route_configuration_not_found', FLAG.NR);
const REQUEST_TIMEOUT = new LocalReply(408, 'request timeout', 'request_overall_timeout');
const HEADERS_TIMEOUT = new LocalReply(408, 'request header timeout', 'request_header_timeout');
const IDLE_EARLY = new LocalReply(408, 'stream timeout', 'stream_idle_timeout', FLAG.SI);
const IDLE_LATE = new LocalReply(504, 'stream timeout', 'stream_idle_timeout', FLAG.SI);
const MAX_DURATION = new LocalReply(408, 'downstream duration timeout', 'max_duration_timeout', FLAG.DT);
const TOO_LARGE = new LocalReply(413, 'Payload Too Large', 'request_payload_too_large');

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly runtime: HcmRuntime;
  readonly facts: ConnectionFacts;
  readonly bufferLimit: number;
  streamEnded(stream: Stream): void;
  /** A stream has another idle timeout than before. */
  idleChanged(): void;
}

export class Stream implements RequestSink, StreamView, ResponseEntry {
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
  private timer: Timer | null = null;
  private requestTimer: Timer | null = null;
  private idleMs = 0;
  private lastActivity = 0;
  private upgraded = false;
  downstreamWatcher: DownstreamWatcher | null = null;

  constructor(owner: StreamOwner, codec: ServerStream) {
    this.owner = owner;
    this.codec = codec;
    this.connection = owner.facts;
    const facts = this.facts = new StreamFacts(owner.facts);
    const { env, stats, plan } = owner.runtime;
    this.random = env.random.u32();
    facts.startMs = this.lastActivity = env.clock.nowMs();
    facts.startWallMs = env.clock.wallMs();
    facts.remoteIp = owner.facts.remoteIp; facts.remotePort = owner.facts.remotePort; facts.remoteText = owner.facts.remoteText;
    stats.inc(HCM.downstream_rq_total);
    stats.inc(HCM.downstream_rq_active);
    stats.inc(HCM.downstream_rq_http1_total);
    this.idleMs = plan.streamIdleTimeoutMs;
    if (plan.requestHeadersTimeoutMs > 0) { this.requestTimer = new Timer(() => this.headersTimedOut()); env.wheel.arm(this.requestTimer, plan.requestHeadersTimeoutMs); } else if (plan.requestTimeoutMs > 0) this.armRequestTimer();
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

  private noteRoute(): void {
    const route = this.matched;
    if (route === null || route === undefined) return;
    this.facts.routeName = route.name;
    this.facts.virtualHostName = route.virtualHostName;
  }

  // ---- request: from the codec -------------------------------------------------------------------------------------------------

  onHeaders(headers: RequestHeaders, end: boolean): void {
    const { runtime } = this.owner, { plan } = runtime, facts = this.facts;
    this.request = facts.request = headers;
    facts.protocol = this.codec.protocol;
    facts.requestHeadersBytes = this.codec.bytesReceived;
    this.state = 'active';
    this.touch();
    if (plan.requestHeadersTimeoutMs > 0) { runtime.env.wheel.cancel(this.requestTimer!); this.requestTimer = null; if (plan.requestTimeoutMs > 0 && !end) this.armRequestTimer(); }
    if (end) this.requestEnded();
    if (headers.missingHost) { if (!plan.http1.streamErrorOnInvalidHttpMessage) this.codec.closeAfter(); this.locally(MISSING_HOST); return; }
    if (headers.method !== 'CONNECT') {
      if (headers.path === '') { this.locally(MISSING_PATH); return; }
      if (headers.path.includes('#')) { this.locally(FRAGMENT); return; }
      if (headers.path.charCodeAt(0) !== 47) { runtime.stats.inc(HCM.downstream_rq_non_relative_path); this.locally(RELATIVE_PATH); return; }
    }
    const refused = runtime.preparation.prepare(headers, facts);
    if (refused !== null) {
      if (refused.details === 'rejected_by_ip_detection') runtime.stats.inc(HCM.downstream_rq_rejected_via_ip_detection);
      else runtime.stats.inc(refused.status === 307 ? HCM.downstream_rq_redirected_with_normalized_path : HCM.downstream_rq_failed_path_normalization);
      this.locally(refused);
      return;
    }
    for (const m of runtime.early) m.apply(headers, facts);
    if (runtime.routes.current === null) { this.locally(NO_ROUTE_TABLE); return; }
    const route = this.findRoute();
    if ((headers.protocol !== '' || headers.method === 'CONNECT') && !this.upgradeAllowed(headers, route)) return;
    this.armTimers(route);
    if (plan.logOnStart) for (const log of runtime.accessLogs) log.log(facts, 'DownstreamStart');
    this.buildFilters(route);
    this.decodeHeaders(0, end);
  }

  private upgradeAllowed(headers: RequestHeaders, route: Route | null): boolean {
    const { runtime } = this.owner;
    const token = headers.protocol !== '' ? headers.protocol : 'connect';
    const allowed = route?.upgradeAllowed(token) ?? runtime.upgrades.get(token) ?? false;
    if (!allowed && (route !== null || headers.method !== 'CONNECT' || !runtime.upgrades.has('connect'))) {
      runtime.stats.inc(HCM.downstream_rq_ws_on_non_ws_route);
      this.locally(UPGRADE_REFUSED);
      return false;
    }
    if (allowed) { this.upgraded = true; runtime.stats.inc(HCM.downstream_cx_upgrades_total); runtime.stats.inc(HCM.downstream_cx_upgrades_active); }
    return true;
  }

  private buildFilters(route: Route | null): void {
    const chain = this.owner.runtime.chain;
    const filters: HttpFilter[] = [];
    for (let i = 0; i < chain.length; i++) {
      const entry = chain[i]!;
      if (route?.filterDisabled(i) ?? entry.disabled) filters.push(PASS); else filters.push(entry.factory.create(this));
    }
    this.filters = filters;
  }

  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.facts.requestBodyBytes += end - start;
    this.touch();
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
    if (this.requestTimer !== null) { this.owner.runtime.env.wheel.cancel(this.requestTimer); this.requestTimer = null; }
  }

  onReset(reason: ResetReason, fault: PeerFault | null): void {
    const facts = this.facts, { stats } = this.owner.runtime;
    if (this.state === 'ended') return;
    if (fault !== null && fault.status !== 0) {
      // The body could not be understood. Answered if nothing was sent yet.
      stats.inc(HCM.downstream_cx_protocol_error);
      if (this.state === 'active' || this.state === 'head') { this.locally(new LocalReply(fault.status, statusText(fault.status), fault.detail, FLAG.DPE)); return; }
    }
    if (facts.statusDetails === '' || this.state !== 'done') facts.statusDetails = reason === 'remote' ? 'downstream_remote_reset' : 'downstream_remote_disconnect';
    facts.flags |= fault === null ? FLAG.DC : FLAG.DPE;
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
    this.locally(new LocalReply(fault.status, statusText(fault.status), fault.detail, FLAG.DPE));
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
      if (this.holdWhole) { this.owner.runtime.stats.inc(HCM.downstream_rq_too_large); this.locally(TOO_LARGE); return; }
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
  pauseRequest(why: PauseReason): void { this.codec.pause(why); }
  resumeRequest(why: PauseReason): void { this.codec.resume(why); }

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
    this.touch();
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
    this.touch();
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
    this.count(headers.status);
    if (!this.requestComplete && !this.upgraded) runtime.stats.inc(HCM.downstream_rq_response_before_rq_complete);
    facts.firstTxMs = runtime.env.clock.nowMs();
    const before = this.codec.bytesSent;
    if (end) this.responseEnding();
    this.codec.headers(headers, end);
    facts.responseHeadersBytes = this.codec.bytesSent - before;
  }

  private responseEnding(): void {
    this.state = 'done';
    this.facts.lastTxMs = this.owner.runtime.env.clock.nowMs();
  }

  private count(status: number): void {
    const { stats, listenerStats } = this.owner.runtime;
    stats.inc(HCM.downstream_rq_completed);
    listenerStats.inc(LISTENER_HTTP.downstream_rq_completed);
    const group = Math.floor(status / 100);
    if (group < 1 || group > 5) return;
    stats.inc(HCM.downstream_rq_1xx + group - 1);
    listenerStats.inc(LISTENER_HTTP.downstream_rq_1xx + group - 1);
  }

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

  private touch(): void { this.lastActivity = this.owner.runtime.env.clock.nowMs(); }

  private armRequestTimer(): void {
    const { env, plan } = this.owner.runtime;
    this.requestTimer = new Timer(() => { this.owner.runtime.stats.inc(HCM.downstream_rq_timeout); this.locally(REQUEST_TIMEOUT); });
    env.wheel.arm(this.requestTimer, plan.requestTimeoutMs);
  }

  private headersTimedOut(): void {
    this.owner.runtime.stats.inc(HCM.downstream_rq_header_timeout);
    this.facts.protocol = this.codec.protocol;
    this.locally(HEADERS_TIMEOUT);
  }

  /** One timer for idleness and for the stream's whole life; activity only moves a number, the timer looks when it fires. */
  private armTimers(route: Route | null): void {
    const { env, plan } = this.owner.runtime;
    if (route !== null && route.idleTimeoutMs >= 0) { this.idleMs = route.idleTimeoutMs; this.owner.idleChanged(); }
    const max = route !== null && route.maxStreamDurationMs >= 0 ? route.maxStreamDurationMs : plan.maxStreamDurationMs;
    if (max > 0) {
      this.timer = new Timer(() => { this.owner.runtime.stats.inc(HCM.downstream_rq_max_duration_reached); this.timer = null; this.locally(MAX_DURATION); });
      env.wheel.arm(this.timer, max);
    }
  }

  /** Milliseconds until the stream may be idle; Infinity: no timeout. */
  untilIdle(now: number): number { return this.idleMs <= 0 || this.state === 'ended' ? Infinity : Math.max(1, this.lastActivity + this.idleMs - now); }

  /** Called by the connection's sweep: ends the stream if nothing moved for its idle timeout. */
  checkIdle(now: number): void {
    if (this.idleMs <= 0 || this.state === 'ended' || this.lastActivity + this.idleMs > now) return;
    this.owner.runtime.stats.inc(HCM.downstream_rq_idle_timeout);
    this.facts.flags |= FLAG.SI;
    if (this.state === 'head') this.facts.protocol = this.codec.protocol;
    this.locally(this.requestComplete ? IDLE_LATE : IDLE_EARLY);
  }

  // ---- the end -----------------------------------------------------------------------------------------------------------------

  private end(how: StreamEnd): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    const { runtime } = this.owner, { env, stats } = runtime, facts = this.facts;
    if (this.requestTimer !== null) env.wheel.cancel(this.requestTimer);
    if (this.timer !== null) env.wheel.cancel(this.timer);
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
const PASS: HttpFilter = {};

const TEXTS: Record<number, string> = { 400: 'Bad Request', 408: 'Request Timeout', 413: 'Payload Too Large', 426: 'Upgrade Required', 431: 'Request Header Fields Too Large', 501: 'Not Implemented' };
function statusText(status: number): string { return TEXTS[status] ?? 'Bad Request'; }
