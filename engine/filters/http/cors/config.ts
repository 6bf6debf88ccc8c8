// envoy.extensions.filters.http.cors.v3.CorsPolicy from configuration.
import { compileStringMatcher } from '../../../headers/config.ts';
import { toByteString } from '../../../headers/headers.ts';
import { compileFraction } from '../../../observe/match/config.ts';
import type { CorsPlan } from '../../../plan/http-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

export function compileCorsPolicy(m: ConfigMessage): CorsPlan {
  const flag = (field: string): boolean | null => (m.has(field) ? m.bool(field) : null);
  return {
    origins: m.list('allow_origin_string_match').map(compileStringMatcher), methods: toByteString(m.str('allow_methods')), headers: toByteString(m.str('allow_headers')), expose: toByteString(m.str('expose_headers')), maxAge: toByteString(m.str('max_age')),
    credentials: flag('allow_credentials'), privateNetwork: flag('allow_private_network_access'), forwardNotMatching: flag('forward_not_matching_preflights'), enabled: compileFraction(m.msg('filter_enabled')), shadow: compileFraction(m.msg('shadow_enabled')),
  };
}
