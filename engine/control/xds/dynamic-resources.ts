// Resources by discovery from files: LDS and CDS of the bootstrap, RDS of connection managers, EDS of clusters. Each file is judged resource by resource: the good ones go
// live, a bad one keeps its previous version and is named with its place. What comes out goes through the one update path (served-resources.ts, control-clusters.ts).
import { pack, unpack } from '../../plan/plan-wire.ts';
import type { ListenerPlan } from '../../plan/listener-plan.ts';
import type { ConfigTree } from '../../proto/config-tree.ts';
import { formatReport } from '../../proto/config-tree.ts';
import type { DiscoverySource, ConfigMessage, SecretSource } from '../../proto/config-message.ts';
import type { AssignmentPlan, CompiledCluster } from '../../upstream/config.ts';
import type { Resource, ResourceCompiler } from '../compile/resource-compiler.ts';
import type { CompileSecrets } from '../compile/secrets.ts';
import type { DynamicDump, DynamicResource } from '../dump/sections.ts';
import type { Provenance, ServedResources } from '../served-resources.ts';
import { FileSubscription, type Applied, type SubscriptionEnv } from './file-subscription.ts';
import { ResourceFile } from './resource-file.ts';
import type { RouteSubscription } from './route-subscription.ts';

export type DynamicCompiler = ResourceCompiler<ListenerPlan, CompiledCluster, unknown, AssignmentPlan>;
export interface DynamicEnv extends SubscriptionEnv {
  /** `secrets`: the bootstrap's. */
  compiler(tree: ConfigTree, secrets: CompileSecrets | null): DynamicCompiler;
  setSecrets(sources: Iterable<SecretSource>): void;
  readonly unknownFields: 'warn' | 'reject' | 'ignore';
  readonly served: ServedResources;
  setAssignment(cluster: string, assignment: AssignmentPlan | null): void;
}
export interface DynamicSources { readonly listeners: DiscoverySource | null; readonly clusters: DiscoverySource | null }
interface Refused { readonly faults: readonly string[]; readonly json: Uint8Array; readonly versionInfo: string; readonly updatedMs: number }
interface Table { readonly subscription: FileSubscription; readonly keys: Set<string>; current: { readonly version: string; readonly packed: Uint8Array; readonly from: Provenance } | null }

/** Secrets in use by who brought what names them. An update that was refused in part keeps those of the one before. */
class OwnedSecrets {
  /** The bootstrap's, for what refers to them by name. */
  statics: CompileSecrets | null = null;
  private readonly owned = new Map<string, ReadonlyMap<string, SecretSource>>();
  private readonly apply: (sources: Iterable<SecretSource>) => void;
  constructor(apply: (sources: Iterable<SecretSource>) => void) { this.apply = apply; }
  set(owner: 'static' | 'lds' | 'cds', secrets: CompileSecrets | null, keep = false): void {
    if (owner === 'static') this.statics = secrets;
    this.owned.set(owner, new Map([...(keep ? this.owned.get(owner) ?? [] : []), ...(secrets?.sources ?? [])]));
    this.apply(new Map([...this.owned.values()].flatMap((m) => [...m])).values());
  }
}

const TYPES = { listener: 'envoy.config.listener.v3.Listener', cluster: 'envoy.config.cluster.v3.Cluster', routes: 'envoy.config.route.v3.RouteConfiguration', assignment: 'envoy.config.endpoint.v3.ClusterLoadAssignment' };

export class DynamicResources {
  private readonly env: DynamicEnv;
  private readonly top = new Map<keyof DynamicSources, { readonly key: string; readonly subscription: FileSubscription }>();
  private readonly tables = new Map<string, Table>();
  private readonly accepted = new Set<keyof DynamicSources>();
  /** All clusters of CDS and all listeners of LDS have come, where there are such. */
  get known(): boolean { return [...this.top.keys()].every((kind) => this.accepted.has(kind)); }
  private readonly assignments = new Map<string, { readonly key: string; readonly subscription: FileSubscription }>();
  private unknownCount = 0;
  /** Version of the last good update of each kind, for dumps. */
  readonly versions = { listeners: '', clusters: '' };
  /** The last refused update of a listener. */
  readonly refused = new Map<string, Refused>();
  readonly secrets: OwnedSecrets;
  constructor(env: DynamicEnv) { this.env = env; this.secrets = new OwnedSecrets((sources) => env.setSecrets(sources)); }

