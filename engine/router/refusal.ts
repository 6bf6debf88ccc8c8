// What a cluster refuses before a host is chosen (Envoy: Filter::decodeHeaders with maintenanceMode and checkDropOverload): answered and counted here, nothing else is made for it.
import type { RequestHeaders } from '../headers/headers.ts';
import { LocalReply } from '../http/filter.ts';
import { CLUSTER } from '../observe/stats/schemas.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { Cluster, Refusal } from '../upstream/upstream.ts';
import { FLAG } from './failure.ts';
import type { RouteEntry } from './route-entry.ts';
import type { RouterFactory } from './router-factory.ts';

/** The answer, and the same without Envoy's header (suppress_envoy_headers). Made ahead: a cluster that sheds load is asked often. */
interface Refused { readonly marked: LocalReply; readonly plain: LocalReply }
function refused(body: string, flag: number, header: string): Refused {
  const of = (headers: LocalReply['headers']): LocalReply => new LocalReply(503, body, body.replaceAll(' ', '_'), flag, headers);
  return { marked: of((h) => { h.set(header, 'true'); }), plain: of(null) };
}
const REFUSALS: Readonly<Record<Refusal, Refused>> = {
  maintenance: refused('maintenance mode', FLAG.UO, 'x-envoy-overloaded'), drop: refused('drop overload', FLAG.DO, 'x-envoy-drop-overload'), 'drop-all': refused('unconditional drop overload', FLAG.UDO, 'x-envoy-unconditional-drop-overload'),
};

/** As the cluster counts it. */
export function countRefusal(why: Refusal, cluster: Cluster, internal: boolean): void {
  if (why === 'maintenance') cluster.stats.inc(CLUSTER.upstream_rq_maintenance_mode);
  cluster.onResponse(null, 503, internal, false, -1);
}

export function refuse(why: Refusal, cluster: Cluster, entry: RouteEntry, headers: RequestHeaders, facts: StreamFacts, router: RouterFactory): LocalReply {
  facts.virtualClusterName = entry.host.virtualCluster(headers);
  countRefusal(why, cluster, facts.internal);
  entry.requestStats(facts.virtualClusterName, headers.get('x-envoy-upstream-alt-stat-name') ?? '', router.alternatives)?.charge(503, cluster, facts.internal, false, -1);
  return router.plan.suppressEnvoyHeaders ? REFUSALS[why].plain : REFUSALS[why].marked;
}
