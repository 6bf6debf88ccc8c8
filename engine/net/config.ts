// Listeners, addresses and what hangs on them, from configuration.
import type { CompileContext, ConfigMessage } from '../proto/config-message.ts';
import type { ExtensionPlan } from '../plan/extension-plan.ts';
import type { AdditionalAddressPlan, CidrPlan, FilterChainMatchPlan, FilterChainPlan, FilterDisabledPlan, ListenerFilterPlan, ListenerPlan } from '../plan/listener-plan.ts';
import type { MatchTreePlan } from '../plan/match-plan.ts';
import { ipAddress, type Address } from './address.ts';
import { isIp, parseIp } from './cidr.ts';
import { compileMatchTree } from './match/config.ts';
import type { SocketOption, TcpKeepalive } from './transport/transport.ts';

type Meta = ListenerPlan['metadata'];
/** Without tcp_backlog_size the queue is as long as the kernel lets it be (it cuts this down to net.core.somaxconn). */
const SOMAXCONN = 65_535;
const NOWHERE: Address = { kind: 'ip', family: 4, ip: '0.0.0.0', port: 0 };

const PLAIN_SOCKET = ['address', 'port_value'];

/** envoy.config.core.v3.Address; host names are for clusters only. */
export function compileAddress(m: ConfigMessage | undefined, names = false, udp = false): Address {
  if (m === undefined) return NOWHERE;
  switch (m.oneof('address')) {
    case 'socket_address': {
      const s = m.msg('socket_address')!, ip = s.str('address');
      if (s.only(PLAIN_SOCKET) && isIp(ip)) return ipAddress(ip, s.num('port_value'));
      if (s.enum('protocol') === 'UDP' && !udp) s.error('protocol', 'UDP is not supported yet');
      s.bool('ipv4_compat');
      s.unsupported('network_namespace_filepath');
      checkResolver(s, s.str('resolver_name'));
      if (parseIp(ip) === null && !names) s.error('address', `malformed IP address: ${ip}. ${ADVICE}`);
      return ipAddress(ip, s.num('port_value'));
    }
    case 'pipe': { const p = m.msg('pipe')!; return { kind: 'pipe', path: p.str('path'), mode: p.num('mode') }; }
    case 'envoy_internal_address': { const i = m.msg('envoy_internal_address')!; return { kind: 'internal', listener: i.str('server_listener_name'), endpointId: i.str('endpoint_id') }; }
    default: return NOWHERE;
  }
}

const ADVICE = "Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'";

/** The one address resolver that Envoy has takes addresses and port numbers; for names there are clusters that resolve. */
function checkResolver(s: ConfigMessage, resolver: string): void {
  if (resolver !== '' && resolver !== 'envoy.ip') s.error('resolver_name', `Unknown address resolver: ${resolver}. ${ADVICE}`);
  if (s.str('named_port') !== '') s.error('named_port', `IP resolver can't handle port specifier type 4. ${ADVICE}`);
}

export function compileCidr(m: ConfigMessage): CidrPlan {
  const ip = m.str('address_prefix'), six = ip.includes(':'), bits = m.num('prefix_len', 0);
  if (parseIp(ip) === null) { m.error('address_prefix', `malformed IP address: ${ip}`); return { ip: '0.0.0.0', bits: 32 }; }
  return { ip, bits: Math.min(bits, six ? 128 : 32) };
}

export function compileSocketOptions(list: readonly ConfigMessage[]): SocketOption[] {
  return list.flatMap((o) => {
    o.str('description');
    if (o.has('state') && o.enum('state') === 'STATE_BOUND') o.warn('state', 'STATE_BOUND options are set before binding here');
    const type = o.msg('type'), stream = type?.msg('stream'), datagram = type?.msg('datagram'), version = o.enum('ip_version');
    const option = { level: o.num('level'), name: o.num('name'), value: o.oneof('value') === 'buf_value' ? o.bytes('buf_value') ?? new Uint8Array(0) : o.num('int_value') };
    // All sockets that options are set on here are streams.
    if (datagram !== undefined && stream === undefined) return [];
    return [version === 'SOCKET_IP_VERSION_IPV4' ? { ...option, family: 4 as const } : version === 'SOCKET_IP_VERSION_IPV6' ? { ...option, family: 6 as const } : option];
  });
}

export function compileKeepalive(m: ConfigMessage | undefined): TcpKeepalive | null {
  return m === undefined ? null : { probes: m.num('keepalive_probes', 0), idleS: m.num('keepalive_time', 0), intervalS: m.num('keepalive_interval', 0) };
}

export function compileMetadata(m: ConfigMessage | undefined): Meta {
  if (m === undefined) return null;
  m.noop('typed_filter_metadata', 'typed metadata is not looked at');
  return m.json('filter_metadata') as Meta;
}

