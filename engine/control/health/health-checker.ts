// The active health checks of one cluster: a session for each host, each with its own interval and time limit. Decides with HealthRecord, counts, writes events, and
// tells its owner of every result. Ends with close(). Timing as Envoy's HealthCheckerImplBase.
import type { HostPlan } from '../../plan/cluster-plan.ts';
import type { CheckTargetPlan, HealthCheckPlan } from '../../plan/health-plan.ts';
import type { Random } from '../../loop/random.ts';
import type { HostTable } from '../../shm/host-table.ts';
import type { HealthEvents } from './health-events.ts';
import { HealthRecord, type Transition } from './health-record.ts';
import type { Probe, ProbeResult, ProbeTarget } from './probe.ts';

export interface CheckerEnv {
  after(ms: number, task: () => void): () => void;
  readonly random: Random;
  readonly hosts: HostTable;
  /** Sets or adds to cluster.NAME.health_check.WHAT. */
  stat(what: string, kind: 'counter' | 'gauge', change: { readonly set?: number; readonly add?: number }): void;
  makeProbe(target: ProbeTarget, host: CheckedHost): Probe;
  /** Whether the cluster has ever carried traffic: before that no_traffic_interval holds. */
  hasTraffic(): boolean;
  readonly events: HealthEvents;
}

/** A host and where and how it is to be checked (Endpoint.health_check_config). */
export interface CheckedHost extends HostPlan { readonly check: CheckTargetPlan }

/** Told after each check. */
export interface CheckWatcher { onChecked(host: CheckedHost, transition: Transition, passed: boolean, /** Its first result. */ first: boolean): void }

class Session {
  private readonly owner: HealthChecker;
  readonly host: CheckedHost;
  readonly record: HealthRecord;
  private readonly probe: Probe;
  private cancel: () => void;

  constructor(owner: HealthChecker, host: CheckedHost) {
    const { plan, env, clusterName } = owner;
    this.owner = owner; this.host = host;
    this.record = new HealthRecord(env.hosts, host.index, plan);
    const { check } = host, port = check.port || plan.altPort, address = check.address ?? host.address;
    this.probe = env.makeProbe({ address: port > 0 && address.kind === 'ip' ? { ...address, port } : address, hostname: check.hostname, clusterName }, host);
    this.cancel = env.after(plan.initialJitterMs > 0 ? Math.floor(env.random.unit() * plan.initialJitterMs) : 0, () => this.check());
  }

  private check(): void {
    const { env, plan } = this.owner;
    env.stat('attempt', 'counter', { add: 1 });
    this.cancel = env.after(plan.timeoutMs, () => { this.probe.abort(); this.result({ ok: false, type: 'NETWORK_TIMEOUT', retriable: true }); });
    this.probe.start((r) => this.result(r));
  }

  private result(r: ProbeResult): void {
    this.cancel();
    const transition = this.owner.took(this, r);
    if (this.closed) return;
    this.cancel = this.owner.env.after(this.owner.nextMs(r.ok, transition), () => this.check());
  }

  /** The host itself said that it is to be taken out (x-envoy-immediate-health-check-fail). */
  failNow(): void { this.owner.took(this, { ok: false, type: 'PASSIVE', retriable: false }); }

  private closed = false;
  close(): void { this.closed = true; this.cancel(); this.probe.close(); }
}

export class HealthChecker {
  readonly plan: HealthCheckPlan;
  readonly env: CheckerEnv;
  readonly clusterName: string;
  private readonly watcher: CheckWatcher;
  private readonly sessions = new Map<number, Session>();

  constructor(plan: HealthCheckPlan, clusterName: string, env: CheckerEnv, watcher: CheckWatcher) { this.plan = plan; this.clusterName = clusterName; this.env = env; this.watcher = watcher; }

  /** The cluster's hosts are these now. */
  setHosts(hosts: readonly CheckedHost[]): void {
    const now = new Set(hosts.map((h) => h.index));
    for (const [index, s] of this.sessions) if (!now.has(index)) { this.sessions.delete(index); s.close(); }
    for (const h of hosts) if (!h.check.disabled && !this.sessions.has(h.index)) this.sessions.set(h.index, new Session(this, h));
    this.gauges();
  }

  failNow(index: number): void { this.sessions.get(index)?.failNow(); }
  /** Whether every host has been checked once. */
  get settled(): boolean { for (const s of this.sessions.values()) if (s.record.first) return false; return true; }

  /** @internal */
  took(s: Session, r: ProbeResult): Transition {
    const { env } = this, first = s.record.first, before = { failed: s.record.failed, degraded: s.record.degraded };
    const transition = s.record.take(r);
    env.stat(r.ok ? 'success' : 'failure', 'counter', { add: 1 });
    if (!r.ok) {
      if (r.type === 'PASSIVE') env.stat('passive_failure', 'counter', { add: 1 }); else if (r.type !== 'ACTIVE') env.stat('network_failure', 'counter', { add: 1 });
      if (r.wrongCluster === true) env.stat('verify_cluster', 'counter', { add: 1 });
    }
    this.log(s.host, r, transition, first, before, s.record);
    if (transition === 'changed') this.gauges();
    this.watcher.onChecked(s.host, transition, r.ok, first);
    return transition;
  }

  private log(host: CheckedHost, r: ProbeResult, transition: Transition, first: boolean, before: { readonly failed: boolean; readonly degraded: boolean }, record: HealthRecord): void {
    const { plan } = this, { events } = this.env;
    if (r.ok) {
      if (before.failed) { if (!record.failed) events.write(host, { add_healthy_event: { first_check: first } }); } else if (plan.logSuccess) events.write(host, { successful_health_check_event: {} });
      if (record.degraded && !before.degraded) events.write(host, { degraded_healthy_host: {} });
      if (!record.degraded && before.degraded) events.write(host, { no_longer_degraded_host: {} });
      return;
    }
    const why = { failure_type: r.type, http_status_code: r.status ?? 0 };
    if (transition === 'changed' && record.failed && !first) events.write(host, { eject_unhealthy_event: why });
    if (first || plan.logFailures) events.write(host, { health_check_failure_event: { ...why, first_check: first } });
  }

  private gauges(): void {
    let healthy = 0, degraded = 0;
    for (const s of this.sessions.values()) { if (!s.record.failed) healthy++; if (s.record.degraded) degraded++; }
    this.env.stat('healthy', 'gauge', { set: healthy });
    this.env.stat('degraded', 'gauge', { set: degraded });
  }

  /** @internal Pause before the next check of a host. */
  nextMs(passed: boolean, transition: Transition): number {
    const { plan, env } = this, pending = transition === 'pending';
    let base: number;
    if (!env.hasTraffic()) base = passed ? plan.noTrafficHealthyMs : plan.noTrafficMs;
    else if (passed) base = pending ? plan.healthyEdgeMs : plan.intervalMs;
    else base = pending ? plan.unhealthyEdgeMs : plan.unhealthyIntervalMs;
    if (plan.intervalJitterPercent > 0) base += env.random.unit() * base * plan.intervalJitterPercent / 100;
    if (plan.intervalJitterMs > 0) base += env.random.unit() * plan.intervalJitterMs;
    return base;
  }

  close(): void { for (const s of this.sessions.values()) s.close(); this.sessions.clear(); }
}

