// The cluster of the dynamic forward proxy: the host is the one that the request names, at the address that the DNS cache has for it.
import { filterStateOf } from '../../observe/stream-facts.ts';
import { hostOf, portOf } from '../../headers/authority.ts';
import { ipAddress } from '../../net/address.ts';
import { parseIp } from '../../net/cidr.ts';
import type { ClusterEntry } from '../cluster.ts';
import type { DnsCaches } from '../dns-caches.ts';
import type { Host, PickContext } from '../upstream.ts';
import type { HostChooser } from './chooser.ts';
import { DynamicHosts } from './dynamic-hosts.ts';

/** 'host' of 'host:port'; brackets of an IPv6 literal are taken off. */
export function nameOf(authority: string): string { const name = hostOf(authority); return (name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name).toLowerCase(); }

export class DynamicForwardChooser implements HostChooser {
  private readonly entry: ClusterEntry;
  private readonly cache: string;
  private readonly dns: DnsCaches;
  private readonly hosts: DynamicHosts;
  constructor(entry: ClusterEntry, cache: string, hostTtlMs: number, dns: DnsCaches) { this.entry = entry; this.cache = cache; this.dns = dns; this.hosts = new DynamicHosts(entry, hostTtlMs); }

  choose(ctx: PickContext): Host | null {
    const { facts } = ctx;
    const given = facts === null ? undefined : filterStateOf(facts, 'envoy.upstream.dynamic_host'), port = facts === null ? undefined : filterStateOf(facts, 'envoy.upstream.dynamic_port');
    const authority = typeof given === 'string' && given !== '' ? given : ctx.request !== null ? ctx.request.authority : facts?.connection.serverName ?? '', name = nameOf(authority);
    if (name === '') return null;
    const addresses = parseIp(name) !== null ? [name] : this.dns.get(this.cache, name)?.addresses ?? [], [address] = addresses;
    const asked = typeof port === 'number' ? port : portOf(authority);
    if (address === undefined) return null;
    const to = asked >= 0 ? asked : this.entry.secure ? 443 : 80;
    return this.hosts.at(ipAddress(address, to), name, addresses.length > 1 ? addresses.slice(1).map((ip) => ipAddress(ip, to)) : undefined);
  }

  drain(): void { this.hosts.drain(); }
}
