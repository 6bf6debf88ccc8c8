// Which filter chain takes a connection (Envoy: FilterChainMatch): criteria in their order, each keeping only the most specific of what is left.
// Compiled when the listener is installed; a listener with one chain that matches all costs nothing.
import type { FilterChainMatchPlan } from '../plan/listener-plan.ts';
import type { ConnectionFacts } from '../observe/stream-facts.ts';
import { Cidr, parseIp } from './cidr.ts';

interface Candidate<T> { readonly chain: T; readonly plan: FilterChainMatchPlan; readonly prefixes: readonly Cidr[]; readonly direct: readonly Cidr[]; readonly sources: readonly Cidr[] }

export class FilterChainMatcher<T> {
  private readonly candidates: readonly Candidate<T>[];
  private readonly only: T | null;
  private readonly fallback: T | null;

  constructor(chains: readonly { readonly chain: T; readonly match: FilterChainMatchPlan | null }[], fallback: T | null) {
    const cidrs = (list: readonly { ip: string; bits: number }[]): Cidr[] => list.map((c) => new Cidr(c.ip, c.bits));
    this.only = chains.length === 1 && chains[0]!.match === null ? chains[0]!.chain : null;
    this.candidates = chains.map(({ chain, match }) => ({ chain, plan: match ?? ANYTHING, prefixes: cidrs(match?.prefixRanges ?? []), direct: cidrs(match?.directSourceRanges ?? []), sources: cidrs(match?.sourceRanges ?? []) }));
    this.fallback = fallback;
  }

  /** The chain for a connection; null: none, the connection is closed. */
  find(facts: ConnectionFacts): T | null {
    if (this.only !== null) return this.only;
    let left = this.candidates;
    left = narrow(left, (c) => (c.plan.destinationPort < 0 ? 0 : c.plan.destinationPort === facts.localPort ? 1 : -1));
    left = byRange(left, (c) => c.prefixes, facts.localIp);
    left = narrow(left, (c) => serverName(c.plan.serverNames, facts.serverName));
    left = narrow(left, (c) => (c.plan.transportProtocol === '' ? 0 : c.plan.transportProtocol === facts.transportProtocol ? 1 : -1));
    left = narrow(left, (c) => (c.plan.applicationProtocols.length === 0 ? 0 : c.plan.applicationProtocols.includes(facts.applicationProtocol) ? 1 : -1));
    left = byRange(left, (c) => c.direct, facts.directRemoteIp);
    const local = facts.remoteIp === facts.localIp || facts.remoteIp === '127.0.0.1' || facts.remoteIp === '::1';
    left = narrow(left, (c) => (c.plan.sourceType === 'ANY' ? 0 : (c.plan.sourceType === 'EXTERNAL') === !local ? 1 : -1));
    left = byRange(left, (c) => c.sources, facts.remoteIp);
    left = narrow(left, (c) => (c.plan.sourcePorts.length === 0 ? 0 : c.plan.sourcePorts.includes(facts.remotePort) ? 1 : -1));
    return left[0]?.chain ?? this.fallback;
  }
}

const ANYTHING: FilterChainMatchPlan = { destinationPort: -1, prefixRanges: [], serverNames: [], transportProtocol: '', applicationProtocols: [], directSourceRanges: [], sourceType: 'ANY', sourceRanges: [], sourcePorts: [] };

/** Keeps the candidates of the highest score; -1 is no match. */
function narrow<T>(list: readonly Candidate<T>[], score: (c: Candidate<T>) => number): readonly Candidate<T>[] {
  let best = -1;
  for (const c of list) best = Math.max(best, score(c));
  return best < 0 ? [] : list.filter((c) => score(c) === best);
}

function byRange<T>(list: readonly Candidate<T>[], ranges: (c: Candidate<T>) => readonly Cidr[], ip: string): readonly Candidate<T>[] {
  if (list.every((c) => ranges(c).length === 0)) return list;
  const bytes = parseIp(ip);
  return narrow(list, (c) => {
    if (ranges(c).length === 0) return 0;
    let best = -1;
    if (bytes !== null) for (const r of ranges(c)) if (r.has(bytes)) best = Math.max(best, r.prefix + 1);
    return best;
  });
}

/** Exact before the longest wildcard before none. */
function serverName(names: readonly string[], sni: string): number {
  if (names.length === 0) return 0;
  let best = -1;
  for (const n of names) {
    if (n === sni) return 10_000;
    if (n.startsWith('*.') && sni.endsWith(n.slice(1)) && sni.length > n.length - 1) best = Math.max(best, n.length);
  }
  return best;
}
