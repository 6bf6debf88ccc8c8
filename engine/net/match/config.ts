// xds.type.matcher.v3.Matcher from configuration.
import { compileStringMatcher } from '../../headers/config.ts';
import { toByteString } from '../../headers/headers.ts';
import { compileValueMatch } from '../../observe/match/config.ts';
import type { MatchInputPlan, MatchTreePlan, OnMatchPlan, PredicatePlan } from '../../plan/match-plan.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';
import { compileCidr } from '../config.ts';

/** What a tree is compiled for. `actions`: turns an action's message into plain data; null after a fault was reported. `stream`: there are requests to look at, else only connections. */
export interface MatchContext { readonly stream: boolean; /** What is wrong with an input of this kind and type; '' for nothing. Absent: all may stand there. */ inputFault?(kind: MatchInputPlan['kind'], type: string): string; action(config: ConfigMessage, at: ConfigMessage): unknown }

const NETWORK: Readonly<Record<string, MatchInputPlan['kind']>> = {
  DestinationIPInput: 'destination-ip', DestinationPortInput: 'destination-port', SourceIPInput: 'source-ip', SourcePortInput: 'source-port', DirectSourceIPInput: 'direct-source-ip', SourceTypeInput: 'source-type', ServerNameInput: 'server-name',
  TransportProtocolInput: 'transport-protocol', ApplicationProtocolInput: 'application-protocol', UriSanInput: 'uri-san', DnsSanInput: 'dns-san', SubjectInput: 'subject',
};
const HTTP: Readonly<Record<string, MatchInputPlan['kind']>> = {
  HttpRequestHeaderMatchInput: 'request-header', HttpRequestTrailerMatchInput: 'request-trailer', HttpResponseHeaderMatchInput: 'response-header', HttpResponseTrailerMatchInput: 'response-trailer', HttpRequestQueryParamMatchInput: 'query',
  HttpResponseStatusCodeMatchInput: 'status', HttpResponseStatusCodeClassMatchInput: 'status-class',
};
const NOTHING: MatchInputPlan = { kind: 'server-name' };
const NEVER: PredicatePlan = { kind: 'or', of: [] };

/** A TypedExtensionConfig's inside; the message itself is reported where there is none. */
function extension(m: ConfigMessage | undefined, field: string): ConfigMessage | undefined {
  const e = m?.msg(field);
  if (e === undefined) { m?.error(field, 'value is required'); return undefined; }
  e.str('name');
  const c = e.any('typed_config');
  if (c === undefined) e.error('typed_config', 'value is required');
  return c;
}

function compileInput(m: ConfigMessage, ctx: MatchContext): MatchInputPlan {
  const c = extension(m, 'input');
  if (c === undefined) return NOTHING;
  const plan = inputOf(c, m.msg('input')!, ctx.stream), fault = ctx.inputFault?.(plan.kind, c.typeName) ?? '';
  if (fault !== '') m.msg('input')!.error('typed_config', fault);
  return plan;
}

/** An input that looks at requests, given as an extension of its own; `at` is the TypedExtensionConfig. */
export function compileHttpInput(c: ConfigMessage, at: ConfigMessage): MatchInputPlan { return inputOf(c, at, true); }

function inputOf(c: ConfigMessage, at: ConfigMessage, stream: boolean): MatchInputPlan {
  const short = c.typeName.slice(c.typeName.lastIndexOf('.') + 1), network = c.typeName.includes('.matching.common_inputs.');
  const kind = network ? NETWORK[short] : c.typeName.startsWith('envoy.type.matcher.v3.') && stream ? HTTP[short] : undefined;
  if (kind === 'query') return { kind, name: toByteString(c.str('query_param')) };
  if (kind === 'request-header' || kind === 'request-trailer' || kind === 'response-header' || kind === 'response-trailer') { const name = c.str('header_name').toLowerCase(); return { kind, name: name === 'host' ? ':authority' : name }; }
  if (kind !== undefined) return { kind } as MatchInputPlan;
  if (network && short === 'FilterStateInput') { c.unsupported('field'); return { kind: 'filter-state', key: c.str('key') }; }
  if (network && short === 'DynamicMetadataInput') return { kind: 'metadata', filter: c.str('filter'), path: c.list('path').map((p) => p.str('key')) };
  at.unsupported('typed_config', c.typeName);
  return NOTHING;
}

