// One living cluster of the control thread. Of ten thousand most never change: hosts of a static cluster that nobody checks or ejects lie packed, as workers get them,
// and are unpacked for who asks. Packed records are made once, however many workers there are.
import { formatAddress } from '../../net/address.ts';
import { packCluster, packHosts, unpackHosts } from '../../plan/cluster-wire.ts';
import type { ClusterPlan, HostPlan } from '../../plan/cluster-plan.ts';
import type { PlanRecord } from '../../plan/records.ts';
import type { AssignmentPlan, CompiledCluster, EndpointPlan } from '../../upstream/config.ts';
import type { ControlDnsCache } from '../dns/dns-cache.ts';
import type { OobReports } from '../orca/oob-reports.ts';
import type { ClusterNames } from './cluster-names.ts';

export interface LiveHost extends HostPlan { readonly check: EndpointPlan['check'] }
const NO_CHECK: LiveHost['check'] = { port: 0, hostname: '', address: null, disabled: false };
const NO_HOSTS: ReadonlyMap<string, LiveHost> = new Map();

export class LiveCluster {
  readonly circuits: readonly [number, number];
  names: ClusterNames | null = null;
  /** An assignment is to come by EDS. */
  waiting = false;
  /** The last assignment by EDS. */
  assignment: AssignmentPlan | null = null;
  whenReady: (() => void)[] = [];
  gone = false;
  version = '';
  dnsCache: ControlDnsCache | null = null;
  /** Ends the making of weights from the load that hosts report. */
  stopWeights: () => void = () => {};
  /** Load that hosts report apart from their answers. */
  oob: OobReports | null = null;
  /** Its hosts have stats of their own (per_endpoint_stats). */
  hadEndpointStats = false;
  /** Subsets of all threads. */
  subsets = 0;
  private record = -1;
  private current: CompiledCluster;
  /** null: they lie packed. */
  private awake: ReadonlyMap<string, LiveHost> | null = NO_HOSTS;
  private packedHosts: Uint8Array | null = null;
  private packedPlan: Uint8Array | null = null;

  constructor(compiled: CompiledCluster, circuits: readonly [number, number]) { this.current = compiled; this.circuits = circuits; }

  get compiled(): CompiledCluster { return this.current; }
  set compiled(c: CompiledCluster) { this.current = c; this.packedPlan = null; }
  /** Record of hosts that come with requests, -1: none. */
  get hostRecord(): number { return this.record; }
  set hostRecord(record: number) { this.record = record; this.packedPlan = null; }
  get plan(): ClusterPlan { return { ...this.current.cluster, circuits: this.circuits, hostRecord: this.record }; }

  /** By address; a LOGICAL_DNS cluster's one host by all of its addresses. */
  get hosts(): ReadonlyMap<string, LiveHost> { return this.awake ?? new Map(unpackHosts(this.packedHosts!).map((h) => [formatAddress(h.address), { ...h, check: NO_CHECK }])); }
  set hosts(hosts: ReadonlyMap<string, LiveHost>) { this.awake = hosts; this.packedHosts = null; }
  /** Unpacks hosts to stay so, for who is going to change them. */
  wake(): void { this.awake ??= this.hosts; }

  planRecord(): PlanRecord { return { kind: 'cluster', name: this.current.cluster.name, version: this.version, body: this.packedPlan ??= kept(packCluster(this.plan)) }; }
  hostsRecord(): PlanRecord { return { kind: 'hosts', name: this.current.cluster.name, body: this.packedHosts ??= kept(packHosts(this.hosts.values())) }; }

  /** Nothing will change until the cluster is applied anew: what was needed to get here is let go. */
  rest(): void {
    const { discovery, healthCheck, outlier, cluster } = this.current;
    if (discovery !== 'static' || healthCheck !== null || outlier !== null || cluster.balancer.orca !== null) return;
    this.hostsRecord();
    this.awake = null;
    this.current = { ...this.current, endpoints: [] };
  }
}

/** A copy in memory that many share: a buffer of its own costs more than what is in it. */
function kept(bytes: Uint8Array): Uint8Array { return Buffer.from(bytes); }
