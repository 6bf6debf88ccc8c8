// The HTTP connection manager on one downstream connection: owns the codec, makes a Stream for each request, keeps the connection's clocks, and closes.
// A terminal network filter; ends when the connection does.
import type { PeerFault } from '../base/fault.ts';
import type { CodecOutput, RequestSink, ServerCodec, ServerHost, ServerStream } from '../codec/codec.ts';
import { H1ServerCodec, type H1CodecCounters } from '../codec/h1/server-codec.ts';
import { isFlood, type H2Stat } from '../codec/h2/faults.ts';
import { H2ServerCodec, type H2ServerOwner } from '../codec/h2/server-codec.ts';
import { runtimeNumber } from '../loop/runtime.ts';
import { Timer } from '../loop/timer-wheel.ts';
import { HCM, HTTP1, HTTP2 } from '../observe/stats/schemas.ts';
import type { ConnectionFacts, StreamFacts } from '../observe/stream-facts.ts';
import { OVERLOAD, type TimerScalePlan } from '../plan/overload-plan.ts';
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory } from '../net/connection.ts';
import { strikes } from '../net/overload.ts';
import type { StreamAccounts } from '../net/stream-accounts.ts';
import type { LocalReply } from './filter.ts';
import type { HcmRuntime } from './hcm-runtime.ts';
import { PrefaceDetection } from './preface-detection.ts';
import { PrematureResets } from './premature-resets.ts';
import { OVERLOADED, REPLY, STREAM_FLAG } from './stream-replies.ts';
import { Stream } from './stream.ts';
import type { StreamOwner } from './stream-owner.ts';

export class HttpConnection implements NetworkFilter, ServerHost, CodecOutput, StreamOwner, H1CodecCounters, H2ServerOwner {
  readonly runtime: HcmRuntime;
  private readonly connection: DownstreamConnection;
  readonly facts: ConnectionFacts;
  /** null until the first bytes tell which one (codec_type AUTO). */
  private codec: ServerCodec | null = null;
  private h2: H2ServerCodec | null = null;
  private detection: PrefaceDetection | null = null;
  private resets: PrematureResets | null = null;
  /** Streams under way: a list through the streams themselves, so an idle connection has nothing of it. */
  private first: Stream | null = null;
  private active = 0;
  private state: 'open' | 'draining' | 'closing' | 'closed' = 'open';
  private requests = 0;
  /** Looks after idleness of the connection and of its streams. */
  private readonly sweep: Timer;
  private lifetime: Timer | null = null;
  /** Its length without pressure; 0: none. */
  private readonly lifetimeMs: number;
  private idleSince: number;
  private stuck = false;
  /** The next request is the last one. */
  private lastRequest = false;

  constructor(runtime: HcmRuntime, connection: DownstreamConnection) {
    this.runtime = runtime;
    this.connection = connection;
    this.facts = connection.facts;
    const { stats, plan, env } = runtime;
    stats.inc(HCM.downstream_cx_total);
    stats.inc(HCM.downstream_cx_active);
    if (connection.facts.tlsTerminated) { stats.inc(HCM.downstream_cx_ssl_total); stats.inc(HCM.downstream_cx_ssl_active); }
    if (plan.codec === 'HTTP1') this.startHttp1(); else if (plan.codec === 'HTTP2') this.startHttp2();
    this.idleSince = env.clock.nowMs();
    this.sweep = new Timer(() => this.sweepNow());
    this.armSweep();
    this.lifetimeMs = this.jittered(plan.maxConnectionDurationMs, plan.maxConnectionJitterPercent);
    if (this.lifetimeMs > 0) this.lifetime = env.wheel.after(this.maxDurationMs, () => this.onMaxDuration());
  }

  get bufferLimit(): number { return this.connection.bufferLimit; }

  // NetworkFilter
  onData(bytes: Buffer, start: number, end: number): 'stop' {
    this.runtime.stats.add(HCM.downstream_cx_rx_bytes_total, end - start);
    if (this.state === 'closed') return 'stop';
    const pressed = this.runtime.overload.overloaded() && !this.connection.bypassOverload;
    if (pressed && !this.began && this.shedsCodec()) return 'stop';
    this.began = true;
    if (this.codec === null && !this.choose(bytes, start, end)) return 'stop';
    if (pressed && this.shedsDispatch()) return 'stop';
    this.codec!.receive(bytes, start, end);
    return 'stop';
  }
  /** Bytes have come to a codec. */
  private began = false;

