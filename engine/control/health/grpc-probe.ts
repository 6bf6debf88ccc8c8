// gRPC health check: grpc.health.v1.Health/Check over HTTP/2 (Envoy: GrpcHealthCheckerImpl). The two messages are so small that they are written and read by hand:
// HealthCheckRequest {string service = 1}, HealthCheckResponse {ServingStatus status = 1; SERVING is 1}.
import type { PeerFault } from '../../base/fault.ts';
import type { ClientCodec, ClientHost, CodecOutput, ResetReason, ResponseSink } from '../../codec/codec.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../../headers/headers.ts';
import type { Clock } from '../../loop/clock.ts';
import { HeaderMutations } from '../../observe/format/header-mutation.ts';
import type { OperatorEnv } from '../../observe/format/operators.ts';
import { ConnectionFacts, StreamFacts } from '../../observe/stream-facts.ts';
import type { GrpcCheckPlan } from '../../plan/health-plan.ts';
import { ProbeConnection, type ConnectionOwner } from './probe-connection.ts';
import type { Probe, ProbeConnector, ProbeResult, ProbeTarget } from './probe.ts';

export interface GrpcProbeEnv { readonly connector: ProbeConnector; makeCodec(host: ClientHost, output: CodecOutput): ClientCodec; readonly reuse: boolean; readonly operators: OperatorEnv; readonly clock: Clock }

const NETWORK: ProbeResult = { ok: false, type: 'NETWORK', retriable: false };
const NOT_SERVING: ProbeResult = { ok: false, type: 'ACTIVE', retriable: false };
const SERVING: ProbeResult = { ok: true, degraded: false };
/** An answer is a few bytes; one that is larger is none. */
const MAX_ANSWER = 16 * 1024;

/** A gRPC frame with HealthCheckRequest. */
export function encodeCheck(service: string): Uint8Array {
  const name = Buffer.from(service, 'utf8'), length: number[] = [];
  for (let n = name.length; ; n >>>= 7) { if (n < 128) { length.push(n); break; } length.push((n & 127) | 128); }
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}

/** The status in one gRPC frame with HealthCheckResponse; -1: none, or not one whole message. */
export function decodeStatus(frame: Uint8Array): number {
  if (frame.length < 5 || frame[0] !== 0 || Buffer.from(frame.buffer, frame.byteOffset, frame.length).readUInt32BE(1) !== frame.length - 5) return -1;
  let at = 5, status = 0;
  const varint = (): number => { let n = 0, shift = 0; while (at < frame.length && shift < 35) { const b = frame[at++]!; n += (b & 127) * 2 ** shift; if (b < 128) return n; shift += 7; } return -1; };
  while (at < frame.length) {
    const tag = varint();
    if (tag < 0) return -1;
    switch (tag & 7) {
      case 0: { const n = varint(); if (n < 0) return -1; if (tag >>> 3 === 1) status = n; break; }
      case 1: at += 8; break;
      case 2: { const n = varint(); if (n < 0) return -1; at += n; break; }
      case 5: at += 4; break;
      default: return -1;
    }
  }
  return at === frame.length ? status : -1;
}

export class GrpcProbe implements Probe, ResponseSink, ConnectionOwner {
  private readonly plan: GrpcCheckPlan;
  private readonly target: ProbeTarget;
  private readonly env: GrpcProbeEnv;
  private readonly metadata: HeaderMutations;
  private readonly request: Uint8Array;
  private connection: ProbeConnection | null = null;
  private body: Buffer = Buffer.alloc(0);
  private good = false;
  private result: ProbeResult | null = null;
  private done: ((result: ProbeResult) => void) | null = null;

  constructor(plan: GrpcCheckPlan, target: ProbeTarget, env: GrpcProbeEnv) {
    this.plan = plan; this.target = target; this.env = env;
    this.metadata = new HeaderMutations(plan.metadata, env.operators, env.clock);
    this.request = encodeCheck(plan.serviceName);
  }

  start(done: (result: ProbeResult) => void): void {
    this.done = done;
    this.body = Buffer.alloc(0);
    this.good = false;
    this.result = null;
    this.connection ??= new ProbeConnection(this.target.address, this.env.connector, (host, output) => this.env.makeCodec(host, output), this);
    const stream = this.connection.open(this);
    if (stream === 'full') return; // the connection is on its way out; time will tell
    stream.headers(this.head(), false);
    stream.data(this.request, 0, this.request.length, true);
  }

  private head(): RequestHeaders {
    const { plan, target, env } = this, h = new RequestHeaders();
    h.method = 'POST'; h.path = '/grpc.health.v1.Health/Check'; h.scheme = env.connector.secured ? 'https' : 'http';
    h.authority = plan.authority || target.hostname || target.clusterName;
    h.add('te', 'trailers');
    h.add('content-type', 'application/grpc');
    h.add('user-agent', 'Envoy/HC');
    const facts = new StreamFacts(new ConnectionFacts());
    facts.request = h;
    facts.startMs = env.clock.nowMs();
    facts.startWallMs = env.clock.wallMs();
    this.metadata.apply(h, facts);
    return h;
  }

  private finish(result: ProbeResult, keep: boolean): void {
    const { done } = this;
    this.done = null;
    if (!keep) this.drop();
    done?.(result);
  }
  private drop(): void { this.connection?.destroy(); this.connection = null; }
  abort(): void { this.done = null; this.drop(); }
  close(): void { this.abort(); }

  // ResponseSink
  onInformational(): void {}
  onHeaders(headers: ResponseHeaders, end: boolean): void {
    this.good = headers.status === 200 && (headers.get('content-type') ?? '').startsWith('application/grpc');
    if (end) this.complete(headers);
  }
  onData(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.body.length + end - start > MAX_ANSWER) this.good = false; else this.body = Buffer.concat([this.body, bytes.subarray(start, end)]);
    if (last) this.result = NOT_SERVING; // without trailers there is no status
  }
  onTrailers(trailers: Headers): void { this.complete(trailers); }
  private complete(trailers: Headers): void { this.result = this.good && trailers.get('grpc-status') === '0' && decodeStatus(this.body) === 1 ? SERVING : NOT_SERVING; }
  onReset(_reason: ResetReason, _fault: PeerFault | null): void { this.finish(NETWORK, false); }
  onBlocked(): void {}
  onDrained(): void {}

  // ConnectionOwner
  onExchangeDone(reusable: boolean): void { const { result } = this; if (result !== null) { this.result = null; this.finish(result, reusable && this.env.reuse); } }
  onGone(): void { this.connection = null; const { result } = this; this.result = null; this.finish(result ?? NETWORK, false); }
}
