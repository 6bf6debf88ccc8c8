// From which local address connections to upstreams go (Envoy: BindConfig, DefaultUpstreamLocalAddressSelector).
import { compileSocketOptions } from '../net/config.ts';
import { ipAddress, type Address } from '../net/address.ts';
import { parseIp } from '../net/cidr.ts';
import type { SocketOption } from '../net/transport/transport.ts';
import type { BindPlan, BindSource } from '../plan/cluster-plan.ts';
import type { ConfigMessage } from '../proto/config-message.ts';

function compileSource(m: ConfigMessage, options: readonly SocketOption[] | null): BindSource {
  const ip = m.str('address');
  if (parseIp(ip) === null) m.error('address', `malformed IP address: ${ip}`);
  return { address: ipAddress(ip, m.num('port_value')), options };
}

export interface CompiledBind { readonly bind: BindPlan | null; readonly socketOptions: readonly SocketOption[] }

/** Null: the system chooses. `owner`: 'Cluster NAME' or 'Bootstrap'. */
export function compileBind(m: ConfigMessage | undefined, owner: string): CompiledBind {
  if (m === undefined) return { bind: null, socketOptions: [] };
  const source = m.msg('source_address'), extra = m.list('extra_source_addresses'), old = m.list('additional_source_addresses'), selector = m.msg('local_address_selector');
  selector?.str('name');
  const type = selector?.any('typed_config')?.typeName;
  if (selector !== undefined && type?.endsWith('.DefaultLocalAddressSelector') !== true) m.unsupported('local_address_selector', type);
  if (extra.length > 0 && old.length > 0) m.error('extra_source_addresses', `Can't specify both \`extra_source_addresses\` and \`additional_source_addresses\` in the ${owner}'s upstream binding config`);
  if (source === undefined && extra.length + old.length > 0) m.error('source_address', `${owner}'s upstream binding config has extra/additional source addresses but no source_address. Extra/additional addresses cannot be specified if source_address is not set.`);
  const sources = source === undefined ? [] : [compileSource(source, null), ...old.map((a) => compileSource(a, null)), ...extra.map((e) => {
    const options = e.msg('socket_options'), address = e.msg('address');
    return address === undefined ? { address: ipAddress('0.0.0.0', 0), options: null } : compileSource(address, options === undefined ? null : compileSocketOptions(options.list('socket_options')));
  })];
  if (sources.length > 2) m.error('extra_source_addresses', `${owner}'s upstream binding config has more than one extra/additional source addresses. Only one extra/additional source can be supported in BindConfig's extra_source_addresses/additional_source_addresses field`);
  else if (sources.length === 2 && versionOf(sources[0]!.address) === versionOf(sources[1]!.address)) m.error('extra_source_addresses', `${owner}'s upstream binding config has two same IP version source addresses. Only two different IP version source addresses can be supported in BindConfig's source_address and extra_source_addresses/additional_source_addresses fields`);
  return { bind: sources.length === 0 ? null : { sources, freebind: m.bool('freebind') }, socketOptions: compileSocketOptions(m.list('socket_options')) };
}

const versionOf = (a: Address): number => (a.kind === 'ip' ? a.family : 0);
