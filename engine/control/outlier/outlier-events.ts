// The outlier event log (cluster_manager.outlier_detection.event_log_path): one JSON line an ejection or return, as Envoy writes them.
import { appendFileSync } from 'node:fs';
import { formatAddress } from '../../net/address.ts';
import type { HostPlan } from '../../plan/cluster-plan.ts';
import type { RateThreshold } from './success-rate.ts';

export type EjectionType = 'CONSECUTIVE_5XX' | 'CONSECUTIVE_GATEWAY_FAILURE' | 'CONSECUTIVE_LOCAL_ORIGIN_FAILURE' | 'SUCCESS_RATE' | 'SUCCESS_RATE_LOCAL_ORIGIN' | 'FAILURE_PERCENTAGE' | 'FAILURE_PERCENTAGE_LOCAL_ORIGIN' | 'DEGRADED';

export class OutlierEvents {
  private readonly path: string;
  private readonly clusterName: string;
  private readonly wallMs: () => number;
  /** `path` '': nothing is written. */
  constructor(path: string, clusterName: string, wallMs: () => number) { this.path = path; this.clusterName = clusterName; this.wallMs = wallMs; }

  /** `sinceMs`: since the host's last event, -1: there was none. */
  eject(host: HostPlan, type: EjectionType, ejections: number, enforced: boolean, sinceMs: number, detail: { readonly rate?: number; readonly of?: RateThreshold }): void {
    const { rate, of } = detail;
    this.write(host, type, 'EJECT', ejections, enforced, sinceMs, rate === undefined ? { eject_consecutive_event: {} } : of === undefined ? { eject_failure_percentage_event: { host_success_rate: Math.floor(rate) } } :
      { eject_success_rate_event: { host_success_rate: Math.floor(rate), cluster_average_success_rate: Math.floor(of.average), cluster_success_rate_ejection_threshold: Math.floor(of.threshold) } });
  }
  uneject(host: HostPlan, ejections: number, sinceMs: number): void { this.write(host, 'CONSECUTIVE_5XX', 'UNEJECT', ejections, false, sinceMs, {}); }

  private write(host: HostPlan, type: EjectionType, action: string, ejections: number, enforced: boolean, sinceMs: number, more: object): void {
    if (this.path === '') return;
    const line = { type, timestamp: new Date(this.wallMs()).toISOString(), ...(sinceMs < 0 ? {} : { secs_since_last_action: String(Math.floor(sinceMs / 1000)) }), cluster_name: this.clusterName, upstream_url: formatAddress(host.address), action, num_ejections: ejections, enforced, ...more };
    try { appendFileSync(this.path, `${JSON.stringify(line)}\n`); } catch { /* an event that cannot be written is lost */ }
  }
}
