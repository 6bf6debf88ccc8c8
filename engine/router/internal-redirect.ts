// Internal redirects (Envoy: InternalRedirectPolicy): an answer of the upstream that redirects is followed here, as a new pass of the request through the chain.
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { ResponseEntry, StreamView } from '../http/filter.ts';
import { CLUSTER, HCM } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { RedirectPolicyPlan } from '../plan/route-plan.ts';
import type { RequestBody } from './request-body.ts';

/** Filter state: redirects so far, and the routes that previous_routes has seen of a route. They outlive a pass. */
const COUNT = 'num_internal_redirects';
const PREVIOUS = 'envoy.internal_redirect.previous_routes_predicate_state.';

interface Saved { readonly method: string; readonly path: string; readonly authority: string; readonly scheme: string; readonly flat: string[]; readonly spelling: string[] | null }
function save(h: RequestHeaders): Saved { return { method: h.method, path: h.path, authority: h.authority, scheme: h.scheme, flat: [...h.flat], spelling: h.spelling === null ? null : [...h.spelling] }; }
function restore(h: RequestHeaders, s: Saved): void {
  h.method = s.method; h.path = s.path; h.authority = s.authority; h.scheme = s.scheme; h.spelling = s.spelling;
  h.flat.length = 0;
  for (const x of s.flat) h.flat.push(x);
}

/** An absolute URL's parts; null for what is none. Credentials and fragment are dropped: the fragment would be refused as a request. */
export function redirectTarget(location: string): { readonly scheme: string; readonly authority: string; readonly path: string } | null {
  const m = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/?#@\s]*@)?([^/?#@\s]+)([^#\s]*)(?:#\S*)?$/i.exec(location);
  return m === null ? null : { scheme: m[1]!.toLowerCase(), authority: m[2]!, path: m[3] === '' ? '/' : m[3]! };
}

/** Whether an answer is a redirect that is followed: the request is changed then. `whole`: it can be sent again. */
export function redirects(policy: RedirectPolicyPlan, routeName: string, s: StreamView, response: ResponseHeaders, whole: boolean, stats: StatBlock, clusterStats: StatBlock): boolean {
  if (!policy.codes.includes(response.status)) return false;
  const followed = whole && followRedirect(policy, routeName, s, response, stats);
  clusterStats.inc(followed ? CLUSTER.upstream_internal_redirect_succeeded_total : CLUSTER.upstream_internal_redirect_failed_total);
  return followed;
}

/** Turns the request into the one that the redirect asks for and matches its route; false: it stays as it was, and the answer goes downstream. */
function followRedirect(policy: RedirectPolicyPlan, routeName: string, s: StreamView, response: ResponseHeaders, stats: StatBlock): boolean {
  const { request, facts } = s, location = response.get('location');
  if (location === undefined) return false;
  const target = redirectTarget(location);
  if (target === null) { stats.inc(HCM.passthrough_internal_redirect_bad_location); return false; }
  if (!policy.crossScheme && (request.scheme === 'http') !== (target.scheme === 'http')) { stats.inc(HCM.passthrough_internal_redirect_unsafe_scheme); return false; }
  const state = facts.filterState ??= new Map<string, MetadataValue>(), done = Number(state.get(COUNT) ?? 0);
  if (done >= policy.max) { stats.inc(HCM.passthrough_internal_redirect_too_many_redirects); return false; }
  const saved = save(request);
  for (const name of policy.copy) { request.remove(name); for (const v of response.getAll(name)) request.add(name, v); }
  request.scheme = target.scheme; request.authority = target.authority; request.path = target.path;
  s.clearRoute();
  const failed = s.route === null ? HCM.passthrough_internal_redirect_no_route : accepted(policy, routeName, s.route.name, saved.scheme, target.scheme, state) ? -1 : HCM.passthrough_internal_redirect_predicate;
  if (failed >= 0) { stats.inc(failed); restore(request, saved); s.clearRoute(); return false; }
  if (response.status === 303 && request.method !== 'GET' && request.method !== 'HEAD') { request.method = 'GET'; request.remove('content-length'); request.remove('transfer-encoding'); }
  state.set(COUNT, done + 1);
  request.set('x-envoy-original-url', `${saved.scheme === 'http' ? 'http' : 'https'}://${saved.authority}${saved.path}`);
  return true;
}

function accepted(policy: RedirectPolicyPlan, from: string, to: string, fromScheme: string, toScheme: string, state: Map<string, MetadataValue>): boolean {
  for (const p of policy.predicates) {
    switch (p.kind) {
      case 'allow-listed': if (!p.routes.includes(to)) return false; break;
      case 'safe-cross-scheme': if (fromScheme === 'http' && toScheme !== 'http') return false; break;
      case 'previous': {
        const seen = state.get(PREVIOUS + from), list = Array.isArray(seen) ? seen as string[] : [];
        if (list.includes(to)) return false;
        state.set(PREVIOUS + from, [...list, to]);
        break;
      }
    }
  }
  return true;
}

/** Begins the request anew as the redirect changed it. `body`: what was kept of it; a 303 that became a GET has none. */
export function startOver(s: StreamView & ResponseEntry, response: ResponseHeaders, body: RequestBody | null): void {
  const kept = s.request.method === 'GET' && response.status === 303 ? null : body;
  s.recreate(response, kept === null ? null : kept.take(), kept?.trailers ?? null);
}
