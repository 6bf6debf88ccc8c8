// What is served: listeners, route tables and clusters by name, whoever brought them (the bootstrap, LDS, CDS, RDS). The one update path: a changed set comes in,
// what differs goes out to the workers as records. A listener that asks for route tables by discovery warms until they are there; the version before it serves meanwhile.
import type { ListenerPlan } from '../plan/listener-plan.ts';
import type { PlanRecord } from '../plan/records.ts';
import type { CompiledCluster } from '../upstream/config.ts';
import type { ControlClusters } from './clusters/control-clusters.ts';
import type { Resource } from './compile/resource-compiler.ts';
import type { RouteSubscription } from './xds/route-subscription.ts';

export type Owner = 'static' | 'dynamic';
/** What a dump shows of a resource: the version and time of its update, its proto JSON (packed). */
export interface Provenance { readonly versionInfo: string; readonly updatedMs: number; readonly json: Uint8Array | null }
export interface Served { readonly version: string; readonly packed: Uint8Array }
/** Whether every worker has bound every listener. One that could not be bound ends a process that has not begun to serve: until then it is not ready either. */
export function allBound(listeners: Iterable<Pick<ServedListener, 'bound'>>, workers: number): boolean {
  for (const { bound } of listeners) {
    if (bound.size < workers) return false;
    for (const b of bound.values()) if (b.error !== '') return false;
  }
  return true;
}

export interface ServedListener extends Served { readonly plan: ListenerPlan; readonly owner: Owner; readonly from: Provenance | null; readonly needs: readonly RouteSubscription[]; readonly bound: Map<number, { readonly addresses: readonly string[]; readonly error: string }> }
export interface ServedCluster { readonly version: string; readonly owner: Owner; readonly from: Provenance | null }

export interface ServedEnv {
  broadcast(records: readonly PlanRecord[]): void;
  readonly clusters: ControlClusters;
  count(name: string): void;
  gauge(name: string, value: number): void;
  /** So many listeners were removed and drain from now on. */
  listenersDrain(count: number): void;
  /** Whether workers have been given their listeners yet. */
  out(): boolean;
  /** Whether a route table may be waited for no longer. */
  routesSettled(key: string): boolean;
  /** A resource was changed: when, for dumps. */
  stamp(kind: 'listener' | 'cluster', name: string): void;
  unstamp(kind: 'listener' | 'cluster', name: string): void;
  /** Stats of a cluster are made before it comes and let go after it went. */
  declareCluster(plan: CompiledCluster): void;
  clusterUp(name: string, plan: CompiledCluster): void;
  retireCluster(name: string): void;
  /** A route table is another one; null: it is gone. */
  routesIn(key: string, packed: Uint8Array | null): void;
  /** The set of listeners, or of clusters, is another one. */
  onListeners(): void;
  onClusters(): void;
}

export class ServedResources {
  readonly listeners = new Map<string, ServedListener>();
  readonly warming = new Map<string, ServedListener>();
  readonly routes = new Map<string, Served>();
  readonly clusters = new Map<string, ServedCluster>();
  /** Listeners that /drain_listeners has stopped: a replaced worker does not open them again. */
  readonly stopped = new Set<string>();
  private readonly env: ServedEnv;
  private sequence = 0;
  constructor(env: ServedEnv) { this.env = env; }

  /** All clusters of an owner. Those named in `keep` (their update was refused) stay as they are. */
  setClusters(owner: Owner, list: readonly Resource<CompiledCluster>[], keep: ReadonlySet<string>, from: (name: string) => Provenance | null): void {
    const there = new Set(list.map((r) => r.name));
    for (const r of list) {
      const known = this.clusters.get(r.name);
      if (r.plan === null || known?.version === r.version || (known !== undefined && known.owner !== owner)) continue;
      this.env.count(`cluster_manager.cluster_${known === undefined ? 'added' : 'modified'}`);
      this.clusters.set(r.name, { version: r.version, owner, from: from(r.name) });
      this.env.declareCluster(r.plan);
      this.env.stamp('cluster', r.name);
      this.env.clusters.apply(r.name, r.plan, r.version);
      this.env.clusterUp(r.name, r.plan);
    }
    for (const [name, c] of [...this.clusters]) {
      if (c.owner !== owner || there.has(name) || keep.has(name)) continue;
      this.clusters.delete(name);
      if (this.env.clusters.remove(name)) this.env.retireCluster(name);
      this.env.unstamp('cluster', name);
      this.env.count('cluster_manager.cluster_removed');
    }
    this.env.onClusters();
  }

