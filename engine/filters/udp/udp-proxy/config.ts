// UdpProxyConfig from configuration.
import { compileMatchTree } from '../../../net/match/config.ts';
import type { MatchTreePlan } from '../../../plan/match-plan.ts';
import type { UdpProxyPlan } from '../../../plan/udp-proxy-plan.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

const ROUTE = 'envoy.extensions.filters.udp.udp_proxy.v3.Route';

function compileRoutes(m: ConfigMessage, ctx: CompileContext): MatchTreePlan {
  const tree = m.msg('matcher');
  if (tree !== undefined) {
    return compileMatchTree(tree, { stream: false, action: (config, at) => {
      if (config.typeName !== ROUTE) { at.msg('action')!.unsupported('typed_config', config.typeName); return ''; }
      ctx.needsCluster(config.str('cluster'), config, 'cluster');
      return config.str('cluster');
    } });
  }
  ctx.needsCluster(m.str('cluster'), m, 'cluster');
  return { body: { kind: 'none' }, noMatch: { action: m.str('cluster'), tree: null, keep: false } };
}

export function compileUdpProxy(m: ConfigMessage, ctx: CompileContext): UdpProxyPlan {
  for (const f of ['use_original_src_ip', 'session_filters', 'tunneling_config']) m.unsupported(f);
  const socket = m.msg('upstream_socket_config'), options = m.msg('access_log_options');
  options?.noop('flush_access_log_on_tunnel_connected', 'there are no tunnels of sessions');
  socket?.noop('max_rx_datagram_size', 'datagrams of any size are taken'); socket?.noop('prefer_gro', 'datagrams are read one by one');
  return {
    statPrefix: m.str('stat_prefix'), tree: compileRoutes(m, ctx), idleTimeoutMs: m.ms('idle_timeout', 60_000), perPacket: m.bool('use_per_packet_load_balancing'),
    hashPolicies: m.list('hash_policies').map((p) => { if (p.oneof('policy_specifier') === 'key') return { kind: 'key', key: p.str('key') } as const; p.bool('source_ip'); return { kind: 'source-ip' } as const; }),
    accessLogs: ctx.accessLogs(m.list('access_log')), proxyLogs: ctx.accessLogs(m.list('proxy_access_log')), logIntervalMs: Math.max(0, options?.ms('access_log_flush_interval', 0) ?? 0),
  };
}