  private shedsCodec(): boolean {
    const { shed, stats } = this.runtime;
    if (!shed.sheds(OVERLOAD.hcm_ondata_creating_codec)) return false;
    stats.inc(HCM.downstream_rq_overload_close);
    this.overloadClose();
    return true;
  }

  /** The load shed points that stand before the codec; true: the bytes are not for it any more. As in Envoy those named after HTTP/2 end HTTP/1 connections too. */
  private shedsDispatch(): boolean {
    const { shed } = this.runtime;
    if (shed.sheds(OVERLOAD.http2_server_go_away_and_close_on_dispatch)) {
      if (this.h2 !== null) { this.h2.announceShutdown(); this.h2.shutdown(); this.h2.flush(); }
      this.overloadClose();
      return true;
    }
    if (shed.sheds(OVERLOAD.http2_server_go_away_on_dispatch)) this.drainSoon();
    if (this.h2 !== null || !shed.sheds(OVERLOAD.http1_server_abort_dispatch)) return false;
    this.connection.stream.flags |= STREAM_FLAG.OM;
    (this.codec as H1ServerCodec).abort(OVERLOADED);
    return true;
  }
  private overloadClose(): void {
    this.connection.stream.flags |= STREAM_FLAG.OM;
    this.onConnectionClose('flush', null);
  }
  onEnd(): void { this.remoteEnded = true; this.endedBusy = this.active > 0; if (this.codec !== null) this.codec.receiveEnd(); else this.onConnectionClose('now', null); }
  private remoteEnded = false;
  private endedBusy = false;
  onBlocked(): void { this.stuck = true; this.codec?.onBlocked(); }
  onDrained(): void { this.stuck = false; this.codec?.onDrained(); }
  onDrain(): void {
    if (this.state !== 'open') return;
    this.runtime.stats.inc(HCM.downstream_cx_drain_close);
    if (this.h2 !== null) { this.drainSoon(); return; }
    this.state = 'draining';
    if (this.codec !== null) this.codec.shutdown(); else this.onConnectionClose('flush', null);
  }

  // ---- which codec ---------------------------------------------------------------------------------------------------------------

  /** ALPN decides, else the first bytes; false: too few have come. */
  private choose(bytes: Buffer, start: number, end: number): boolean {
    if (this.facts.applicationProtocol === 'h2') { this.startHttp2(); return true; }
    if (this.facts.applicationProtocol !== '') { this.startHttp1(); return true; }
    const detection = this.detection ??= new PrefaceDetection(), before = detection.length;
    const what = detection.look(bytes, start, end);
    if (what === 'more') return false;
    this.detection = null;
    if (what === 'h2') this.startHttp2(); else this.startHttp1();
    if (before > 0) this.codec!.receive(PrefaceDetection.prefix, 0, before);
    return true;
  }

  private startHttp1(): void {
    const { stats, plan } = this.runtime;
    this.codec = new H1ServerCodec(this, this, this.runtime.http1, this, !plan.proxy100);
    this.runtime.http1Stats.touch();
    stats.inc(HCM.downstream_cx_http1_total);
    stats.inc(HCM.downstream_cx_http1_active);
  }

  private startHttp2(): void {
    const { stats, plan } = this.runtime;
    this.codec = this.h2 = new H2ServerCodec(this, this, plan.http2, this);
    this.resets = new PrematureResets();
    this.count('nghttp2_downstream_connections', 1); // Envoy's name for the codec that serves h2
    this.runtime.http2Stats.touch();
    stats.inc(HCM.downstream_cx_http2_total);
    stats.inc(HCM.downstream_cx_http2_active);
    if (this.h2.keepalive.wanted) { this.pings = new Timer(() => this.ping()); this.ping(); }
  }
  private pings: Timer | null = null;
  private ping(): void {
    const { env } = this.runtime, next = this.h2!.tick(env.clock.nowMs(), env.random.u32() / 2 ** 32);
    if (next >= 0) env.wheel.arm(this.pings!, Math.max(1, next));
  }

