// envoy.extensions.filters.http.header_mutation.v3.HeaderMutation and HeaderMutationPerRoute from configuration.
import { toByteString } from '../../../headers/headers.ts';
import { checkFormatters, compileFormat, compileMutations } from '../../../observe/format/config.ts';
import type { HeaderMutationFilterPlan, QueryMutationPlan } from '../../../plan/http-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

const ACTIONS: Readonly<Record<string, QueryMutationPlan['action']>> = { APPEND_IF_EXISTS_OR_ADD: 'append', ADD_IF_ABSENT: 'add-if-absent', OVERWRITE_IF_EXISTS_OR_ADD: 'overwrite-or-add', OVERWRITE_IF_EXISTS: 'overwrite-if-exists' };

function compileQuery(m: ConfigMessage): QueryMutationPlan {
  const append = m.msg('append'), record = append?.msg('record'), value = record?.json('value'), remove = m.str('remove');
  if (append === undefined && remove === '') m.error('', "One of 'append'/'remove' must be specified.");
  if (append !== undefined && remove !== '') m.error('', "Only one of 'append'/'remove can be specified.");
  if (append !== undefined && record === undefined) append.error('', 'No record specified for append mutation.');
  if (record !== undefined && typeof value !== 'string') record.error('value', 'Only string value is allowed for record value.');
  append?.noop('entry', 'Envoy heeds record alone');
  return { remove: toByteString(remove), name: toByteString(record?.str('key') ?? ''), value: typeof value !== 'string' ? [] : compileFormat(value, record!, 'value'), action: ACTIONS[append?.enum('action') ?? ''] ?? 'append' };
}

function compile(m: ConfigMessage | undefined, mostSpecificWins: boolean): HeaderMutationFilterPlan {
  const list = (field: string): HeaderMutationFilterPlan['request'] => (m === undefined ? [] : compileMutations(m.list(field)));
  if (m !== undefined) checkFormatters(m);
  return { request: list('request_mutations'), response: list('response_mutations'), requestTrailers: list('request_trailers_mutations'), responseTrailers: list('response_trailers_mutations'), query: m?.list('query_parameter_mutations').map(compileQuery) ?? [], mostSpecificWins };
}

export function compileHeaderMutation(m: ConfigMessage): HeaderMutationFilterPlan { return compile(m.msg('mutations'), m.bool('most_specific_header_mutations_wins')); }
export function compileHeaderMutationPerRoute(m: ConfigMessage): HeaderMutationFilterPlan { return compile(m.msg('mutations'), false); }