  /** Starts, changes or ends LDS or CDS. */
  use(kind: keyof DynamicSources, source: DiscoverySource | null): void {
    const key = JSON.stringify(source), known = this.top.get(kind);
    if (known?.key === key || (known === undefined && source === null)) return;
    known?.subscription.close();
    this.top.delete(kind);
    if (source === null) { if (kind === 'listeners') this.env.served.setListeners('dynamic', [], [], new Set(), () => null); else this.env.served.setClusters('dynamic', [], new Set(), () => null); return; }
    if (kind === 'clusters') { this.env.stat('cluster_manager.cds.config_reload', 'counter', { add: 0 }); this.env.stat('cluster_manager.cds.config_reload_time_ms', 'gauge', { add: 0 }); }
    const subscription = new FileSubscription(this.env, source, kind === 'listeners' ? 'listener_manager.lds' : 'cluster_manager.cds', (path, bytes) => (kind === 'listeners' ? this.applyListeners(path, bytes) : this.applyClusters(path, bytes)), () => {});
    this.top.set(kind, { key, subscription });
    subscription.update();
  }

  // ---- LDS and CDS ---------------------------------------------------------------------------------------------------------

  private applyListeners(path: string, bytes: Uint8Array): Applied {
    const list: Resource<ListenerPlan>[] = [], { file, compiler, from, bad, faults } = this.begin('lds', path, bytes, TYPES.listener);
    for (const name of this.env.served.clusters.keys()) compiler.clusterNames.add(name);
    const json = new Map<string, Uint8Array>(), seen = new Set<string>();
    file.each(({ message, mark }, i) => {
      const name = nameOf(message, seen, `listener_${i}`), r = compiler.resource(message, mark, name, compiler.compilers.listener);
      json.set(name, pack(message.toJson()));
      list.push(r);
    });
    for (const name of compiler.dangling(compiler.clusterNames)) { const i = list.findIndex((r) => r.name === name); if (i >= 0) list[i] = { ...list[i]!, plan: null, packed: null }; }
    for (const r of list) if (r.plan === null) bad.add(r.name);
    const refusals = faults('listener', bad), now = this.env.wallMs();
    for (const r of list) if (r.plan === null) this.refused.set(r.name, { faults: refusals, json: json.get(r.name)!, versionInfo: file.version, updatedMs: now }); else this.refused.delete(r.name);
    this.secrets.set('lds', compiler.secrets, bad.size > 0);
    if (refusals.length === 0) this.accepted.add('listeners');
    this.env.served.setListeners('dynamic', list, compiler.routeTables.filter((t) => list.some((l) => l.plan !== null && t.name.startsWith(`${l.name}/`))), bad, (name) => from(json.get(name) ?? null));
    if (refusals.length === 0) this.versions.listeners = file.version;
    return { version: file.version, faults: refusals };
  }

  private applyClusters(path: string, bytes: Uint8Array): Applied {
    const list: Resource<CompiledCluster>[] = [], { file, compiler, from, bad, faults } = this.begin('cds', path, bytes, TYPES.cluster);
    const json = new Map<string, Uint8Array>(), seen = new Set<string>();
    file.each(({ message, mark }, i) => {
      const name = nameOf(message, seen, `cluster_${i}`), r = compiler.resource(message, mark, name, compiler.compilers.cluster);
      if (r.plan === null) bad.add(name); else if (this.env.served.clusters.get(name)?.version !== r.version) json.set(name, pack(message.toJson()));
      list.push(r);
    });
    const refusals = faults('cluster', bad);
    this.secrets.set('cds', compiler.secrets, bad.size > 0);
    if (refusals.length === 0) this.accepted.add('clusters');
    this.env.served.setClusters('dynamic', list, bad, (name) => from(json.get(name) ?? null));
    if (json.size > 0) this.reloaded('cluster_manager.cds');
    if (refusals.length === 0) this.versions.clusters = file.version;
    return { version: file.version, faults: refusals };
  }

