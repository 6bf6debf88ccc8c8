// A bootstrap compiled: every listener, cluster and route configuration judged on its own, references checked over all, everything that nobody read refused.
// The rooms' compilers come in as arguments (control may not import http, router, filters).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pack } from '../../plan/plan-wire.ts';
import type { Address } from '../../net/address.ts';
import { ConfigNode } from '../../proto/config-node.ts';
import { ConfigTree } from '../../proto/config-tree.ts';
import type { CompileContext, ConfigMessage, ExtensionCompiler, ExtensionPlan, Report, SecretSource } from '../../proto/config-message.ts';
import { messageType } from '../../proto/registry.ts';
import { meant, suggestion } from '../../proto/suggest.ts';
import { sourceOf, type ConfigSource } from '../../proto/config-source.ts';
import { SourceText, SyntaxFault } from '../../proto/source-text.ts';
import { mergeData } from './merge.ts';
import { DEFAULT_STATS } from '../stats/stat-view.ts';
import { CompileSecrets, type SecretCompiler } from './secrets.ts';
import { compileProcess, type ProcessPlan } from './process-config.ts';

export interface Compilers<L, C, R> {
  readonly listener: (m: ConfigMessage, ctx: CompileContext) => L;
  readonly cluster: (m: ConfigMessage, ctx: CompileContext) => C;
  readonly routes: (m: ConfigMessage, ctx: CompileContext) => R;
  readonly accessLog: (m: ConfigMessage, ctx: CompileContext) => ExtensionPlan | null;
  readonly address: (m: ConfigMessage | undefined) => Address;
  readonly secret: SecretCompiler;
  readonly extensions: ReadonlyMap<string, { readonly category: string; readonly compile: ExtensionCompiler }>;
}

/** One resource: its packed plan, or null where it has errors of its own. */
export interface Resource<P> { readonly name: string; readonly version: string; readonly plan: P | null; readonly packed: Uint8Array | null }

export interface CompiledBootstrap<L, C> {
  readonly reports: readonly Report[];
  readonly errors: number;
  /** Errors outside of listeners and clusters. */
  readonly generalErrors: number;
  readonly listeners: readonly Resource<L>[];
  readonly clusters: readonly Resource<C>[];
  readonly routes: readonly Resource<unknown>[];
  readonly process: ProcessPlan;
  readonly secrets: readonly SecretSource[];
  /** Unknown fields that were let pass. */
  readonly unknownFields: number;
  /** The whole as proto JSON, made when asked; keeps the parsed tree alive, so ask and let go. */
  json(): unknown;
}

/** What of the command line changes how configuration is read. */
export interface CompileFlags {
  readonly serviceNode: string; readonly serviceCluster: string; readonly serviceZone: string; readonly allowUnknown: boolean; readonly skipDeprecatedLogs: boolean;
  readonly statsTags: readonly (readonly [string, string])[]; readonly disableExtensions: readonly string[];
}
/** `bytes`: the file's; null: there is no file. `overlay`: --config-yaml. */
export interface BootstrapSource { readonly file: string | null; readonly bytes: Uint8Array | null; readonly overlay: string; readonly concurrency: number; readonly environment?: (name: string) => string | undefined; readonly flags: CompileFlags }

const BOOTSTRAP = 'envoy.config.bootstrap.v3.Bootstrap';
const hash = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex').slice(0, 16);

class Compile<L, C, R> {
  readonly tree: ConfigTree;
  private readonly root: ConfigNode;
  private readonly statics: Record<string, unknown>;
  private readonly staticsKey: string;
  private readonly compilers: Compilers<L, C, R>;
  private readonly routeTables: Resource<unknown>[] = [];
  private readonly references: { readonly name: string; readonly at: ConfigMessage; readonly field: string; readonly resource: string }[] = [];
  /** Names that are there: only a reference to another has to be remembered. */
  private readonly clusterNames = new Set<string>();
  private readonly secrets: CompileSecrets;
  private readonly concurrency: number;
  private readonly flags: CompileFlags;
  private readonly environment: (name: string) => string | undefined;

  constructor(tree: ConfigTree, data: unknown, compilers: Compilers<L, C, R>, source: BootstrapSource) {
    this.secrets = new CompileSecrets(compilers.secret);
    this.tree = tree; this.compilers = compilers; this.concurrency = source.concurrency; this.flags = source.flags; this.environment = source.environment ?? (() => undefined);
    // Listeners and clusters are taken out and looked at one by one.
    const all = data !== null && typeof data === 'object' && !Array.isArray(data) ? (data as Record<string, unknown>) : {};
    this.staticsKey = keyOf(all, 'static_resources', 'staticResources');
    const given = all[this.staticsKey], open = given !== null && typeof given === 'object' && !Array.isArray(given);
    this.statics = open ? (given as Record<string, unknown>) : {};
    const rest = { ...this.statics };
    for (const what of ['listeners', 'clusters']) { const key = keyOf(rest, what, what); if (key === what) delete rest[key]; else if (key in rest) rest[key] = []; }
    this.root = new ConfigNode(tree, messageType(BOOTSTRAP)!, open ? { ...all, [this.staticsKey]: rest } : data, [], '');
  }

