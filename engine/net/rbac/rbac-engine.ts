// Decides about connections and requests by policies (envoy.config.rbac.v3). Built once; a decision is a synchronous walk. Shared by the network and HTTP filters.
import { HeaderMatcher } from '../../headers/header-matcher.ts';
import { Headers } from '../../headers/headers.ts';
import { makeStringMatcher } from '../../headers/string-matcher.ts';
import { CelExpression } from '../../observe/cel/expression.ts';
import { below, makeValueMatcher, valueAt } from '../../observe/match/value-matcher.ts';
import { filterStateOf, type StreamFacts } from '../../observe/stream-facts.ts';
import type { RbacAction, RbacEnginePlan, RbacRulePlan } from '../../plan/rbac-plan.ts';
import { Cidr, parseIp } from '../cidr.ts';
import { MatchTree } from '../match/match-tree.ts';

type Rule = (s: StreamFacts) => boolean;

const NO_HEADERS = new Headers();

/** The address that a rule looks at. */
function addressOf(of: Extract<RbacRulePlan, { kind: 'ip' }>['of'], s: StreamFacts): string {
  switch (of) {
    case 'destination': return s.connection.localIp;
    case 'source': return s.connection.remoteIp;
    case 'direct-remote': return s.connection.directRemoteIp;
    case 'remote': return s.remoteIp;
  }
}

/** The path without query and fragment. */
function pathOf(s: StreamFacts): string | undefined {
  const path = s.request?.path;
  if (path === undefined) return undefined;
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}

function makeRule(plan: RbacRulePlan): Rule {
  switch (plan.kind) {
    case 'any': return () => true;
    case 'and': { const of = plan.of.map(makeRule); return (s) => { for (const r of of) if (!r(s)) return false; return true; }; }
    case 'or': return anyOf(plan.of);
    case 'not': { const rule = makeRule(plan.of); return (s) => !rule(s); }
    case 'header': { const m = new HeaderMatcher(plan.header); return (s) => m.matches(s.request ?? NO_HEADERS); }
    case 'path': { const m = makeStringMatcher(plan.path); return (s) => { const p = pathOf(s); return p !== undefined && m.matches(p); }; }
    case 'server-name': { const m = makeStringMatcher(plan.name); return (s) => m.matches(s.connection.serverName); }
    case 'ip': { const range = new Cidr(plan.range.ip, plan.range.bits), { of } = plan; return (s) => { const ip = parseIp(addressOf(of, s)); return ip !== null && range.has(ip); }; }
    case 'port': { const { from, to } = plan; return (s) => s.connection.localPort >= from && s.connection.localPort < to && s.connection.localIp !== ''; }
    case 'metadata': {
      const m = makeValueMatcher(plan.value), { filter, path, invert } = plan;
      if (plan.source === 'route') return (s) => m(below(s.routeMetadata?.[filter], path)) !== invert;
      return (s) => m(valueAt(s.metadata, filter, path)) !== invert;
    }
    case 'filter-state': { const m = makeStringMatcher(plan.string), { key } = plan; return (s) => { const v = filterStateOf(s, key); return typeof v === 'string' && m.matches(v); }; }
    case 'authenticated': {
      const m = plan.name === null ? null : makeStringMatcher(plan.name);
      return (s) => {
        const { tls } = s.connection;
        if (tls === null || !tls.peerCertificatePresented) return false;
        return m === null || tls.peerUriSans.some((x) => m.matches(x)) || tls.peerDnsSans.some((x) => m.matches(x)) || m.matches(tls.peerSubject);
      };
    }
  }
}
function anyOf(plans: readonly RbacRulePlan[]): Rule { const of = plans.map(makeRule); return (s) => { for (const r of of) if (r(s)) return true; return false; }; }

/** `policy`: the one that decided, '' for none. `logHint`: access_log_hint of action LOG, null otherwise. */
export interface RbacDecision { readonly allowed: boolean; readonly policy: string; readonly logHint: boolean | null }

export class RbacEngine {
  readonly decide: (s: StreamFacts) => RbacDecision;

  constructor(plan: RbacEnginePlan) { this.decide = plan.kind === 'policies' ? decideByPolicies(plan) : decideByTree(plan); }
}

function decision(action: RbacAction, matched: boolean, policy: string): RbacDecision {
  if (action === 'LOG') return { allowed: true, policy, logHint: matched };
  return { allowed: matched === (action === 'ALLOW'), policy, logHint: null };
}

function decideByPolicies(plan: Extract<RbacEnginePlan, { kind: 'policies' }>): (s: StreamFacts) => RbacDecision {
  const policies = plan.policies.map((p) => ({ permission: anyOf(p.permissions), principal: anyOf(p.principals), condition: p.condition === undefined ? null : new CelExpression(p.condition.text, p.condition.features), matched: decision(plan.action, true, p.name) })), none = decision(plan.action, false, '');
  return (s) => { for (const p of policies) if (p.permission(s) && p.principal(s) && (p.condition === null || p.condition.matches(s))) return p.matched; return none; };
}

/** What no action is found for is denied. */
function decideByTree(plan: Extract<RbacEnginePlan, { kind: 'tree' }>): (s: StreamFacts) => RbacDecision {
  const tree = new MatchTree<RbacDecision>(plan.tree, (a) => { const { name, action } = a as { name: string; action: RbacAction }; return decision(action, true, name); }), none = decision('ALLOW', false, '');
  return (s) => tree.match(s.connection, s) ?? none;
}

/** Details of a refusal: which policy it was, 'none' where no policy let it pass. */
export function deniedDetails(policy: string): string { return `rbac_access_denied_matched_policy[${(policy === '' ? 'none' : policy).replace(/\s/g, '_')}]`; }
