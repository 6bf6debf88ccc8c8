// Hash policies from configuration: of a route (RouteAction.hash_policy), or of a cluster (HttpProtocolOptions.hash_policy).
import { compileRegexMatcher } from '../headers/config.ts';
import { toByteString } from '../headers/headers.ts';
import type { HashPolicyPlan } from '../plan/route-plan.ts';
import type { ConfigMessage } from '../proto/config-message.ts';

function compileHashPolicy(p: ConfigMessage): HashPolicyPlan | null {
  const terminal = p.bool('terminal'), kind = p.oneof('policy_specifier'), x = kind === '' ? undefined : p.msg(kind);
  if (x === undefined) return null;
  switch (kind) {
    case 'header': {
      const r = x.msg('regex_rewrite'), pattern = r?.msg('pattern');
      return { terminal, kind: 'header', name: x.str('header_name').toLowerCase(), rewrite: r === undefined ? null : { regex: pattern === undefined ? '' : compileRegexMatcher(pattern), substitution: toByteString(r.str('substitution')) } };
    }
    case 'cookie': return { terminal, kind: 'cookie', name: x.str('name'), ttlMs: x.ms('ttl', -1), path: x.str('path'), attributes: x.list('attributes').map((a) => [a.str('name'), a.str('value')] as const) };
    case 'connection_properties': return x.bool('source_ip') ? { terminal, kind: 'source-ip' } : null;
    case 'query_parameter': return { terminal, kind: 'query', name: x.str('name') };
    case 'filter_state': return { terminal, kind: 'filter-state', key: x.str('key') };
    default: p.unsupported(kind); return null;
  }
}

/** hash_policy, in order. */
export function compileHashPolicies(m: ConfigMessage): HashPolicyPlan[] { return m.list('hash_policy').map(compileHashPolicy).filter((p) => p !== null); }
