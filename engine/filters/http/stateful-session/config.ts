// envoy.extensions.filters.http.stateful_session.v3 from configuration.
import type { SessionStatePlan, StatefulSessionPlan } from '../../../plan/stateful-session-plan.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';

function state(m: ConfigMessage | undefined): SessionStatePlan | null {
  if (m === undefined) return null;
  const c = m.any('typed_config');
  m.str('name');
  switch (c?.typeName) {
    case 'envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState': {
      const cookie = c.msg('cookie');
      if (cookie === undefined) return null;
      return { kind: 'cookie', name: cookie.str('name'), path: cookie.str('path'), ttlS: Math.floor(Math.max(0, cookie.ms('ttl', 0)) / 1000), attributes: cookie.list('attributes').map((a) => [a.str('name'), a.str('value')] as const) };
    }
    case 'envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState': return { kind: 'header', name: c.str('name').toLowerCase() };
    default: m.unsupported('typed_config', c?.typeName ?? ''); return null;
  }
}

export function compileStatefulSession(m: ConfigMessage): StatefulSessionPlan {
  return { state: state(m.msg('session_state')), strict: m.bool('strict'), missingStatus: m.num('status_on_strict_destination_not_found'), statPrefix: m.str('stat_prefix') };
}

export function compileStatefulSessionPerRoute(m: ConfigMessage): StatefulSessionPlan {
  const own = m.msg('stateful_session');
  m.bool('disabled');
  return own === undefined ? { state: null, strict: false, missingStatus: 0, statPrefix: '' } : compileStatefulSession(own);
}
