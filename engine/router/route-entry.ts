// A route resolved: what the connection manager (Route) and the router filter ask of it. One object per route; a weighted cluster gives a variant of its route.
import type { RequestHeaders, ResponseHeaders } from '../headers/headers.ts';
import type { ChainFilters, Route, RouteFilterConfig } from '../http/route.ts';
import { runtimeNumber, type RuntimeCell } from '../loop/runtime.ts';
import { RateLimitPolicy, type RouteRateLimits } from '../http/rate-limit/rate-limits.ts';
import type { RateLimitPlan } from '../plan/rate-limit-plan.ts';
import type { MetadataValue, StreamFacts } from '../observe/stream-facts.ts';
import type { Formatter, FormatPlan } from '../observe/format/formatter.ts';
import { MutableContext } from '../observe/format/header-mutation.ts';
import { makeFormatter } from '../observe/format/make-formatter.ts';
import { MatchTree } from '../net/match/match-tree.ts';
import type { MatchTreePlan } from '../plan/match-plan.ts';
import type { FilterConfigPlan, ForwardPlan, RedirectPolicyPlan, RoutePlan, WeightedPlan } from '../plan/route-plan.ts';
import { MetadataCriteria } from '../upstream/metadata-criteria.ts';
import { HashPolicies, type HashResult } from './hash-policy.ts';
import { Level, type RouteEnv } from './level.ts';
import { PathTemplate, fillTemplate } from './match/path-template.ts';
import type { MatchInput } from './match/route-matcher.ts';
import { MirrorPolicy } from './mirror.ts';
import { RetryPolicy } from './retry-policy.ts';
import { RequestStats, ScopeStats, type AlternativeStats } from './request-stats.ts';
import { RegexRewrite } from './rewrite.ts';
import { grpcTimeout, toGrpcTimeout } from './timeouts.ts';
import { isGrpc } from '../http/local-reply.ts';
import type { VirtualHost } from './virtual-host.ts';

function criteriaOf(route: ForwardPlan['metadataMatch'], cluster: ForwardPlan['metadataMatch']): MetadataCriteria | null {
  const of = (m: ForwardPlan['metadataMatch']): { readonly [key: string]: MetadataValue } | null => { const lb = m?.['envoy.lb']; return lb !== null && lb !== undefined && typeof lb === 'object' && !Array.isArray(lb) ? (lb as { readonly [key: string]: MetadataValue }) : null; };
  const own = of(route), more = of(cluster), base = own === null ? null : MetadataCriteria.of(own);
  return more === null ? base : base === null ? MetadataCriteria.of(more) : base.merged(more);
}

const context = new MutableContext();
const chosenBy: HashResult = { has: false, high: 0, low: 0, cookies: null };

interface Weighted { readonly plan: WeightedPlan; readonly level: Level; readonly cell: RuntimeCell | null; readonly route: RouteEntry }

/** Chains whose configs a route keeps: of the listeners that share its table, and of a version that is being replaced. */
const MAX_CHAINS = 16;

export class RouteEntry implements Route {
  readonly plan: RoutePlan;
  readonly forward: ForwardPlan | null;
  readonly host: VirtualHost;
  readonly hashPolicies: HashPolicies | null;
  private readonly metadataMatch: MetadataCriteria | null;
  private readonly level: Level;
  private readonly weighted: readonly Weighted[];
  /** A matcher that chooses the cluster: a variant of the route for each; `nowhere` where it chooses none. */
  private readonly chooser: { readonly tree: MatchTree<RouteEntry>; readonly nowhere: RouteEntry } | null;
  private readonly ofCluster: { readonly plan: WeightedPlan; readonly level: Level } | null;
  private readonly regexRewrite: RegexRewrite | null;
  private readonly hostRegex: RegexRewrite | null;
  readonly redirectRegex: RegexRewrite | null;
  private readonly template: PathTemplate | null;
  private readonly pathFormat: Formatter | null;
  private readonly hostFormat: Formatter | null;
  readonly redirectPath: Formatter | null;
  readonly env: RouteEnv;
  /** typed_per_filter_config of all levels, the least specific first. */
  private readonly configs: readonly FilterConfigPlan[];
  private readonly upgrades: ReadonlyMap<string, boolean>;
  /** The route's, else the virtual host's; null: retries only as request headers say. */
  readonly retryPolicy: RetryPolicy | null;
  readonly hedge: boolean;
  /** The route's, else the virtual host's, else the route configuration's. */
  readonly mirrors: readonly MirrorPolicy[];
  readonly redirects: RedirectPolicyPlan | null;
  /** Of the chains that asked; nearly always one. */
  private readonly resolved: { readonly chain: ChainFilters; readonly configs: readonly RouteFilterConfig[] }[] = [];

