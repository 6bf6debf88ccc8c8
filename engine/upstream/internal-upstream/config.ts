// InternalUpstreamTransport from configuration.
import { compileTransportSocket } from '../../net/config.ts';
import type { InternalUpstreamPlan } from '../../plan/internal-upstream-plan.ts';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';

export function compileInternalUpstream(m: ConfigMessage, ctx: CompileContext): InternalUpstreamPlan {
  const metadata = m.list('passthrough_metadata').map((s) => {
    const kind = s.msg('kind'), of = kind?.oneof('kind') ?? '', namespace = s.str('name');
    // None at all is reported by the message's own rules.
    if (of !== '') kind!.msg(of);
    if (of !== '' && of !== 'host' && of !== 'cluster') s.error('kind', `metadata type is not supported: ${of}`);
    return { of: of === 'cluster' ? 'cluster' as const : 'host' as const, namespace };
  });
  return { metadata, inner: compileTransportSocket(m.msg('transport_socket'), ctx, 'upstream') };
}
