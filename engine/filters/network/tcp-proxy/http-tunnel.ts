// A connection of tcp_proxy carried in an HTTP exchange (tunneling_config): CONNECT or POST to a host, and after its 2xx answer the bytes both ways. To the proxy it is
// an upstream connection like a raw one.
//
//   leasing ─▶ asked (the head is sent) ─▶ open ─▶ over      any ─▶ over by cancel, close, or the exchange's end
import type { Headers, RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import type { ClientStream, ResponseSink } from '../../../codec/codec.ts';
import { ipAddress, type Address } from '../../../net/address.ts';
import { NO_SINK, type SocketSink, type TransportSocket } from '../../../net/transport/transport.ts';
import type { WorkerEnv } from '../../../net/worker-env.ts';
import { CLUSTER } from '../../../observe/stats/schemas.ts';
import { keepHeaders, UpstreamFacts, type ConnectionFacts } from '../../../observe/stream-facts.ts';
import type { TunnelPlan } from '../../../plan/tcp-proxy-plan.ts';
import type { Cluster, Host, LeaseContext, LeaseWaiter, RawUpstream, RawWaiter, Waiting } from '../../../upstream/upstream.ts';

const NOTHING = Buffer.alloc(0);
/** Filter state of the connection that the answer is kept in (propagate_response_headers, propagate_response_trailers). */
const HEADERS_KEY = 'envoy.tcp_proxy.propagate_response_headers', TRAILERS_KEY = 'envoy.tcp_proxy.propagate_response_trailers';

/** What the proxy writes to: the request's body. */
class TunnelSocket implements TransportSocket {
  sink: SocketSink = NO_SINK;
  highMark = 0;
  readonly pendingBytes = 0;
  private readonly tunnel: HttpTunnel;
  constructor(tunnel: HttpTunnel) { this.tunnel = tunnel; }
  get local(): Address { const { facts } = this.tunnel; return ipAddress(facts.localIp, facts.localPort); }
  get remote(): Address { return this.tunnel.host.address; }
  readonly originalDestination = null;
  writeLatin1(text: string): void { const b = Buffer.from(text, 'latin1'); this.write(b, 0, b.length); }
  write(bytes: Uint8Array, start: number, end: number): void { this.tunnel.stream?.data(bytes, start, end, false); }
  pause(): void { this.tunnel.stream?.pause('downstream-full'); }
  resume(): void { this.tunnel.stream?.resume('downstream-full'); }
  end(): void { this.tunnel.endRequest(); }
  destroy(): void { this.tunnel.close('now'); }
  setNoDelay(): void { /* the connection is the pool's */ }
  setKeepalive(): void { /* the connection is the pool's */ }
  setOption(): boolean { return false; }
}

export class HttpTunnel implements RawUpstream, Waiting, LeaseWaiter, ResponseSink {
  readonly host: Host;
  readonly socket = new TunnelSocket(this);
  sink: SocketSink = NO_SINK;
  readonly connectStartMs: number;
  connectEndMs = -1;
  /** Of the connection that carries it; the log shows them when the tunnel stands. */
  readonly facts = new UpstreamFacts();
  private readonly client: ConnectionFacts;
  private readonly plan: TunnelPlan;
  private readonly request: RequestHeaders;
  /** @internal */
  stream: ClientStream | null = null;
  private readonly env: WorkerEnv; private readonly cluster: Cluster; private readonly who: RawWaiter;
  private state: 'leasing' | 'asked' | 'open' | 'over' = 'leasing';
  private waiting: Waiting | null = null;
  private requestEnded = false;
  private responseEnded = false;

  constructor(env: WorkerEnv, plan: TunnelPlan, cluster: Cluster, host: Host, who: RawWaiter, request: RequestHeaders, client: ConnectionFacts) {
    this.env = env; this.plan = plan; this.cluster = cluster; this.host = host; this.who = who; this.request = request; this.client = client;
    this.connectStartMs = env.clock.nowMs();
  }
  get id(): number { return this.facts.connectionId; }
  /** The request went out and has no answer yet. */
  get asking(): boolean { return this.state === 'asked'; }

  /** Goes for a stream. */
  begin(): Waiting | { readonly failed: 'overflow' } {
    if (!this.cluster.beginRequest(this.host, 'default')) { this.state = 'over'; return { failed: 'overflow' }; }
    const ctx: LeaseContext = { priority: 'default', sink: this, facts: this.facts, downstreamProtocol: 'HTTP/1.1', client: this.client, source: this.client.upstreamSource, shared: this.client.sharedState, request: this.request, fresh: false };
    const leased = this.cluster.lease(this.host, ctx, this);
    if (leased.kind === 'stream') this.ask(leased.stream);
    else if (leased.kind === 'waiting') this.waiting = leased.waiting;
    else if (leased.why === 'overflow' || leased.why === 'no-pool') { this.finish(); return { failed: 'overflow' }; }
    else this.env.later.soon(() => this.onLeaseFailure('connect-failure', leased.reason));
    return this;
  }

  private ask(stream: ClientStream): void {
    this.waiting = null;
    this.stream = stream;
    this.state = 'asked';
    stream.headers(this.request, false);
  }

  /** Everything that is to be given back. */
  private finish(): void { if (this.state === 'over') return; this.state = 'over'; this.stream = null; this.cluster.endRequest(this.host, 'default'); }

  cancel(): void { this.waiting?.cancel(); this.waiting = null; this.abandon(); }

  /** Ends it with what is still open of its stream. */
  private abandon(): void {
    const { stream } = this;
    this.finish();
    if (stream === null) return;
    if (stream.protocol !== 'HTTP/1.1') this.cluster.stats.inc(CLUSTER.upstream_rq_tx_reset);
    stream.reset('local');
  }

  /** @internal The client has ended. */
  endRequest(): void {
    if (this.requestEnded || this.stream === null) return;
    this.requestEnded = true;
    const { stream } = this;
    if (this.responseEnded) this.finish();
    stream.data(NOTHING, 0, 0, true);
  }

  close(how: 'flush' | 'now' | 'reset'): void {
    if (this.state === 'over') return;
    // The host has ended: the request may end in good order too.
    if (how === 'flush' && this.responseEnded) { this.endRequest(); return; }
    this.abandon();
  }

  onLease(stream: ClientStream): void { if (this.state === 'leasing') this.ask(stream); else stream.reset('local'); }
  onLeaseFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout', reason: string): void { if (this.state !== 'leasing') return; this.finish(); this.who.onRawFailure(why, reason, this.host); }

  onInformational(): void { /* nobody to tell */ }
  onHeaders(headers: ResponseHeaders, end: boolean): void {
    const { stream } = this;
    if (this.state !== 'asked') return;
    if (this.plan.keepHeaders) keepHeaders(this.client, HEADERS_KEY, headers);
    const { status } = headers, accepted = stream!.protocol === 'HTTP/2' ? status === 200 : status >= 200 && status <= 299;
    // One that is whole at once is no tunnel; our side of it is open all the same.
    if (!accepted || end) { this.abandon(); this.who.onRawFailure('connect-failure', `tunnel_response:${status}`, this.host); return; }
    this.state = 'open';
    this.connectEndMs = this.env.clock.nowMs();
    this.who.onRawReady(this);
  }
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.state !== 'open') return;
    if (end > start) this.sink.onData(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), start, end);
    if (last) this.ended();
  }
  onTrailers(trailers: Headers): void { if (this.state === 'open' && this.plan.keepTrailers) keepHeaders(this.client, TRAILERS_KEY, trailers); this.ended(); }
  private ended(): void {
    if (this.state !== 'open' || this.responseEnded) return;
    this.responseEnded = true;
    if (this.requestEnded) this.finish();
    this.sink.onEnd();
  }
  onReset(): void {
    if (this.state === 'over') return;
    const open = this.state === 'open';
    this.finish();
    if (open) this.sink.onClose(''); else this.who.onRawFailure('connect-failure', '', this.host);
  }
  onBlocked(): void { this.sink.onBlocked(); }
  onDrained(): void { this.sink.onDrained(); }
}