  constructor(plan: RoutePlan, host: VirtualHost, env: RouteEnv, ofCluster: WeightedPlan | null = null) {
    this.plan = plan;
    this.host = host;
    this.env = env;
    this.level = new Level(plan.level, env);
    this.ofCluster = ofCluster === null ? null : { plan: ofCluster, level: new Level(ofCluster.level, env) };
    const forward = this.forward = plan.action.kind === 'forward' ? plan.action : null;
    this.hashPolicies = forward === null || forward.hashPolicies.length === 0 ? null : new HashPolicies(forward.hashPolicies);
    this.metadataMatch = criteriaOf(forward?.metadataMatch ?? null, ofCluster?.metadataMatch ?? null);
    this.regexRewrite = forward?.regexRewrite ? new RegexRewrite(forward.regexRewrite) : null;
    this.hostRegex = forward?.hostRegex ? new RegexRewrite(forward.hostRegex) : null;
    this.redirectRegex = plan.action.kind === 'redirect' && plan.action.regex !== null ? new RegexRewrite(plan.action.regex) : null;
    this.template = forward !== null && forward.templateRewrite !== '' && plan.match.path.kind === 'template' ? new PathTemplate(plan.match.path.template) : null;
    const formatter = (f: FormatPlan | null | undefined): Formatter | null => (f === null || f === undefined ? null : makeFormatter(f, env.operators));
    this.pathFormat = formatter(forward?.pathFormat);
    this.hostFormat = formatter(forward?.hostFormat);
    this.redirectPath = formatter(plan.action.kind === 'redirect' ? plan.action.pathFormat : null);
    this.weighted = ofCluster === null && forward?.target.kind === 'weighted'
      ? forward.target.clusters.map((c) => ({ plan: c, level: new Level(c.level, env), cell: c.runtimeKey === '' ? null : env.runtime.cell(c.runtimeKey), route: new RouteEntry(plan, host, env, c) })) : [];
    this.chooser = forward?.target.kind === 'matcher' ? this.chooserOf(forward, forward.target.tree) : null;
    this.configs = [...host.table.plan.filterConfigs, ...host.plan.filterConfigs, ...plan.filterConfigs, ...(ofCluster?.filterConfigs ?? [])];
    const retry = forward?.retry ?? host.plan.retry;
    this.retryPolicy = forward === null || retry === null ? null : new RetryPolicy(retry);
    this.hedge = forward?.hedge ?? host.plan.hedge ?? false;
    this.mirrors = [forward?.mirrors ?? [], forward === null ? [] : host.plan.mirrors, forward === null ? [] : host.table.plan.mirrors].find((l) => l.length > 0)?.map((m) => new MirrorPolicy(m, env)) ?? [];
    this.redirects = forward?.redirects ?? null;
    this.upgrades = new Map((forward?.upgrades ?? []).map((u) => [u.type.toLowerCase(), u.enabled]));
  }

  private chooserOf(forward: ForwardPlan, tree: MatchTreePlan): RouteEntry['chooser'] {
    const to = (name: string): RouteEntry => new RouteEntry({ ...this.plan, action: { ...forward, target: { kind: 'cluster', name } } }, this.host, this.env);
    return { tree: new MatchTree(tree, (name) => to(name as string)), nowhere: to('') };
  }

  get name(): string { return this.plan.name; }
  get virtualHostName(): string { return this.host.plan.name; }
  get idleTimeoutMs(): number { return this.forward?.idleTimeoutMs ?? -1; }
  get flushTimeoutMs(): number { return this.forward?.flushTimeoutMs ?? -1; }
  /** The route's max_stream_duration; with grpc_timeout_header_max, what the request's grpc-timeout allows, which may be no time at all. */
  streamDurationMs(request: RequestHeaders, otherwise: number): number {
    const f = this.forward;
    if (f === null) return otherwise;
    const asked = f.grpcHeaderMaxMs < 0 ? -1 : grpcTimeout(request.get('grpc-timeout'));
    const ms = asked < 0 ? (f.maxStreamDurationMs >= 0 ? f.maxStreamDurationMs : otherwise) : Math.max(0, (f.grpcHeaderMaxMs > 0 ? Math.min(asked, f.grpcHeaderMaxMs) : asked) - f.grpcHeaderOffsetMs);
    if (f.newTimeouts && isGrpc(request)) { if (asked >= 0 || ms > 0) request.set('grpc-timeout', toGrpcTimeout(ms)); else if (otherwise > 0) request.remove('grpc-timeout'); }
    return asked < 0 ? ms : Math.max(1, ms);
  }
  get bufferLimit(): number { return this.plan.bufferLimit >= 0 ? this.plan.bufferLimit : this.host.plan.bufferLimit; }
  /** Most of a request's body that is kept for retries, bytes; -1: the connection's buffer limit. */
  get keepLimit(): number { return this.bufferLimit; }
  /** Some level adds request headers, x-envoy-retry-on maybe. */
  get addsRequestHeaders(): boolean { return this.adds ??= (this.cachedLevels ??= this.levels()).some((l) => !l.request.empty); }
  upgradeAllowed(token: string): boolean | undefined { return this.upgrades.get(token); }

