// A route configuration of one worker: domains to virtual hosts, in one map lookup for exact names and by length for wildcards, so the cost does not depend on how
// many virtual hosts there are. Envoy's order: exact, longest suffix wildcard, longest prefix wildcard, '*'.
import { hostOf } from '../headers/authority.ts';
import type { RequestHeaders } from '../headers/headers.ts';
import type { Route, RouteTable, RouteTableCell } from '../http/route.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import { unpack } from '../plan/plan-wire.ts';
import type { RouteTablePlan } from '../plan/route-plan.ts';
import { unpackVirtualHost } from '../plan/route-wire.ts';
import { Level, type RouteEnv } from './level.ts';
import { MatchInput } from './match/route-matcher.ts';
import { VirtualHost } from './virtual-host.ts';

/** Wildcard domains by the length of their fixed part, longest first. */
class Wildcards {
  private readonly byLength = new Map<number, Map<string, number>>();
  private lengths: number[] = [];
  add(text: string, host: number): void {
    let of = this.byLength.get(text.length);
    if (of === undefined) { of = new Map(); this.byLength.set(text.length, of); this.lengths = [...this.byLength.keys()].sort((a, b) => b - a); }
    if (!of.has(text)) of.set(text, host);
  }
  find(host: string, part: (length: number) => string): number {
    for (const n of this.lengths) { if (n >= host.length) continue; const found = this.byLength.get(n)!.get(part(n)); if (found !== undefined) return found; }
    return -1;
  }
}

const input = new MatchInput();

export class TableOfRoutes implements RouteTable {
  readonly plan: RouteTablePlan;
  readonly level: Level;
  readonly env: RouteEnv;
  private readonly exact = new Map<string, number>();
  private readonly suffixes = new Wildcards();
  private readonly prefixes = new Wildcards();
  private any = -1;
  private readonly hosts: (VirtualHost | undefined)[] = [];
  private counted: ReadonlySet<string>;

  constructor(plan: RouteTablePlan, env: RouteEnv) {
    this.plan = plan;
    this.env = env;
    this.level = new Level(plan.level, env);
    this.counted = new Set(plan.counted.map((h) => h.name));
    plan.virtualHosts.forEach((v, n) => {
      for (const d of v.domains) {
        const domain = d.toLowerCase();
        if (domain === '*') this.any = n;
        else if (domain.startsWith('*')) this.suffixes.add(domain.slice(1), n);
        else if (domain.endsWith('*')) this.prefixes.add(domain.slice(0, -1), n);
        else this.exact.set(domain, n);
      }
    });
  }

  get name(): string { return this.plan.name; }
  /** Whether a virtual host that is met now has stats of its own. */
  counts(host: string): boolean { return this.counted.has(host); }
  /** Another table came in its place: virtual hosts that are met first now, on connections that drain, may be gone. */
  retire(): void { this.counted = new Set(); }
  internalOnly(): readonly string[] { return this.plan.internalOnly; }

  match(headers: RequestHeaders, facts: StreamFacts, random: number): Route | null {
    const { hostHeader } = this.plan, name = hostHeader === '' ? headers.authority : headers.get(hostHeader), host = name === undefined ? null : this.virtualHost(name);
    if (host === null) return null;
    input.set(headers, facts, random, !this.plan.ignorePathParameters);
    return host.match(input);
  }

  /** The last authority asked for and its host: most requests of a moment ask for the same, and a name fresh from the wire has no hash yet. */
  private lastAuthority = '';
  private lastHost: VirtualHost | null = null;

  private virtualHost(authority: string): VirtualHost | null {
    if (authority === this.lastAuthority && this.lastHost !== null) return this.lastHost;
    const host = this.find(authority);
    this.lastAuthority = authority;
    return this.lastHost = host;
  }

  private find(authority: string): VirtualHost | null {
    let host = authority.toLowerCase();
    if (this.plan.ignorePort) host = hostOf(host);
    let n = this.exact.get(host) ?? -1;
    if (n < 0) n = this.suffixes.find(host, (length) => host.slice(host.length - length));
    if (n < 0) n = this.prefixes.find(host, (length) => host.slice(0, length));
    if (n < 0) n = this.any;
    if (n < 0) return null;
    return this.hosts[n] ??= new VirtualHost(unpackVirtualHost(this.plan.virtualHosts[n]!.packed), this, this.env);
  }
}

/** All route tables of a worker by key; a table that is replaced leaves streams on the old one. */
export class RouteTables {
  private readonly cells = new Map<string, RouteTableCell>();
  private readonly env: RouteEnv;
  constructor(env: RouteEnv) { this.env = env; }

  cell(key: string): RouteTableCell {
    let cell = this.cells.get(key);
    if (cell === undefined) { cell = { current: null }; this.cells.set(key, cell); }
    return cell;
  }

  install(key: string, packed: Uint8Array): void {
    const table = new LazyTable(packed, this.env);
    const cell = this.cells.get(key);
    if (cell === undefined) this.cells.set(key, { current: table }); else { retire(cell.current); cell.current = table; }
  }
  /** Connections that drain keep the table that they have. */
  remove(key: string): void { retire(this.cells.get(key)?.current ?? null); this.cells.delete(key); }
}

function retire(table: RouteTable | null): void { if (table instanceof LazyTable) table.retire(); }

/** A table that is unpacked with its first request. */
class LazyTable implements RouteTable {
  private packed: Uint8Array | null;
  private table: TableOfRoutes | null = null;
  private readonly env: RouteEnv;
  constructor(packed: Uint8Array, env: RouteEnv) { this.packed = packed; this.env = env; }
  private get real(): TableOfRoutes {
    if (this.table === null) { this.table = new TableOfRoutes(unpack<RouteTablePlan>(this.packed!), this.env); this.packed = null; if (this.retired) this.table.retire(); }
    return this.table;
  }
  private retired = false;
  retire(): void { this.retired = true; this.table?.retire(); }
  get name(): string { return this.real.name; }
  internalOnly(): readonly string[] { return this.real.plan.internalOnly; }
  match(headers: RequestHeaders, facts: StreamFacts, random: number): Route | null { return this.real.match(headers, facts, random); }
}
