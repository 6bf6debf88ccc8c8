// Trees of matchers (xds.type.matcher.v3.Matcher), built once of their plan; a match is a synchronous walk without allocation. Whoever owns a tree says what its
// actions are made into (filter chains, routes, policies).
//
// Envoy's rules: in a list the first entry that matches and leads to an action; a map looks its input up (a prefix map the longest prefix first); an entry whose own
// tree finds nothing counts as no match, so the search goes on; in the end on_no_match. An entry with keep_matching is passed over.
import { makeStringMatcher } from '../../headers/string-matcher.ts';
import { makeValueMatcher } from '../../observe/match/value-matcher.ts';
import type { ConnectionFacts, StreamFacts } from '../../observe/stream-facts.ts';
import type { MatchTreePlan, OnMatchPlan, PredicatePlan } from '../../plan/match-plan.ts';
import { Cidr, parseIp } from '../cidr.ts';
import { makeInput, type MatchInput } from './inputs.ts';

type Predicate = (c: ConnectionFacts, s: StreamFacts | null) => boolean;

function makePredicate(plan: PredicatePlan): Predicate {
  switch (plan.kind) {
    case 'string': { const input = makeInput(plan.input), m = makeStringMatcher(plan.string); return (c, s) => { const v = input(c, s); return typeof v === 'string' && m.matches(v); }; }
    case 'value': { const input = makeInput(plan.input), m = makeValueMatcher(plan.value), { invert } = plan; return (c, s) => m(input(c, s)) !== invert; }
    case 'ip': {
      const input = makeInput(plan.input), ranges = plan.ranges.map((r) => new Cidr(r.ip, r.bits));
      return (c, s) => { const v = input(c, s), ip = typeof v === 'string' ? parseIp(v) : null; return ip !== null && ranges.some((r) => r.has(ip)); };
    }
    case 'and': { const of = plan.of.map(makePredicate); return (c, s) => { for (const p of of) if (!p(c, s)) return false; return true; }; }
    case 'or': { const of = plan.of.map(makePredicate); return (c, s) => { for (const p of of) if (p(c, s)) return true; return false; }; }
    case 'not': { const p = makePredicate(plan.of); return (c, s) => !p(c, s); }
  }
}

class OnMatch<A> {
  private readonly action: A | null;
  private readonly tree: MatchTree<A> | null;
  private readonly keep: boolean;
  constructor(plan: OnMatchPlan, make: (action: unknown) => A) {
    this.tree = plan.tree === null ? null : new MatchTree(plan.tree, make);
    this.action = plan.tree === null ? make(plan.action) : null;
    this.keep = plan.keep;
  }
  result(c: ConnectionFacts, s: StreamFacts | null): A | null {
    if (this.keep) return null;
    return this.tree === null ? this.action : this.tree.match(c, s);
  }
}

interface Body<A> { find(c: ConnectionFacts, s: StreamFacts | null): A | null }

class List<A> implements Body<A> {
  private readonly predicates: readonly Predicate[]; private readonly on: readonly OnMatch<A>[];
  constructor(predicates: readonly Predicate[], on: readonly OnMatch<A>[]) { this.predicates = predicates; this.on = on; }
  find(c: ConnectionFacts, s: StreamFacts | null): A | null {
    for (let i = 0; i < this.predicates.length; i++) {
      if (!this.predicates[i]!(c, s)) continue;
      const found = this.on[i]!.result(c, s);
      if (found !== null) return found;
    }
    return null;
  }
}

class ExactMap<A> implements Body<A> {
  private readonly input: MatchInput; private readonly map: ReadonlyMap<string, OnMatch<A>>;
  constructor(input: MatchInput, map: ReadonlyMap<string, OnMatch<A>>) { this.input = input; this.map = map; }
  find(c: ConnectionFacts, s: StreamFacts | null): A | null { const v = this.input(c, s); return typeof v === 'string' ? this.map.get(v)?.result(c, s) ?? null : null; }
}

