// The grpc_stats filter (Envoy: GrpcStatsFilter): counts calls by status and messages in both directions, for the cluster that served them. Charged when the call is
// over, for then its cluster is known.
import type { Headers, RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import { GrpcFrames } from '../../../http/grpc-frames.ts';
import { isGrpc } from '../../../http/local-reply.ts';
import { GrpcStats, grpcMethod } from '../../../observe/stats/grpc-stats.ts';
import type { StatStore } from '../../../observe/stats/stat-block.ts';
import type { GrpcStatsPlan } from '../../../plan/grpc-filter-plans.ts';

const STATE_KEY = 'envoy.filters.http.grpc_stats';

export class GrpcStatsFactory implements HttpFilterFactory {
  readonly name: string;
  readonly plan: GrpcStatsPlan;
  readonly stats: GrpcStats;
  private readonly methods: ReadonlySet<string> | null;

  constructor(name: string, plan: GrpcStatsPlan, store: StatStore) { this.name = name; this.plan = plan; this.stats = new GrpcStats(store, 'grpc'); this.methods = plan.methods === null ? null : new Set(plan.methods); }

  create(s: StreamView): HttpFilter { return isGrpc(s.request) ? new GrpcStatsFilter(this) : NOT_GRPC; }

  /** 'SERVICE.METHOD' where it has stats of its own, else ''; null for a path that names no method. */
  methodOf(path: string): string | null {
    const m = grpcMethod(path);
    if (m === null) return null;
    if (this.methods !== null && !this.methods.has(`${m.service}/${m.method}`)) return '';
    return `${this.plan.replaceDots ? m.service.replaceAll('.', '_') : m.service}.${m.method}`;
  }
}

const NOT_GRPC: HttpFilter = {};

class GrpcStatsFilter implements HttpFilter {
  private readonly factory: GrpcStatsFactory;
  private readonly requests = new GrpcFrames();
  private readonly responses = new GrpcFrames();
  private method: string | null = null;
  private status: string | undefined;
  constructor(factory: GrpcStatsFactory) { this.factory = factory; }

  onRequestHeaders(_s: StreamView, headers: RequestHeaders): Verdict { this.method = this.factory.methodOf(headers.path); return 'next'; }
  onRequestData(_s: StreamView, bytes: Uint8Array, start: number, end: number): Verdict { this.requests.inspect(bytes, start, end); return 'next'; }
  onResponseHeaders(_s: StreamView, headers: ResponseHeaders): Verdict { this.status = headers.get('grpc-status'); return 'next'; }
  onResponseData(_s: StreamView, bytes: Uint8Array, start: number, end: number): Verdict { this.responses.inspect(bytes, start, end); return 'next'; }
  onResponseTrailers(_s: StreamView, trailers: Headers): Verdict { this.status ??= trailers.get('grpc-status'); return 'next'; }

  /** The filter state, as JSON has the message: numbers of 64 bits as text, none for 0. Without a message either way there is none. */
  private emit(s: StreamView): void {
    const requests = this.requests.count, responses = this.responses.count;
    if (requests + responses > 0) (s.facts.filterState ??= new Map()).set(STATE_KEY, { ...(requests > 0 && { requestMessageCount: String(requests) }), ...(responses > 0 && { responseMessageCount: String(responses) }) });
  }

  onEnd(s: StreamView): void {
    const { plan, stats } = this.factory, up = s.facts.upstream;
    if (plan.emitFilterState) this.emit(s);
    if (up === null || up.cluster === '' || this.method === null) return;
    if (this.status !== undefined) stats.charge(up, this.method, this.status);
    const of = stats.of(up, this.method);
    if (this.requests.count > 0) of.add('request_message_count', this.requests.count);
    if (this.responses.count > 0) of.add('response_message_count', this.responses.count);
    if (plan.upstreamTime && up.lastTxMs >= 0 && up.lastRxMs >= 0) of.record(Math.max(0, up.lastRxMs - up.lastTxMs));
  }
}
