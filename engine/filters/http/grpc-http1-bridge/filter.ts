// The grpc_http1_bridge filter (Envoy: Http1BridgeFilter): a client without trailers gets the gRPC status in the head, which waits for the whole answer.
import type { Headers, RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import { isGrpc } from '../../../http/local-reply.ts';
import type { GrpcHttp1BridgePlan } from '../../../plan/grpc-filter-plans.ts';

const PROTOBUF = 'application/x-protobuf';
const HEAD = 5;

export class GrpcHttp1BridgeFactory implements HttpFilterFactory {
  readonly name: string;
  readonly plan: GrpcHttp1BridgePlan;
  constructor(name: string, plan: GrpcHttp1BridgePlan) { this.name = name; this.plan = plan; }
  create(): HttpFilter { return new GrpcHttp1BridgeFilter(this.plan); }
}

class GrpcHttp1BridgeFilter implements HttpFilter {
  private readonly plan: GrpcHttp1BridgePlan;
  private bridging = false;
  /** Plain protobuf on this side, gRPC on the other. */
  private framing = false;
  constructor(plan: GrpcHttp1BridgePlan) { this.plan = plan; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders, end: boolean): Verdict {
    this.framing = this.plan.upgradeProtobuf && headers.get('content-type') === PROTOBUF;
    this.bridging = this.framing || (s.facts.protocol !== 'HTTP/2' && s.facts.protocol !== 'HTTP/3' && isGrpc(headers));
    if (this.bridging && this.plan.ignoreQuery) { const query = headers.path.indexOf('?'); if (query >= 0) headers.path = headers.path.slice(0, query); }
    if (!this.framing) return 'next';
    headers.set('content-type', 'application/grpc');
    headers.remove('content-length');
    return end ? 'next' : 'hold-whole';
  }

  onRequestData(s: StreamView, _bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (!this.framing) return 'next';
    if (!last) return 'hold-whole';
    const held = s.heldBody(this)!;
    held.unshift(frameHead(held.length + end - start));
    return 'next';
  }

  onRequestTrailers(s: StreamView): Verdict {
    if (this.framing) { const held = s.heldBody(this)!; held.unshift(frameHead(held.length)); }
    return 'next';
  }

  onResponseHeaders(_s: StreamView, _headers: ResponseHeaders, end: boolean): Verdict {
    return !this.bridging || end ? 'next' : 'hold-whole';
  }

  onResponseTrailers(s: StreamView, trailers: Headers): Verdict {
    if (!this.bridging) return 'next';
    const headers = s.response!, status = trailers.get('grpc-status'), message = trailers.get('grpc-message'), held = s.heldBody(this, 'response');
    if (status !== '0') headers.status = 503;
    if (status !== undefined) headers.set('grpc-status', status);
    if (message !== undefined) headers.set('grpc-message', message);
    if (this.framing && held !== null && held.length > HEAD) held.push(held.takeAll().subarray(HEAD));
    else if (this.framing) held?.clear();
    headers.set('content-length', String(held?.length ?? 0));
    return 'next';
  }
}

/** The head of a gRPC frame. */
function frameHead(length: number): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(length, 1);
  return head;
}