/** By the lengths that occur, the longest first: the cost does not depend on the number of prefixes. */
class PrefixMap<A> implements Body<A> {
  private readonly input: MatchInput; private readonly map: ReadonlyMap<string, OnMatch<A>>; private readonly lengths: readonly number[];
  constructor(input: MatchInput, map: ReadonlyMap<string, OnMatch<A>>) { this.input = input; this.map = map; this.lengths = [...new Set([...map.keys()].map((k) => k.length))].sort((a, b) => b - a); }
  find(c: ConnectionFacts, s: StreamFacts | null): A | null {
    const v = this.input(c, s);
    if (typeof v !== 'string') return null;
    for (const n of this.lengths) {
      const found = n > v.length ? undefined : this.map.get(v.slice(0, n))?.result(c, s);
      if (found !== undefined && found !== null) return found;
    }
    return null;
  }
}

/** Address ranges, the most specific first (IPMatcher). */
class Ranges<A> implements Body<A> {
  private readonly input: MatchInput; private readonly entries: readonly { readonly cidr: Cidr; readonly exclusive: boolean; readonly on: OnMatch<A> }[];
  constructor(input: MatchInput, entries: readonly { readonly cidr: Cidr; readonly exclusive: boolean; readonly on: OnMatch<A> }[]) { this.input = input; this.entries = [...entries].sort((a, b) => b.cidr.prefix - a.cidr.prefix); }
  find(c: ConnectionFacts, s: StreamFacts | null): A | null {
    const v = this.input(c, s), ip = typeof v === 'string' ? parseIp(v) : null;
    if (ip === null) return null;
    for (const e of this.entries) {
      if (!e.cidr.has(ip)) continue;
      const found = e.on.result(c, s);
      if (found !== null || e.exclusive) return found;
    }
    return null;
  }
}

/** Names: exact, then '*.suffix' the longest first, then '*' (ServerNameMatcher). */
class Domains<A> implements Body<A> {
  private readonly input: MatchInput; private readonly map: ReadonlyMap<string, OnMatch<A>>;
  constructor(input: MatchInput, map: ReadonlyMap<string, OnMatch<A>>) { this.input = input; this.map = map; }
  find(c: ConnectionFacts, s: StreamFacts | null): A | null {
    const v = this.input(c, s);
    if (typeof v !== 'string') return null;
    const name = v.toLowerCase();
    const exact = this.map.get(name)?.result(c, s) ?? null;
    if (exact !== null) return exact;
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) { const found = this.map.get(`*${name.slice(dot)}`)?.result(c, s) ?? null; if (found !== null) return found; }
    return this.map.get('*')?.result(c, s) ?? null;
  }
}

export class MatchTree<A> {
  private readonly body: Body<A> | null;
  private readonly noMatch: OnMatch<A> | null;

  /** `make` turns a compiled action into what `match` returns; called once for each action. */
  constructor(plan: MatchTreePlan, make: (action: unknown) => A) {
    const on = (p: OnMatchPlan): OnMatch<A> => new OnMatch(p, make), { body } = plan;
    switch (body.kind) {
      case 'none': this.body = null; break;
      case 'list': this.body = new List(body.entries.map((e) => makePredicate(e.predicate)), body.entries.map((e) => on(e.on))); break;
      case 'exact': this.body = new ExactMap(makeInput(body.input), new Map(body.entries.map(([k, o]) => [k, on(o)]))); break;
      case 'prefix': this.body = new PrefixMap(makeInput(body.input), new Map(body.entries.map(([k, o]) => [k, on(o)]))); break;
      case 'ranges': this.body = new Ranges(makeInput(body.input), body.entries.flatMap((e) => { const o = on(e.on); return e.ranges.map((r) => ({ cidr: new Cidr(r.ip, r.bits), exclusive: e.exclusive, on: o })); })); break;
      case 'domains': this.body = new Domains(makeInput(body.input), new Map(body.entries.flatMap((e) => { const o = on(e.on); return e.domains.map((d) => [d, o] as const); }))); break;
    }
    this.noMatch = plan.noMatch === null ? null : on(plan.noMatch);
  }

  /** The action for a connection (`stream` null) or a stream; null: none. */
  match(connection: ConnectionFacts, stream: StreamFacts | null): A | null {
    return this.body?.find(connection, stream) ?? this.noMatch?.result(connection, stream) ?? null;
  }
}
