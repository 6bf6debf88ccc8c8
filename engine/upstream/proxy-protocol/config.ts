// ProxyProtocolUpstreamTransport from configuration.
import { compileTransportSocket } from '../../net/config.ts';
import type { ProxyProtocolUpstreamPlan } from '../../plan/proxy-protocol-plan.ts';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';

export function compileProxyProtocolUpstream(m: ConfigMessage, ctx: CompileContext): ProxyProtocolUpstreamPlan {
  const config = m.msg('config'), pass = config?.msg('pass_through_tlvs'), types = (pass?.nums('tlv_type') ?? []).map((t) => t & 255), inner = m.msg('transport_socket'), version = config?.enum('version') === 'V2' ? 2 : 1;
  m.noop('tlv_as_pool_key', 'every client has connections of its own'); m.noop('allow_unspecified_address', 'Envoy has no effect for it either');
  const added = (config?.list('added_tlvs') ?? []).map((t) => { t.unsupported('format_string'); return { type: t.num('type'), value: t.bytes('value') ?? new Uint8Array(0) }; });
  if (version === 1 && (pass !== undefined || added.length > 0)) m.warn('config', 'a header of version 1 has no TLVs');
  if (added.some((t) => t.type > 255)) config!.error('added_tlvs', 'a TLV type is at most 255');
  return { version, passThrough: pass === undefined ? null : pass.enum('match_type') === 'INCLUDE_ALL' ? 'all' : types, added, inner: compileTransportSocket(inner, ctx, 'upstream') };
}
