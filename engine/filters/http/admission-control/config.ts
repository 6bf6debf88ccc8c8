// envoy.extensions.filters.http.admission_control.v3.AdmissionControl from configuration, with Envoy's defaults.
import { compileRuntimeFlag } from '../../../net/limit-config.ts';
import type { AdmissionControlPlan, RuntimeNumberPlan } from '../../../plan/admission-control-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

/** RuntimeDouble, RuntimeUInt32, or RuntimePercent (whose default is a message). */
function runtimeNumber(m: ConfigMessage | undefined, absent: number, percent = false): RuntimeNumberPlan {
  if (m === undefined) return { key: '', value: absent };
  return { key: m.str('runtime_key'), value: percent ? m.msg('default_value')?.num('value') ?? 0 : m.num('default_value') };
}

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
  const threshold = runtimeNumber(m.msg('sr_threshold'), 95, true);
  if (threshold.value < 1) m.error('sr_threshold', 'Success rate threshold cannot be less than 1.0%.');
  return {
    enabled: compileRuntimeFlag(m.msg('enabled')), windowS: Math.max(1, Math.floor(windowMs / 1000)), aggression: runtimeNumber(m.msg('aggression'), 1), successThreshold: threshold, rpsThreshold: runtimeNumber(m.msg('rps_threshold'), 0),
    maxRejection: runtimeNumber(m.msg('max_rejection_probability'), 80, true), http: http ?? null, grpc: grpc ?? null,
  };
}
