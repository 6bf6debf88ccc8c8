// What the checks of one host have come to: thresholds and flags, without timers or I/O (Envoy: ActiveHealthCheckSession).
//
//   failed (first check passes, or healthy_threshold in a row) ──▶ healthy ──(unhealthy_threshold in a row, or one that is not retriable)──▶ failed
import { HOST_FLAG, type HostTable } from '../../shm/host-table.ts';
import type { FailureType, ProbeResult } from './probe.ts';

/** changed: the host came in or went out; pending: on its way there; same. */
export type Transition = 'changed' | 'pending' | 'same';

export class HealthRecord {
  private readonly table: HostTable;
  readonly index: number;
  private readonly unhealthyThreshold: number;
  private readonly healthyThreshold: number;
  private failures = 0;
  private successes = 0;
  /** No check has ended yet. */
  first = true;

  constructor(table: HostTable, index: number, thresholds: { readonly unhealthyThreshold: number; readonly healthyThreshold: number }) { this.table = table; this.index = index; this.unhealthyThreshold = thresholds.unhealthyThreshold; this.healthyThreshold = thresholds.healthyThreshold; }

  get failed(): boolean { return (this.table.flags(this.index) & HOST_FLAG.FAILED_ACTIVE_HC) !== 0; }
  get degraded(): boolean { return (this.table.flags(this.index) & HOST_FLAG.DEGRADED_ACTIVE_HC) !== 0; }

  take(result: ProbeResult): Transition { return result.ok ? this.passed(result.degraded) : this.failedBy(result.type, result.retriable); }

  private passed(degraded: boolean): Transition {
    const { table, index } = this;
    let transition: Transition = 'same';
    this.failures = 0;
    if (this.failed) {
      // The first result a host ever gives is believed at once.
      if (this.first || ++this.successes >= this.healthyThreshold) {
        table.clearFlags(index, HOST_FLAG.FAILED_ACTIVE_HC | HOST_FLAG.ACTIVE_HC_TIMEOUT | HOST_FLAG.EXCLUDED_BY_IMMEDIATE_HC_FAIL);
        transition = 'changed';
      } else transition = 'pending';
    }
    transition = this.noLongerPending(transition);
    if (degraded !== this.degraded) {
      if (degraded) table.setFlags(index, HOST_FLAG.DEGRADED_ACTIVE_HC); else table.clearFlags(index, HOST_FLAG.DEGRADED_ACTIVE_HC);
      transition = 'changed';
    }
    this.first = false;
    return transition;
  }

  private failedBy(type: FailureType, retriable: boolean): Transition {
    const { table, index } = this;
    let transition: Transition = 'same';
    this.successes = 0;
    if (type === 'PASSIVE') table.setFlags(index, HOST_FLAG.EXCLUDED_BY_IMMEDIATE_HC_FAIL);
    if (type === 'NETWORK_TIMEOUT') table.setFlags(index, HOST_FLAG.ACTIVE_HC_TIMEOUT); else table.clearFlags(index, HOST_FLAG.ACTIVE_HC_TIMEOUT);
    if (!this.failed) {
      const atOnce = type === 'PASSIVE' || (type === 'ACTIVE' && !retriable);
      if (atOnce || ++this.failures >= this.unhealthyThreshold) { table.setFlags(index, HOST_FLAG.FAILED_ACTIVE_HC); transition = 'changed'; } else transition = 'pending';
    }
    transition = this.noLongerPending(transition);
    this.first = false;
    return transition;
  }

  private noLongerPending(transition: Transition): Transition {
    if ((this.table.flags(this.index) & HOST_FLAG.PENDING_ACTIVE_HC) === 0) return transition;
    this.table.clearFlags(this.index, HOST_FLAG.PENDING_ACTIVE_HC);
    return 'changed';
  }
}
