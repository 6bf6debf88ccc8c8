// The datagrams of one session of udp_proxy carried in an HTTP exchange (tunneling_config): CONNECT-UDP (RFC 9298, extended CONNECT or an upgrade of HTTP/1.1) or POST.
// Datagrams that come before the exchange stands, or while it takes no more, wait as buffer_options lets them; others are dropped.
//
//   idle ─▶ leasing ─▶ asked (the head is sent) ─▶ open ─▶ over      leasing, asked ─failed─▶ backoff ─▶ leasing …      any ─▶ over
import type { ClientStream, ResponseSink } from '../../../codec/codec.ts';
import type { Headers, ResponseHeaders } from '../../../headers/headers.ts';
import { backoffMs } from '../../../loop/random.ts';
import type { Timer } from '../../../loop/timer-wheel.ts';
import { flagBit } from '../../../observe/response-flags.ts';
import { UDP_CLUSTER } from '../../../observe/stats/l4-schemas.ts';
import { CLUSTER } from '../../../observe/stats/schemas.ts';
import { keepHeaders } from '../../../observe/stream-facts.ts';
import type { UdpTunnelPlan } from '../../../plan/udp-proxy-plan.ts';
import type { Host, LeaseContext, LeaseWaiter, Waiting } from '../../../upstream/upstream.ts';
import { CapsuleReader, capsuleOf } from '../../../base/capsules.ts';
import type { UdpProxy } from './udp-proxy.ts';
import type { UdpSession } from './udp-session.ts';

const NOTHING = Buffer.alloc(0);
const UF = flagBit('UF'), UH = flagBit('UH'), UO = flagBit('UO'), URX = flagBit('URX');
/** Filter state of the session that the answer is kept in. */
const HEADERS_KEY = 'envoy.udp_proxy.propagate_response_headers', TRAILERS_KEY = 'envoy.udp_proxy.propagate_response_trailers';

export class UdpTunnel implements LeaseWaiter, ResponseSink {
  private readonly proxy: UdpProxy;
  private readonly session: UdpSession;
  private readonly plan: UdpTunnelPlan;
  private readonly capsules: CapsuleReader | null;
  private state: 'idle' | 'leasing' | 'asked' | 'open' | 'backoff' | 'over' = 'idle';
  /** Where a request is under way; it is given back once. */
  private host: Host | null = null;
  private waiting: Waiting | null = null;
  private stream: ClientStream | null = null;
  private blocked = false;
  private responseEnded = false;
  private attempts = 0;
  private retry: Timer | null = null;
  private buffer: Buffer[] = [];
  private buffered = 0;
  /** What is asked for once there is a connection. */
  private asking: LeaseContext | null = null;

  constructor(proxy: UdpProxy, session: UdpSession, plan: UdpTunnelPlan) {
    this.proxy = proxy; this.session = session; this.plan = plan;
    this.capsules = proxy.plan.capsules ? new CapsuleReader((b, s, e) => session.toClient(b, s, e)) : null;
  }

  /** A datagram of the client. */
  send(bytes: Buffer, start: number, end: number): void {
    if (this.state === 'over') return;
    if (this.state === 'open' && !this.blocked) { this.write(bytes, start, end); return; }
    this.keep(bytes, start, end);
    if (this.state === 'idle') this.attempt();
  }

  private keep(bytes: Buffer, start: number, end: number): void {
    const { bufferDatagrams, bufferBytes } = this.plan;
    if (bufferDatagrams < 0) return;
    if (this.buffer.length >= bufferDatagrams || this.buffered + end - start > bufferBytes) { this.session.count(UDP_CLUSTER['udp.sess_tunnel_buffer_overflow']); return; }
    this.buffer.push(Buffer.from(bytes.subarray(start, end)));
    this.buffered += end - start;
  }

  private write(bytes: Buffer, start: number, end: number): void {
    const stream = this.stream!;
    if (this.capsules === null) { stream.data(bytes, start, end, false); return; }
    const capsule = capsuleOf(bytes, start, end);
    stream.data(capsule, 0, capsule.length, false);
  }

  // ---- the exchange ------------------------------------------------------------------------------------------------------------

  /** Each attempt chooses its host anew. */
  private attempt(): void {
    const { session, proxy } = this, { cluster, facts } = session, up = facts.upstream!;
    this.attempts++;
    up.attempts = this.attempts;
    const host = proxy.choose(session);
    if (host === null) { cluster.stats.inc(CLUSTER.upstream_cx_none_healthy); this.give(UH); return; }
    session.reached(host, null);
    if (!cluster.beginRequest(host, 'default')) { this.give(UO); return; }
    this.host = host;
    this.state = 'leasing';
    const ctx: LeaseContext = { priority: 'default', sink: this, facts: up, downstreamProtocol: 'HTTP/1.1', client: facts.connection, source: null, shared: null, request: proxy.tunnelHead(facts, cluster, host), fresh: false };
    const leased = cluster.lease(host, ctx, this);
    if (leased.kind === 'stream') this.ask(leased.stream, ctx);
    else if (leased.kind === 'waiting') { this.waiting = leased.waiting; this.asking = ctx; }
    else if (leased.why === 'connect-failure') proxy.env.later.soon(() => this.onLeaseFailure('connect-failure'));
    else this.give(UO);
  }