function compileMatch(m: ConfigMessage | undefined): FilterChainMatchPlan | null {
  if (m === undefined) return null;
  m.unsupported('address_suffix'); m.unsupported('suffix_len');
  const protocol = m.str('transport_protocol');
  for (const n of m.strings('server_names')) if (n.includes('*') && !n.startsWith('*.')) m.error('server_names', `partial wildcards are not supported in server_names: ${n}`);
  return {
    destinationPort: m.num('destination_port', -1), prefixRanges: m.list('prefix_ranges').map(compileCidr), serverNames: m.strings('server_names').map((s) => s.toLowerCase()), transportProtocol: protocol, applicationProtocols: m.strings('application_protocols'),
    directSourceRanges: m.list('direct_source_prefix_ranges').map(compileCidr), sourceType: m.enum('source_type') as FilterChainMatchPlan['sourceType'], sourceRanges: m.list('source_prefix_ranges').map(compileCidr), sourcePorts: m.nums('source_ports'),
  };
}

/** Network filters that take the bytes: the last of every chain. */
const TERMINAL = /\.(HttpConnectionManager|TcpProxy|echo\.v3\.Echo|direct_response\.v3\.Config)$/;

function compileChain(m: ConfigMessage, ctx: CompileContext, isDefault: boolean): FilterChainPlan {
  const filters: ExtensionPlan[] = [], list = m.list('filters');
  for (const f of list) {
    f.str('name');
    f.unsupported('config_discovery');
    const config = f.any('typed_config');
    if (config === undefined) { f.error('', `no typed_config for filter '${f.str('name')}'`); continue; }
    const plan = ctx.extension('envoy.filters.network', config), last = f === list[list.length - 1];
    if (plan === null) continue;
    if (TERMINAL.test(plan.kind) !== last) f.error('', last ? `Error: non-terminal filter named ${f.str('name')} of type ${plan.kind} is the last filter in a network filter chain.` : `Error: terminal filter named ${f.str('name')} of type ${plan.kind} must be the last filter in a network filter chain.`);
    filters.push(plan);
  }
  m.unsupported('on_demand_configuration'); m.unsupported('use_proxy_proto');
  const match = compileMatch(m.msg('filter_chain_match'));
  return { name: m.str('name'), match: isDefault ? null : match, filters, transportSocket: compileTransportSocket(m.msg('transport_socket'), ctx, 'downstream'), connectTimeoutMs: Math.max(0, m.ms('transport_socket_connect_timeout', 0)), metadata: compileMetadata(m.msg('metadata')) };
}

/** envoy TransportSocket; null for raw_buffer (or none), the plain socket. */
export function compileTransportSocket(t: ConfigMessage | undefined, ctx: CompileContext, side: 'downstream' | 'upstream'): ExtensionPlan | null {
  if (t === undefined) return null;
  t.str('name');
  const config = t.any('typed_config');
  if (config === undefined) { t.error('', `no typed_config for transport socket '${t.str('name')}'`); return null; }
  return config.typeName.endsWith('.raw_buffer.v3.RawBuffer') ? null : ctx.extension(`envoy.transport_sockets.${side}`, config);
}

