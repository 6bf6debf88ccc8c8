// gRPC stats of clusters (Envoy: Grpc::Context): cluster.NAME.grpc.SERVICE.METHOD.{STATUS, success, failure, total, request_message_count, response_message_count,
// upstream_rq_time}. Names come from requests, so each is looked up once and kept; methods beyond a bound are counted without their name.
import type { UpstreamFacts } from '../stream-facts.ts';
import { recordSample, type StatStore } from './stat-block.ts';

const MOST_METHODS = 2048;

/** Service and method of a gRPC path; null for what is none (Envoy: resolveServiceAndMethod). */
export function grpcMethod(path: string): { readonly service: string; readonly method: string } | null {
  const query = path.indexOf('?');
  const parts = (query < 0 ? path : path.slice(0, query)).split('/').filter((p) => p !== '');
  return parts.length === 2 ? { service: parts[0]!, method: parts[1]! } : null;
}

/** Slots of one method on one cluster. */
class MethodStats {
  private readonly store: StatStore;
  private readonly prefix: string;
  private readonly slots = new Map<string, number>();
  private time = -1;
  constructor(store: StatStore, prefix: string) { this.store = store; this.prefix = prefix; }
  get released(): boolean { return this.store.released; }

  add(name: string, n: number): void {
    let slot = this.slots.get(name);
    if (slot === undefined) { slot = this.store.claimOne(`${this.prefix}.${name}`, 'counter'); this.slots.set(name, slot); }
    this.store.column[slot]! += n;
  }

  record(ms: number): void {
    if (this.time < 0) this.time = this.store.claimHistogram(`${this.prefix}.upstream_rq_time`);
    recordSample(this.store, this.time, ms);
  }
}

export class GrpcStats {
  private readonly store: StatStore;
  private readonly protocol: string;
  private readonly methods = new Map<string, MethodStats>();

  /** `protocol`: 'grpc' or 'grpc-web'. `store`: for clusters that bring none of their own. */
  constructor(store: StatStore, protocol: string) { this.store = store; this.protocol = protocol; }

  /** The stats of a method ('SERVICE.METHOD', '' for all together) on the cluster that served the call. */
  of(up: UpstreamFacts, method: string): MethodStats {
    const key = `${up.cluster}\0${method}`;
    let stats = this.methods.get(key);
    if (stats !== undefined && !stats.released) return stats;
    if (stats === undefined && method !== '' && this.methods.size >= MOST_METHODS) {
      for (const [k, m] of this.methods) if (m.released) this.methods.delete(k);
      if (this.methods.size >= MOST_METHODS) return this.of(up, '');
    }
    stats = new MethodStats(up.stats ?? this.store, `cluster.${up.cluster}.${this.protocol}${method === '' ? '' : `.${method}`}`);
    this.methods.set(key, stats);
    return stats;
  }

  /** A call has ended with `status`, the text of its grpc-status. */
  charge(up: UpstreamFacts, method: string, status: string): void {
    const stats = this.of(up, method);
    if (/^\d{1,4}$/.test(status)) stats.add(status, 1);
    stats.add(status === '0' ? 'success' : 'failure', 1);
    stats.add('total', 1);
  }
}