  private ask(stream: ClientStream, ctx: LeaseContext): void {
    this.waiting = this.asking = null;
    this.stream = stream;
    this.state = 'asked';
    stream.headers(ctx.request, false);
  }

  onLease(stream: ClientStream): void { if (this.state === 'leasing') this.ask(stream, this.asking!); else stream.reset('local'); }
  onLeaseFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout'): void { if (this.state === 'leasing') this.failed(why === 'overflow' ? UO : UF); }

  /** No tunnel came of this attempt. */
  private failed(flag: number): void {
    const { session, proxy: { env }, plan } = this, { cluster } = session;
    this.letGo();
    this.waiting = null;
    session.facts.flags |= flag;
    session.facts.firstFlag = flag;
    if (this.attempts >= plan.maxAttempts) { cluster.stats.inc(CLUSTER.upstream_cx_connect_attempts_exceeded); this.give(URX); return; }
    this.state = 'backoff';
    if (plan.backoff === null) { env.later.soon(() => { if (this.state === 'backoff') this.attempt(); }); return; }
    this.retry = env.wheel.after(backoffMs(env.random, plan.backoff, this.attempts), () => { this.retry = null; this.attempt(); });
  }

  /** The session ends without a tunnel. */
  private give(flag: number): void {
    this.session.facts.flags |= flag;
    this.session.count(UDP_CLUSTER['udp.sess_tunnel_failure']);
    this.session.close();
  }

  /** Gives back what an attempt took; a stream that is still open is reset. */
  private letGo(): void {
    const { stream, host } = this;
    this.stream = this.host = null;
    if (host !== null) this.session.cluster.endRequest(host, 'default');
    stream?.reset('local');
  }

  // ---- its answer --------------------------------------------------------------------------------------------------------------

  onInformational(): void { /* nobody to tell */ }
  onHeaders(headers: ResponseHeaders, end: boolean): void {
    if (this.state !== 'asked') return;
    const { status } = headers, { session, plan } = this;
    if (plan.keepHeaders) keepHeaders(session.facts, HEADERS_KEY, headers);
    if (end || !(plan.usePost ? status >= 200 && status <= 299 : status === 101)) { this.failed(UF); return; }
    this.state = 'open';
    session.tunnelOpen();
    this.drain();
  }
  private drain(): void {
    while (this.state === 'open' && !this.blocked && this.buffer.length > 0) { const b = this.buffer.shift()!; this.buffered -= b.length; this.write(b, 0, b.length); }
  }
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.state !== 'open') return;
    const b = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { session } = this;
    if (end > start) {
      session.count(UDP_CLUSTER['udp.sess_rx_datagrams']);
      if (this.capsules === null) session.toClient(b, start, end);
      else if (!this.capsules.feed(b, start, end)) { session.count(UDP_CLUSTER['udp.sess_rx_errors']); session.close(); return; }
    }
    if (last) this.ended();
  }
  onTrailers(trailers: Headers): void { if (this.state === 'open' && this.plan.keepTrailers) keepHeaders(this.session.facts, TRAILERS_KEY, trailers); this.ended(); }
  private ended(): void { this.responseEnded = true; this.session.close(); }
  onReset(): void {
    if (this.state === 'over') return;
    this.stream = null;
    if (this.state === 'asked') this.failed(UF);
    else if (this.state === 'open') { this.letGo(); this.state = 'over'; this.session.close(); }
  }
  onBlocked(): void { this.blocked = true; }
  onDrained(): void { this.blocked = false; this.drain(); }

  /** The session is over: an answer that is whole lets the request end in good order, any other is cut. */
  close(): void {
    if (this.state === 'over') return;
    this.waiting?.cancel();
    if (this.retry !== null) this.proxy.env.wheel.cancel(this.retry);
    const { stream } = this;
    if (this.responseEnded) this.stream = null; else if (stream !== null && stream.protocol !== 'HTTP/1.1') this.session.cluster.stats.inc(CLUSTER.upstream_rq_tx_reset);
    this.letGo();
    this.state = 'over';
    if (this.responseEnded) stream?.data(NOTHING, 0, 0, true);
    this.buffer = [];
  }
}
