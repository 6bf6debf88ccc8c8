// envoy.extensions.filters.http.basic_auth.v3.BasicAuth and BasicAuthPerRoute from configuration.
import type { BasicAuthPlan } from '../../../plan/http-filter-plans.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

/** htpasswd lines, of SHA alone as in Envoy. */
function compileUsers(m: ConfigMessage, ctx: CompileContext): (readonly [string, string])[] {
  const source = m.msg('users'), bytes = source === undefined ? undefined : ctx.dataSource(source), users = new Map<string, string>();
  for (const line of bytes === undefined ? [] : Buffer.from(bytes).toString('latin1').split('\n').map((l) => l.replace(/\r$/, ''))) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':'), name = line.slice(0, colon), hash = line.slice(colon + 1);
    if (colon < 1 || hash === '') { m.error('users', 'basic auth: invalid htpasswd format, username:password is expected'); continue; }
    if (users.has(name)) { m.error('users', 'basic auth: duplicate users'); continue; }
    if (!hash.startsWith('{SHA}')) { m.error('users', 'basic auth: unsupported htpasswd format: please use {SHA}'); continue; }
    if (hash.length !== 33) { m.error('users', 'basic auth: invalid htpasswd format, invalid SHA hash length'); continue; }
    users.set(name, hash.slice(5));
  }
  return [...users];
}

export function compileBasicAuth(m: ConfigMessage, ctx: CompileContext): BasicAuthPlan {
  return { users: compileUsers(m, ctx), realm: m.str('realm'), header: (m.str('authentication_header') || 'authorization').toLowerCase(), forward: m.str('forward_username_header').toLowerCase(), allowMissing: m.bool('allow_missing'), metadata: m.bool('emit_dynamic_metadata') };
}
/** A route's own users; the rest is the filter's. */
export function compileBasicAuthPerRoute(m: ConfigMessage, ctx: CompileContext): Pick<BasicAuthPlan, 'users' | 'realm'> { return { users: compileUsers(m, ctx), realm: m.str('realm') }; }