  // H2ServerOwner
  nowMs(): number { return this.runtime.env.clock.nowMs(); }
  private flush: (() => void) | null = null;
  flushSoon(): void { this.runtime.env.later.soon(this.flush ??= () => this.h2!.flush()); }
  private cut = false;
  streamsCut(): void { this.cut = true; }
  count(stat: H2Stat, by: number): void { this.runtime.http2Stats.add(HTTP2[stat], by); }

  onClose(_error: string, closedByUs: boolean): void {
    const local = closedByUs && !this.remoteEnded;
    const { stats, env } = this.runtime;
    const active = this.active > 0 || this.cut || this.endedBusy;
    this.state = 'closed';
    env.wheel.cancel(this.sweep);
    for (const timer of [this.lifetime, this.pings, this.farewell]) if (timer !== null) env.wheel.cancel(timer);
    this.codec?.close();
    stats.inc(HCM.downstream_cx_destroy);
    stats.inc(local ? HCM.downstream_cx_destroy_local : HCM.downstream_cx_destroy_remote);
    if (this.lastRequest) stats.dec(HCM.downstream_cx_http1_soft_drain);
    if (active) { stats.inc(HCM.downstream_cx_destroy_active_rq); stats.inc(local || this.cut ? HCM.downstream_cx_destroy_local_active_rq : HCM.downstream_cx_destroy_remote_active_rq); }
    stats.dec(HCM.downstream_cx_active);
    if (this.facts.tlsTerminated) stats.dec(HCM.downstream_cx_ssl_active);
    if (this.codec !== null) stats.dec(this.h2 !== null ? HCM.downstream_cx_http2_active : HCM.downstream_cx_http1_active);
    stats.record(HCM.downstream_cx_length_ms, env.clock.nowMs() - this.facts.startMs);
  }

  // CodecOutput
  writeLatin1(text: string): void {
    this.facts.bytesSent += text.length;
    this.runtime.stats.add(HCM.downstream_cx_tx_bytes_total, text.length);
    this.connection.socket.writeLatin1(text);
  }
  write(bytes: Uint8Array, start: number, end: number): void {
    this.facts.bytesSent += end - start;
    this.runtime.stats.add(HCM.downstream_cx_tx_bytes_total, end - start);
    this.connection.socket.write(bytes, start, end);
  }
  pauseReading(): void { this.connection.socket.pause(); }
  resumeReading(): void { this.connection.socket.resume(); }

  // ServerHost
  onStream(codecStream: ServerStream): RequestSink {
    const { plan, stats } = this.runtime;
    this.requests++;
    this.facts.requests = this.requests;
    const stream = new Stream(this, codecStream);
    this.enter(stream);
    if (plan.maxRequestsPerConnection > 0 && this.requests >= plan.maxRequestsPerConnection) { stats.inc(HCM.downstream_cx_max_requests_reached); codecStream.closeAfter(); if (this.h2 !== null) this.drainSoon(); }
    if (this.state === 'draining' || this.lastRequest || this.connection.draining) codecStream.closeAfter(); else if (this.acts(OVERLOAD.disable_http_keepalive)) this.keepNoLonger(codecStream);
    if (this.h2 !== null && this.state === 'open' && this.connection.draining) { stats.inc(HCM.downstream_cx_drain_close); this.drainSoon(); }
    if (this.stuck && this.h2 === null) stream.onBlocked(); // h2 tells each stream by itself
    if (this.active === 1) this.armSweep();
    return stream;
  }
  recreateStream(codecStream: ServerStream): Stream {
    const stream = new Stream(this, codecStream);
    this.enter(stream);
    if (this.stuck && this.h2 === null) stream.onBlocked();
    return stream;
  }
  onBadRequest(codecStream: ServerStream, fault: PeerFault): void {
    if (this.first !== null) { this.first.badRequest(fault); return; }
    codecStream.reset('protocol-error');
  }
  onConnectionClose(how: 'flush' | 'done' | 'now', fault: PeerFault | null): void {
    if (this.state === 'closed' || this.state === 'closing') return;
    this.state = 'closing';
    // A flood is no protocol error to Envoy: it has a counter of its own.
    if (fault !== null && fault !== OVERLOADED && this.active === 0 && !isFlood(fault)) this.runtime.stats.inc(HCM.downstream_cx_protocol_error);
    this.connection.close(how === 'now' ? 'now' : how === 'done' ? 'flush' : 'flush-delay', fault?.detail ?? '', this.runtime.plan.delayedCloseMs);
  }
  onGoAway(): void { /* a client that says it opens no more streams: it closes when it is done */ }

