// Compiles resources (listeners, clusters, route configurations) of one configuration tree, a bootstrap or a file of dynamic resources, each judged on its own. What the
// rooms' compilers ask of their surroundings (extensions, route tables, references, sources of further resources) is answered here.
import { hash as digest } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pack } from '../../plan/plan-wire.ts';
import type { Address } from '../../net/address.ts';
import type { ConfigNode } from '../../proto/config-node.ts';
import type { ConfigTree } from '../../proto/config-tree.ts';
import type { CompileContext, ConfigMessage, ExtensionCompiler, ExtensionPlan, ProcessFacts } from '../../proto/config-message.ts';
import { meant, suggestion } from '../../proto/suggest.ts';
import { compileHttpChain } from './http-chain.ts';
import { compileSource } from './discovery-source.ts';
import { CompileSecrets, type SecretCompiler } from './secrets.ts';
import type { RouteSubscription } from '../xds/route-subscription.ts';

export interface Compilers<L, C, R, E> {
  readonly listener: (m: ConfigMessage, ctx: CompileContext) => L;
  readonly cluster: (m: ConfigMessage, ctx: CompileContext) => C;
  readonly routes: (m: ConfigMessage, ctx: CompileContext) => R;
  /** A ClusterLoadAssignment. */
  readonly assignment: (m: ConfigMessage) => E;
  readonly accessLog: (m: ConfigMessage, ctx: CompileContext) => ExtensionPlan | null;
  readonly address: (m: ConfigMessage | undefined) => Address;
  readonly secret: SecretCompiler;
  readonly extensions: ReadonlyMap<string, { readonly category: string; readonly perRoute?: true | ExtensionCompiler; readonly upstream?: true; readonly compile: ExtensionCompiler }>;
}

/** One resource: its plan, packed where it goes to workers as it is, or null where it has errors of its own. `needs`: route tables that it asks for by discovery. */
export interface Resource<P> { readonly name: string; readonly version: string; readonly plan: P | null; readonly packed: Uint8Array | null; readonly needs: readonly RouteSubscription[] }

/** What of the command line changes how configuration is read. */
export interface CompileFlags {
  readonly serviceNode: string; readonly serviceCluster: string; readonly serviceZone: string; readonly allowUnknown: boolean; readonly skipDeprecatedLogs: boolean;
  readonly statsTags: readonly (readonly [string, string])[]; readonly disableExtensions: readonly string[];
}

/** What holds for all of a compilation. `secrets`: those of the bootstrap, for what refers to them by name. */
export interface CompileWorld { readonly concurrency: number; readonly flags: CompileFlags; readonly environment?: (name: string) => string | undefined; readonly secrets?: CompileSecrets; readonly facts?: ProcessFacts }

export const NO_FACTS: ProcessFacts = { internalBufferBytes: 0, upstreamBind: null, localCluster: '' };

export const hash = (data: string | Uint8Array): string => digest('sha1', data, 'hex').slice(0, 16);

export class ResourceCompiler<L, C, R, E> {
  readonly tree: ConfigTree;
  readonly compilers: Compilers<L, C, R, E>;
  private readonly concurrency: number;
  private readonly flags: CompileFlags;
  private readonly environment: (name: string) => string | undefined;
  readonly secrets: CompileSecrets;
  readonly routeTables: Resource<R>[] = [];
  readonly references: { readonly name: string; readonly at: ConfigMessage; readonly field: string; readonly resource: string; readonly who: string }[] = [];
  /** Names that are there: only a reference to another has to be remembered. */
  readonly clusterNames = new Set<string>();
  /** What the bootstrap settles; set when its own part was compiled. */
  facts: ProcessFacts;
  /** Of the resource at hand. */
  private needs: RouteSubscription[] = [];
  /** Hashes of what it read from elsewhere. */
  private filesRead = '';

  constructor(tree: ConfigTree, compilers: Compilers<L, C, R, E>, world: CompileWorld) {
    this.tree = tree; this.compilers = compilers; this.concurrency = world.concurrency; this.flags = world.flags; this.environment = world.environment ?? (() => undefined); this.facts = world.facts ?? NO_FACTS;
    this.secrets = new CompileSecrets(compilers.secret, world.secrets);
  }

