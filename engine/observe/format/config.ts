// Compiles substitution formats (envoy.config.core.v3.SubstitutionFormatString and plain format texts). Control thread only.
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';
import type { FormatPlan } from './formatter.ts';
import type { JsonPlan } from './make-formatter.ts';
import { FormatError, parseFormat } from './parse.ts';

/** Parses `text`, which stands in `field` of `at`; a bad format is reported there. */
export function compileFormat(text: string, at: ConfigMessage, field: string): FormatPlan {
  try { return parseFormat(text); } catch (e) {
    if (!(e instanceof FormatError)) throw e;
    at.error(field, e.message);
    return [];
  }
}

/** A google.protobuf.Struct whose strings are formats. Keys are sorted: Envoy's order is unspecified unless sort_properties is set, and this one is both. */
export function compileJsonFormat(json: unknown, at: ConfigMessage, field: string): JsonPlan {
  if (typeof json === 'string') return { format: compileFormat(json, at, field) };
  if (Array.isArray(json)) return { list: json.map((v) => compileJsonFormat(v, at, field)) };
  if (json !== null && typeof json === 'object') return { object: Object.entries(json).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([k, v]) => [k, compileJsonFormat(v, at, field)] as const) };
  return { literal: json };
}

export type FormatStringPlan = { readonly kind: 'text'; readonly format: FormatPlan; readonly omitEmpty: boolean; readonly contentType: string } | { readonly kind: 'json'; readonly json: JsonPlan; readonly omitEmpty: boolean; readonly contentType: string };

/** Formatter extensions whose operators are built in; their being named is all they need. */
const BUILT_IN_FORMATTERS = new Set(['envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery', 'envoy.extensions.formatter.metadata.v3.Metadata']);

/** SubstitutionFormatString: text_format, text_format_source or json_format. */
export function compileFormatString(config: ConfigMessage, ctx: CompileContext): FormatStringPlan {
  for (const f of config.list('formatters')) {
    f.str('name');
    const inner = f.any('typed_config');
    if (inner !== undefined && !BUILT_IN_FORMATTERS.has(inner.typeName)) f.error('typed_config', `formatter '${inner.typeName}' is not supported`);
  }
  const omitEmpty = config.bool('omit_empty_values'), given = config.str('content_type');
  config.msg('json_format_options')?.bool('sort_properties');
  switch (config.oneof('format')) {
    case 'json_format': return { kind: 'json', json: compileJsonFormat(config.json('json_format'), config, 'json_format'), omitEmpty, contentType: given || 'application/json' };
    case 'text_format': return { kind: 'text', format: compileFormat(config.str('text_format'), config, 'text_format'), omitEmpty, contentType: given || 'text/plain' };
    case 'text_format_source': {
      const source = config.msg('text_format_source')!, bytes = ctx.dataSource(source);
      return { kind: 'text', format: compileFormat(bytes === undefined ? '' : Buffer.from(bytes).toString('utf8'), config, 'text_format_source'), omitEmpty, contentType: given || 'text/plain' };
    }
    default: config.error('', 'format is required'); return { kind: 'text', format: [], omitEmpty, contentType: given || 'text/plain' };
  }
}
