// Bootstrap.stats_sinks: statsd, DogStatsD and Graphite (envoy.config.metrics.v3, envoy.extensions.stat_sinks).
import { parseIp } from '../../net/cidr.ts';
import { ipAddress } from '../../net/address.ts';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';
import type { StatSinkPlan, TagStyle } from '../stats/sinks/sink-plan.ts';

const PREFIX = 'envoy', SCALED = 'histograms of time are in milliseconds here';

/** `node`: the process has an id and a cluster, which a sink over TCP asks for. */
export function compileStatSinks(list: readonly ConfigMessage[], ctx: CompileContext, node: boolean): StatSinkPlan[] {
  return list.flatMap((s): StatSinkPlan[] => {
    const name = s.str('name'), c = s.any('typed_config');
    switch (c?.typeName) {
      case 'envoy.config.metrics.v3.StatsdSink': return statsd(c, ctx, node);
      case 'envoy.config.metrics.v3.DogStatsdSink': return udp(c, 'dog');
      case 'envoy.extensions.stat_sinks.graphite_statsd.v3.GraphiteStatsdSink': return udp(c, 'graphite');
      case undefined: s.unregistered('', name, ''); return [];
      default: s.unsupported('typed_config', c!.typeName); return [];
    }
  });
}

function statsd(c: ConfigMessage, ctx: CompileContext, node: boolean): StatSinkPlan[] {
  if (c.oneof('statsd_specifier') !== 'tcp_cluster_name') return udp(c, 'none');
  const cluster = c.str('tcp_cluster_name');
  c.noop('scale_histogram_units_to_milliseconds', SCALED);
  if (!node) c.error('tcp_cluster_name', "tcp statsd: node 'id' and 'cluster' are required. Set it either in 'node' config or via --service-node and --service-cluster options.");
  else ctx.needsCluster(cluster, c, 'tcp_cluster_name', 'tcp statsd');
  return [{ kind: 'tcp', cluster, prefix: c.str('prefix') || PREFIX }];
}

function udp(c: ConfigMessage, style: TagStyle): StatSinkPlan[] {
  c.noop('scale_histogram_units_to_milliseconds', SCALED);
  const prefix = c.str('prefix') || PREFIX, maxBytes = style === 'none' ? 0 : c.num('max_bytes_per_datagram', 0), a = c.msg('address');
  if (a?.oneof('address') !== 'socket_address') { if (a !== undefined) a.error('', 'statistics are sent to IP addresses alone: this kind of address is not supported yet'); return []; }
  const s = a.msg('socket_address')!, ip = s.str('address'), port = s.num('port_value');
  s.enum('protocol');
  s.bool('ipv4_compat');
  for (const f of ['named_port', 'resolver_name', 'network_namespace_filepath']) s.unsupported(f);
  if (parseIp(ip) === null) { s.error('address', `malformed IP address: ${ip}`); return []; }
  return [{ kind: 'udp', to: ipAddress(ip, port), prefix, style, maxBytes }];
}
