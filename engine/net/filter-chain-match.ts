// Which filter chain takes a connection (Envoy: FilterChainMatch): criteria in their order, each keeping only the most specific of what is left; what was narrowed
// by one is never widened by the next (a server name that matches with the wrong application protocol matches nothing).
// Compiled when the listener is installed; a listener with one chain that matches all costs nothing, and thousands of server names one look-up.
import type { FilterChainMatchPlan } from '../plan/listener-plan.ts';
import type { ConnectionFacts, StreamFacts } from '../observe/stream-facts.ts';
import type { MatchTreePlan } from '../plan/match-plan.ts';
import { Cidr, parseIp } from './cidr.ts';
import { MatchTree } from './match/match-tree.ts';

interface Candidate<T> { readonly chain: T; readonly plan: FilterChainMatchPlan; readonly prefixes: readonly Cidr[]; readonly direct: readonly Cidr[]; readonly sources: readonly Cidr[] }
type Candidates<T> = readonly Candidate<T>[];

export class FilterChainMatcher<T> {
  private readonly candidates: Candidates<T>;
  private readonly only: T | null;
  private readonly fallback: T | null;
  /** By server name ('example.com', '.example.com' for a wildcard, '' for any); null where ports or addresses come first. */
  private readonly byName: ReadonlyMap<string, Candidates<T>> | null;

  private readonly tree: MatchTree<number> | null;

  /** `tree`: filter_chain_matcher, whose actions are indexes of `chains`. */
  constructor(chains: readonly { readonly chain: T; readonly match: FilterChainMatchPlan | null }[], fallback: T | null, tree: MatchTreePlan | null = null) {
    const cidrs = (list: readonly { ip: string; bits: number }[]): Cidr[] => list.map((c) => new Cidr(c.ip, c.bits));
    this.tree = tree === null ? null : new MatchTree(tree, (action) => action as number);
    this.only = tree === null && chains.length === 1 && (chains[0]!.match === null || matchesAll(chains[0]!.match)) ? chains[0]!.chain : null;
    this.candidates = chains.map(({ chain, match }) => ({ chain, plan: match ?? ANYTHING, prefixes: cidrs(match?.prefixRanges ?? []), direct: cidrs(match?.directSourceRanges ?? []), sources: cidrs(match?.sourceRanges ?? []) }));
    this.fallback = fallback;
    this.byName = this.candidates.some((c) => c.plan.destinationPort >= 0 || c.prefixes.length > 0) ? null : nameIndex(this.candidates);
  }

  /** The chain for a connection; null: none, the connection is closed. */
  find(facts: ConnectionFacts, stream: StreamFacts | null = null): T | null {
    if (this.only !== null) return this.only;
    if (this.tree !== null) return this.candidates[this.tree.match(facts, stream) ?? -1]?.chain ?? this.fallback;
    let left = this.candidates;
    if (this.byName === null) {
      left = narrow(left, (c) => (c.plan.destinationPort < 0 ? 0 : c.plan.destinationPort === facts.localPort ? 1 : -1));
      left = byRange(left, (c) => c.prefixes, facts.localIp);
      left = named(nameIndex(left), facts.serverName);
    } else left = named(this.byName, facts.serverName);
    left = narrow(left, (c) => (c.plan.transportProtocol === '' ? 0 : c.plan.transportProtocol === facts.transportProtocol ? 1 : -1));
    left = narrow(left, (c) => wanted(c.plan.applicationProtocols, facts.requestedApplicationProtocols));
    left = byRange(left, (c) => c.direct, facts.directRemoteIp);
    const local = facts.remoteIp === facts.localIp || facts.remoteIp === '127.0.0.1' || facts.remoteIp === '::1';
    left = narrow(left, (c) => (c.plan.sourceType === 'ANY' ? 0 : (c.plan.sourceType === 'EXTERNAL') === !local ? 1 : -1));
    left = byRange(left, (c) => c.sources, facts.remoteIp);
    left = narrow(left, (c) => (c.plan.sourcePorts.length === 0 ? 0 : c.plan.sourcePorts.includes(facts.remotePort) ? 1 : -1));
    return left[0]?.chain ?? this.fallback;
  }
}

const ANYTHING: FilterChainMatchPlan = { destinationPort: -1, prefixRanges: [], serverNames: [], transportProtocol: '', applicationProtocols: [], directSourceRanges: [], sourceType: 'ANY', sourceRanges: [], sourcePorts: [] };
const matchesAll = (m: FilterChainMatchPlan): boolean => JSON.stringify(m) === JSON.stringify({ ...m, ...ANYTHING });

/** Keeps the candidates of the highest score; -1 is no match. */
function narrow<T>(list: Candidates<T>, score: (c: Candidate<T>) => number): Candidates<T> {
  if (list.length === 1) return score(list[0]!) < 0 ? [] : list;
  let best = -1;
  for (const c of list) best = Math.max(best, score(c));
  return best < 0 ? [] : list.filter((c) => score(c) === best);
}

function byRange<T>(list: Candidates<T>, ranges: (c: Candidate<T>) => readonly Cidr[], ip: string): Candidates<T> {
  if (list.every((c) => ranges(c).length === 0)) return list;
  const bytes = parseIp(ip);
  return narrow(list, (c) => {
    if (ranges(c).length === 0) return 0;
    let best = -1;
    if (bytes !== null) for (const r of ranges(c)) if (r.has(bytes)) best = Math.max(best, r.prefix + 1);
    return best;
  });
}

function nameIndex<T>(list: Candidates<T>): Map<string, Candidate<T>[]> {
  const out = new Map<string, Candidate<T>[]>();
  for (const c of list) for (const n of c.plan.serverNames.length === 0 ? [''] : c.plan.serverNames) { const key = n.startsWith('*.') ? n.slice(1) : n, known = out.get(key); if (known === undefined) out.set(key, [c]); else known.push(c); }
  return out;
}

/** The exact name, else the longest wildcard, else those without names. */
function named<T>(index: ReadonlyMap<string, Candidates<T>>, name: string): Candidates<T> {
  if (name !== '') {
    const exact = index.get(name);
    if (exact !== undefined) return exact;
    for (let dot = name.indexOf('.', 1); dot > 0 && dot < name.length - 1; dot = name.indexOf('.', dot + 1)) { const wild = index.get(name.slice(dot)); if (wild !== undefined) return wild; }
  }
  return index.get('') ?? [];
}

/** The client's most wanted protocol counts; -1 where it offers none of the chain's. */
function wanted(protocols: readonly string[], offered: readonly string[]): number {
  if (protocols.length === 0) return 0;
  for (let i = 0; i < offered.length; i++) if (protocols.includes(offered[i]!)) return offered.length - i;
  return -1;
}
