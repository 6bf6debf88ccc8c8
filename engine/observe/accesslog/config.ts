// Access loggers and their filters from configuration.
import type { CompileContext, ConfigMessage, ExtensionPlan } from '../../proto/config-message.ts';
import { compileHeaderMatcher } from '../../headers/config.ts';
import { CelExpression } from '../cel/expression.ts';
import { compileFormat, compileJsonFormat, compileSubstitution } from '../format/config.ts';
import { compilePercent, compileValueMatch } from '../match/config.ts';
import { parseFormat } from '../format/parse.ts';
import type { AccessLogFilterPlan, AccessLogPlan, ComparisonPlan, LogFormatPlan } from '../../plan/accesslog-plan.ts';

/** Envoy's default format. */
export const DEFAULT_FORMAT = '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** AccessLog: filter and sink. null after an error. */
export function compileAccessLog(m: ConfigMessage, ctx: CompileContext): ExtensionPlan | null {
  m.str('name');
  const filter = m.msg('filter');
  const config = m.any('typed_config');
  if (config === undefined) { m.error('', `no typed_config for access logger '${m.str('name')}'`); return null; }
  const plan = ctx.extension('envoy.access_loggers', config);
  if (plan === null) return null;
  return { kind: plan.kind, body: { ...(plan.body as AccessLogPlan), filter: filter === undefined ? null : compileLogFilter(filter) } };
}

function compileLogFormat(m: ConfigMessage, ctx: CompileContext): LogFormatPlan {
  switch (m.oneof('access_log_format')) {
    case 'format': return { kind: 'text', format: compileFormat(m.str('format'), m, 'format'), omitEmpty: false };
    case 'json_format': return { kind: 'json', json: compileJsonFormat(m.json('json_format'), m, 'json_format', true), omitEmpty: false };
    case 'typed_json_format': return { kind: 'json', json: compileJsonFormat(m.json('typed_json_format'), m, 'typed_json_format', true), omitEmpty: false };
    case 'log_format': {
      const s = compileSubstitution(m.msg('log_format')!, ctx);
      return s.kind === 'text' ? { kind: 'text', format: s.format, omitEmpty: s.omitEmpty } : { kind: 'json', json: s.json as never, omitEmpty: s.omitEmpty };
    }
    default: return { kind: 'text', format: parseFormat(DEFAULT_FORMAT), omitEmpty: false };
  }
}

export function compileFileLog(m: ConfigMessage, ctx: CompileContext): AccessLogPlan { return { target: { kind: 'file', path: m.str('path') }, format: compileLogFormat(m, ctx), filter: null }; }
export function compileStreamLog(kind: 'stdout' | 'stderr') { return (m: ConfigMessage, ctx: CompileContext): AccessLogPlan => ({ target: { kind }, format: compileLogFormat(m, ctx), filter: null }); }

function comparison(m: ConfigMessage | undefined): ComparisonPlan {
  const v = m?.msg('value');
  return { op: (m?.enum('op') ?? 'EQ') as 'EQ', value: v?.num('default_value') ?? 0, runtimeKey: v?.str('runtime_key') ?? '' };
}

const ALWAYS: AccessLogFilterPlan = { kind: 'and', filters: [] };
/** Names of GrpcStatusFilter.Status in the order of their numbers. */
const GRPC = ['OK', 'CANCELED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'];

export function compileLogFilter(m: ConfigMessage): AccessLogFilterPlan {
  const kind = m.oneof('filter_specifier'), f = m.msg(kind === '' ? 'status_code_filter' : kind);
  if (f === undefined) return ALWAYS;
  switch (kind) {
    case 'status_code_filter': return { kind: 'status', comparison: comparison(f.msg('comparison')) };
    case 'duration_filter': return { kind: 'duration', comparison: comparison(f.msg('comparison')) };
    case 'not_health_check_filter': return { kind: 'not-health-check' };
    case 'traceable_filter': return { kind: 'traceable' };
    case 'runtime_filter': { const p = compilePercent(f.msg('percent_sampled'), f.str('runtime_key')); f.noop('use_independent_randomness', 'chance is always drawn anew'); return { kind: 'runtime', key: p.key, share: p.numerator / p.denominator, denominator: p.denominator }; }
    case 'and_filter': return { kind: 'and', filters: f.list('filters').map(compileLogFilter) };
    case 'or_filter': return { kind: 'or', filters: f.list('filters').map(compileLogFilter) };
    case 'header_filter': { const h = f.msg('header'); return h === undefined ? ALWAYS : { kind: 'header', header: compileHeaderMatcher(h) }; }
    case 'response_flag_filter': return { kind: 'flags', flags: f.strings('flags') };
    case 'grpc_status_filter': return { kind: 'grpc-status', statuses: f.enums('statuses').map((s) => GRPC.indexOf(s)), exclude: f.bool('exclude') };
    case 'log_type_filter': return { kind: 'log-type', types: f.enums('types'), exclude: f.bool('exclude') };
    case 'metadata_filter': { const x = f.msg('matcher'); return { kind: 'metadata', namespace: x?.str('filter') ?? '', path: (x?.list('path') ?? []).map((p) => p.str('key')), value: x === undefined ? { kind: 'present', present: true } : compileValueMatch(x.msg('value'), x), invert: x?.bool('invert') ?? false, whenMissing: f.bool('match_if_key_not_found', true) }; }
    case 'extension_filter': return compileExtensionFilter(f);
    default: m.unsupported(kind); return ALWAYS;
  }
}

/** Filters that are extensions: CEL. */
function compileExtensionFilter(m: ConfigMessage): AccessLogFilterPlan {
  const c = m.any('typed_config');
  m.str('name');
  if (c?.typeName !== 'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter') { m.unsupported('typed_config', c?.typeName ?? ''); return ALWAYS; }
  c.unsupported('cel_config');
  const expression = c.str('expression'), fault = CelExpression.faultOf(expression);
  if (fault !== '') c.error('expression', `Not able to parse filter expression: ${fault}`);
  return { kind: 'cel', expression };
}
