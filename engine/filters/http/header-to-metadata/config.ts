// envoy.extensions.filters.http.header_to_metadata.v3.Config from configuration; the same at routes.
import { compileRegexMatcher } from '../../../headers/config.ts';
import { toByteString } from '../../../headers/headers.ts';
import type { HeaderToMetadataPlan, HeaderToMetadataRule, MetadataWritePlan } from '../../../plan/http-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

function compileWrite(m: ConfigMessage | undefined): MetadataWritePlan | null {
  if (m === undefined) return null;
  const rewrite = m.msg('regex_value_rewrite'), pattern = rewrite?.msg('pattern'), type = m.enum('type');
  if (type === 'PROTOBUF_VALUE') m.unsupported('type', 'PROTOBUF_VALUE');
  if (rewrite !== undefined && m.has('value')) m.error('regex_value_rewrite', 'Cannot specify both value and regex_value_rewrite');
  return {
    namespace: m.str('metadata_namespace') || 'envoy.filters.http.header_to_metadata', key: m.str('key'), value: m.str('value'),
    rewrite: rewrite === undefined ? null : { regex: pattern === undefined ? '' : compileRegexMatcher(pattern), substitution: toByteString(rewrite.str('substitution')) }, number: type === 'NUMBER', base64: m.enum('encode') === 'BASE64',
  };
}

function compileRule(m: ConfigMessage): HeaderToMetadataRule {
  const header = m.str('header').toLowerCase(), cookie = m.str('cookie'), present = m.msg('on_header_present'), missing = m.msg('on_header_missing'), remove = m.bool('remove');
  if ((header === '') === (cookie === '')) m.error('', header === '' ? 'One of Cookie or Header option needs to be specified' : 'Cannot specify both header and cookie');
  if (cookie !== '' && remove) m.error('remove', 'Cannot specify remove for cookie');
  if (present === undefined && missing === undefined) m.error('', 'header to metadata filter: rule for header must specify at least one of `on_header_present` or `on_header_missing`');
  if (missing !== undefined && missing.str('value') === '') missing.error('value', 'Cannot specify on_header_missing rule with an empty value');
  return { header: header === 'host' ? ':authority' : header, cookie, present: compileWrite(present), missing: compileWrite(missing), remove };
}

export function compileHeaderToMetadata(m: ConfigMessage): HeaderToMetadataPlan {
  m.noop('stat_prefix', 'rules are not counted');
  return { request: m.list('request_rules').map(compileRule), response: m.list('response_rules').map(compileRule) };
}