export function compileListener(m: ConfigMessage, ctx: CompileContext): ListenerPlan {
  for (const f of ['api_listener', 'fcds_config']) m.unsupported(f);
  m.unsupported('deprecated_v1');
  m.noop('reuse_port', 'enable_reuse_port decides');
  const internal = m.msg('internal_listener') !== undefined, address = internal ? compileInternal(m, ctx) : compileAddress(m.msg('address'), false, true);
  if (address.kind === 'internal' && !internal) m.error('address', `error adding listener named '${ctx.resource}': use internal_listener field instead of address for internal listeners`);
  if (!internal && !m.has('address')) m.error('', `error adding listener named '${ctx.resource}': address is necessary`);
  const udp = m.msg('address')?.msg('socket_address')?.enum('protocol') === 'UDP' ? compileUdp(m, ctx) : null;
  if (udp === null) m.unsupported('udp_listener_config');
  const chains = m.list('filter_chains').map((c) => compileChain(c, ctx, false));
  const fallback = m.msg('default_filter_chain');
  if (chains.length === 0 && fallback === undefined && udp === null) m.error('', `error adding listener '${ctx.resource}': no filter chains specified`);
  const matcher = compileMatcher(m, chains);
  const keys = matcher !== null ? [] : chains.map((c) => JSON.stringify(c.match ?? {}));
  keys.forEach((k, i) => { if (keys.indexOf(k) !== i) m.error('filter_chains', `error adding listener '${ctx.resource}': filter chain '${chains[i]!.name}' has the same matching rules defined as '${chains[keys.indexOf(k)]!.name}'`); });
  const options = [...compileSocketOptions(m.list('socket_options')), ...fastOpen(m)], keepalive = compileKeepalive(m.msg('tcp_keepalive'));
  const accessLogs = ctx.accessLogs(m.list('access_log'));
  return {
    name: ctx.resource, address, additional: compileAdditional(m, options, keepalive, udp !== null), internal, useOriginalDst: m.bool('use_original_dst'), exactBalance: compileBalance(m), mptcp: compileMptcp(m, ctx, address), statPrefix: m.str('stat_prefix').replaceAll(':', '_'),
    bindToPort: m.bool('bind_to_port', true), reusePort: m.bool('enable_reuse_port', true), backlog: m.num('tcp_backlog_size', SOMAXCONN), bufferLimit: m.num('per_connection_buffer_limit_bytes', 1 << 20), acceptsPerTurn: m.num('max_connections_to_accept_per_socket_event', 0),
    transparent: m.bool('transparent'), freebind: m.bool('freebind'), ipv6Only: !(m.msg('address')?.msg('socket_address')?.bool('ipv4_compat') ?? false), options, keepalive, ignoreGlobalLimit: m.bool('ignore_global_conn_limit'), bypassOverload: m.bool('bypass_overload_manager'),
    direction: m.enum('traffic_direction') as ListenerPlan['direction'], drainType: m.enum('drain_type') as ListenerPlan['drainType'], chains, matcher, listenerFilters: udp === null ? compileListenerFilters(m, ctx, chains) : [], listenerFiltersTimeoutMs: m.ms('listener_filters_timeout', 15_000), continueOnTimeout: m.bool('continue_on_listener_filters_timeout'),
    defaultChain: fallback === undefined ? null : compileChain(fallback, ctx, true), accessLogs, udp, metadata: compileMetadata(m.msg('metadata')),
  };
}

/** An internal listener's address is its name; what belongs to sockets of the kernel is refused. */
function compileInternal(m: ConfigMessage, ctx: CompileContext): Address {
  if (m.has('address') || m.list('additional_addresses').length > 0) { m.error('internal_listener', `error adding listener '${ctx.resource}': address should not be used when an internal listener config is provided`); compileAddress(m.msg('address')); }
  const tcp = ['enable_reuse_port', 'freebind', 'tcp_backlog_size', 'tcp_fast_open_queue_length', 'connection_balance_config'].filter((f) => m.has(f));
  if (tcp.length > 0 || m.bool('enable_mptcp')) m.error(tcp[0] ?? 'enable_mptcp', `error adding listener named '${ctx.resource}': has unsupported tcp listener feature`);
  if (m.has('socket_options')) m.error('socket_options', `error adding listener named '${ctx.resource}': does not support socket option`);
  if (ctx.bootstrap.internalBufferBytes === 0) m.error('internal_listener', `error adding listener named '${ctx.resource}': InternalListener bootstrap extension is mandatory`);
  return { kind: 'internal', listener: ctx.resource, endpointId: '' };
}

function compileAdditional(m: ConfigMessage, options: readonly SocketOption[], keepalive: TcpKeepalive | null, udp: boolean): AdditionalAddressPlan[] {
  return m.list('additional_addresses').map((a) => {
    const own = a.msg('socket_options'), ownKeepalive = a.msg('tcp_keepalive');
    return { address: compileAddress(a.msg('address'), false, udp), options: own === undefined ? options : compileSocketOptions(own.list('socket_options')), keepalive: ownKeepalive === undefined ? keepalive : compileKeepalive(ownKeepalive) };
  });
}

function compileBalance(m: ConfigMessage): boolean {
  const balance = m.msg('connection_balance_config');
  balance?.unsupported('extend_balance'); balance?.unsupported('cpu_locality_balance');
  return balance?.msg('exact_balance') !== undefined;
}

function compileMptcp(m: ConfigMessage, ctx: CompileContext, address: Address): boolean {
  if (!m.bool('enable_mptcp')) return false;
  if (m.msg('address')?.msg('socket_address')?.enum('protocol') === 'UDP') m.error('enable_mptcp', `listener ${ctx.resource}: enable_mptcp can only be used with TCP listeners`);
  else if (address.kind === 'pipe') m.error('enable_mptcp', `listener ${ctx.resource}: enable_mptcp can only be used with IP addresses`);
  return true;
}

const IPPROTO_TCP = 6, TCP_FASTOPEN = 23;
function fastOpen(m: ConfigMessage): SocketOption[] { return m.has('tcp_fast_open_queue_length') ? [{ level: IPPROTO_TCP, name: TCP_FASTOPEN, value: m.num('tcp_fast_open_queue_length', 0) }] : []; }

