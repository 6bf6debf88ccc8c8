// Health of all clusters that are checked or watched for outliers: keeps a checker and a detector for each, and passes to them what workers report.
// One for the process, in the control thread; what it decides stands in the shared host table.
import type { ClientCodec, ClientHost, CodecOutput } from '../../codec/codec.ts';
import type { Clock } from '../../loop/clock.ts';
import type { Random } from '../../loop/random.ts';
import type { WorkerEnv } from '../../net/worker-env.ts';
import type { OperatorEnv } from '../../observe/format/operators.ts';
import type { ClusterPlan } from '../../plan/cluster-plan.ts';
import type { HealthCheckPlan, OutlierPlan } from '../../plan/health-plan.ts';
import { HostSockets } from '../../upstream/host-sockets.ts';
import type { HostTable } from '../../shm/host-table.ts';
import { OutlierDetector } from '../outlier/detector.ts';
import { OutlierEvents } from '../outlier/outlier-events.ts';
import { HealthChecker, type CheckedHost } from './health-checker.ts';
import { HealthEvents } from './health-events.ts';
import { GrpcProbe } from './grpc-probe.ts';
import { HttpProbe } from './http-probe.ts';
import { makeProbeCodec } from './probe-codecs.ts';
import { HostConnector, type Probe, type ProbeTarget } from './probe.ts';
import { TcpProbe } from './tcp-probe.ts';

export interface HealthEnv {
  after(ms: number, task: () => void): () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly hosts: HostTable;
  /** Its doors to sockets. */
  readonly sockets: WorkerEnv;
  readonly operators: OperatorEnv;
  stat(name: string, kind: 'counter' | 'gauge', change: { readonly set?: number; readonly add?: number }): void;
  /** Requests or connections that workers have made to a cluster so far. */
  hasTraffic(statName: string): boolean;
  /** cluster_manager.outlier_detection.event_log_path, '' none. */
  outlierLog(): string;
}

/** What is known of a cluster when it is installed. */
export interface HealthSettings { readonly cluster: Omit<ClusterPlan, 'circuits' | 'hostRecord'>; readonly healthCheck: HealthCheckPlan | null; readonly outlier: OutlierPlan | null }

interface Entry { readonly checker: HealthChecker | null; readonly detector: OutlierDetector | null; readonly key: string }

export class ClusterHealth {
  private readonly env: HealthEnv;
  private readonly entries = new Map<string, Entry>();
  /** The cluster of a host record. */
  private readonly clusterOf = new Map<number, string>();
  /** Flags of a cluster's hosts have moved. Set by the owner of the clusters. */
  onChanged: (cluster: string) => void = () => {};

  constructor(env: HealthEnv) { this.env = env; }

  /** A cluster is new or changed. Checks that stay as they are go on. */
  apply(name: string, settings: HealthSettings): void {
    const { healthCheck, outlier } = settings, key = JSON.stringify([healthCheck, outlier]), known = this.entries.get(name);
    if (known?.key === key) return;
    if (known !== undefined) this.close(name, known);
    if (healthCheck === null && outlier === null) return;
    this.entries.set(name, { key, checker: healthCheck === null ? null : this.checker(name, settings, healthCheck), detector: outlier === null ? null : this.detector(name, settings, outlier) });
  }

  setHosts(name: string, hosts: readonly CheckedHost[]): void {
    const e = this.entries.get(name);
    if (e === undefined) return;
    for (const [index, cluster] of this.clusterOf) if (cluster === name) this.clusterOf.delete(index);
    for (const h of hosts) this.clusterOf.set(h.index, name);
    e.checker?.setHosts(hosts);
    e.detector?.setHosts(hosts);
  }

  /** Every host of the cluster has been checked once. */
  settled(name: string): boolean { return this.entries.get(name)?.checker?.settled ?? true; }
  detectorOf(name: string): OutlierDetector | null { return this.entries.get(name)?.detector ?? null; }

  remove(name: string): void { const e = this.entries.get(name); if (e !== undefined) this.close(name, e); }
  private close(name: string, e: Entry): void {
    this.entries.delete(name);
    for (const [index, cluster] of this.clusterOf) if (cluster === name) this.clusterOf.delete(index);
    e.checker?.close();
    e.detector?.close();
  }

  /** A worker saw a row of failures reach its threshold. */
  vote(host: number, kind: number): void { this.entries.get(this.clusterOf.get(host) ?? '')?.detector?.vote(host, kind); }
  /** A host asked to be taken out. */
  failNow(host: number): void { this.entries.get(this.clusterOf.get(host) ?? '')?.checker?.failNow(host); }

  private checker(name: string, s: HealthSettings, plan: HealthCheckPlan): HealthChecker {
    const { env } = this, { statName } = s.cluster, sockets = new HostSockets(s.cluster, env.sockets);
    const http2 = plan.check.kind === 'grpc' || (plan.check.kind === 'http' && plan.check.http2);
    const makeCodec = (host: ClientHost, output: CodecOutput): ClientCodec => makeProbeCodec(http2, s.cluster, (task) => env.after(0, task), host, output);
    const makeProbe = (target: ProbeTarget, host: CheckedHost): Probe => {
      const { check } = plan, connector = new HostConnector(sockets, host, plan.socketMatch, plan.alpn), of = { connector, makeCodec, reuse: plan.reuseConnection, operators: env.operators, clock: env.clock };
      return check.kind === 'tcp' ? new TcpProbe(check, target, connector, plan.reuseConnection) : check.kind === 'http' ? new HttpProbe(check, target, of) : new GrpcProbe(check, plan.timeoutMs, target, of);
    };
    for (const n of ['attempt', 'success', 'failure', 'passive_failure', 'network_failure', 'verify_cluster']) env.stat(`cluster.${statName}.health_check.${n}`, 'counter', { add: 0 });
    return new HealthChecker(plan, name, {
      after: (ms, task) => env.after(ms, task), random: env.random, hosts: env.hosts, makeProbe, hasTraffic: () => env.hasTraffic(statName), events: new HealthEvents(plan.eventLogs, name, plan.check.kind, () => { env.clock.tick(); return env.clock.wallMs(); }),
      stat: (what, kind, change) => env.stat(`cluster.${statName}.health_check.${what}`, kind, change),
    }, {
      onChecked: (host, transition, passed, first) => {
        if (passed) this.entries.get(name)?.detector?.onCheckPassed(host.index);
        if (transition === 'changed' || first) this.onChanged(name);
      },
    });
  }

  private detector(name: string, s: HealthSettings, plan: OutlierPlan): OutlierDetector {
    const { env } = this, now = (): number => { env.clock.tick(); return env.clock.nowMs(); };
    return new OutlierDetector(plan, {
      after: (ms, task) => env.after(ms, task), nowMs: now, random: env.random, hosts: env.hosts, changed: () => this.onChanged(name), events: new OutlierEvents(env.outlierLog(), name, () => { env.clock.tick(); return env.clock.wallMs(); }),
      stat: (what, kind, change) => env.stat(`cluster.${s.cluster.statName}.outlier_detection.${what}`, kind, change),
    });
  }
}
