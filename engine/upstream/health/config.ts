// Active health checks from configuration (envoy.config.core.v3.HealthCheck).
import { compileStringMatcher } from '../../headers/config.ts';
import { compileAddress } from '../../net/config.ts';
import { compileHeaderAdd, compileMutation } from '../../observe/format/config.ts';
import type { CheckTargetPlan, GrpcCheckPlan, HealthCheckPlan, HttpCheckPlan, StatusRange, TcpCheckPlan } from '../../plan/health-plan.ts';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';

/** The host itself. */
export const OWN: CheckTargetPlan = { port: 0, hostname: '', address: null, disabled: false };

export function compileCheckTarget(m: ConfigMessage | undefined): CheckTargetPlan {
  if (m === undefined) return OWN;
  const address = m.msg('address');
  return { port: m.num('port_value'), hostname: m.str('hostname'), address: address === undefined ? null : compileAddress(address), disabled: m.bool('disable_active_health_check') };
}

const EVENT_SINKS = 'envoy.health_check.event_sinks';

/** Payload: hexadecimal text or raw bytes. */
function payload(m: ConfigMessage): Uint8Array {
  if (m.oneof('payload') !== 'text') return m.bytes('binary') ?? new Uint8Array(0);
  const text = m.str('text');
  if (!/^([0-9a-fA-F]{2})+$/.test(text)) { m.error('text', `invalid hex string '${text}'`); return new Uint8Array(0); }
  return new Uint8Array(Buffer.from(text, 'hex'));
}

function ranges(list: readonly ConfigMessage[], what: string): StatusRange[] {
  return list.map((r) => {
    const from = r.num('start'), to = r.num('end');
    if (from < 100 || to > 600 || from >= to) r.error('', `Invalid http ${what} status range: expecting start ${from >= to ? '< end' : '>= 100 and end <= 600'}, but found start=${from} and end=${to}`);
    return { from, to };
  });
}

function http(m: ConfigMessage): HttpCheckPlan {
  const method = m.enum('method');
  if (method === 'CONNECT') m.error('method', 'health checks cannot use the CONNECT method');
  const codec = m.enum('codec_client_type');
  if (codec === 'HTTP3') m.error('codec_client_type', `'${codec}' is not supported yet`);
  const sent = m.msg('send');
  if (sent !== undefined && method !== 'POST' && method !== 'PUT') m.error('send', 'a payload needs the method POST or PUT');
  const name = m.msg('service_name_matcher');
  const expected = ranges(m.list('expected_statuses'), 'expected');
  return {
    kind: 'http', host: m.str('host'), path: m.str('path'), method: method === 'METHOD_UNSPECIFIED' ? 'GET' : method, http2: codec === 'HTTP2', send: sent === undefined ? null : payload(sent),
    receive: m.list('receive').map(payload), responseBufferBytes: m.num('response_buffer_size', 1024), headers: compileMutation(m, 'request_headers_to_add', 'request_headers_to_remove'),
    expected: expected.length > 0 ? expected : [{ from: 200, to: 201 }], retriable: ranges(m.list('retriable_statuses'), 'retriable'), serviceName: name === undefined ? null : compileStringMatcher(name),
  };
}

function tcp(m: ConfigMessage): TcpCheckPlan {
  m.unsupported('proxy_protocol_config');
  const send = m.msg('send');
  return { kind: 'tcp', send: send === undefined ? null : payload(send), receive: m.list('receive').map(payload) };
}

function grpc(m: ConfigMessage): GrpcCheckPlan {
  return { kind: 'grpc', serviceName: m.str('service_name'), authority: m.str('authority'), metadata: { add: m.list('initial_metadata').map(compileHeaderAdd), remove: [] } };
}

/** The file of HealthCheckEventFileSink. */
export function compileEventFileSink(m: ConfigMessage): { readonly path: string } { return { path: m.str('event_log_path') }; }

function compileOne(m: ConfigMessage, ctx: CompileContext): HealthCheckPlan | null {
  const kind = m.oneof('health_checker'), of = kind === '' ? undefined : m.msg(kind);
  m.unsupported('event_service');
  const tls = m.msg('tls_options')?.strings('alpn_protocols') ?? [];
  const check = kind === 'http_health_check' ? http(of!) : kind === 'tcp_health_check' ? tcp(of!) : kind === 'grpc_health_check' ? grpc(of!) : null;
  if (check === null) m.unsupported('custom_health_check', m.msg('custom_health_check')?.str('name'));
  const eventLogs = m.has('event_log_path') ? [m.str('event_log_path')] : [];
  for (const l of m.list('event_logger')) {
    l.str('name');
    const c = l.any('typed_config'), plan = c === undefined ? null : ctx.extension(EVENT_SINKS, c);
    if (plan !== null) eventLogs.push((plan.body as { path: string }).path);
  }
  const intervalMs = m.ms('interval'), unhealthyIntervalMs = m.ms('unhealthy_interval', intervalMs), noTrafficMs = m.ms('no_traffic_interval', 60_000);
  const rest = {
    timeoutMs: m.ms('timeout'), intervalMs, unhealthyIntervalMs, unhealthyEdgeMs: m.ms('unhealthy_edge_interval', unhealthyIntervalMs), healthyEdgeMs: m.ms('healthy_edge_interval', intervalMs),
    noTrafficMs, noTrafficHealthyMs: m.ms('no_traffic_healthy_interval', noTrafficMs), initialJitterMs: m.ms('initial_jitter', 0), intervalJitterMs: m.ms('interval_jitter', 0), intervalJitterPercent: m.num('interval_jitter_percent'),
    unhealthyThreshold: m.num('unhealthy_threshold', 1), healthyThreshold: m.num('healthy_threshold', 1), altPort: m.num('alt_port'), reuseConnection: m.bool('reuse_connection', true), socketMatch: (m.json('transport_socket_match_criteria') as HealthCheckPlan['socketMatch'] | undefined) ?? null, alpn: tls.length > 0 ? tls : null, eventLogs,
    logFailures: m.bool('always_log_health_check_failures'), logSuccess: m.bool('always_log_health_check_success'),
  };
  return check === null ? null : { check, ...rest };
}

/** health_checks of a cluster. Envoy takes one; more than one is refused there, and here. */
export function compileHealthChecks(m: ConfigMessage, ctx: CompileContext): HealthCheckPlan | null {
  const list = m.list('health_checks');
  if (list.length > 1) { m.error('health_checks', 'Multiple health checks not supported'); return null; }
  return list[0] === undefined ? null : compileOne(list[0], ctx);
}