/** The one filter of a UDP listener. */
function compileUdp(m: ConfigMessage, ctx: CompileContext): ExtensionPlan | null {
  const config = m.msg('udp_listener_config');
  config?.unsupported('quic_options'); config?.unsupported('udp_packet_packet_writer_config');
  const socket = config?.msg('downstream_socket_config');
  socket?.noop('max_rx_datagram_size', 'datagrams of any size are taken'); socket?.noop('prefer_gro', 'datagrams are read one by one');
  for (const f of ['filter_chains', 'default_filter_chain', 'filter_chain_matcher', 'access_log', 'socket_options', 'transparent', 'freebind']) m.unsupported(f, 'on a UDP listener');
  const filters = m.list('listener_filters');
  if (filters.length !== 1) { m.error('listener_filters', `error adding listener '${ctx.resource}': a UDP listener has one listener filter`); return NO_UDP; }
  const config0 = filters[0]!.any('typed_config');
  filters[0]!.str('name'); filters[0]!.unsupported('config_discovery'); filters[0]!.unsupported('filter_disabled');
  return config0 === undefined ? NO_UDP : ctx.extension('envoy.filters.udp_listener', config0) ?? NO_UDP;
}
const NO_UDP: ExtensionPlan = { kind: '', body: null };

/** filter_chain_matcher: actions name chains; their indexes travel. */
function compileMatcher(m: ConfigMessage, chains: readonly FilterChainPlan[]): MatchTreePlan | null {
  const tree = m.msg('filter_chain_matcher');
  if (tree === undefined) return null;
  chains.forEach((c, i) => {
    if (c.name === '') m.error('filter_chains', `error adding listener: "name" field is required when using a listener matcher (filter chain ${i})`);
    else if (chains.findIndex((o) => o.name === c.name) !== i) m.error('filter_chains', `error adding listener: "name" field is duplicated with value "${c.name}"`);
  });
  return compileMatchTree(tree, { stream: false, action: (config, at) => {
    if (config.typeName !== 'google.protobuf.StringValue') { at.msg('action')!.unsupported('typed_config', config.typeName); return -1; }
    return chains.findIndex((c) => c.name === config.str('value'));
  } });
}

/** ListenerFilterChainMatchPredicate. */
function compileDisabled(m: ConfigMessage): FilterDisabledPlan {
  const kind = m.oneof('rule');
  switch (kind) {
    case 'or_match': case 'and_match': return { kind: kind === 'or_match' ? 'or' : 'and', rules: m.msg(kind)!.list('rules').map(compileDisabled) };
    case 'not_match': return { kind: 'not', rule: compileDisabled(m.msg('not_match')!) };
    case 'destination_port_range': { const r = m.msg('destination_port_range')!; return { kind: 'port', from: r.num('start'), to: r.num('end') }; }
    default: m.bool('any_match'); return { kind: 'any' };
  }
}

const ORIGINAL_DST = 'envoy.extensions.filters.listener.original_dst.v3.OriginalDst';
const TLS_INSPECTOR = 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector';

function compileListenerFilters(m: ConfigMessage, ctx: CompileContext, chains: readonly FilterChainPlan[]): ListenerFilterPlan[] {
  const out: ListenerFilterPlan[] = [];
  for (const f of m.list('listener_filters')) {
    f.unsupported('config_discovery');
    const config = f.any('typed_config'), disabled = f.msg('filter_disabled');
    if (config === undefined) { if (!f.has('typed_config')) f.error('', `no typed_config for listener filter '${f.str('name')}'`); continue; }
    f.str('name');
    const plan = ctx.extension('envoy.filters.listener', config);
    if (plan !== null) out.push({ filter: plan, disabled: disabled === undefined ? null : compileDisabled(disabled) });
  }
  // Envoy adds the inspector that chains need; without it they would never match.
  const wanted = chains.some(({ match }) => match !== null && (match.transportProtocol === 'tls' || (match.transportProtocol === '' && (match.serverNames.length > 0 || match.applicationProtocols.length > 0))));
  if (wanted && !out.some((f) => f.filter.kind === TLS_INSPECTOR || f.filter.kind.endsWith('.HttpInspector'))) {
    m.warn('filter_chains', 'filter chain match rules require TLS Inspector listener filter, but it isn\'t configured: added');
    out.push({ filter: { kind: TLS_INSPECTOR, body: { ja3: false, ja4: false, closeOnError: false, maxHelloBytes: 16384 } }, disabled: null });
  }
  if (m.bool('use_original_dst') && !out.some((f) => f.filter.kind === ORIGINAL_DST)) out.push({ filter: { kind: ORIGINAL_DST, body: {} }, disabled: null });
  return out;
}