  private begin(api: string, path: string, bytes: Uint8Array, type: string): { file: ResourceFile; compiler: DynamicCompiler; bad: Set<string>; from: (json: Uint8Array | null) => Provenance; faults: (what: string, bad: ReadonlySet<string>) => string[] } {
    const file = new ResourceFile(path, bytes, type, this.env.unknownFields), updatedMs = this.env.wallMs();
    const faults = (what: string, bad: ReadonlySet<string>): string[] => {
      const reports = file.tree.reports();
      for (const r of reports) if (r.severity === 'warning') this.env.log('warning', `${api}: ${formatReport(r)}`);
      this.unknownCount += file.tree.unknownFields;
      if (file.tree.unknownFields > 0) this.env.stat('server.dynamic_unknown_fields', 'counter', { set: this.unknownCount });
      const of = bad.size === 1 ? `${what} '${[...bad][0]!}' config rejected: ` : '';
      return reports.filter((r) => r.severity === 'error').map((r) => `${api}: ${of}${formatReport(r)}`);
    };
    return { file, compiler: this.env.compiler(file.tree, this.secrets.statics), bad: new Set(), from: (json) => ({ versionInfo: file.version, updatedMs, json }), faults };
  }

  private reloaded(prefix: string): void {
    this.env.stat(`${prefix}.config_reload`, 'counter', { add: 1 });
    this.env.stat(`${prefix}.config_reload_time_ms`, 'gauge', { set: this.env.wallMs() });
  }

  // ---- RDS -----------------------------------------------------------------------------------------------------------------

  /** Subscribes to the route tables that listeners ask for, and to no others. */
  syncRoutes(needed: readonly RouteSubscription[]): void {
    const wanted = new Map<string, RouteSubscription[]>();
    for (const n of needed) { const key = `${n.name}\n${JSON.stringify(n.source)}`; wanted.set(key, [...(wanted.get(key) ?? []), n]); }
    for (const [key, t] of this.tables) if (!wanted.has(key)) { t.subscription.close(); this.tables.delete(key); }
    for (const [key, list] of wanted) {
      const known = this.tables.get(key), { name, source, statPrefix } = list[0]!;
      if (known !== undefined) { for (const n of list) if (!known.keys.has(n.key)) { known.keys.add(n.key); if (known.current !== null) this.env.served.setRoutes(n.key, known.current.version, known.current.packed); } continue; }
      const prefix = `http.${statPrefix}.rds.${name}`;
      const subscription = new FileSubscription(this.env, source, prefix, (path, bytes) => this.applyRoutes(table, name, path, bytes, prefix), () => this.env.served.warm());
      const table: Table = { subscription, keys: new Set(list.map((n) => n.key)), current: null };
      this.tables.set(key, table);
      this.env.stat(`${prefix}.update_empty`, 'counter', { add: 0 });
      this.env.stat(`${prefix}.config_reload`, 'counter', { add: 0 });
      subscription.update();
    }
  }
  /** Whether a table by this key is there or is waited for no longer. */
  routesSettled(key: string): boolean { return [...this.tables.values()].every((t) => !t.keys.has(key) || t.subscription.settled); }

  private applyRoutes(table: Table, name: string, path: string, bytes: Uint8Array, prefix: string): Applied {
    const { file, compiler, from, faults } = this.begin('rds', path, bytes, TYPES.routes), others: string[] = [];
    for (const c of this.env.served.clusters.keys()) compiler.clusterNames.add(c);
    let found: Resource<unknown> | null = null, json: Uint8Array | null = null;
    file.each(({ message, mark }) => {
      if (message.str('name') !== name) { others.push(message.str('name')); message.readAll(); return; }
      found = compiler.resource(message, mark, name, compiler.compilers.routes, true);
      if (compiler.dangling(compiler.clusterNames).size > 0) found = { ...found, plan: null, packed: null };
      json = pack(message.toJson());
    });
    const route = found as Resource<unknown> | null, bad = route !== null && route.packed === null ? new Set([name]) : new Set<string>(), all = faults('route config', bad);
    if (route === null && file.count > 0 && all.length === 0) all.push(`rds: route config '${name}' rejected: Unexpected RDS configuration (expecting ${name}): ${others.join(', ')}`);
    if (route?.packed && all.length === 0) {
      table.current = { version: route.version, packed: route.packed, from: from(json) };
      for (const key of table.keys) this.env.served.setRoutes(key, route.version, route.packed);
      this.reloaded(prefix);
    }
    return { version: file.version, faults: all, empty: file.count === 0 };
  }

