// UdpProxyConfig from configuration.
import { compileBackoff } from '../../../net/limit-config.ts';
import { compileMatchTree } from '../../../net/match/config.ts';
import type { MatchTreePlan } from '../../../plan/match-plan.ts';
import { toByteString } from '../../../headers/headers.ts';
import { checkFormatters, compileFormat, compileHeaderAdd } from '../../../observe/format/config.ts';
import type { UdpProxyPlan, UdpTunnelPlan } from '../../../plan/udp-proxy-plan.ts';
import type { CompileContext, ConfigMessage } from '../../../proto/config-message.ts';

const CAPSULE = 'envoy.extensions.filters.udp.udp_proxy.session.http_capsule.v3.FilterConfig';
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

function compileTunnel(m: ConfigMessage | undefined): UdpTunnelPlan | null {
  if (m === undefined) return null;
  const retries = m.msg('retry_options'), buffer = m.msg('buffer_options'), usePost = m.bool('use_post'), postPath = m.str('post_path');
  checkFormatters(m);
  if (postPath !== '' && !usePost) m.error('post_path', "Can't set a post path when POST method isn't used");
  return {
    proxyHost: compileFormat(m.str('proxy_host'), m, 'proxy_host'), proxyPort: m.num('proxy_port', 0), targetHost: compileFormat(m.str('target_host'), m, 'target_host'), targetPort: m.num('default_target_port'),
    usePost, postPath: toByteString(postPath || '/'), headers: { add: m.list('headers_to_add').map(compileHeaderAdd), remove: [] },
    maxAttempts: retries?.num('max_connect_attempts', 1) ?? 1, backoff: compileBackoff(retries),
    bufferDatagrams: buffer === undefined ? -1 : buffer.num('max_buffered_datagrams', 1024), bufferBytes: buffer?.num('max_buffered_bytes', 16_384) ?? 0,
    keepHeaders: m.bool('propagate_response_headers'), keepTrailers: m.bool('propagate_response_trailers'),
  };
}

/** The filters of sessions: http_capsule alone, which is part of a tunnel. */
function compileSessionFilters(m: ConfigMessage, tunnelled: boolean): boolean {
  const filters = m.list('session_filters');
  for (const f of filters) {
    f.str('name');
    f.unsupported('config_discovery');
    const type = f.any('typed_config')?.typeName ?? '';
    if (type !== CAPSULE) f.unsupported('typed_config', type); else if (!tunnelled) f.error('typed_config', 'http_capsule without tunneling_config is not supported yet');
  }
  return filters.length > 0;
}

export function compileUdpProxy(m: ConfigMessage, ctx: CompileContext): UdpProxyPlan {
  m.unsupported('use_original_src_ip');
  const tunnel = compileTunnel(m.msg('tunneling_config')), capsules = compileSessionFilters(m, tunnel !== null);
  if (m.bool('use_per_packet_load_balancing') && (tunnel !== null || capsules)) m.error('use_per_packet_load_balancing', `Only one of use_per_packet_load_balancing or ${tunnel === null ? 'session_filters' : 'tunneling_config'} can be used.`);
  const socket = m.msg('upstream_socket_config'), options = m.msg('access_log_options');
  socket?.noop('max_rx_datagram_size', 'datagrams of any size are taken'); socket?.noop('prefer_gro', 'datagrams are read one by one');
  return {
    statPrefix: m.str('stat_prefix'), tree: compileRoutes(m, ctx), idleTimeoutMs: m.ms('idle_timeout', 60_000), perPacket: m.bool('use_per_packet_load_balancing'),
    hashPolicies: m.list('hash_policies').map((p) => { if (p.oneof('policy_specifier') === 'key') return { kind: 'key', key: p.str('key') } as const; p.bool('source_ip'); return { kind: 'source-ip' } as const; }),
    tunnel, capsules, logOnTunnel: options?.bool('flush_access_log_on_tunnel_connected') ?? false,
    accessLogs: ctx.accessLogs(m.list('access_log')), proxyLogs: ctx.accessLogs(m.list('proxy_access_log')), logIntervalMs: Math.max(0, options?.ms('access_log_flush_interval', 0) ?? 0),
  };
}