  filterConfigs(chain: ChainFilters): readonly RouteFilterConfig[] | null {
    if (this.configs.length === 0) return null;
    for (const r of this.resolved) if (r.chain === chain) return r.configs;
    const configs = chain.filterNames.map((name, i): RouteFilterConfig => {
      const mine = this.configs.filter((c) => c.name === name);
      return { disabled: mine.at(-1)?.disabled ?? undefined, all: mine.filter((c) => c.body !== null).map((c) => chain.routeConfig(i, c.body)) };
    });
    if (this.resolved.length >= MAX_CHAINS) this.resolved.shift();
    this.resolved.push({ chain, configs });
    return configs;
  }

  /** The route itself, or the variant of the weighted cluster that the stream's number falls on. */
  pick(i: MatchInput): RouteEntry {
    if (this.chooser !== null) return this.chooser.tree.match(i.facts.connection, i.facts) ?? this.chooser.nowhere;
    if (this.weighted.length === 0) return this;
    const target = this.forward!.target;
    let random = i.random;
    if (target.kind === 'weighted' && target.byHash && this.hashPolicies !== null) {
      this.hashPolicies.compute(i.headers, i.facts, chosenBy, false);
      if (chosenBy.has) return this.byHash();
    }
    if (target.kind === 'weighted' && target.headerName !== '') { const v = i.headers.get(target.headerName); if (v !== undefined && /^\d{1,15}$/.test(v)) random = Number(v); }
    let total = 0;
    for (const w of this.weighted) total += this.weightOf(w);
    if (total === 0) return this.weighted[0]!.route;
    return this.at(random % total);
  }
  /** The weighted cluster that the request's hash falls on. */
  private byHash(): RouteEntry {
    let total = 0;
    for (const w of this.weighted) total += this.weightOf(w);
    if (total === 0) return this.weighted[0]!.route;
    // 64 bits: more than a number holds.
    return this.at(Number(((BigInt(chosenBy.high) << 32n) | BigInt(chosenBy.low)) % BigInt(total)));
  }
  private at(position: number): RouteEntry {
    let left = position;
    for (const w of this.weighted) { const weight = this.weightOf(w); if (left < weight) return w.route; left -= weight; }
    return this.weighted[0]!.route;
  }
  private weightOf(w: Weighted): number { return w.cell === null ? w.plan.weight : runtimeNumber(w.cell, w.plan.weight); }

  /** What the upstream host's metadata must have: the route's, and what filters have put into the dynamic metadata of 'envoy.lb' over it. */
  criteriaFor(facts: StreamFacts): MetadataCriteria | null {
    const dynamic = facts.metadata?.get('envoy.lb');
    return dynamic === undefined ? this.metadataMatch : this.metadataMatch === null ? MetadataCriteria.of(dynamic) : this.metadataMatch.merged(dynamic);
  }

  /** CONNECT, or POST where it is allowed, that is ended here. */
  endsHere(headers: RequestHeaders): boolean { if (headers.protocol === 'connect-udp') return this.forward?.connectUdp ?? false; const how = this.forward?.connectTerminate ?? 'no'; return how !== 'no' && (headers.method === 'CONNECT' || (how === 'connect-or-post' && headers.method === 'POST')); }

  /** Cluster to go to; '' where a header should name it and does not. */
  clusterName(headers: RequestHeaders): string {
    if (this.forward === null) return '';
    const { target } = this.forward;
    if (target.kind === 'matcher') return ''; // each of its variants has a name
    if (target.kind === 'cluster') return target.name;
    if (target.kind === 'header') return headers.get(target.name) ?? '';
    const chosen = this.ofCluster!.plan;
    return chosen.header !== '' ? headers.get(chosen.header) ?? '' : chosen.name;
  }

  private levels(): readonly Level[] {
    const { table } = this.host;
    const inOrder = table.plan.mostSpecificWins ? [table.level, this.host.level, this.level] : [this.level, this.host.level, table.level];
    return this.ofCluster === null ? inOrder : [this.ofCluster.level, ...inOrder];
  }
  private cachedLevels: readonly Level[] | null = null;
  private adds: boolean | null = null;

