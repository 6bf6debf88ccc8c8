// The grpc_web filter (Envoy: GrpcWebFilter): browsers speak gRPC without trailers, in binary or as base64 text. Requests become gRPC; in answers the trailers are a
// last frame of the body, and what is no gRPC answer becomes one whose message is its body.
import { ByteQueue } from '../../../base/byte-queue.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { GrpcFrames } from '../../../http/grpc-frames.ts';
import { grpcMessage, grpcStatusOf } from '../../../http/local-reply.ts';
import { GrpcStats, grpcMethod } from '../../../observe/stats/grpc-stats.ts';
import type { StatStore } from '../../../observe/stats/stat-block.ts';
import { Base64Reader, Base64Writer } from './base64.ts';

const BINARY = new Set(['application/grpc-web', 'application/grpc-web+proto']), TEXT = new Set(['application/grpc-web-text', 'application/grpc-web-text+proto']);
const TRAILER_FLAG = 0x80;
/** Of an answer that is no gRPC, as much becomes the message. */
const MOST_MESSAGE = 16_384;
const INVALID = 'Bad gRPC-web request, invalid base64 data.';
const BAD_BASE64 = new LocalReply(400, INVALID, 'grpc_base_64_decode_failed');
const BAD_PADDING = new LocalReply(400, INVALID, 'grpc_base_64_decode_failed_bad_padding');

export class GrpcWebFactory implements HttpFilterFactory {
  readonly name: string;
  readonly stats: GrpcStats;
  constructor(name: string, store: StatStore) { this.name = name; this.stats = new GrpcStats(store, 'grpc-web'); }
  create(s: StreamView): HttpFilter {
    const type = s.request.get('content-type') ?? '';
    return BINARY.has(type) || TEXT.has(type) ? new GrpcWebFilter(this) : OTHER;
  }
}

const OTHER: HttpFilter = {};

class GrpcWebFilter implements HttpFilter {
  private readonly factory: GrpcWebFactory;
  private reader: Base64Reader | null = null;
  private text = false;
  private readonly frames = new GrpcFrames();
  private readonly writer = new Base64Writer();
  /** Text of an answer that is no gRPC; null: it is. */
  private message: string | null = null;
  private status: string | undefined;
  private method = '';
  constructor(factory: GrpcWebFactory) { this.factory = factory; }

  onRequestHeaders(_s: StreamView, headers: RequestHeaders): Verdict {
    const method = grpcMethod(headers.path);
    if (method !== null) this.method = `${method.service}.${method.method}`;
    headers.remove('content-length');
    if (TEXT.has(headers.get('content-type')!)) this.reader = new Base64Reader();
    this.text = TEXT.has(headers.get('accept') ?? '');
    headers.set('content-type', 'application/grpc');
    headers.set('te', 'trailers');
    headers.set('grpc-accept-encoding', 'identity');
    return 'next';
  }

  onRequestData(s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    const { reader } = this;
    if (reader === null) return 'next';
    const decoded = reader.feed(bytes, start, end);
    if (decoded === null) return BAD_BASE64;
    if (last && !reader.whole) return BAD_PADDING;
    if (decoded.length === 0 && !last) return 'taken';
    const out = new ByteQueue();
    out.push(decoded);
    s.push(this, out, last);
    return 'taken';
  }

  onResponseHeaders(_s: StreamView, headers: ResponseHeaders, end: boolean): Verdict {
    this.status = headers.get('grpc-status');
    const type = headers.get('content-type') ?? '';
    const grpc = end ? this.status !== undefined : headers.status === 200 && (type.startsWith('application/grpc'));
    if (!grpc && !end) { this.message = ''; return 'hold'; }
    headers.remove('content-length');
    headers.set('content-type', this.text ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto');
    return 'next';
  }

  onResponseData(s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (this.message !== null) return this.plain(s, bytes, start, end, last);
    if (!this.text) return 'next';
    // Each message is a piece of base64 of its own.
    const out = new ByteQueue();
    for (let at = start; at < end;) {
      const to = this.frames.toEnd(bytes, at, end);
      out.push(this.writer.feed(bytes, at, to, this.frames.between));
      at = to;
    }
    if (last && !this.frames.between) out.push(this.writer.feed(bytes, end, end, true));
    if (out.length > 0 || last) s.push(this, out, last, 'response');
    return 'taken';
  }

  /** An answer that is no gRPC: its text becomes the message of one. */
  private plain(s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    const room = MOST_MESSAGE - this.message!.length;
    if (room > 0) this.message += Buffer.from(bytes.subarray(start, Math.min(end, start + room))).latin1Slice();
    if (!last) return 'taken';
    this.asGrpc(s.response!);
    s.heldBody(this, 'response')?.clear();
    s.push(this, new ByteQueue(), true, 'response');
    s.resume(this, 'response');
    return 'taken';
  }

  private asGrpc(headers: ResponseHeaders): void {
    headers.set('grpc-status', String(grpcStatusOf(headers.status)));
    headers.set('grpc-message', grpcMessage(this.message!));
    headers.set('content-type', this.text ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto');
    headers.set('content-length', '0');
  }

  onResponseTrailers(s: StreamView, trailers: Headers): Verdict {
    if (this.message !== null) { this.asGrpc(s.response!); return 'next'; }
    this.status ??= trailers.get('grpc-status');
    let lines = '';
    trailers.each((name, value) => { lines += `${name}:${value}\r\n`; });
    trailers.removeIf(() => true);
    const frame = Buffer.alloc(5 + lines.length), out = new ByteQueue();
    frame[0] = TRAILER_FLAG;
    frame.writeUInt32BE(lines.length, 1);
    frame.latin1Write(lines, 5);
    out.push(this.text ? Buffer.from(frame.toString('base64'), 'latin1') : frame);
    s.push(this, out, false, 'response');
    return 'next';
  }

  onEnd(s: StreamView): void {
    const up = s.facts.upstream;
    if (up !== null && up.cluster !== '' && this.status !== undefined && this.method !== '') this.factory.stats.charge(up, this.method, this.status);
  }
}
