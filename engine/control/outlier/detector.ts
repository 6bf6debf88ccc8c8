// Outlier detection of one cluster: takes the workers' votes, looks at the success rates once an interval, ejects within the limits and lets hosts back in.
// The decision is one flag in the shared host table and a moved epoch, so every worker sees it at its next pick. Envoy: DetectorImpl. Ends with close().
import type { HostPlan } from '../../plan/cluster-plan.ts';
import type { OutlierPlan } from '../../plan/health-plan.ts';
import type { Random } from '../../loop/random.ts';
import { CONSECUTIVE, HOST_FLAG, WINDOW, type HostTable } from '../../shm/host-table.ts';
import type { EjectionType, OutlierEvents } from './outlier-events.ts';
import { ratesOf, rateThreshold, type RateThreshold } from './success-rate.ts';
import { Term } from './term.ts';
import { SAYS_DEGRADED } from '../../upstream/outlier/votes.ts';

export interface DetectorEnv {
  after(ms: number, task: () => void): () => void;
  nowMs(): number;
  readonly random: Random;
  readonly hosts: HostTable;
  /** Sets or adds to cluster.NAME.outlier_detection.WHAT. */
  stat(what: string, kind: 'counter' | 'gauge', change: { readonly set?: number; readonly add?: number }): void;
  /** Flags of a host have moved. */
  changed(): void;
  readonly events: OutlierEvents;
}

class Monitor {
  readonly host: HostPlan;
  ejections = 0;
  readonly ejected = new Term();
  readonly degraded = new Term();
  lastUnejectMs = -1;
  /** Percent in the last window, -1: too few requests. */
  successRate = -1;
  localSuccessRate = -1;
  constructor(host: HostPlan) { this.host = host; }
}

const NAMES: Record<Exclude<EjectionType, 'DEGRADED'>, string> = {
  CONSECUTIVE_5XX: 'consecutive_5xx', CONSECUTIVE_GATEWAY_FAILURE: 'consecutive_gateway_failure', CONSECUTIVE_LOCAL_ORIGIN_FAILURE: 'consecutive_local_origin_failure', SUCCESS_RATE: 'success_rate',
  SUCCESS_RATE_LOCAL_ORIGIN: 'local_origin_success_rate', FAILURE_PERCENTAGE: 'failure_percentage', FAILURE_PERCENTAGE_LOCAL_ORIGIN: 'local_origin_failure_percentage',
};
type Failure = keyof typeof NAMES;
const VOTES: Record<number, Failure> = { [CONSECUTIVE.FIVE_XX]: 'CONSECUTIVE_5XX', [CONSECUTIVE.GATEWAY]: 'CONSECUTIVE_GATEWAY_FAILURE', [CONSECUTIVE.LOCAL_ORIGIN]: 'CONSECUTIVE_LOCAL_ORIGIN_FAILURE' };
const NONE: RateThreshold = { average: -1, threshold: -1 };

/** Names of the counters below cluster.NAME.outlier_detection., for scopes that exist by configuration. */
export const OUTLIER_COUNTERS: readonly string[] = [...Object.values(NAMES).flatMap((n) => [`ejections_detected_${n}`, `ejections_enforced_${n}`]), 'ejections_detected_degradation', 'ejections_enforced_total', 'ejections_overflow', 'ejections_total', 'ejections_consecutive_5xx', 'ejections_success_rate'];

export class OutlierDetector {
  readonly plan: OutlierPlan;
  private readonly env: DetectorEnv;
  private monitors = new Map<number, Monitor>();
  private active = 0;
  private cancel: () => void;
  /** Of the last interval, for /clusters. */
  external: RateThreshold = NONE;
  local: RateThreshold = NONE;

  constructor(plan: OutlierPlan, env: DetectorEnv) {
    this.plan = plan; this.env = env;
    for (const n of OUTLIER_COUNTERS) env.stat(n, 'counter', { add: 0 });
    env.stat('ejections_active', 'gauge', { set: 0 });
    this.cancel = env.after(plan.intervalMs, () => this.interval());
  }

  setHosts(hosts: readonly HostPlan[]): void {
    const next = new Map<number, Monitor>();
    for (const h of hosts) next.set(h.index, this.monitors.get(h.index) ?? new Monitor(h));
    for (const m of this.monitors.values()) if (!next.has(m.host.index) && this.isEjected(m)) this.active--;
    this.monitors = next;
    this.env.stat('ejections_active', 'gauge', { set: this.active });
  }

