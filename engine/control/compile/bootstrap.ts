// A bootstrap compiled: every listener, cluster and route configuration judged on its own, references checked over all, everything that nobody read refused.
// The rooms' compilers come in as arguments (control may not import http, router, filters).
import { DEFAULT_WATCHDOG } from '../../plan/watchdog-plan.ts';
import { ConfigNode } from '../../proto/config-node.ts';
import { ConfigTree } from '../../proto/config-tree.ts';
import type { CompileContext, ConfigMessage, Report } from '../../proto/config-message.ts';
import { messageType } from '../../proto/registry.ts';
import { sourceOf, type ConfigSource } from '../../proto/config-source.ts';
import { SourceText, SyntaxFault } from '../../proto/source-text.ts';
import { DEFAULT_STATS } from '../stats/stat-view.ts';
import { mergeData } from './merge.ts';
import { compileProcess, type ProcessPlan } from './process-config.ts';
import { keyOf, NO_FACTS, ResourceCompiler, type CompileFlags, type CompileWorld, type Compilers, type Resource } from './resource-compiler.ts';
import type { CompileSecrets } from './secrets.ts';

export interface CompiledBootstrap<L, C> {
  readonly reports: readonly Report[];
  readonly errors: number;
  /** Errors outside of listeners and clusters. */
  readonly generalErrors: number;
  readonly listeners: readonly Resource<L>[];
  readonly clusters: readonly Resource<C>[];
  readonly routes: readonly Resource<unknown>[];
  readonly process: ProcessPlan;
  readonly secrets: CompileSecrets | null;
  /** Unknown fields that were let pass. */
  readonly unknownFields: number;
  /** The whole as proto JSON, made when asked; keeps the parsed tree alive, so ask and let go. */
  json(): unknown;
}

/** `bytes`: the file's; null: there is no file. `overlay`: --config-yaml. */
export interface BootstrapSource extends CompileWorld { readonly file: string | null; readonly bytes: Uint8Array | null; readonly overlay: string; /** Clusters that are there beside those of the bootstrap. */ readonly clusters?: ReadonlySet<string> }

const BOOTSTRAP = 'envoy.config.bootstrap.v3.Bootstrap';

class Compile<L, C, R, E> {
  private readonly tree: ConfigTree;
  private readonly root: ConfigNode;
  private readonly statics: Record<string, unknown>;
  private readonly staticsKey: string;
  private readonly resourceCompiler: ResourceCompiler<L, C, R, E>;
  private readonly flags: CompileFlags;

  constructor(tree: ConfigTree, data: unknown, compilers: Compilers<L, C, R, E>, source: BootstrapSource) {
    this.tree = tree; this.flags = source.flags;
    this.resourceCompiler = new ResourceCompiler(tree, compilers, source);
    for (const name of source.clusters ?? []) this.resourceCompiler.clusterNames.add(name);
    // Listeners and clusters are taken out and looked at one by one.
    const all = data !== null && typeof data === 'object' && !Array.isArray(data) ? (data as Record<string, unknown>) : {};
    this.staticsKey = keyOf(all, 'static_resources', 'staticResources');
    const given = all[this.staticsKey], open = given !== null && typeof given === 'object' && !Array.isArray(given);
    this.statics = open ? (given as Record<string, unknown>) : {};
    const rest = { ...this.statics };
    for (const what of ['listeners', 'clusters']) { const key = keyOf(rest, what, what); if (key === what) delete rest[key]; else if (key in rest) rest[key] = []; }
    this.root = ConfigNode.root(tree, messageType(BOOTSTRAP)!, open ? { ...all, [this.staticsKey]: rest } : data, [], '');
  }

  /** Compiles resources one at a time: the checked tree of each is let go before the next, so 10,000 of them cost their plans only. */
  private resources<P>(what: 'cluster' | 'listener', compile: (m: ConfigMessage, ctx: CompileContext) => P): Resource<P>[] {
    const out: Resource<P>[] = [], seen = new Set<string>();
    this.each(what, (m, i, data) => {
      const mark = this.marks.get(m)!;
      const given = m.str('name');
      if (given === '' && what === 'cluster') this.guesses.push(m.msg('load_assignment')?.str('cluster_name') ?? '');
      const name = given === '' ? `${what}_${i}` : given;
      if (seen.has(name)) m.error('name', what === 'cluster' ? `cluster manager: duplicate cluster '${name}'` : `duplicate listener '${name}'`);
      seen.add(name);
      out.push(this.resourceCompiler.resource(m, mark, name, compile, false, what === 'cluster' ? data : undefined));
    });
    return out;
  }

