// RequestMirrorPolicy and InternalRedirectPolicy from configuration.
import { compileMutations } from '../observe/format/config.ts';
import type { MirrorPlan, RedirectPolicyPlan } from '../plan/route-plan.ts';
import type { CompileContext, ConfigMessage } from '../proto/config-message.ts';
import { toByteString } from '../headers/headers.ts';
import { compileFraction } from '../observe/match/config.ts';

/** request_mirror_policies of a route, a virtual host or a route configuration. */
export function compileMirrors(m: ConfigMessage, ctx: CompileContext): MirrorPlan[] {
  return m.list('request_mirror_policies').map((p) => {
    if (p.has('cluster') && p.has('cluster_header')) p.error('cluster_header', 'cluster and cluster_header cannot both be set');
    if (!p.has('cluster') && !p.has('cluster_header')) p.error('', 'either cluster or cluster_header must be set');
    if (p.has('cluster')) ctx.needsCluster(p.str('cluster'), p, 'cluster');
    p.noop('trace_sampled', 'nothing is traced yet');
    return {
      cluster: p.str('cluster'), header: p.str('cluster_header').toLowerCase(), fraction: compileFraction(p.msg('runtime_fraction')), suffix: !p.bool('disable_shadow_host_suffix_append'), host: toByteString(p.str('host_rewrite_literal')),
      mutations: compileMutations(p.list('request_headers_mutations')),
    };
  });
}

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
