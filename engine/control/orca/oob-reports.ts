// Out-of-band load reports of one cluster: a session for each of its hosts, whose reports count like those that workers are told in answers. Envoy: OrcaOobManager.
import type { ClientCodec, ClientHost, CodecOutput } from '../../codec/codec.ts';
import type { Random } from '../../loop/random.ts';
import { formatAddress } from '../../net/address.ts';
import type { WorkerEnv } from '../../net/worker-env.ts';
import type { HostTable } from '../../shm/host-table.ts';
import type { OrcaPlan } from '../../plan/cluster-plan.ts';
import { HostSockets } from '../../upstream/host-sockets.ts';
import { readOrcaBytes } from '../../upstream/lb/orca-report.ts';
import { weightOf } from '../../upstream/lb/orca-weights.ts';
import type { CompiledCluster } from '../../upstream/config.ts';
import { HostConnector } from '../health/probe.ts';
import { makeProbeCodec } from '../health/probe-codecs.ts';
import type { LiveHost } from '../clusters/live-cluster.ts';
import { OobSession } from './oob-session.ts';

export interface OobReportsEnv {
  after(ms: number, task: () => void): () => void;
  wallMs(): number;
  readonly random: Random;
  readonly hosts: HostTable;
  /** Its doors to sockets. */
  readonly sockets: WorkerEnv;
  stat(name: string, kind: 'counter' | 'gauge', change: { readonly set?: number; readonly add?: number }): void;
}

export class OobReports {
  private readonly cluster: CompiledCluster['cluster'];
  private readonly orca: OrcaPlan;
  private readonly env: OobReportsEnv;
  private readonly sockets: HostSockets;
  private readonly prefix: string;
  /** By address; null: the host does not know the method, and is not asked again. */
  private readonly sessions = new Map<string, OobSession | null>();

  constructor(cluster: CompiledCluster['cluster'], orca: OrcaPlan, env: OobReportsEnv) {
    this.cluster = cluster; this.orca = orca; this.env = env;
    this.sockets = new HostSockets(cluster, env.sockets);
    this.prefix = `cluster.${cluster.statName}.lb_orca_oob.`;
    for (const n of ['reports_received', 'report_errors', 'stream_failures', 'stream_terminated']) this.count(n, 0);
    this.told();
  }

  private count(what: string, add = 1): void { this.env.stat(this.prefix + what, 'counter', { add }); }
  private told(): void { let active = 0; for (const s of this.sessions.values()) if (s !== null) active++; this.env.stat(`${this.prefix}active_sessions`, 'gauge', { set: active }); }

  /** The hosts that there are now: those that stay keep their streams. */
  setHosts(hosts: ReadonlyMap<string, LiveHost>): void {
    for (const [key, s] of this.sessions) if (!hosts.has(key)) { s?.close(); this.sessions.delete(key); }
    for (const [key, h] of hosts) if (!this.sessions.has(key)) this.sessions.set(key, this.session(key, h));
    this.told();
  }

  private session(key: string, host: LiveHost): OobSession {
    const { env, cluster } = this, oob = this.orca.oob!, address = oob.port > 0 && host.address.kind === 'ip' ? { ...host.address, port: oob.port } : host.address;
    const authority = oob.authority || host.hostname || (address.kind === 'ip' ? formatAddress(address) : cluster.name);
    return new OobSession(oob, address, authority, {
      after: (ms, task) => env.after(ms, task), random: env.random, connector: new HostConnector(this.sockets, host, oob.socketMatch, ['h2']),
      makeCodec: (h: ClientHost, output: CodecOutput): ClientCodec => makeProbeCodec(true, cluster, (task) => env.after(0, task), h, output),
      onReport: (bytes) => this.take(host.index, bytes), count: (what) => this.count(what), onTerminated: () => { this.sessions.set(key, null); this.told(); },
    });
  }

  private take(host: number, bytes: Buffer): boolean {
    const report = readOrcaBytes(bytes);
    if (report === null) return false;
    this.count('reports_received');
    const weight = weightOf(report, this.orca);
    if (weight > 0) this.env.hosts.reportWeight(host, weight, this.env.wallMs()); else this.count('report_errors');
    return true;
  }

  close(): void { for (const s of this.sessions.values()) s?.close(); this.sessions.clear(); this.told(); }
}
