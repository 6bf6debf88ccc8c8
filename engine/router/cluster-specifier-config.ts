// ClusterSpecifierPlugin from configuration: extensions that choose a route's cluster.
import { compileMatchTree } from '../net/match/config.ts';
import type { ForwardPlan } from '../plan/route-plan.ts';
import type { ConfigMessage } from '../proto/config-message.ts';

const EXTENSIONS = 'envoy.extensions.router.cluster_specifiers.', ACTION = `${EXTENSIONS}matcher.v3.ClusterAction`;
const NOTHING: ForwardPlan['target'] = { kind: 'cluster', name: '' };

/** What it chooses by; null: it is optional and Envoy does not know it either. The clusters that it names are looked for only when a request comes. */
export function compileSpecifier(m: ConfigMessage): ForwardPlan['target'] | null {
  const e = m.msg('extension'), optional = m.bool('is_optional'), c = e?.any('typed_config'), name = e?.str('name') ?? '';
  if (e === undefined || c === undefined) return NOTHING;
  if (c.typeName === `${EXTENSIONS}matcher.v3.MatcherClusterSpecifier`) {
    const tree = c.msg('cluster_matcher');
    return tree === undefined ? NOTHING : { kind: 'matcher', tree: compileMatchTree(tree, { stream: true, action: (a, at) => { if (a.typeName === ACTION) return a.str('cluster'); at.unsupported('action', a.typeName); return null; } }) };
  }
  if (c.typeName.startsWith(EXTENSIONS)) { e.unsupported('typed_config', c.typeName); return NOTHING; }
  if (!optional) { e.unregistered('typed_config', name, c.typeName); return NOTHING; }
  e.json('typed_config');
  return null;
}

/** cluster_specifier_plugins by name; of one name the first. */
export function compileSpecifiers(list: readonly ConfigMessage[]): Map<string, ForwardPlan['target'] | null> {
  const out = new Map<string, ForwardPlan['target'] | null>();
  for (const m of list) { const name = m.msg('extension')?.str('name') ?? '', made = compileSpecifier(m); if (!out.has(name)) out.set(name, made); }
  return out;
}
