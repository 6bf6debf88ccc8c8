// GET /clusters: every cluster with its breakers, outlier figures and hosts, in text and JSON; ten thousand clusters come in pieces.
import { formatAddress, type Address } from '../net/address.ts';
import { compileRegex } from '../headers/string-matcher.ts';
import { HOST_FLAG } from '../shm/host-table.ts';
import type { AdminEndpoint } from './endpoint.ts';
import { text } from './endpoint.ts';
import { addressJson } from './listeners.ts';

/** max_connections, max_pending_requests, max_requests, max_retries. */
export interface Thresholds { readonly connections: number; readonly pending: number; readonly requests: number; readonly retries: number }
export interface HostStatus {
  readonly address: Address; readonly hostname: string; readonly weight: number; readonly priority: number; readonly canary: boolean;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  /** HOST_FLAG bits. */
  readonly flags: number;
  /** EDS health_status as configured. */
  readonly eds: string;
  /** Counters and gauges by Envoy's names, sorted. */
  readonly stats: readonly { readonly name: string; readonly gauge: boolean; readonly value: number }[];
  /** Percent, -1: none. */
  readonly successRate: number; readonly localOriginSuccessRate: number;
}
export interface ClusterStatus {
  readonly name: string; readonly observabilityName: string; readonly edsServiceName: string; readonly addedViaApi: boolean;
  readonly thresholds: readonly [Thresholds, Thresholds];
  /** Figures of outlier detection, null where it is off. */
  readonly outlier: { readonly average: number; readonly threshold: number; readonly localAverage: number; readonly localThreshold: number } | null;
  readonly hosts: readonly HostStatus[];
}

const FLAGS: readonly (readonly [bit: number, text: string, json: string])[] = [
  [HOST_FLAG.FAILED_ACTIVE_HC, '/failed_active_hc', 'failed_active_health_check'], [HOST_FLAG.FAILED_OUTLIER, '/failed_outlier_check', 'failed_outlier_check'], [HOST_FLAG.FAILED_EDS, '/failed_eds_health', ''],
  [HOST_FLAG.DEGRADED_ACTIVE_HC, '/degraded_active_hc', 'failed_active_degraded_check'], [HOST_FLAG.DEGRADED_EDS, '/degraded_eds_health', ''], [HOST_FLAG.PENDING_DYNAMIC_REMOVAL, '/pending_dynamic_removal', 'pending_dynamic_removal'],
  [HOST_FLAG.PENDING_ACTIVE_HC, '/pending_active_hc', 'pending_active_hc'], [HOST_FLAG.EXCLUDED_BY_IMMEDIATE_HC_FAIL, '/excluded_via_immediate_hc_fail', 'excluded_via_immediate_hc_fail'], [HOST_FLAG.ACTIVE_HC_TIMEOUT, '/active_hc_timeout', 'active_hc_timeout'],
  [HOST_FLAG.EDS_DRAINING, '/eds_status_draining', ''], [HOST_FLAG.DEGRADED_OUTLIER, '/degraded_outlier_detection', 'failed_degraded_outlier_detection'],
];

export const clusters: AdminEndpoint = {
  path: '/clusters', help: 'upstream cluster status', params: [['filter', 'Regular expression (Google re2) for filtering clusters by name']],
  answer(source, query) {
    const filter = query.get('filter') ?? '';
    let shown = (_name: string): boolean => true;
    if (filter !== '') { try { const re = compileRegex(filter); shown = (n) => re.matcher(n).find(); } catch { return text('Invalid re2 regex', 400); } }
    if (query.get('format') === 'json') return { status: 200, type: 'json', body: jsonPieces(source.clusters(), shown) };
    return { status: 200, body: textPieces(source.clusters(), shown) };
  },
};

function* textPieces(all: Iterable<ClusterStatus>, shown: (name: string) => boolean): Generator<string> {
  let out = '';
  for (const c of all) {
    if (!shown(c.name)) continue;
    out += clusterText(c);
    if (out.length > 32 << 10) { yield out; out = ''; }
  }
  yield out;
}

