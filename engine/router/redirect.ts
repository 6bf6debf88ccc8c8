// Redirect and direct-response routes (Envoy: RedirectAction, DirectResponseAction, require_tls) as local replies.
import { portIndex } from '../headers/authority.ts';
import type { RequestHeaders } from '../headers/headers.ts';
import { LocalReply } from '../http/filter.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { DirectPlan, RedirectPlan } from '../plan/route-plan.ts';
import type { RouteEntry } from './route-entry.ts';

/** Renders a direct response's body_format; given by the worker, which knows formatters. */
export type BodyRenderer = (entry: RouteEntry, facts: StreamFacts) => { readonly body: string; readonly contentType: string } | null;

/** The answer of a route that needs no upstream; null: the request goes on. */
export function replyOf(entry: RouteEntry, headers: RequestHeaders, facts: StreamFacts, render: BodyRenderer): LocalReply | null {
  const { action } = entry.plan, tls = tlsRedirect(entry, headers, facts);
  if (tls !== null || action.kind === 'forward') return tls;
  return action.kind === 'direct' ? directReply(entry, action, facts, headers, render) : redirectReply(entry, action, headers, facts);
}

function tlsRedirect(entry: RouteEntry, headers: RequestHeaders, facts: StreamFacts): LocalReply | null {
  const { requireTls } = entry.host.plan;
  if (requireTls === 'NONE' || headers.get('x-forwarded-proto') === 'https' || (requireTls === 'EXTERNAL_ONLY' && facts.internal)) return null;
  const location = `https://${headers.authority}${headers.path}`;
  return new LocalReply(301, '', 'direct_response', 0, (h) => h.set('location', location));
}

function redirectReply(entry: RouteEntry, plan: RedirectPlan, headers: RequestHeaders, facts: StreamFacts): LocalReply {
  const location = redirectLocation(entry, plan, headers, facts);
  return new LocalReply(plan.status, '', 'direct_response', 0, (h) => h.set('location', location));
}

function redirectLocation(entry: RouteEntry, plan: RedirectPlan, headers: RequestHeaders, facts: StreamFacts): string {
  const old = headers.scheme;
  const scheme = plan.scheme !== '' ? plan.scheme : plan.https ? 'https' : old;
  let authority = headers.authority;
  const at = portIndex(authority);
  const port = at < 0 ? '' : authority.slice(at + 1);
  if (plan.host !== '') authority = plan.host;
  // A default port of the old scheme goes when the scheme or the port changes.
  else if (at >= 0 && ((scheme !== old && ((old === 'http' && port === '80') || (old === 'https' && port === '443'))) || plan.port > 0)) authority = authority.slice(0, at);
  if (plan.port > 0) authority += `:${plan.port}`;
  return `${scheme}://${authority}${redirectPath(entry, plan, headers, facts)}`;
}

function redirectPath(entry: RouteEntry, plan: RedirectPlan, headers: RequestHeaders, facts: StreamFacts): string {
  const q = headers.path.indexOf('?');
  const query = q < 0 || plan.stripQuery ? '' : headers.path.slice(q);
  const path = q < 0 ? headers.path : headers.path.slice(0, q);
  if (entry.redirectPath !== null) { const made = entry.format(entry.redirectPath, facts, ''); return made === '' ? path + query : made.includes('?') ? made : made + query; }
  if (plan.path !== '') return plan.path.includes('?') ? plan.path : plan.path + query;
  if (plan.prefix !== null) return entry.replacePrefix(path, plan.prefix, entry.plan.match.path) + query;
  if (entry.redirectRegex !== null) return entry.redirectRegex.apply(path) + query;
  return path + query;
}

function directReply(entry: RouteEntry, plan: DirectPlan, facts: StreamFacts, headers: RequestHeaders, render: BodyRenderer): LocalReply {
  const made = plan.format === null ? null : render(entry, facts);
  // Envoy names the new resource in answers with 201.
  const located = plan.status === 201 ? `${headers.scheme}://${headers.authority}${headers.path}` : '';
  return new LocalReply(plan.status, made?.body ?? plan.body, 'direct_response', 0, located === '' ? null : (h) => h.set('location', located), -1, made?.contentType ?? 'text/plain');
}