  /** What clusters without a usable name are probably called, so that references to them are no second fault; '' where there is no telling. */
  private readonly guesses: string[] = [];
  private readonly marks = new WeakMap<ConfigMessage, number>();
  private each(what: 'cluster' | 'listener', visit: (m: ConfigMessage, i: number, data: unknown) => void): void {
    const field = keyOf(this.statics, `${what}s`, `${what}s`), list = this.statics[field];
    const desc = messageType(what === 'cluster' ? 'envoy.config.cluster.v3.Cluster' : 'envoy.config.listener.v3.Listener')!;
    (Array.isArray(list) ? (list as unknown[]) : list === undefined || list === null ? [] : [list]).forEach((data, i) => {
      const mark = this.tree.count;
      const m = ConfigNode.root(this.tree, desc, data, [this.staticsKey, field, ...(Array.isArray(list) ? [i] : [])], `static_resources.${what}s[${i}]`);
      this.marks.set(m, mark);
      visit(m, i, data);
    });
  }

  run(): CompiledBootstrap<L, C> {
    const { root, tree, resourceCompiler } = this, { compilers, secrets } = resourceCompiler;
    const process = withFlagTags(compileProcess(root, resourceCompiler.context('bootstrap'), (m) => compilers.address(m)), this.flags);
    resourceCompiler.facts = process.facts;
    const statics = root.msg('static_resources');
    for (const f of ['listeners', 'clusters']) statics?.list(f); // a slip in the name left an empty list here
    for (const s of statics?.list('secrets') ?? []) secrets.addStatic(s, resourceCompiler.context('secrets'));
    root.refuseUnread();
    const generalErrors = tree.errors;
    const clusters = this.resources('cluster', compilers.cluster);
    for (const c of clusters) resourceCompiler.clusterNames.add(c.name);
    if (process.localCluster !== '' && !resourceCompiler.clusterNames.has(process.localCluster)) root.msg('cluster_manager')!.error('local_cluster_name', `local cluster '${process.localCluster}' must be defined`);
    let listeners = this.resources('listener', compilers.listener);
    const dangling = this.guesses.includes('') ? new Set<string>() : resourceCompiler.dangling(resourceCompiler.clusterNames, this.guesses);
    listeners = listeners.map((l) => (dangling.has(l.name) ? { ...l, plan: null, packed: null } : l));
    return {
      reports: tree.reports(), errors: tree.errors, generalErrors, listeners, clusters, routes: resourceCompiler.routeTables.filter((t) => listeners.some((l) => l.plan !== null && t.name.startsWith(`${l.name}/`))), process, secrets, unknownFields: tree.unknownFields,
      json: () => this.json(),
    };
  }

  private json(): unknown {
    const all = (what: 'cluster' | 'listener'): unknown[] => { const out: unknown[] = []; this.each(what, (m) => out.push(m.toJson())); return out; };
    const root = this.root.toJson() as Record<string, unknown>, listeners = all('listener'), clusters = all('cluster');
    return { ...root, static_resources: { ...(root['static_resources'] as object | undefined), ...(listeners.length > 0 ? { listeners } : {}), ...(clusters.length > 0 ? { clusters } : {}) } };
  }
}

/** Compiles a bootstrap. Never throws for what a user wrote. */
export function compileBootstrap<L, C, R, E>(source: BootstrapSource, compilers: Compilers<L, C, R, E>): CompiledBootstrap<L, C> {
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
      return { reports: [report], errors: 1, generalErrors: 1, listeners: [], clusters: [], routes: [], process: EMPTY_PROCESS, secrets: null, unknownFields: 0, json: () => ({}) };
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

const EMPTY_PROCESS: ProcessPlan = { nodeId: '', nodeCluster: '', nodeZone: '', node: null, admin: null, layers: [], maxDownstreamConnections: 0, overload: null, watchdogs: { main: DEFAULT_WATCHDOG, workers: DEFAULT_WATCHDOG }, statsFlushMs: 5000, statsFlushOnAdmin: false, stats: DEFAULT_STATS, statSinks: [], logFormat: '', localCluster: '', dynamic: { listeners: null, clusters: null }, outlierLog: '', nodeLocality: null, facts: NO_FACTS };
