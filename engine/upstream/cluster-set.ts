// All clusters of a worker by name. What is installed stays packed until a request names it.
import { unpackCluster, unpackHosts } from '../plan/cluster-wire.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import { ClusterEntry, type HostReports, type SharedTables, type Surroundings } from './cluster.ts';
import type { DnsCaches } from './dns-caches.ts';
import type { HostSet } from './host-sets.ts';
import type { Cluster, ClusterDirectory, Locality } from './upstream.ts';

interface Known { plan: Uint8Array; hosts: Uint8Array | null; built: ClusterEntry | null; /** Of which control thread. */ readonly life: number }

export class ClusterSet implements ClusterDirectory, Surroundings {
  private readonly env: WorkerEnv;
  private readonly shared: SharedTables;
  /** cluster_manager.local_cluster_name, '' for none. */
  private localName = '';
  own: Locality | null = null;
  private readonly known = new Map<string, Known>();
  private readonly reports: HostReports;
  readonly dns: DnsCaches;
  constructor(env: WorkerEnv, shared: SharedTables, reports: HostReports, dns: DnsCaches) { this.env = env; this.shared = shared; this.reports = reports; this.dns = dns; }

  /** Control threads that there were. */
  private life = 0;

  /** Where this proxy runs and which cluster it belongs to: what each control thread says first. */
  settle(own: Locality | null, localCluster: string): void {
    this.life++;
    this.own = own;
    this.localName = localCluster;
    this.countMembers();
    this.forgetAll();
  }

  localMembers = 0;
  private countMembers(): void { const hosts = this.known.get(this.localName)?.hosts ?? null; this.localMembers = hosts === null ? 0 : unpackHosts(hosts).length; }
  generation = 0;
  member(name: string): ClusterEntry | null { return this.built(name); }
  get zoned(): boolean { return this.localName !== ''; }
  localHosts(): HostSet | null { return this.localName === '' ? null : (this.built(this.localName)?.firstHostSet() ?? null); }
  private forgetAll(): void { for (const k of this.known.values()) k.built?.forget(); }

  /** A new or changed cluster. A changed one starts afresh; requests under way keep the old one. */
  install(name: string, plan: Uint8Array): void {
    this.generation++;
    const old = this.known.get(name);
    if (old?.built) { old.built.removed = true; old.built.drain(); }
    this.known.set(name, { plan, hosts: old?.hosts ?? null, built: null, life: this.life });
  }
  installHosts(name: string, hosts: Uint8Array): void {
    const known = this.known.get(name);
    if (known === undefined) return;
    known.hosts = hosts;
    this.generation++;
    known.built?.setHosts(unpackHosts(hosts));
    if (name === this.localName) { this.countMembers(); this.forgetAll(); }
  }
  lookAtHealth(name: string): void { this.known.get(name)?.built?.lookAtHealth(); }
  remove(name: string): void {
    const known = this.known.get(name);
    if (known?.built) { known.built.removed = true; known.built.drain(); }
    this.known.delete(name);
    this.generation++;
  }

  /** Removes clusters that the control thread of today has not sent. */
  forgetFormer(): void { for (const [name, k] of this.known) if (k.life !== this.life) this.remove(name); }

  get(name: string): Cluster | null { return this.built(name); }
  private built(name: string): ClusterEntry | null {
    const known = this.known.get(name);
    if (known === undefined) return null;
    return known.built ??= new ClusterEntry(unpackCluster(known.plan), known.hosts === null ? [] : unpackHosts(known.hosts), this.env, this.shared, this.reports, this);
  }
  has(name: string): boolean { return this.known.has(name); }
}