  /** Header mutations, then host, then path, as Envoy's finalizeRequestHeaders. */
  finalizeRequest(headers: RequestHeaders, facts: StreamFacts, keepOriginal: boolean): void {
    for (const l of this.cachedLevels ??= this.levels()) l.request.apply(headers, facts);
    this.rewriteHost(headers, facts, keepOriginal);
    this.rewritePath(headers, facts, keepOriginal);
  }

  private scope: ScopeStats | null = null;
  /** Where else than at its cluster a request is counted; null: nowhere. `alternative`: its x-envoy-upstream-alt-stat-name, ''. */
  requestStats(virtualCluster: string, alternative: string, alternatives: AlternativeStats): RequestStats | null {
    const { statPrefix } = this.plan;
    if (virtualCluster === '' && statPrefix === '' && alternative === '') return null;
    const store = this.host.statStore;
    if (statPrefix !== '' && store !== null) this.scope ??= new ScopeStats(store, `vhost.${this.virtualHostName}.route.${statPrefix}`);
    return new RequestStats(virtualCluster === '' ? null : this.host.scope(virtualCluster), this.scope, alternative, alternatives);
  }

  private limits: RouteRateLimits | null | undefined;
  get rateLimits(): RouteRateLimits | null {
    if (this.limits !== undefined) return this.limits;
    const { forward, host } = this, of = (list: readonly RateLimitPlan[]): RateLimitPolicy[] => list.map((p) => new RateLimitPolicy(p, this.env));
    return this.limits = forward === null || forward.rateLimits.length + host.plan.rateLimits.length === 0 ? null : { route: of(forward.rateLimits), host: of(host.plan.rateLimits), includeHost: forward.includeHostRateLimits };
  }
  get answersItself(): boolean { return this.plan.action.kind !== 'forward'; }
  finalizeResponse(headers: ResponseHeaders, facts: StreamFacts): void { for (const l of this.cachedLevels ??= this.levels()) l.response.apply(headers, facts); }

  /** A format's value; `missing` stands where an operator has none. */
  format(f: Formatter, facts: StreamFacts, missing: string): string { return f.format(context.set(facts, this.env.clock), missing); }

  private rewriteHost(headers: RequestHeaders, facts: StreamFacts, keepOriginal: boolean): void {
    const f = this.forward!;
    const literal = this.ofCluster !== null && this.ofCluster.plan.hostRewrite !== '' ? this.ofCluster.plan.hostRewrite : f.hostLiteral;
    let host = '';
    if (literal !== '') host = literal;
    else if (f.hostHeader !== '') host = headers.get(f.hostHeader) ?? '';
    else if (this.hostRegex !== null) { const q = headers.path.indexOf('?'); host = this.hostRegex.apply(q < 0 ? headers.path : headers.path.slice(0, q)); }
    else if (this.hostFormat !== null) host = this.format(this.hostFormat, facts, '-');
    if (host !== '') this.setHost(headers, host, keepOriginal && !(this.ofCluster !== null && this.ofCluster.plan.hostRewrite !== ''));
  }

  /** Also called when the upstream host is known (auto_host_rewrite). */
  setHost(headers: RequestHeaders, host: string, keepOriginal: boolean): void {
    if (this.forward!.appendForwardedHost) headers.append('x-forwarded-host', headers.authority);
    if (keepOriginal && !headers.has('x-envoy-original-host')) headers.add('x-envoy-original-host', headers.authority);
    headers.authority = host;
  }

  private rewritePath(headers: RequestHeaders, facts: StreamFacts, keepOriginal: boolean): void {
    const f = this.forward!, match = this.plan.match.path, before = headers.path;
    let after = before;
    if (this.pathFormat !== null) {
      const made = this.format(this.pathFormat, facts, ''), q = before.indexOf('?');
      if (made === '') return;
      after = made + (q < 0 ? '' : before.slice(q));
    } else if (f.prefixRewrite !== '') after = this.replacePrefix(before, f.prefixRewrite, match);
    else if (this.regexRewrite !== null || this.template !== null) {
      const q = before.indexOf('?');
      const path = q < 0 ? before : before.slice(0, q);
      const values = this.template?.match(path);
      after = (this.regexRewrite !== null ? this.regexRewrite.apply(path) : values ? fillTemplate(f.templateRewrite, values) : path) + (q < 0 ? '' : before.slice(q));
    } else return;
    facts.originalPath = before;
    if (keepOriginal) headers.set('x-envoy-original-path', before);
    headers.path = after;
  }

  replacePrefix(path: string, by: string, match: RoutePlan['match']['path']): string {
    const q = path.indexOf('?');
    const end = q < 0 ? path.length : q;
    const cut = match.kind === 'prefix' || match.kind === 'separated' || match.kind === 'path' ? Math.min(match.text.length, path.length) : end;
    return by + path.slice(cut);
  }
}
