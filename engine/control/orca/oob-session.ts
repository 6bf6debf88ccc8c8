// One host's stream of load reports, asked for apart from its traffic (xds.service.orca.v3.OpenRcaService/StreamCoreMetrics over HTTP/2). What ends is begun anew after a
// back-off, but for a host that does not know the method: that one is left alone. Envoy: OrcaOobManager::OobSession.
//
//   waiting ──▶ streaming ──▶ waiting (any end, or three periods of silence)      streaming ──▶ over (UNIMPLEMENTED)      any ──▶ over (close)
import type { PeerFault } from '../../base/fault.ts';
import type { ClientCodec, ClientHost, CodecOutput, ResetReason, ResponseSink } from '../../codec/codec.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../../headers/headers.ts';
import type { Random } from '../../loop/random.ts';
import type { Address } from '../../net/address.ts';
import { grpcStatusOf } from '../../observe/grpc-status.ts';
import type { OobPlan } from '../../plan/cluster-plan.ts';
import { Backoff } from '../backoff.ts';
import { ProbeConnection, type ConnectionOwner } from '../health/probe-connection.ts';
import type { ProbeConnector } from '../health/probe.ts';
import { ReportFrames } from './report-frames.ts';

export interface OobSessionEnv {
  after(ms: number, task: () => void): () => void;
  readonly random: Random;
  readonly connector: ProbeConnector;
  makeCodec(host: ClientHost, output: CodecOutput): ClientCodec;
  /** The bytes of one OrcaLoadReport; false: they are none. */
  onReport(bytes: Buffer): boolean;
  count(what: 'stream_failures' | 'stream_terminated'): void;
  /** The host will not be asked again. */
  onTerminated(): void;
}

const BACKOFF = { baseMs: 1000, maxMs: 30_000 };
/** Two reports may be missed. */
const SILENT_PERIODS = 3;
const UNKNOWN = 2, UNIMPLEMENTED = 12, INTERNAL = 13;

/** A gRPC frame with OrcaLoadReportRequest {google.protobuf.Duration report_interval = 1}. */
export function encodeRequest(periodMs: number): Buffer {
  const varint = (n: number): number[] => { const out: number[] = []; for (; n >= 128; n = Math.floor(n / 128)) out.push((n % 128) | 128); return [...out, n]; };
  const seconds = Math.floor(periodMs / 1000), nanos = (periodMs % 1000) * 1e6;
  const duration = [...(seconds > 0 ? [0x08, ...varint(seconds)] : []), ...(nanos > 0 ? [0x10, ...varint(nanos)] : [])];
  return Buffer.from([0, 0, 0, 0, duration.length + 2, 0x0a, duration.length, ...duration]);
}

export class OobSession implements ResponseSink, ConnectionOwner {
  private readonly plan: OobPlan;
  private readonly address: Address;
  private readonly authority: string;
  private readonly env: OobSessionEnv;
  private readonly frames = new ReportFrames();
  private connection: ProbeConnection | null = null;
  /** The host is about to close: a new connection with its next report. */
  private leaving = false;
  private readonly backoff: Backoff;
  private cancelAttempt: () => void;
  private cancelWatchdog: () => void = () => {};

  constructor(plan: OobPlan, address: Address, authority: string, env: OobSessionEnv) {
    this.plan = plan; this.address = address; this.authority = authority; this.env = env; this.backoff = new Backoff(BACKOFF, env.random);
    // Hosts of a cluster are not all asked at once.
    this.cancelAttempt = env.after(Math.floor(env.random.unit() * plan.periodMs), () => this.begin());
  }

  private begin(): void {
    const { env, plan } = this;
    this.frames.clear();
    this.leaving = false;
    this.connection = new ProbeConnection(this.address, env.connector, (host, output) => env.makeCodec(host, output), this);
    this.watch();
    const stream = this.connection.open(this), h = new RequestHeaders(), request = encodeRequest(plan.periodMs);
    if (stream === 'full') return; // cannot be on a new connection; silence would end it
    h.method = 'POST'; h.path = '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics'; h.scheme = env.connector.secured ? 'https' : 'http'; h.authority = this.authority;
    h.add('te', 'trailers');
    h.add('content-type', 'application/grpc');
    stream.headers(h, false);
    stream.data(request, 0, request.length, true);
  }

  private watch(): void { this.cancelWatchdog(); this.cancelWatchdog = this.env.after(this.plan.periodMs * SILENT_PERIODS, () => this.retry()); }

  /** False: there was no stream to end. */
  private drop(): boolean {
    const { connection } = this;
    this.cancelWatchdog();
    if (connection === null) return false;
    this.connection = null;
    connection.destroy();
    return true;
  }

  private retry(): void {
    if (!this.drop()) return;
    this.env.count('stream_failures');
    this.cancelAttempt = this.env.after(this.backoff.next(), () => this.begin());
  }

  private complete(status: number): void {
    if (status !== UNIMPLEMENTED) { this.retry(); return; }
    if (!this.drop()) return;
    this.env.count('stream_terminated');
    this.env.onTerminated();
  }

  close(): void { this.cancelAttempt(); this.drop(); }

  private take(message: Buffer): boolean {
    if (!this.env.onReport(message)) return false;
    this.backoff.reset();
    this.watch();
    return true;
  }

  // ResponseSink
  onInformational(): void {}
  onHeaders(headers: ResponseHeaders, end: boolean): void {
    const status = headers.get('grpc-status'), grpc = headers.status === 200 && (headers.get('content-type') ?? '').startsWith('application/grpc');
    if (end) this.complete(status === undefined ? (grpc ? UNKNOWN : grpcStatusOf(headers.status)) : numberOf(status));
    else if (!grpc) this.complete(grpcStatusOf(headers.status));
  }
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (!this.frames.feed(bytes, start, end, (m) => this.take(m))) this.complete(INTERNAL);
    else if (last) this.complete(UNKNOWN);
    else if (this.leaving && end > start) this.retry();
  }
  onTrailers(trailers: Headers): void { this.complete(numberOf(trailers.get('grpc-status') ?? '')); }
  onReset(_reason: ResetReason, _fault: PeerFault | null): void { this.retry(); }
  onBlocked(): void {}
  onDrained(): void {}

  // ConnectionOwner
  onExchangeDone(): void { this.retry(); }
  onGone(): void { this.retry(); }
  onGoAway(): void { this.leaving = true; }
}

function numberOf(status: string): number { return /^\d{1,5}$/.test(status) ? Number(status) : UNKNOWN; }