  private context(resource: string): CompileContext {
    const { compilers, tree } = this;
    let routeCount = 0;
    const ctx: CompileContext = {
      resource, maxDirectBody: 4096, bootstrap: { concurrency: this.concurrency, nodeId: this.flags.serviceNode, nodeCluster: this.flags.serviceCluster },
      extension: (category, config) => {
        const known = compilers.extensions.get(config.typeName);
        if (known === undefined || known.category !== category) {
          const offered = [...compilers.extensions].filter(([, e]) => e.category === category).map(([n]) => n);
          config.error('', known === undefined ? `'${config.typeName}' is not supported yet${suggestion(config.typeName, offered)}` : `'${config.typeName}' is not a ${category} extension`);
          (config as ConfigNode).readAll();
          return null;
        }
        if (this.flags.disableExtensions.includes(`${category}/${extensionName(config.typeName)}`)) { config.error('', `'${extensionName(config.typeName)}' is disabled by --disable-extensions`); (config as ConfigNode).readAll(); return null; }
        return { kind: config.typeName, body: known.compile(config, ctx) };
      },
      accessLog: (m) => compilers.accessLog(m, ctx),
      dataSource: (s) => readSource(s, this.environment),
      secret: (s) => this.secrets.add(s),
      sdsSecret: (kind, m) => this.secrets.sds(kind, m, ctx),
      needsCluster: (name, at, field) => { if (!this.clusterNames.has(name)) this.references.push({ name, at, field, resource }); },
      routes: (config) => {
        const key = `${resource}/${routeCount++}/${config.str('name')}`;
        const mark = tree.errors;
        const plan = compilers.routes(config, ctx);
        const packed = pack(plan);
        this.routeTables.push({ name: key, version: hash(packed), plan, packed: tree.errors > mark ? null : packed });
        return key;
      },
    };
    return ctx;
  }

  /** Compiles resources one at a time: the checked tree of each is let go before the next, so 10,000 of them cost their plans only. */
  private resources<P>(what: 'cluster' | 'listener', compile: (m: ConfigMessage, ctx: CompileContext) => P): Resource<P>[] {
    const out: Resource<P>[] = [], seen = new Set<string>();
    this.each(what, (m, i) => {
      const mark = this.marks.get(m)!;
      const given = m.str('name');
      if (given === '' && what === 'cluster') this.nameless = true;
      const name = given === '' ? `${what}_${i}` : given;
      if (seen.has(name)) m.error('name', what === 'cluster' ? `cluster manager: duplicate cluster '${name}'` : `duplicate listener '${name}'`);
      seen.add(name);
      const plan = compile(m, this.context(name));
      (m as ConfigNode).refuseUnread();
      const packed = pack(plan), bad = this.tree.errorsSince(mark) > 0;
      out.push({ name, version: hash(packed), plan: bad ? null : plan, packed: bad ? null : packed });
    });
    return out;
  }

  /** A cluster has no name to be found by, so nothing can be said of references. */
  private nameless = false;
  private readonly marks = new WeakMap<ConfigMessage, number>();
  private each(what: 'cluster' | 'listener', visit: (m: ConfigMessage, i: number) => void): void {
    const field = keyOf(this.statics, `${what}s`, `${what}s`), list = this.statics[field];
    const desc = messageType(what === 'cluster' ? 'envoy.config.cluster.v3.Cluster' : 'envoy.config.listener.v3.Listener')!;
    (Array.isArray(list) ? (list as unknown[]) : list === undefined || list === null ? [] : [list]).forEach((data, i) => {
      const mark = this.tree.count;
      const m = new ConfigNode(this.tree, desc, data, [this.staticsKey, field, ...(Array.isArray(list) ? [i] : [])], `static_resources.${what}s[${i}]`);
      this.marks.set(m, mark);
      visit(m, i);
    });
  }