  /** `discovered`: a route table by RDS, whose clusters are not looked for unless it says so. */
  context(resource: string, discovered = false): CompileContext {
    const { compilers, tree } = this;
    let routeCount = 0;
    const ctx: CompileContext = {
      resource, maxDirectBody: 4096, clusterSpecifiers: new Map(), validateClusters: !discovered, bootstrap: { concurrency: this.concurrency, nodeId: this.flags.serviceNode, nodeCluster: this.flags.serviceCluster, ...this.facts },
      extension: (category, config) => {
        const known = compilers.extensions.get(config.typeName), skip = (message: string): null => { config.error('', message); (config as ConfigNode).readAll(); return null; };
        // Envoy has this type, so another name would be no help.
        if (known === undefined) return skip(`'${config.typeName}' is not supported yet`);
        if (known.category !== category && !(known.perRoute !== undefined && category === 'envoy.filters.http.per_route') && !(known.upstream === true && category === 'envoy.filters.http.upstream')) return skip(`'${config.typeName}' is not a ${category} extension`);
        if (this.flags.disableExtensions.includes(`${category}/${extensionName(config.typeName)}`)) return skip(`'${extensionName(config.typeName)}' is disabled by --disable-extensions`);
        const compile = category === 'envoy.filters.http.per_route' && typeof known.perRoute === 'function' ? known.perRoute : known.compile;
        return { kind: config.typeName, body: compile(config, ctx) };
      },
      httpFilters: (list, chain) => compileHttpChain(list, chain, ctx.extension),
      accessLogs: (list) => list.map((m) => compilers.accessLog(m, ctx)).filter((l) => l !== null),
      dataSource: (s) => { const bytes = readSource(s, this.environment); if (bytes !== undefined) this.filesRead += hash(bytes); return bytes; },
      secret: (s) => this.secrets.add(s),
      secretProblem: (key, policy) => this.secrets.served(key, policy),
      sdsSecret: (kind, m) => this.secrets.sds(kind, m, ctx),
      needsCluster: (name, at, field, who = 'route') => { if (!this.clusterNames.has(name)) this.references.push({ name, at, field, resource, who }); },
      source: (m) => compileSource(m),
      routes: (config) => {
        const key = `${resource}/${routeCount++}/${config.str('name')}`;
        const mark = tree.errors, plan = compilers.routes(config, ctx), packed = pack(plan);
        // The plan holds every virtual host a second time.
        this.routeTables.push({ name: key, version: hash(packed), plan: null, packed: tree.errors > mark ? null : packed, needs: [] });
        return key;
      },
      discoveredRoutes: (name, source, statPrefix, filters) => {
        // Workers number the configurations of filters by the chain, so chains share a table only where they are alike.
        const key = `rds/${name}@${source.path}/${hash(filters.join('\n'))}`;
        this.needs.push({ key, name, source, statPrefix });
        return key;
      },
    };
    return ctx;
  }

  /** Compiles one resource; `mark`: the tree's count of reports before its message was made. `text`: what makes its version where it need not be packed. */
  resource<P>(m: ConfigMessage, mark: number, name: string, compile: (m: ConfigMessage, ctx: CompileContext) => P, discovered = false, text: unknown = undefined): Resource<P> {
    this.needs = [];
    this.filesRead = '';
    const plan = compile(m, this.context(name, discovered));
    (m as ConfigNode).refuseUnread();
    const packed = text === undefined ? pack(plan) : null, bad = this.tree.errorsSince(mark) > 0;
    // How tables are asked for is no part of what workers are told.
    const asked = this.needs.length === 0 ? '' : hash(JSON.stringify(this.needs));
    return { name, version: hash(packed ?? JSON.stringify(text) + this.filesRead) + asked, plan: bad ? null : plan, packed: bad ? null : packed, needs: this.needs };
  }

  /** Reports references to clusters that are not there; the names of the resources that have one. `unreported`: names no report is made of. */
  dangling(names: ReadonlySet<string>, unreported: readonly string[] = []): Set<string> {
    const out = new Set<string>();
    for (const r of this.references) if (r.name !== '' && !names.has(r.name) && !unreported.includes(r.name)) { r.at.error(r.field, `${r.who}: unknown cluster '${r.name}'${suggestion(r.name, names)}`); out.add(r.resource); }
    return out;
  }
}

/** The key under which a field stands: its name, its camelCase name, or one with a slip in it (the root reports that). */
export function keyOf(data: Record<string, unknown>, name: string, camel: string): string { return name in data ? name : camel in data ? camel : Object.keys(data).find((k) => meant(k, [name]) !== '') ?? name; }

/** An extension's well-known name: 'envoy.filters.http.router'. */
function extensionName(type: string): string { return type.replace(/^envoy\.extensions\./, 'envoy.').replace(/\.v\d.*$/, ''); }

function readSource(s: ConfigMessage, environment: (name: string) => string | undefined): Uint8Array | undefined {
  s.unsupported('watched_directory');
  switch (s.oneof('specifier')) {
    case 'filename': { const f = s.str('filename'); try { return readFileSync(f); } catch { s.error('filename', `file '${f}' cannot be read`); return undefined; } }
    case 'inline_bytes': return s.bytes('inline_bytes');
    case 'inline_string': return Buffer.from(s.str('inline_string'), 'utf8');
    case 'environment_variable': {
      const name = s.str('environment_variable'), value = environment(name);
      if (value === undefined || value === '') { s.error('environment_variable', value === undefined ? `Environment variable doesn't exist: ${name}` : 'DataSource cannot be empty'); return undefined; }
      return Buffer.from(value, 'utf8');
    }
    default: return undefined;
  }
}