  // ---- EDS -----------------------------------------------------------------------------------------------------------------

  /** Subscribes to the endpoints of clusters of type EDS, and of no others. */
  syncEndpoints(clusters: readonly CompiledCluster[]): void {
    const there = new Set<string>();
    for (const c of clusters) {
      if (c.eds === null) continue;
      const { name, statName } = c.cluster, { eds } = c, key = JSON.stringify(eds), known = this.assignments.get(name);
      there.add(name);
      if (known?.key === key) continue;
      known?.subscription.close();
      const prefix = `cluster.${statName}`;
      for (const n of ['update_empty', 'update_no_rebuild']) this.env.stat(`${prefix}.${n}`, 'counter', { add: 0 });
      const subscription = new FileSubscription(this.env, eds.source, prefix, (path, bytes) => this.applyEndpoints(name, eds.serviceName, path, bytes), () => this.env.setAssignment(name, null));
      this.assignments.set(name, { key, subscription });
      subscription.update();
    }
    for (const [name, a] of this.assignments) if (!there.has(name)) { a.subscription.close(); this.assignments.delete(name); }
  }

  private applyEndpoints(cluster: string, serviceName: string, path: string, bytes: Uint8Array): Applied {
    const { file, compiler, faults } = this.begin('eds', path, bytes, TYPES.assignment), others: string[] = [];
    let found: Resource<AssignmentPlan> | null = null;
    file.each(({ message, mark }) => {
      const name = message.str('cluster_name');
      if (name !== serviceName) { others.push(name); message.readAll(); return; }
      found = compiler.resource(message, mark, name, (m: ConfigMessage) => compiler.compilers.assignment(m));
    });
    const assignment = found as Resource<AssignmentPlan> | null, all = faults('cluster', assignment !== null && assignment.plan === null ? new Set([cluster]) : new Set());
    if (assignment === null && file.count > 0 && all.length === 0) all.push(`eds: Unexpected EDS cluster (expecting ${serviceName}): ${others.join(', ')}`);
    if (assignment?.plan && all.length === 0) this.env.setAssignment(cluster, assignment.plan);
    return { version: file.version, faults: all, empty: file.count === 0 };
  }

  // ---- seen from outside ---------------------------------------------------------------------------------------------------

  /** What is there by discovery, for /config_dump. */
  dump(): DynamicDump {
    const { served } = this.env, of = (name: string, from: Provenance | null): DynamicResource[] => (from?.json ? [{ name, versionInfo: from.versionInfo, updated: new Date(from.updatedMs).toISOString(), json: unpack(from.json) }] : []);
    const names = [...new Set([...served.listeners.keys(), ...served.warming.keys(), ...this.refused.keys()])];
    return {
      versions: this.versions, clusters: [...served.clusters].flatMap(([name, c]) => of(name, c.from)), routes: [...this.tables.values()].flatMap((t) => of('', t.current?.from ?? null)),
      listeners: names.map((name) => {
        const r = this.refused.get(name);
        return { name, active: of(name, served.listeners.get(name)?.from ?? null)[0] ?? null, warming: of(name, served.warming.get(name)?.from ?? null)[0] ?? null, refused: r === undefined ? null : { ...of(name, r)[0]!, details: r.faults.join('\n') } };
      }).filter((l) => l.active !== null || l.warming !== null || l.refused !== null),
    };
  }

  close(): void { for (const s of [...this.top.values(), ...this.tables.values(), ...this.assignments.values()]) s.subscription.close(); }
}

/** A resource's name; one that is there already is a fault. */
function nameOf(m: ConfigMessage, before: Set<string>, absent: string): string {
  const name = m.str('name') || absent;
  if (before.has(name)) m.error('name', `duplicate resource '${name}'`);
  before.add(name);
  return name;
}
