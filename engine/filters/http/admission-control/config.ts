// envoy.extensions.filters.http.admission_control.v3.AdmissionControl from configuration, with Envoy's defaults.
import { compileRuntimeFlag, compileRuntimeNumber, compileRuntimePercent } from '../../../net/limit-config.ts';
import type { AdmissionControlPlan } from '../../../plan/admission-control-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileAdmissionControl(m: ConfigMessage): AdmissionControlPlan {
  const success = m.msg('success_criteria'), windowMs = m.ms('sampling_window', 30_000);
  if (success === undefined) m.error('success_criteria', 'success_criteria is required');
  const http = success?.msg('http_criteria')?.list('http_success_status').map((r) => {
    const from = r.num('start'), to = r.num('end');
    if (from < 100 || to > 600 || from >= to) r.error('', `invalid HTTP range: ${from} to ${to}`);
    return { from, to };
  });
  const codes = success?.msg('grpc_criteria'), grpc = codes?.nums('grpc_success_status');
  for (const c of grpc ?? []) if (c > 16) codes!.error('grpc_success_status', `invalid gRPC code ${c}`);
  const threshold = compileRuntimePercent(m.msg('sr_threshold'), 95);
  if (threshold.value < 1) m.error('sr_threshold', 'Success rate threshold cannot be less than 1.0%.');
  return {
    enabled: compileRuntimeFlag(m.msg('enabled')), windowS: Math.max(1, Math.floor(windowMs / 1000)), aggression: compileRuntimeNumber(m.msg('aggression'), 1), successThreshold: threshold, rpsThreshold: compileRuntimeNumber(m.msg('rps_threshold'), 0),
    maxRejection: compileRuntimePercent(m.msg('max_rejection_probability'), 80), http: http ?? null, grpc: grpc ?? null,
  };
}
