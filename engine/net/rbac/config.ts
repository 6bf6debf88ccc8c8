// envoy.config.rbac.v3 from configuration.
import { compileHeaderMatcher, compileStringMatcher } from '../../headers/config.ts';
import { compileCondition } from '../../observe/cel/config.ts';
import { compileMetadataMatch } from '../../observe/match/config.ts';
import type { RbacEnginePlan, RbacPlan, RbacRulePlan } from '../../plan/rbac-plan.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';
import { compileCidr } from '../config.ts';
import { compileMatchTree } from '../match/config.ts';

const NEVER: RbacRulePlan = { kind: 'or', of: [] };

function metadata(m: ConfigMessage | undefined, source: 'dynamic' | 'route', at: ConfigMessage): RbacRulePlan {
  if (m === undefined) return NEVER;
  return { kind: 'metadata', source, ...compileMetadataMatch(m, at) };
}

/** What permissions and principals have in common. */
function compileRule(m: ConfigMessage, kind: string): RbacRulePlan {
  switch (kind) {
    case 'any': m.bool('any'); return { kind: 'any' };
    case 'header': return { kind: 'header', header: compileHeaderMatcher(m.msg('header')!) };
    case 'url_path': { const path = m.msg('url_path')!.msg('path'); return path === undefined ? NEVER : { kind: 'path', path: compileStringMatcher(path) }; }
    case 'metadata': return metadata(m.msg('metadata'), 'dynamic', m);
    case 'sourced_metadata': { const s = m.msg('sourced_metadata')!; return metadata(s.msg('metadata_matcher'), s.enum('metadata_source') === 'ROUTE' ? 'route' : 'dynamic', s); }
    case '': return NEVER;
    default: m.unsupported(kind); return NEVER;
  }
}

function compilePermission(m: ConfigMessage): RbacRulePlan {
  const kind = m.oneof('rule');
  switch (kind) {
    case 'and_rules': case 'or_rules': return { kind: kind === 'and_rules' ? 'and' : 'or', of: m.msg(kind)!.list('rules').map(compilePermission) };
    case 'not_rule': return { kind: 'not', of: compilePermission(m.msg('not_rule')!) };
    case 'destination_ip': return { kind: 'ip', of: 'destination', range: compileCidr(m.msg('destination_ip')!) };
    case 'destination_port': { const port = m.num('destination_port'); return { kind: 'port', from: port, to: port + 1 }; }
    case 'destination_port_range': { const r = m.msg('destination_port_range')!; return { kind: 'port', from: r.num('start'), to: r.num('end') }; }
    case 'requested_server_name': return { kind: 'server-name', name: compileStringMatcher(m.msg('requested_server_name')!) };
    default: return compileRule(m, kind);
  }
}

const ADDRESSES: Readonly<Record<string, 'source' | 'direct-remote' | 'remote'>> = { source_ip: 'source', direct_remote_ip: 'direct-remote', remote_ip: 'remote' };

function compilePrincipal(m: ConfigMessage): RbacRulePlan {
  const kind = m.oneof('identifier'), address = ADDRESSES[kind];
  if (address !== undefined) return { kind: 'ip', of: address, range: compileCidr(m.msg(kind)!) };
  switch (kind) {
    case 'and_ids': case 'or_ids': return { kind: kind === 'and_ids' ? 'and' : 'or', of: m.msg(kind)!.list('ids').map(compilePrincipal) };
    case 'not_id': return { kind: 'not', of: compilePrincipal(m.msg('not_id')!) };
    case 'authenticated': { const name = m.msg('authenticated')!.msg('principal_name'); return { kind: 'authenticated', name: name === undefined ? null : compileStringMatcher(name) }; }
    case 'filter_state': { const f = m.msg('filter_state')!; f.unsupported('address_match'); const s = f.msg('string_match'); return s === undefined ? NEVER : { kind: 'filter-state', key: f.str('key'), string: compileStringMatcher(s) }; }
    default: return compileRule(m, kind);
  }
}

/** An RBAC message: policies under one action. */
export function compileRbacRules(m: ConfigMessage): RbacEnginePlan {
  const audit = m.msg('audit_logging_options');
  if (audit !== undefined) { if (audit.enum('audit_condition') !== 'NONE') audit.unsupported('audit_condition'); audit.noop('logger_configs', 'nothing is audited with audit_condition NONE'); }
  const policies = m.map('policies').map(([name, p]) => {
    p.noop('checked_condition', 'Envoy 1.40 does not evaluate it either');
    const condition = compileCondition(p, 'condition', 'cel_config');
    return { name, permissions: p.list('permissions').map(compilePermission), principals: p.list('principals').map(compilePrincipal), ...(condition === undefined ? {} : { condition }) };
  });
  return { kind: 'policies', action: m.enum('action') as 'ALLOW', policies: policies.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function compileTree(m: ConfigMessage, stream: boolean): RbacEnginePlan {
  return { kind: 'tree', tree: compileMatchTree(m, { stream, action: (config, at) => {
    if (config.typeName !== 'envoy.config.rbac.v3.Action') { at.msg('action')!.unsupported('typed_config', config.typeName); return { name: '', action: 'DENY' }; }
    return { name: config.str('name'), action: config.enum('action') };
  } }) };
}

/** The part that the network filter's and the HTTP filter's messages share. A tree goes before rules, as in Envoy. */
export function compileRbac(m: ConfigMessage, stream: boolean): RbacPlan {
  const engine = (rules: string, matcher: string): RbacEnginePlan | null => {
    const tree = m.msg(matcher), r = m.msg(rules);
    if (tree !== undefined) { if (r !== undefined) m.error(rules, `only one of '${rules}' and '${matcher}' can be set`); return compileTree(tree, stream); }
    return r === undefined ? null : compileRbacRules(r);
  };
  return { rules: engine('rules', 'matcher'), shadow: engine('shadow_rules', 'shadow_matcher'), rulesPrefix: stream ? m.str('rules_stat_prefix') : '', shadowPrefix: m.str('shadow_rules_stat_prefix'), perRuleStats: stream && m.bool('track_per_rule_stats') };
}
