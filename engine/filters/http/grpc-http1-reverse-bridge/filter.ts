// The grpc_http1_reverse_bridge filter (Envoy: GrpcHttp1ReverseBridge): gRPC on this side, plain HTTP bodies on the other.
import { ByteQueue } from '../../../base/byte-queue.ts';
import { Headers, type RequestHeaders, type ResponseHeaders } from '../../../headers/headers.ts';
import { LocalReply, type HttpFilter, type HttpFilterFactory, type StreamView, type Verdict } from '../../../http/filter.ts';
import { grpcStatusOf, isGrpc } from '../../../http/local-reply.ts';
import type { GrpcReverseBridgePlan, GrpcReverseBridgeRoutePlan } from '../../../plan/grpc-filter-plans.ts';

const HEAD = 5;
const UNKNOWN = 2, INTERNAL = 13;
const TOO_SMALL = new LocalReply(200, 'invalid request body', 'grpc_bridge_data_too_small', 0, null, UNKNOWN);
/** The head is out by then, so that it cuts the answer. */
const WRONG_SIZE = new LocalReply(200, 'envoy reverse bridge: upstream set incorrect content length', 'grpc_bridge_content_length_wrong', 0, null, INTERNAL);
const NO_SIZE = new LocalReply(200, 'envoy reverse bridge: upstream did not set content length', 'grpc_bridge_content_length_missing', 0, null, INTERNAL);

export class GrpcReverseBridgeFactory implements HttpFilterFactory {
  readonly name: string;
  readonly index: number;
  readonly plan: GrpcReverseBridgePlan;
  constructor(name: string, index: number, plan: GrpcReverseBridgePlan) { this.name = name; this.index = index; this.plan = plan; }
  create(s: StreamView): HttpFilter { return isGrpc(s.request) ? new GrpcReverseBridgeFilter(this) : NOT_GRPC; }
}

const NOT_GRPC: HttpFilter = {};

class GrpcReverseBridgeFilter implements HttpFilter {
  private readonly factory: GrpcReverseBridgeFactory;
  private on = false;
  private contentType = '';
  /** Bytes of the request's frame head that are still to be taken off. */
  private toStrip = 0;
  private status = '0';
  /** Bytes of the answer as its size header says, and those that came; -1: not told. */
  private size = -1;
  private came = 0;
  constructor(factory: GrpcReverseBridgeFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders, end: boolean): Verdict {
    const { plan, index } = this.factory;
    if (end || (s.routeConfig(index) as GrpcReverseBridgeRoutePlan | undefined)?.disabled === true) return 'next';
    this.on = true;
    this.contentType = headers.get('content-type')!;
    headers.set('content-type', plan.contentType);
    headers.set('accept', plan.contentType);
    if (plan.withhold) { this.toStrip = HEAD; addToLength(headers, -HEAD); }
    s.clearRoute();
    return 'next';
  }

  onRequestData(s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (!this.on || this.toStrip === 0) return 'next';
    const taken = Math.min(this.toStrip, end - start);
    this.toStrip -= taken;
    if (this.toStrip > 0) return last ? TOO_SMALL : 'taken';
    const rest = new ByteQueue();
    rest.pushCopy(bytes, start + taken, end);
    if (rest.length > 0 || last) s.push(this, rest, last);
    return 'taken';
  }

  onResponseHeaders(s: StreamView, headers: ResponseHeaders, end: boolean): Verdict {
    if (!this.on) return 'next';
    const { plan } = this.factory, type = headers.get('content-type');
    if (type !== plan.contentType) {
      const what = type === undefined ? 'no content-type header' : `unsupported content-type ${type}`;
      this.on = false;
      return new LocalReply(200, `envoy reverse bridge: upstream responded with ${what}, status code ${headers.status}`, 'grpc_bridge_content_type_wrong', 0, null, UNKNOWN);
    }
    if (plan.sizeHeader !== '' && plan.withhold) {
      const told = headers.get(plan.sizeHeader);
      if (told === undefined || !/^\d{1,10}$/.test(told)) { this.on = false; return NO_SIZE; }
      this.size = Number(told);
    }
    headers.set('content-type', this.contentType);
    this.status = headers.status === 200 ? '0' : String(grpcStatusOf(headers.status));
    headers.status = 200;
    if (!plan.withhold) return 'next';
    addToLength(headers, HEAD);
    if (!end) return this.size >= 0 ? 'next' : 'hold-whole';
    // Nothing came: an empty message.
    headers.set('content-length', String(HEAD));
    s.push(this, frameHead(0), false, 'response');
    s.pushTrailers(this, this.trailers(), 'response');
    return 'next-open';
  }

  onResponseData(s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (!this.on) return 'next';
    if (this.size >= 0) return this.sized(s, bytes, start, end, last);
    if (this.factory.plan.withhold) {
      if (!last) return 'hold-whole';
      const held = s.heldBody(this, 'response')!;
      held.unshift(frameHead(held.length + end - start).shift()!);
    }
    if (!last) return 'next';
    s.pushTrailers(this, this.trailers(), 'response');
    return 'next-open';
  }

  /** The frame's head says what the size header said; an answer of another length is cut. */
  private sized(s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    const first = this.came === 0;
    this.came += end - start;
    if (this.came > this.size || (last && this.came !== this.size)) return WRONG_SIZE;
    if (!first) { if (last) s.pushTrailers(this, this.trailers(), 'response'); return last ? 'next-open' : 'next'; }
    if (end === start && !last) return 'taken';
    const out = frameHead(this.size);
    out.pushCopy(bytes, start, end);
    s.push(this, out, false, 'response');
    if (last) s.pushTrailers(this, this.trailers(), 'response');
    return 'taken';
  }

  onResponseTrailers(s: StreamView, trailers: Headers): Verdict {
    if (!this.on) return 'next';
    if (this.size >= 0 && this.came !== this.size) return WRONG_SIZE;
    if (this.factory.plan.withhold && this.size < 0) {
      const held = s.heldBody(this, 'response')!;
      held.unshift(frameHead(held.length).shift()!);
    }
    trailers.set('grpc-status', this.status);
    return 'next';
  }

  private trailers(): Headers { const t = new Headers(); t.add('grpc-status', this.status); return t; }
}

function addToLength(headers: Headers, bytes: number): void {
  const length = headers.get('content-length');
  if (length !== undefined && /^\d{1,15}$/.test(length)) headers.set('content-length', String(Math.max(0, Number(length) + bytes)));
}

function frameHead(length: number): ByteQueue {
  const head = Buffer.alloc(HEAD), out = new ByteQueue();
  head.writeUInt32BE(length, 1);
  out.push(head);
  return out;
}
