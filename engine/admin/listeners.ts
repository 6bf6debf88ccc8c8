// GET /listeners: names and bound addresses, in text and JSON.
import { formatAddress, type Address } from '../net/address.ts';
import { json, text, type AdminEndpoint } from './endpoint.ts';

export interface ListenerStatus { readonly name: string; /** As bound: a port 0 is the one that was given. */ readonly address: Address; readonly additional: readonly Address[] }

export const listeners: AdminEndpoint = {
  path: '/listeners', help: 'print listener info', params: [['format', 'File format to use; One of (text, json)']],
  answer(source, query) {
    const all = source.listeners();
    if (query.get('format') !== 'json') return text(all.flatMap((l) => [l.address, ...l.additional].map((a) => `${l.name}::${formatAddress(a)}\n`)).join(''));
    return json({ ...(all.length === 0 ? {} : { listener_statuses: all.map((l) => ({ name: l.name, local_address: addressJson(l.address), ...(l.additional.length === 0 ? {} : { additional_local_addresses: l.additional.map(addressJson) }) })) }) });
  },
};

/** An envoy.config.core.v3.Address. */
export function addressJson(a: Address): unknown {
  switch (a.kind) {
    case 'ip': return { socket_address: { address: a.ip, ...(a.port === 0 ? {} : { port_value: a.port }) } };
    case 'pipe': return { pipe: { path: a.path, ...(a.mode === 0 ? {} : { mode: a.mode }) } };
    case 'internal': return { envoy_internal_address: { server_listener_name: a.listener, ...(a.endpointId === '' ? {} : { endpoint_id: a.endpointId }) } };
  }
}