  /** All listeners of an owner with their inline route tables. */
  setListeners(owner: Owner, list: readonly Resource<ListenerPlan>[], routes: readonly Resource<unknown>[], keep: ReadonlySet<string>, from: (name: string) => Provenance | null): void {
    for (const r of routes) if (r.packed !== null) this.setRoutes(r.name, r.version, r.packed);
    const there = new Set(list.map((l) => l.name));
    for (const l of list) {
      const known = this.warming.get(l.name) ?? this.listeners.get(l.name);
      if (l.plan === null || l.packed === null || known?.version === l.version || (known !== undefined && known.owner !== owner)) continue;
      this.env.stamp('listener', l.name);
      this.env.count(`listener_manager.listener_${known === undefined ? 'added' : 'modified'}`);
      this.warming.set(l.name, { version: l.version, packed: l.packed, plan: l.plan, owner, from: from(l.name), needs: l.needs, bound: this.listeners.get(l.name)?.bound ?? new Map() });
    }
    const gone: PlanRecord[] = [];
    for (const [name, l] of [...this.listeners, ...this.warming]) {
      if (l.owner !== owner || there.has(name) || keep.has(name)) continue;
      if (this.listeners.delete(name)) { gone.push({ kind: 'listener-removed', name }); this.env.count('listener_manager.listener_removed'); }
      this.warming.delete(name);
      this.env.unstamp('listener', name);
    }
    this.send(gone);
    if (gone.length > 0) this.env.listenersDrain(gone.length);
    this.env.onListeners();
    this.warm();
  }

  /** Lets listeners go live whose route tables are there. */
  warm(): void {
    const ready = [...this.warming].filter(([, l]) => l.needs.every((n) => this.routes.has(n.key) || this.env.routesSettled(n.key)));
    for (const [name, l] of ready) { this.warming.delete(name); this.listeners.set(name, l); }
    this.env.gauge('listener_manager.total_listeners_warming', this.warming.size);
    this.env.gauge('listener_manager.total_listeners_active', this.listeners.size);
    if (ready.length > 0) { this.send(ready.map(([name, l]) => ({ kind: 'listener', name, version: l.version, body: l.packed }))); this.env.onListeners(); }
  }

  setRoutes(key: string, version: string, packed: Uint8Array): void {
    if (this.routes.get(key)?.version === version) return;
    this.routes.set(key, { version, packed });
    this.env.routesIn(key, packed);
    this.env.broadcast([{ kind: 'routes', name: key, version, body: packed }]);
  }
  removeRoutes(key: string): void { if (!this.routes.delete(key)) return; this.env.routesIn(key, null); this.env.broadcast([{ kind: 'routes-removed', name: key }]); }

  listenerNames(): string[] { return [...this.listeners.keys(), ...this.warming.keys()]; }

  /** Route tables that nothing asks for any more. */
  forgetRoutes(): void {
    const used = new Set<string>();
    for (const l of [...this.listeners.values(), ...this.warming.values()]) for (const n of l.needs) used.add(n.key);
    for (const key of this.routes.keys()) if (!used.has(key) && (key.startsWith('rds/') || !(this.listeners.has(listenerOf(key)) || this.warming.has(listenerOf(key))))) this.removeRoutes(key);
  }

  /** What a worker that starts is told first, and when listeners are out. */
  routeRecords(): PlanRecord[] { return [...this.routes].map(([name, r]) => ({ kind: 'routes', name, version: r.version, body: r.packed })); }
  listenerRecords(): PlanRecord[] { return [...[...this.listeners].filter(([name]) => !this.stopped.has(name)).map(([name, l]): PlanRecord => ({ kind: 'listener', name, version: l.version, body: l.packed })), { kind: 'commit', seq: ++this.sequence }]; }

  private send(records: readonly PlanRecord[]): void { if (records.length > 0 && this.env.out()) this.env.broadcast([...records, { kind: 'commit', seq: ++this.sequence }]); }
}

/** Inline tables are called LISTENER/NUMBER/NAME. */
function listenerOf(key: string): string { return /^(.*?)\/\d+\//.exec(key)?.[1] ?? key; }
