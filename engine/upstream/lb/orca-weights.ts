// client_side_weighted_round_robin, the workers' side: turns the load that a host reports into its weight, and keeps that in the shared host table. Control makes
// weights for balancing of them once an update period (control/orca/weights.ts), so all workers balance by what any of them was told. Envoy: OrcaLoadReportHandler.
import type { Headers } from '../../headers/headers.ts';
import type { Clock } from '../../loop/clock.ts';
import type { OrcaPlan } from '../../plan/cluster-plan.ts';
import type { HostTable } from '../../shm/host-table.ts';
import { readOrcaReport, type OrcaReport } from './orca-report.ts';

/** Requests a second by how loaded the host is with them; 0: the report does not say. At most what the table holds (31 bits). */
export function weightOf(report: OrcaReport, plan: OrcaPlan): number {
  const rate = report.get('rps_fractional');
  if (!(rate > 0)) return 0;
  let load = report.greatest(plan.metrics);
  if (!(load > 0)) load = report.get('application_utilization');
  if (!(load > 0)) load = report.get('cpu_utilization');
  load += plan.errorPenalty * report.get('eps') / rate;
  return load > 0 ? Math.max(1, Math.min(0x7fffffff, Math.floor(rate / load))) : 0;
}

export class OrcaReports {
  private readonly plan: OrcaPlan; private readonly table: HostTable; private readonly clock: Clock;
  constructor(plan: OrcaPlan, table: HostTable, clock: Clock) { this.plan = plan; this.table = table; this.clock = clock; }

  /** Headers or trailers of an answer; true: there was a report (one that is of no use changes nothing). */
  take(host: number, headers: Headers): boolean {
    const report = readOrcaReport(headers);
    if (report === null) return false;
    const weight = weightOf(report, this.plan);
    if (weight > 0) this.table.reportWeight(host, weight, this.clock.wallMs());
    return true;
  }
}
