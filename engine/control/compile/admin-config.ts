// The bootstrap's admin interface.
import type { Address } from '../../net/address.ts';
import { compileStringMatcher } from '../../headers/config.ts';
import type { StringMatcherPlan } from '../../headers/string-matcher.ts';
import type { CompileContext, ConfigMessage, ExtensionPlan } from '../../proto/config-message.ts';

export interface AdminPlan {
  readonly address: Address; readonly accessLogs: readonly ExtensionPlan[];
  /** Paths that may be asked for; none named: all. */
  readonly allowPaths: readonly StringMatcherPlan[];
  /** Where /cpuprofiler writes. */
  readonly profilePath: string;
}

export function compileAdmin(m: ConfigMessage | undefined, ctx: CompileContext, address: (m: ConfigMessage | undefined) => Address): AdminPlan | null {
  if (m === undefined) return null;
  m.noop('access_log_path', 'use access_log'); m.unsupported('socket_options'); m.noop('ignore_global_conn_limit', 'admin connections are not counted');
  const plan = {
    accessLogs: ctx.accessLogs(m.list('access_log')), allowPaths: m.list('allow_paths').map(compileStringMatcher),
    profilePath: m.str('profile_path') || '/var/log/envoy/envoy.prof',
  };
  // Without an address there is no admin interface, as in Envoy.
  const at = m.msg('address');
  return at === undefined ? null : { address: address(at), ...plan };
}