  run(): CompiledBootstrap<L, C> {
    const { root, tree } = this;
    const process = withFlagTags(compileProcess(root, this.context('bootstrap'), (m) => this.compilers.address(m)), this.flags);
    const statics = root.msg('static_resources');
    for (const f of ['listeners', 'clusters']) statics?.list(f); // a slip in the name left an empty list here
    for (const s of statics?.list('secrets') ?? []) this.secrets.addStatic(s, this.context('secrets'));
    root.refuseUnread();
    const generalErrors = tree.errors;
    const clusters = this.resources('cluster', this.compilers.cluster);
    for (const c of clusters) this.clusterNames.add(c.name);
    let listeners = this.resources('listener', this.compilers.listener);
    const names = new Set(clusters.map((c) => c.name)), dangling = new Set<string>();
    if (!this.nameless) for (const r of this.references) if (r.name !== '' && !names.has(r.name)) { r.at.error(r.field, `route: unknown cluster '${r.name}'${suggestion(r.name, names)}`); dangling.add(r.resource); }
    listeners = listeners.map((l) => (dangling.has(l.name) ? { ...l, plan: null, packed: null } : l));
    return {
      reports: tree.reports(), errors: tree.errors, generalErrors, listeners, clusters, routes: this.routeTables.filter((t) => listeners.some((l) => l.plan !== null && t.name.startsWith(`${l.name}/`))), process, secrets: [...this.secrets.sources.values()], unknownFields: tree.unknownFields,
      json: () => this.json(),
    };
  }

  private json(): unknown {
    const all = (what: 'cluster' | 'listener'): unknown[] => { const out: unknown[] = []; this.each(what, (m) => out.push(m.toJson())); return out; };
    const root = this.root.toJson() as Record<string, unknown>, listeners = all('listener'), clusters = all('cluster');
    return { ...root, static_resources: { ...(root['static_resources'] as object | undefined), ...(listeners.length > 0 ? { listeners } : {}), ...(clusters.length > 0 ? { clusters } : {}) } };
  }
}

/** The key under which a field stands: its name, its camelCase name, or one with a slip in it (the root reports that). */
function keyOf(data: Record<string, unknown>, name: string, camel: string): string { return name in data ? name : camel in data ? camel : Object.keys(data).find((k) => meant(k, [name]) !== '') ?? name; }

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

/** Compiles a bootstrap. Never throws for what a user wrote. */
export function compileBootstrap<L, C, R>(source: BootstrapSource, compilers: Compilers<L, C, R>): CompiledBootstrap<L, C> {
  const sources: ConfigSource[] = [], under: unknown[] = [], bootstrap = messageType(BOOTSTRAP)!;
  if (source.bytes !== null) sources.push(sourceOf(source.file ?? '', source.bytes, BOOTSTRAP));
  if (source.overlay !== '') sources.push(new SourceText('--config-yaml', source.overlay));
  const tree = new ConfigTree(sources, under);
  tree.unknown = source.flags.allowUnknown ? 'warning' : 'error';
  tree.deprecated = !source.flags.skipDeprecatedLogs;
  let data: unknown;
  for (const t of sources) {
    under.push(data);
    try { const own = t.data() ?? {}; data = data === undefined ? own : mergeData(data, own, bootstrap); } catch (e) {
      if (!(e instanceof SyntaxFault)) throw e;
      const report: Report = { severity: 'error', message: e.message, place: { file: t.file, line: e.line, column: e.column, path: '' } };
      return { reports: [report], errors: 1, generalErrors: 1, listeners: [], clusters: [], routes: [], process: EMPTY_PROCESS, secrets: [], unknownFields: 0, json: () => ({}) };
    }
  }
  for (const s of sources) for (const b of s.oddBooleans?.() ?? []) tree.report('warning', oddBoolean(b.text), b.keys, pathOf(b.keys));
  return new Compile(tree, data ?? {}, compilers, source).run();
}

const oddBoolean = (text: string): string => `${text} is read as ${/^(y|yes|on)$/i.test(text)}, as YAML 1.1 has it: write that, or quote the text`;
const pathOf = (keys: readonly (string | number)[]): string => keys.map((k, i) => (typeof k === 'number' ? `[${k}]` : `${i === 0 ? '' : '.'}${k}`)).join('');

/** --stats-tag: tags beside those of stats_config. */
function withFlagTags(p: ProcessPlan, flags: CompileFlags): ProcessPlan {
  return flags.statsTags.length === 0 ? p : { ...p, stats: { ...p.stats, tags: [...p.stats.tags, ...flags.statsTags.map(([name, value]) => ({ name, regex: '', value }))] } };
}

const EMPTY_PROCESS: ProcessPlan = { nodeId: '', nodeCluster: '', nodeZone: '', node: null, admin: null, layers: [], maxDownstreamConnections: 0, overload: null, statsFlushMs: 5000, statsFlushOnAdmin: false, stats: DEFAULT_STATS, localCluster: '', outlierLog: '', nodeLocality: null };
