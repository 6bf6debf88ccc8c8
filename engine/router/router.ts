// The router filter: the last of a chain. Finds what a request's route wants: an answer of our own, or a cluster (routed-request.ts).
import type { MetadataMap } from '../codec/codec.ts';
import type { Headers, RequestHeaders } from '../headers/headers.ts';
import { LocalReply, type HttpFilter, type ResponseEntry, type StreamEnd, type StreamView, type Verdict } from '../http/filter.ts';
import { HCM } from '../observe/stats/schemas.ts';
import { FLAG } from './failure.ts';
import { replyOf } from './redirect.ts';
import { refuse } from './refusal.ts';
import { EARLY_CONNECT, NO_ROUTE, invalidHeader } from './replies.ts';
import type { RouteEntry } from './route-entry.ts';
import { RoutedRequest } from './routed-request.ts';
import type { RouterFactory } from './router-factory.ts';
import { badSteering } from './timeouts.ts';

export class RouterFilter implements HttpFilter {
  private readonly s: StreamView & ResponseEntry;
  private readonly router: RouterFactory;
  routed: RoutedRequest | null = null;
  /** METADATA that came before the request's head had passed the filters. */
  private early: MetadataMap[] | null = null;
  constructor(s: StreamView & ResponseEntry, router: RouterFactory) { this.s = s; this.router = router; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders, end: boolean): Verdict {
    const { router } = this, { stats, parts, plan } = router, { facts } = s;
    stats.inc(HCM.rq_total);
    const entry = s.route as RouteEntry | null;
    if (entry === null) { stats.inc(HCM.no_route); return NO_ROUTE; }
    facts.routeMetadata = entry.plan.metadata;
    facts.virtualHostMetadata = entry.host.plan.metadata;
    const immediate = replyOf(entry, headers, facts, parts.renderBody), action = entry.forward;
    if (immediate !== null || action === null) { stats.inc(HCM.rq_direct_response); return immediate!; }
    const name = entry.clusterName(headers), cluster = s.facts.cluster = parts.clusters.get(name);
    if (cluster === null) { stats.inc(HCM.no_cluster); return new LocalReply(action.notFoundStatus, '', 'cluster_not_found', FLAG.NC); }
    if (plan.strictHeaders.length > 0) { const bad = badSteering(plan.strictHeaders, headers); if (bad !== '') return invalidHeader(bad, headers.get(bad)!); }
    const refusal = cluster.refusal();
    if (refusal !== null) return refuse(refusal, cluster, entry, headers, facts, router);
    const routed = this.routed = new RoutedRequest(this.s, router, entry, cluster), verdict = routed.begin(headers, name, end);
    if (this.early !== null) for (const map of this.early) routed.metadata(map);
    return verdict;
  }

  onRequestData(s: StreamView, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (this.routed === null) return 'taken';
    if (this.router.plan.rejectEarlyConnect && end > start && s.request.method === 'CONNECT' && s.facts.response === null) { this.routed.finish(); return EARLY_CONNECT; }
    return this.routed.data(bytes, start, end, last);
  }
  onRequestTrailers(_s: StreamView, trailers: Headers): Verdict { return this.routed === null ? 'taken' : this.routed.trailers(trailers); }
  onRequestMetadata(map: MetadataMap): void { if (this.routed === null) (this.early ??= []).push(map); else this.routed.metadata(map); }
  heldBytes(): number { return this.routed?.heldBytes ?? 0; }
  onEnd(_s: StreamView, _how: StreamEnd): void { this.routed?.finish(); }
}
