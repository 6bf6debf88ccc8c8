// Http1ProtocolOptions from configuration, for both directions.
import { compileStringMatcher } from '../../headers/config.ts';
import type { ConfigMessage } from '../../proto/config-message.ts';
import { HTTP1_DEFAULTS, type Http1OptionsPlan } from '../../plan/http1-options-plan.ts';

export interface HeadLimits { readonly maxHeadersKb: number; readonly maxHeadersCount: number; readonly headersWithUnderscores: Http1OptionsPlan['headersWithUnderscores'] }

export function compileHttp1Options(m: ConfigMessage | undefined, limits: HeadLimits, streamErrors = false): Http1OptionsPlan {
  if (m === undefined) return { ...HTTP1_DEFAULTS, streamErrorOnInvalidHttpMessage: streamErrors, ...limits };
  let nameFormat: Http1OptionsPlan['nameFormat'] = 'lower', addedInProperCase = false, forwardReason = false;
  const format = m.msg('header_key_format');
  if (format !== undefined) {
    if (format.oneof('header_format') === 'proper_case_words') { format.has('proper_case_words'); nameFormat = 'proper'; } else {
      const f = format.msg('stateful_formatter');
      const config = f?.any('typed_config');
      f?.str('name');
      if (config?.typeName === 'envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig') { nameFormat = 'preserve'; forwardReason = config.bool('forward_reason_phrase'); addedInProperCase = config.enum('formatter_type_on_envoy_headers') === 'PROPER_CASE'; } else f?.unsupported('typed_config');
    }
  }
  return {
    allowAbsoluteUrl: m.bool('allow_absolute_url', true), acceptHttp10: m.bool('accept_http_10'), defaultHostForHttp10: m.str('default_host_for_http_10'), enableTrailers: m.bool('enable_trailers'), nameFormat,
    allowChunkedLength: m.bool('allow_chunked_length'), streamErrorOnInvalidHttpMessage: m.bool('override_stream_error_on_invalid_http_message', streamErrors), allowCustomMethods: m.bool('allow_custom_methods'), addedInProperCase, forwardReason, ignoreUpgrades: m.list('ignore_http_11_upgrade').map(compileStringMatcher),
    sendFullyQualifiedUrl: m.bool('send_fully_qualified_url'), ...limits,
  };
}

/** common_http_protocol_options' part of the limits. */
export function underscores(common: ConfigMessage | undefined): Http1OptionsPlan['headersWithUnderscores'] {
  switch (common?.enum('headers_with_underscores_action')) { case 'REJECT_REQUEST': return 'reject'; case 'DROP_HEADER': return 'drop'; default: return 'allow'; }
}
