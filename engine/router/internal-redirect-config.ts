// InternalRedirectPolicy from configuration.
import type { RedirectPolicyPlan } from '../plan/route-plan.ts';
import type { ConfigMessage } from '../proto/config-message.ts';

const CODES: readonly number[] = [301, 302, 303, 307, 308];

function compilePredicate(e: ConfigMessage): RedirectPolicyPlan['predicates'][number] | null {
  e.str('name');
  const c = e.any('typed_config'), type = c?.typeName ?? '';
  if (type.endsWith('.allow_listed_routes.v3.AllowListedRoutesConfig')) return { kind: 'allow-listed', routes: c!.strings('allowed_route_names') };
  if (type.endsWith('.previous_routes.v3.PreviousRoutesConfig')) return { kind: 'previous' };
  if (type.endsWith('.safe_cross_scheme.v3.SafeCrossSchemeConfig')) return { kind: 'safe-cross-scheme' };
  e.unsupported('typed_config', type);
  return null;
}

/** A route's internal_redirect_policy; null: answers that redirect go downstream. */
export function compileRedirectPolicy(m: ConfigMessage): RedirectPolicyPlan | null {
  const p = m.msg('internal_redirect_policy');
  if (p === undefined) return null;
  const codes = p.nums('redirect_response_codes').filter((c) => CODES.includes(c));
  return {
    max: p.num('max_internal_redirects', 1), codes: p.has('redirect_response_codes') ? codes : [302], crossScheme: p.bool('allow_cross_scheme_redirect'), copy: p.strings('response_headers_to_copy').map((n) => n.toLowerCase()),
    predicates: p.list('predicates').map(compilePredicate).filter((x) => x !== null),
  };
}
