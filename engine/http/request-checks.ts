// What a request must be before it is routed, and what is done to it on the way (ConnectionManagerImpl::ActiveStream::decodeHeaders). A reply refuses it.
import type { RequestHeaders } from '../headers/headers.ts';
import { HCM } from '../observe/stats/schemas.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { LocalReply } from './filter.ts';
import type { HcmRuntime } from './hcm-runtime.ts';
import type { Route } from './route.ts';
import { REPLY } from './stream-replies.ts';

export function checkRequest(runtime: HcmRuntime, headers: RequestHeaders, facts: StreamFacts): LocalReply | null {
  if (headers.missingHost) return REPLY.missingHost;
  if (headers.method !== 'CONNECT') {
    if (headers.path === '') return REPLY.missingPath;
    if (headers.path.includes('#')) return REPLY.fragment;
    if (headers.path.charCodeAt(0) !== 47) { runtime.stats.inc(HCM.downstream_rq_non_relative_path); return REPLY.relativePath; }
  }
  if (headers.method === 'QUERY' && !headers.has('content-type')) return REPLY.queryWithoutType;
  if (headers.protocol === 'connect-udp' && !aimAtTarget(headers)) return REPLY.udpPath;
  const refused = runtime.preparation.prepare(headers, facts);
  if (refused !== null) {
    if (refused.details === 'rejected_by_ip_detection') runtime.stats.inc(HCM.downstream_rq_rejected_via_ip_detection);
    else runtime.stats.inc(refused.status === 307 ? HCM.downstream_rq_redirected_with_normalized_path : HCM.downstream_rq_failed_path_normalization);
    return refused;
  }
  const table = runtime.routes.current;
  if (!facts.internal && table !== null) { const names = table.internalOnly(headers); for (let i = 0; i < names.length; i++) headers.remove(names[i]!); }
  for (const m of runtime.early) m.apply(headers, facts);
  return table === null ? REPLY.noRouteTable : null;
}

/** The target that the path of a CONNECT-UDP names (RFC 9298 section 3) is its authority from here on, as in Envoy; false: it names none. */
function aimAtTarget(headers: RequestHeaders): boolean {
  const m = /^\/\.well-known\/masque\/udp\/([^/]+)\/(\d{1,5})\/$/.exec(headers.path);
  if (m === null) return false;
  const host = m[1]!.replace(/%3[aA]/g, ':');
  headers.authority = `${host.includes(':') ? `[${host}]` : host}:${m[2]}`;
  return true;
}

/** What a request would upgrade to, lower case; 'connect' for CONNECT. */
export function upgradeToken(headers: RequestHeaders): string { return headers.protocol !== '' ? headers.protocol : 'connect'; }

/** Whether an upgrade or CONNECT may be: the route decides, then the manager. 'none': it is for the router to answer (no route). */
export function upgradeVerdict(runtime: HcmRuntime, headers: RequestHeaders, route: Route | null): 'allowed' | 'refused' | 'none' {
  const token = upgradeToken(headers);
  if (route?.upgradeAllowed(token) ?? runtime.upgrades.get(token) ?? false) { runtime.stats.inc(HCM.downstream_cx_upgrades_total); runtime.stats.inc(HCM.downstream_cx_upgrades_active); return 'allowed'; }
  if (route === null && headers.method === 'CONNECT') return 'none';
  runtime.stats.inc(HCM.downstream_rq_ws_on_non_ws_route);
  return 'refused';
}