  private isEjected(m: Monitor): boolean { return (this.env.hosts.flags(m.host.index) & HOST_FLAG.FAILED_OUTLIER) !== 0; }
  describe(host: number): { readonly successRate: number; readonly localSuccessRate: number } | undefined { return this.monitors.get(host); }

  /** A worker saw a row of failures reach its threshold. */
  vote(host: number, kind: number): void {
    const m = this.monitors.get(host), type = VOTES[kind];
    if (m === undefined || this.isEjected(m)) return;
    if (kind === SAYS_DEGRADED) { this.degrade(m); return; }
    if (type === undefined) return;
    this.env.stat(`ejections_detected_${NAMES[type]}`, 'counter', { add: 1 });
    if (type === 'CONSECUTIVE_5XX') this.env.stat('ejections_consecutive_5xx', 'counter', { add: 1 });
    this.eject(m, type, {});
    // The next row is counted from anew, ejected or not.
    this.env.hosts.clearConsecutive(host, kind);
  }

  private eject(m: Monitor, type: Failure, detail: { readonly rate?: number; readonly of?: RateThreshold }): void {
    const { env, plan } = this;
    const allowed = (100 * (this.active + 1)) / this.monitors.size <= plan.maxEjectionPercent || (plan.alwaysEjectOne && this.active === 0);
    if (!allowed) { env.stat('ejections_overflow', 'counter', { add: 1 }); return; }
    if (type === 'CONSECUTIVE_5XX' || type === 'SUCCESS_RATE') env.stat('ejections_total', 'counter', { add: 1 });
    const enforced = env.random.unit() * 100 < this.enforcing(type);
    if (enforced) {
      this.active++;
      env.stat('ejections_active', 'gauge', { set: this.active });
      env.stat('ejections_enforced_total', 'counter', { add: 1 });
      env.stat(`ejections_enforced_${NAMES[type]}`, 'counter', { add: 1 });
      m.ejections++;
      m.ejected.begin(plan, env.nowMs(), env.random);
      env.hosts.setFlags(m.host.index, HOST_FLAG.FAILED_OUTLIER);
      env.changed();
    }
    env.events.eject(m.host, type, m.ejections, enforced, this.sinceMs(m), detail);
  }

  /** Time since the last return, or the last ejection, ms; -1: there was none. */
  private sinceMs(m: Monitor): number { return m.lastUnejectMs < 0 ? -1 : this.env.nowMs() - m.lastUnejectMs; }

  private sinceEjectMs(m: Monitor): number { return m.ejected.beganMs < 0 ? -1 : this.env.nowMs() - m.ejected.beganMs; }

  private enforcing(type: Failure): number {
    const e = this.plan.enforcing;
    switch (type) {
      case 'CONSECUTIVE_5XX': return e.consecutive5xx;
      case 'CONSECUTIVE_GATEWAY_FAILURE': return e.gateway;
      case 'CONSECUTIVE_LOCAL_ORIGIN_FAILURE': return e.localOrigin;
      case 'SUCCESS_RATE': return e.successRate;
      case 'SUCCESS_RATE_LOCAL_ORIGIN': return e.localSuccessRate;
      case 'FAILURE_PERCENTAGE': return e.failurePercentage;
      case 'FAILURE_PERCENTAGE_LOCAL_ORIGIN': return e.localFailurePercentage;
    }
  }

  private interval(): void {
    const { plan, env } = this, now = env.nowMs();
    for (const m of this.monitors.values()) this.maybeReturn(m, now);
    this.external = this.rates(WINDOW.EXTERNAL, 'SUCCESS_RATE', 'FAILURE_PERCENTAGE');
    if (plan.splitLocalOrigin) this.local = this.rates(WINDOW.LOCAL_ORIGIN, 'SUCCESS_RATE_LOCAL_ORIGIN', 'FAILURE_PERCENTAGE_LOCAL_ORIGIN');
    this.cancel = env.after(plan.intervalMs, () => this.interval());
  }

