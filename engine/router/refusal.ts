// What a cluster refuses before a host is chosen (Envoy: Filter::decodeHeaders with maintenanceMode and checkDropOverload): answered and counted here, nothing else is made for it.
import type { RequestHeaders } from '../headers/headers.ts';
import { LocalReply } from '../http/filter.ts';
import { CLUSTER } from '../observe/stats/schemas.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { Cluster, Refusal } from '../upstream/upstream.ts';
import { FLAG } from './failure.ts';
import type { RouteEntry } from './route-entry.ts';
import type { RouterFactory } from './router-factory.ts';

const REFUSALS: Readonly<Record<Refusal, readonly [body: string, flag: number, header: string]>> = {
  maintenance: ['maintenance mode', FLAG.UO, 'x-envoy-overloaded'], drop: ['drop overload', FLAG.DO, 'x-envoy-drop-overload'], 'drop-all': ['unconditional drop overload', FLAG.UDO, 'x-envoy-unconditional-drop-overload'],
};

export function refuse(why: Refusal, cluster: Cluster, entry: RouteEntry, headers: RequestHeaders, facts: StreamFacts, router: RouterFactory): LocalReply {
  const [body, flag, header] = REFUSALS[why];
  facts.virtualClusterName = entry.host.virtualCluster(headers);
  if (why === 'maintenance') cluster.stats.inc(CLUSTER.upstream_rq_maintenance_mode);
  cluster.onResponse(null, 503, facts.internal, false, -1);
  entry.requestStats(facts.virtualClusterName, headers.get('x-envoy-upstream-alt-stat-name') ?? '', router.alternatives, router.parts.env.stats)?.charge(503, cluster, facts.internal, false, -1);
  return new LocalReply(503, body, body.replaceAll(' ', '_'), flag, router.plan.suppressEnvoyHeaders ? null : (h) => { h.set(header, 'true'); });
}
