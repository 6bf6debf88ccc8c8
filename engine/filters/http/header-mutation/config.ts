// envoy.extensions.filters.http.header_mutation.v3.HeaderMutation and HeaderMutationPerRoute from configuration.
import { toByteString } from '../../../headers/headers.ts';
import { compileFormat, compileMutations } from '../../../observe/format/config.ts';
import type { HeaderMutationFilterPlan, QueryMutationPlan } from '../../../plan/http-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

const ACTIONS: Readonly<Record<string, QueryMutationPlan['action']>> = { APPEND_IF_EXISTS_OR_ADD: 'append', ADD_IF_ABSENT: 'add-if-absent', OVERWRITE_IF_EXISTS_OR_ADD: 'overwrite-or-add', OVERWRITE_IF_EXISTS: 'overwrite-if-exists' };

function compileQuery(m: ConfigMessage): QueryMutationPlan {
  const append = m.msg('append'), entry = append?.msg('entry');
  append?.unsupported('record');
  const remove = m.str('remove');
  if (append === undefined && remove === '') m.error('', 'header mutation: no mutation of a query parameter');
  return { remove: toByteString(remove), name: toByteString(entry?.str('key') ?? ''), value: entry === undefined ? [] : compileFormat(Buffer.from(entry.bytes('value') ?? []).toString('utf8'), entry, 'value'), action: ACTIONS[append?.enum('action') ?? ''] ?? 'append' };
}

function compile(m: ConfigMessage | undefined, mostSpecificWins: boolean): HeaderMutationFilterPlan {
  const list = (field: string): HeaderMutationFilterPlan['request'] => (m === undefined ? [] : compileMutations(m.list(field)));
  m?.unsupported('formatters');
  return { request: list('request_mutations'), response: list('response_mutations'), requestTrailers: list('request_trailers_mutations'), responseTrailers: list('response_trailers_mutations'), query: m?.list('query_parameter_mutations').map(compileQuery) ?? [], mostSpecificWins };
}

export function compileHeaderMutation(m: ConfigMessage): HeaderMutationFilterPlan { return compile(m.msg('mutations'), m.bool('most_specific_header_mutations_wins')); }
export function compileHeaderMutationPerRoute(m: ConfigMessage): HeaderMutationFilterPlan { return compile(m.msg('mutations'), false); }