  private maybeReturn(m: Monitor, now: number): void {
    const { plan, env } = this, { index } = m.host, flags = env.hosts.flags(index);
    if ((flags & HOST_FLAG.FAILED_OUTLIER) === 0) m.ejected.relax(); else if (m.ejected.over(plan, now)) this.letIn(m);
    if ((flags & HOST_FLAG.DEGRADED_OUTLIER) === 0) { m.degraded.relax(); return; }
    if (!m.degraded.over(plan, now)) return;
    env.hosts.clearFlags(index, HOST_FLAG.DEGRADED_OUTLIER);
    env.events.uneject(m.host, m.ejections, this.sinceEjectMs(m));
    env.changed();
  }

  /** The host said that it is degraded: no failure, so no limit holds for how many do, and it goes on taking what healthy hosts cannot. */
  private degrade(m: Monitor): void {
    const { env } = this, { index } = m.host;
    if ((env.hosts.flags(index) & HOST_FLAG.DEGRADED_OUTLIER) !== 0) return;
    env.stat('ejections_detected_degradation', 'counter', { add: 1 });
    m.degraded.begin(this.plan, env.nowMs(), env.random);
    env.hosts.setFlags(index, HOST_FLAG.DEGRADED_OUTLIER);
    env.events.eject(m.host, 'DEGRADED', m.ejections, true, this.sinceMs(m), {});
    env.changed();
  }

  private letIn(m: Monitor): void {
    const { env } = this, { index } = m.host;
    this.active--;
    env.stat('ejections_active', 'gauge', { set: this.active });
    for (const kind of Object.values(CONSECUTIVE)) env.hosts.clearConsecutive(index, kind);
    env.hosts.clearFlags(index, HOST_FLAG.FAILED_OUTLIER);
    env.events.uneject(m.host, m.ejections, this.sinceEjectMs(m));
    m.lastUnejectMs = env.nowMs();
    env.changed();
  }

  /** An active check of the host has passed. */
  onCheckPassed(host: number): void {
    const m = this.monitors.get(host);
    if (m !== undefined && this.plan.unejectByHealthCheck && this.isEjected(m) && (this.env.hosts.flags(host) & HOST_FLAG.FAILED_ACTIVE_HC) === 0) this.letIn(m);
  }

  private rates(window: number, rateType: Failure, failureType: Failure): RateThreshold {
    const { plan, env } = this, local = window === WINDOW.LOCAL_ORIGIN;
    const windows = [...this.monitors.values()].map((m) => ({ m, host: m.host.index, ...env.hosts.takeWindow(m.host.index, window) }));
    for (const { m } of windows) if (local) m.localSuccessRate = -1; else m.successRate = -1;
    const counted = windows.filter((w) => !this.isEjected(w.m));
    const rates = ratesOf(counted, plan.successRateRequestVolume);
    for (const r of rates) { const m = this.monitors.get(r.host)!; if (local) m.localSuccessRate = r.rate; else m.successRate = r.rate; }
    const of = rateThreshold(rates, plan.successRateMinimumHosts, plan.successRateStdevFactor);
    if (of.threshold >= 0) for (const r of rates) if (r.rate < of.threshold) this.detected(r.host, rateType, { rate: r.rate, of });
    const failing = ratesOf(counted, plan.failurePercentageRequestVolume);
    if (failing.length > 0 && failing.length >= plan.failurePercentageMinimumHosts) for (const r of failing) if (100 - r.rate >= plan.failurePercentageThreshold) this.detected(r.host, failureType, { rate: r.rate });
    return of;
  }

  private detected(host: number, type: Failure, detail: { readonly rate: number; readonly of?: RateThreshold }): void {
    const m = this.monitors.get(host)!;
    if (this.isEjected(m)) return;
    this.env.stat(`ejections_detected_${NAMES[type]}`, 'counter', { add: 1 });
    if (type === 'SUCCESS_RATE' || type === 'SUCCESS_RATE_LOCAL_ORIGIN') this.env.stat('ejections_success_rate', 'counter', { add: 1 });
    this.eject(m, type, detail);
  }

  /** The cluster is gone, or has other settings: hosts are let back in, degraded ones are as good as any. */
  close(): void {
    this.cancel();
    for (const m of this.monitors.values()) this.env.hosts.clearFlags(m.host.index, HOST_FLAG.FAILED_OUTLIER | HOST_FLAG.DEGRADED_OUTLIER);
    this.monitors.clear();
  }
}
