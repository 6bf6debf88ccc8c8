// Formats from configuration: text formats, SubstitutionFormatString, header values and mutations.
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';
import { compileStringMatcher } from '../../headers/config.ts';
import { toByteString } from '../../headers/headers.ts';
import type { HeaderAddPlan, HeaderMutationPlan } from '../../plan/header-mutation-plan.ts';
import type { BodyFormatPlan } from '../../plan/hcm-plan.ts';
import type { FormatPlan } from './formatter.ts';
import type { JsonPlan } from './make-formatter.ts';
import { FormatError, parseFormat } from './parse.ts';

/** A text format of `field`; faults are reported there. */
export function compileFormat(text: string, at: ConfigMessage, field: string): FormatPlan {
  try { return parseFormat(text); } catch (e) { if (!(e instanceof FormatError)) throw e; at.error(field, e.message); return []; }
}

/** A JSON format: a Struct whose strings are formats. */
export function compileJsonFormat(json: unknown, at: ConfigMessage, field: string, sort: boolean): JsonPlan {
  const walk = (v: unknown): JsonPlan => {
    if (typeof v === 'string') return { format: compileFormat(v, at, field) };
    if (Array.isArray(v)) return { list: v.map(walk) };
    if (v !== null && typeof v === 'object') { const entries = Object.entries(v); if (sort) entries.sort(([a], [b]) => (a < b ? -1 : 1)); return { object: entries.map(([k, x]) => [k, walk(x)] as const) }; }
    return { literal: v };
  };
  return walk(json);
}

/** `formatters` of a message: their operators are always there, so only their types are looked at. */
export function checkFormatters(m: ConfigMessage): void {
  for (const f of m.list('formatters')) {
    const type = f.any('typed_config')?.typeName ?? '', name = f.str('name');
    if (type === '' || /\.(req_without_query\.v3\.ReqWithoutQuery|metadata\.v3\.Metadata|cel\.v3\.Cel)$/.test(type)) continue;
    if (type.startsWith('envoy.extensions.formatter.')) f.unsupported('typed_config', type); else f.error('typed_config', `Formatter not found: ${name}`);
  }
}

export type SubstitutionPlan = BodyFormatPlan & { readonly omitEmpty: boolean };

/** envoy.config.core.v3.SubstitutionFormatString. */
export function compileSubstitution(m: ConfigMessage, ctx: CompileContext): SubstitutionPlan {
  const omitEmpty = m.bool('omit_empty_values'), given = m.str('content_type');
  checkFormatters(m);
  if (m.has('json_format_options')) m.msg('json_format_options')!.bool('sort_properties');
  switch (m.oneof('format')) {
    case 'json_format': return { kind: 'json', json: compileJsonFormat(m.json('json_format'), m, 'json_format', true), contentType: given || 'application/json', omitEmpty };
    case 'text_format': return { kind: 'text', format: compileFormat(m.str('text_format'), m, 'text_format'), contentType: given || 'text/plain', omitEmpty };
    default: {
      const source = m.msg('text_format_source');
      const bytes = source === undefined ? undefined : ctx.dataSource(source);
      return { kind: 'text', format: compileFormat(bytes === undefined ? '' : Buffer.from(bytes).toString('utf8'), m, 'text_format_source'), contentType: given || 'text/plain', omitEmpty };
    }
  }
}

const ACTIONS: Record<string, HeaderAddPlan['action']> = { APPEND_IF_EXISTS_OR_ADD: 'append', ADD_IF_ABSENT: 'add-if-absent', OVERWRITE_IF_EXISTS_OR_ADD: 'overwrite-or-add', OVERWRITE_IF_EXISTS: 'overwrite-if-exists' };

/** One HeaderValueOption. */
export function compileHeaderAdd(m: ConfigMessage): HeaderAddPlan {
  const h = m.msg('header');
  const name = (h?.str('key') ?? '').toLowerCase();
  h?.noop('raw_value', 'Envoy heeds value alone here');
  if (name === 'host' || name === ':authority' || name === ':path' || name === ':method' || name === ':scheme') m.error('header', `:-prefixed or host headers may not be modified`);
  const action = m.has('append') ? (m.bool('append', true) ? 'append' : 'overwrite-or-add') : ACTIONS[m.enum('append_action')] ?? 'append';
  return { name: toByteString(name), format: compileFormat(h?.str('value') ?? '', h ?? m, 'value'), action, keepEmpty: m.bool('keep_empty_value') };
}

/** The add and remove lists of one level, e.g. ('request_headers_to_add', 'request_headers_to_remove'). */
export function compileMutation(m: ConfigMessage, add: string, remove: string): HeaderMutationPlan {
  const names = remove === '' ? [] : m.strings(remove).map((n) => n.toLowerCase());
  for (const n of names) if (n === 'host' || n.startsWith(':')) m.error(remove, ':-prefixed or host headers may not be removed');
  return { add: m.list(add).map(compileHeaderAdd), remove: names };
}

/** A list of envoy.config.common.mutation_rules.v3.HeaderMutation, in order. */
export function compileMutations(list: readonly ConfigMessage[]): HeaderMutationPlan[] {
  const out: HeaderMutationPlan[] = [];
  for (const x of list) {
    const kind = x.oneof('action');
    if (kind === 'append') out.push({ add: [compileHeaderAdd(x.msg('append')!)], remove: [] });
    else if (kind === 'remove') out.push({ add: [], remove: [x.str('remove').toLowerCase()] });
    else if (kind === 'remove_on_match') { const m = x.msg('remove_on_match')!.msg('key_matcher'); if (m !== undefined) out.push({ add: [], remove: [], removeMatching: compileStringMatcher(m) }); }
    else if (kind !== '') x.unsupported(kind);
  }
  return out;
}
