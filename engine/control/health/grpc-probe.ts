// gRPC health check: grpc.health.v1.Health/Check over HTTP/2 (Envoy: GrpcHealthCheckerImpl). The two messages are so small that they are written and read by hand:
// HealthCheckRequest {string service = 1}, HealthCheckResponse {ServingStatus status = 1; SERVING is 1}.
import type { ClientStream } from '../../codec/codec.ts';
import type { Headers, ResponseHeaders } from '../../headers/headers.ts';
import type { GrpcCheckPlan } from '../../plan/health-plan.ts';
import { ExchangeProbe, type ExchangeProbeEnv } from './exchange-probe.ts';
import type { ProbeResult, ProbeTarget } from './probe.ts';

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

export class GrpcProbe extends ExchangeProbe {
  private readonly plan: GrpcCheckPlan;
  private readonly request: Uint8Array;
  private readonly timeout: string;
  private body: Buffer = Buffer.alloc(0);
  private good = false;

  /** `timeoutMs`: the server is told of it. */
  constructor(plan: GrpcCheckPlan, timeoutMs: number, target: ProbeTarget, env: ExchangeProbeEnv) {
    super(target, env, plan.metadata);
    this.plan = plan;
    this.request = encodeCheck(plan.serviceName);
    this.timeout = timeoutMs < 1e8 ? `${Math.floor(timeoutMs)}m` : `${Math.floor(timeoutMs / 1000)}S`;
  }

  protected clear(): void { this.body = Buffer.alloc(0); this.good = false; }

  protected send(stream: ClientStream): void {
    const h = this.head('POST', '/grpc.health.v1.Health/Check', this.plan.authority);
    h.add('te', 'trailers');
    h.add('content-type', 'application/grpc');
    h.add('user-agent', 'Envoy/HC');
    h.add('grpc-timeout', this.timeout);
    stream.headers(this.mutated(h, stream), false);
    stream.data(this.request, 0, this.request.length, true);
  }

  // ResponseSink
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
}