  // H1CodecCounters
  onResponseFlood(): void { this.runtime.http1Stats.inc(HTTP1.response_flood); }
  onUnderscoreDropped(count: number): void { this.runtime.http1Stats.add(HTTP1.dropped_headers_with_underscores, count); }
  onUnderscoreRejected(): void { this.runtime.http1Stats.inc(HTTP1.requests_rejected_with_underscores_in_headers); }

  private enter(stream: Stream): void {
    stream.next = this.first;
    if (this.first !== null) this.first.previous = stream;
    this.first = stream;
    this.active++;
  }
  private leave(stream: Stream): void {
    if (stream.previous !== null) stream.previous.next = stream.next; else if (this.first === stream) this.first = stream.next; else return;
    if (stream.next !== null) stream.next.previous = stream.previous;
    stream.next = stream.previous = null;
    this.active--;
  }

  // StreamOwner
  streamEnded(stream: Stream): void {
    this.leave(stream);
    this.idleSince = this.runtime.env.clock.nowMs();
    if (this.resets !== null && this.state !== 'closed') this.judgeReset(stream.facts);
  }

  private judgeReset(facts: StreamFacts): void {
    const { runtime } = this;
    const early = facts.status === 0 && (facts.flags & STREAM_FLAG.DR) !== 0 && facts.endMs - facts.startMs <= 1000 * runtimeNumber(runtime.resetLifetime, 1);
    if (!this.resets!.count(early, runtimeNumber(runtime.resetLimit, 500))) return;
    runtime.stats.inc(HCM.downstream_rq_too_many_premature_resets);
    this.onConnectionClose('now', null);
  }

  idleChanged(): void { this.armSweep(); }

  /** Whether an overload action strikes now: by chance, as strong as it is. */
  private acts(action: number): boolean {
    const value = this.runtime.overload.overload(action);
    return !this.connection.bypassOverload && strikes(value, this.runtime.env.random);
  }
  refusesRequest(): LocalReply | null {
    const { overload, shed, stats, plan } = this.runtime;
    if (!overload.overloaded() || this.connection.bypassOverload) return null;
    if (this.acts(OVERLOAD.stop_accepting_requests) || shed.sheds(OVERLOAD.http_connection_manager_decode_headers)) { stats.inc(HCM.downstream_rq_overload_close); return plan.appendLocalOverload ? REPLY.overloadedHere : REPLY.overloaded; }
    return null;
  }
  shedsRequest(): boolean { const { overload, shed } = this.runtime; return overload.overloaded() && !this.connection.bypassOverload && shed.sheds(OVERLOAD.http_downstream_filter_check); }
  private keepNoLonger(codecStream: ServerStream): void {
    this.runtime.stats.inc(HCM.downstream_cx_overload_disable_keepalive);
    codecStream.closeAfter();
    if (this.h2 !== null) this.drainSoon();
  }
  /** reduce_timeouts has become stronger or weaker: idleness is looked at anew. */
  onTimersScaled(): void {
    for (let s = this.first; s !== null; s = s.next) s.scaleTimers();
    this.armSweep();
    const { lifetime, runtime: { env } } = this;
    if (lifetime?.armed === true) env.wheel.arm(lifetime, Math.max(1, this.facts.startMs + this.maxDurationMs - env.clock.nowMs()));
  }
  /** Only HTTP/2 streams, as in Envoy: an HTTP/1 one cannot be reset without its connection. */
  collectAccounts(accounts: StreamAccounts): void { if (this.h2 !== null) for (let s = this.first; s !== null; s = s.next) accounts.add(s, s.heldBytes); }
  private get maxDurationMs(): number { return this.scaled('HTTP_DOWNSTREAM_CONNECTION_MAX', this.lifetimeMs); }
  /** As in Envoy also where the listener bypasses the overload manager. */
  private scaled(timer: TimerScalePlan['timer'], ms: number): number { return this.runtime.overload.scaled(timer, ms); }
  streamIdleMs(ms: number): number { return this.scaled('HTTP_DOWNSTREAM_STREAM_IDLE', ms); }
  streamFlushMs(ms: number): number { return this.scaled('HTTP_DOWNSTREAM_STREAM_FLUSH', ms); }
  /** The connection's idle timeout under the present pressure. */
  private get idleTimeoutMs(): number { return this.scaled('HTTP_DOWNSTREAM_CONNECTION_IDLE', this.runtime.plan.idleTimeoutMs); }
  onDelayedClose(): void { this.runtime.stats.inc(HCM.downstream_cx_delayed_close_timeout); }