function clusterText(c: ClusterStatus): string {
  const lines = [`observability_name::${c.observabilityName}`];
  if (c.outlier !== null) lines.push(`outlier::success_rate_average::${c.outlier.average}`, `outlier::success_rate_ejection_threshold::${c.outlier.threshold}`, `outlier::local_origin_success_rate_average::${c.outlier.localAverage}`, `outlier::local_origin_success_rate_ejection_threshold::${c.outlier.localThreshold}`);
  c.thresholds.forEach((t, i) => { const p = `${i === 0 ? 'default' : 'high'}_priority::`; lines.push(`${p}max_connections::${t.connections}`, `${p}max_pending_requests::${t.pending}`, `${p}max_requests::${t.requests}`, `${p}max_retries::${t.retries}`); });
  lines.push(`added_via_api::${c.addedViaApi}`);
  if (c.edsServiceName !== '') lines.push(`eds_service_name::${c.edsServiceName}`);
  for (const h of c.hosts) {
    const at = `${formatAddress(h.address)}::`, flags = FLAGS.filter(([bit]) => (h.flags & bit) !== 0).map(([, t]) => t).join('');
    for (const s of h.stats) lines.push(`${at}${s.name}::${s.value}`);
    lines.push(`${at}hostname::${h.hostname}`, `${at}health_flags::${flags === '' ? 'healthy' : flags}`, `${at}weight::${h.weight}`, `${at}region::${h.locality.region}`, `${at}zone::${h.locality.zone}`, `${at}sub_zone::${h.locality.subZone}`,
      `${at}canary::${h.canary}`, `${at}priority::${h.priority}`, `${at}success_rate::${h.successRate}`, `${at}local_origin_success_rate::${h.localOriginSuccessRate}`);
  }
  return lines.map((l) => `${c.name}::${l}\n`).join('');
}

function* jsonPieces(all: Iterable<ClusterStatus>, shown: (name: string) => boolean): Generator<string> {
  let out = '', any = false;
  for (const c of all) {
    if (!shown(c.name)) continue;
    out += `${any ? ',' : '{\n "cluster_statuses": ['}\n  ${JSON.stringify(clusterJson(c), null, 1).replaceAll('\n', '\n  ')}`;
    any = true;
    if (out.length > 32 << 10) { yield out; out = ''; }
  }
  yield out + (any ? '\n ]\n}\n' : '{}\n');
}

/** As proto JSON leaves out what is zero. */
function clusterJson(c: ClusterStatus): unknown {
  const thresholds = c.thresholds.map((t, i) => ({ ...(i === 1 ? { priority: 'HIGH' } : {}), max_connections: t.connections, max_pending_requests: t.pending, max_requests: t.requests, max_retries: t.retries }));
  const percent = (name: string, value: number): object => (value < 0 ? {} : { [name]: { value } });
  return {
    name: c.name, ...(c.addedViaApi ? { added_via_api: true } : {}), ...(c.outlier === null ? {} : { ...percent('success_rate_ejection_threshold', c.outlier.threshold), ...percent('local_origin_success_rate_ejection_threshold', c.outlier.localThreshold) }),
    ...(c.hosts.length === 0 ? {} : { host_statuses: c.hosts.map(hostJson) }), circuit_breakers: { thresholds }, observability_name: c.observabilityName, ...(c.edsServiceName === '' ? {} : { eds_service_name: c.edsServiceName }),
  };
}

function hostJson(h: HostStatus): unknown {
  const { region, zone, subZone } = h.locality;
  const health = Object.fromEntries(FLAGS.filter(([bit, , name]) => name !== '' && (h.flags & bit) !== 0).map(([, , name]) => [name, true]));
  return {
    address: addressJson(h.address), stats: h.stats.map((s) => ({ ...(s.gauge ? { type: 'GAUGE' } : {}), name: s.name, ...(s.value === 0 ? {} : { value: String(s.value) }) })),
    health_status: { ...health, eds_health_status: h.eds === 'UNKNOWN' ? 'HEALTHY' : h.eds }, ...(h.successRate < 0 ? {} : { success_rate: { value: h.successRate } }), weight: h.weight, ...(h.hostname === '' ? {} : { hostname: h.hostname }),
    ...(h.priority === 0 ? {} : { priority: h.priority }), ...(h.localOriginSuccessRate < 0 ? {} : { local_origin_success_rate: { value: h.localOriginSuccessRate } }),
    locality: { ...(region === '' ? {} : { region }), ...(zone === '' ? {} : { zone }), ...(subZone === '' ? {} : { sub_zone: subZone }) },
  };
}