function compileSingle(m: ConfigMessage, ctx: MatchContext): PredicatePlan {
  const input = compileInput(m, ctx);
  switch (m.oneof('matcher')) {
    case 'value_match': return { kind: 'string', input, string: compileStringMatcher(m.msg('value_match')!) };
    case 'custom_match': {
      const c = extension(m, 'custom_match');
      if (c === undefined) return NEVER;
      if (c.typeName.endsWith('.input_matchers.ip.v3.Ip')) { c.noop('stat_prefix', 'unparsable addresses are not counted'); return { kind: 'ip', input, ranges: c.list('cidr_ranges').map(compileCidr) }; }
      if (c.typeName.endsWith('.input_matchers.metadata.v3.Metadata')) return { kind: 'value', input, value: compileValueMatch(c.msg('value'), c), invert: c.bool('invert') };
      m.msg('custom_match')!.unsupported('typed_config', c.typeName);
      return NEVER;
    }
    default: return NEVER;
  }
}

function compilePredicate(m: ConfigMessage | undefined, ctx: MatchContext): PredicatePlan {
  switch (m?.oneof('match_type')) {
    case 'single_predicate': return compileSingle(m.msg('single_predicate')!, ctx);
    case 'or_matcher': return { kind: 'or', of: m.msg('or_matcher')!.list('predicate').map((p) => compilePredicate(p, ctx)) };
    case 'and_matcher': return { kind: 'and', of: m.msg('and_matcher')!.list('predicate').map((p) => compilePredicate(p, ctx)) };
    case 'not_matcher': return { kind: 'not', of: compilePredicate(m.msg('not_matcher'), ctx) };
    default: return NEVER;
  }
}

function compileOnMatch(m: ConfigMessage | undefined, ctx: MatchContext): OnMatchPlan {
  const keep = m?.bool('keep_matching') ?? false;
  if (m?.oneof('on_match') === 'matcher') return { action: null, tree: compileMatchTree(m.msg('matcher')!, ctx), keep };
  const c = m === undefined ? undefined : extension(m, 'action');
  return { action: c === undefined ? null : ctx.action(c, m!), tree: null, keep };
}

function compileTree(m: ConfigMessage, ctx: MatchContext): MatchTreePlan['body'] {
  const input = compileInput(m, ctx), kind = m.oneof('tree_type');
  if (kind === 'exact_match_map' || kind === 'prefix_match_map') return { kind: kind === 'exact_match_map' ? 'exact' : 'prefix', input, entries: m.msg(kind)!.map('map').map(([k, v]) => [toByteString(k), compileOnMatch(v, ctx)] as const) };
  const c = kind === 'custom_match' ? extension(m, 'custom_match') : undefined;
  if (c?.typeName === 'xds.type.matcher.v3.IPMatcher') return { kind: 'ranges', input, entries: c.list('range_matchers').map((r) => ({ ranges: r.list('ranges').map(compileCidr), exclusive: r.bool('exclusive'), on: compileOnMatch(r.msg('on_match'), ctx) })) };
  if (c?.typeName === 'xds.type.matcher.v3.ServerNameMatcher') return { kind: 'domains', input, entries: c.list('domain_matchers').map((d) => ({ domains: d.strings('domains').map((n) => n.toLowerCase()), on: compileOnMatch(d.msg('on_match'), ctx) })) };
  if (c !== undefined) m.msg('custom_match')!.unsupported('typed_config', c.typeName);
  return { kind: 'none' };
}

/** A whole tree. Faults are reported at their place. */
export function compileMatchTree(m: ConfigMessage, ctx: MatchContext): MatchTreePlan {
  const list = m.msg('matcher_list'), tree = m.msg('matcher_tree'), none = m.msg('on_no_match');
  const body: MatchTreePlan['body'] = list !== undefined ? { kind: 'list', entries: list.list('matchers').map((e) => ({ predicate: compilePredicate(e.msg('predicate'), ctx), on: compileOnMatch(e.msg('on_match'), ctx) })) } : tree !== undefined ? compileTree(tree, ctx) : { kind: 'none' };
  return { body, noMatch: none === undefined ? null : compileOnMatch(none, ctx) };
}
