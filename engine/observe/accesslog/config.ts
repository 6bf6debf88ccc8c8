// Compiles access loggers that write lines: FileAccessLog, StdoutAccessLog, StderrAccessLog, and their filters. Control thread only.
import { compileHeaderMatcher, compileStringMatcher } from '../../headers/config.ts';
import type { AccessLogFilterPlan, AccessLogPlan, ComparisonPlan, LogFormatPlan, LogTargetPlan, MetadataValuePlan } from '../../plan/accesslog-plan.ts';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';
import { compileFormat, compileFormatString, compileJsonFormat } from '../format/config.ts';
import { RESPONSE_FLAGS } from '../response-flags.ts';

/** Envoy's format when none is given. */
export const DEFAULT_FORMAT = '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

const PACKAGES = { file: 'envoy.extensions.access_loggers.file.v3.FileAccessLog', stdout: 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', stderr: 'envoy.extensions.access_loggers.stream.v3.StderrAccessLog' };
/** What this room compiles; the catalog keys. */
export const LINE_LOG_TYPES: readonly string[] = Object.values(PACKAGES);

const GRPC_STATUSES = ['OK', 'CANCELED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'];

/** Compiles one logger of this room from an AccessLog entry's `filter` and its unpacked typed_config. */
export function compileAccessLog(logger: ConfigMessage, filter: ConfigMessage | undefined, ctx: CompileContext): AccessLogPlan {
  const target: LogTargetPlan = logger.typeName === PACKAGES.file ? { kind: 'file', path: logger.str('path') } : { kind: logger.typeName === PACKAGES.stderr ? 'stderr' : 'stdout' };
  return { target, format: compileLogFormat(logger, ctx), filter: filter === undefined ? null : compileLogFilter(filter) };
}

function compileLogFormat(logger: ConfigMessage, ctx: CompileContext): LogFormatPlan {
  switch (logger.oneof('access_log_format')) {
    case 'format': { const text = logger.str('format'); return { kind: 'text', format: compileFormat(text === '' ? DEFAULT_FORMAT : text, logger, 'format'), omitEmpty: false }; }
    case 'json_format': return { kind: 'json', json: compileJsonFormat(logger.json('json_format'), logger, 'json_format'), omitEmpty: false };
    case 'typed_json_format': return { kind: 'json', json: compileJsonFormat(logger.json('typed_json_format'), logger, 'typed_json_format'), omitEmpty: false };
    case 'log_format': {
      const f = compileFormatString(logger.msg('log_format')!, ctx);
      return f.kind === 'text' ? { kind: 'text', format: f.format, omitEmpty: f.omitEmpty } : { kind: 'json', json: f.json, omitEmpty: f.omitEmpty };
    }
    default: return { kind: 'text', format: compileFormat(DEFAULT_FORMAT, logger, ''), omitEmpty: false };
  }
}

/** AccessLogFilter; also used by local-reply mappers. */
export function compileLogFilter(config: ConfigMessage): AccessLogFilterPlan {
  const kind = config.oneof('filter_specifier'), inner = kind === '' ? undefined : config.msg(kind);
  if (inner === undefined) { config.error('', 'filter_specifier is required'); return { kind: 'and', filters: [] }; }
  switch (kind) {
    case 'status_code_filter': return { kind: 'status', comparison: comparison(inner) };
    case 'duration_filter': return { kind: 'duration', comparison: comparison(inner) };
    case 'not_health_check_filter': return { kind: 'not-health-check' };
    case 'traceable_filter': return { kind: 'traceable' };
    case 'runtime_filter': return runtimeFilter(inner);
    case 'and_filter': case 'or_filter': return { kind: kind === 'and_filter' ? 'and' : 'or', filters: inner.list('filters').map(compileLogFilter) };
    case 'header_filter': return { kind: 'header', header: compileHeaderMatcher(inner.msg('header')!) };
    case 'response_flag_filter': {
      const flags = inner.strings('flags');
      for (const f of flags) if (!RESPONSE_FLAGS.some(([short]) => short === f)) inner.error('flags', `unknown response flag '${f}'`);
      return { kind: 'flags', flags };
    }
    case 'grpc_status_filter': return { kind: 'grpc-status', statuses: inner.enums('statuses').map((s) => GRPC_STATUSES.indexOf(s)), exclude: inner.bool('exclude') };
    case 'metadata_filter': return metadataFilter(inner);
    case 'log_type_filter': return { kind: 'log-type', types: inner.enums('types'), exclude: inner.bool('exclude') };
    default: config.unsupported(kind); return { kind: 'and', filters: [] };
  }
}

function comparison(config: ConfigMessage): ComparisonPlan {
  const c = config.msg('comparison'), value = c?.msg('value');
  const op = c?.enum('op') ?? 'EQ';
  return { op: op === 'GE' || op === 'LE' || op === 'NE' ? op : 'EQ', value: value?.num('default_value') ?? 0, runtimeKey: value?.str('runtime_key') ?? '' };
}

function runtimeFilter(config: ConfigMessage): AccessLogFilterPlan {
  const percent = config.msg('percent_sampled');
  const unit = percent?.enum('denominator') ?? 'HUNDRED', denominator = unit === 'MILLION' ? 1e6 : unit === 'TEN_THOUSAND' ? 1e4 : 100;
  config.noop('use_independent_randomness', 'chance is always independent of the request id here');
  return { kind: 'runtime', key: config.str('runtime_key'), share: (percent?.num('numerator') ?? 0) / denominator, denominator };
}

function metadataFilter(config: ConfigMessage): AccessLogFilterPlan {
  const m = config.msg('matcher'), value = m?.msg('value');
  return {
    kind: 'metadata', namespace: m?.str('filter') ?? '', path: m?.list('path').map((p) => p.str('key')) ?? [], invert: m?.bool('invert') ?? false,
    whenMissing: config.bool('match_if_key_not_found', true), value: value === undefined ? { kind: 'present', present: true } : metadataValue(value),
  };
}

function metadataValue(v: ConfigMessage): MetadataValuePlan {
  const kind = v.oneof('match_pattern');
  switch (kind) {
    case 'null_match': v.msg('null_match'); return { kind: 'null' };
    case 'string_match': return { kind: 'string', string: compileStringMatcher(v.msg('string_match')!) };
    case 'bool_match': return { kind: 'bool', value: v.bool('bool_match') };
    case 'present_match': return { kind: 'present', present: v.bool('present_match') };
    case 'double_match': {
      const d = v.msg('double_match')!;
      if (d.oneof('match_pattern') === 'exact') return { kind: 'exact-number', value: d.num('exact') };
      const r = d.msg('range');
      return { kind: 'range', from: r?.num('start') ?? 0, to: r?.num('end') ?? 0 };
    }
    default: if (kind !== '') v.unsupported(kind); return { kind: 'present', present: true };
  }
}