  // ---- clocks ----------------------------------------------------------------------------------------------------------------

  /** One coarse timer: it looks at numbers that requests only write, so a request arms and cancels nothing. */
  private sweepNow(): void {
    if (this.state === 'closed' || this.state === 'closing') return;
    const now = this.runtime.env.clock.nowMs(), { idleTimeoutMs } = this;
    if (this.active === 0 && idleTimeoutMs > 0 && now - this.idleSince >= idleTimeoutMs) {
      this.runtime.stats.inc(HCM.downstream_cx_idle_timeout);
      this.drainSoon();
      return;
    }
    for (let s = this.first; s !== null;) { const { next } = s; s.checkIdle(now); s = next; }
    if (this.state === 'open' || this.state === 'draining') this.armSweep();
  }

  private armSweep(): void {
    const { plan, env } = this.runtime;
    let next = Infinity;
    const now = env.clock.nowMs();
    if (this.active === 0) { if (plan.idleTimeoutMs > 0) next = this.idleSince + this.idleTimeoutMs - now; } else for (let s = this.first; s !== null; s = s.next) next = Math.min(next, s.untilIdle(now));
    if (next === Infinity) return;
    if (!this.sweep.armed || this.sweep.deadline > now + next + 1) env.wheel.arm(this.sweep, Math.max(1, next));
  }

  private jittered(ms: number, percent: number): number { return percent === 0 ? ms : ms + Math.floor(ms * percent / 100 * this.runtime.env.random.unit()); }

  private onMaxDuration(): void {
    const { stats, plan } = this.runtime;
    stats.inc(HCM.downstream_cx_max_duration_reached);
    if (!plan.safeConnectionDuration || this.h2 !== null || this.facts.bytesReceived === 0) { this.drainSoon(); return; }
    this.lastRequest = true;
    stats.inc(HCM.downstream_cx_http1_soft_drain);
  }

  /** Envoy's drain of one connection: h1, the next response says close; h2, a GOAWAY that refuses nothing. After drain_timeout it ends as soon as it can. */
  private drainSoon(): void {
    if (this.state !== 'open') return;
    // Nothing was ever sent: there is nobody to drain.
    if (this.facts.bytesReceived === 0) { this.onConnectionClose('done', null); return; }
    this.state = 'draining';
    if (this.h2 === null) for (let s = this.first; s !== null; s = s.next) s.closeAfter();
    this.codec?.announceShutdown();
    this.farewell = this.runtime.env.wheel.after(this.jittered(this.runtime.plan.drainTimeoutMs, this.runtime.plan.drainJitterPercent), () => {
      if (this.state !== 'draining') return;
      if (this.codec !== null) this.codec.shutdown(); else this.onConnectionClose('flush', null);
    });
  }
  private farewell: Timer | null = null;
}

export class HttpConnectionManagerFactory implements NetworkFilterFactory {
  readonly terminal = true;
  private readonly runtime: HcmRuntime;
  constructor(runtime: HcmRuntime) { this.runtime = runtime; }
  create(connection: DownstreamConnection): NetworkFilter { return new HttpConnection(this.runtime, connection); }
}
