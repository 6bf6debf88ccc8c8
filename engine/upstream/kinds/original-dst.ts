// ORIGINAL_DST: the host is the address that the client asked for: by a header, by dynamic metadata, or as a listener filter restored it.
import { ipAddress, type Address } from '../../net/address.ts';
import { parseIp } from '../../net/cidr.ts';
import { CLUSTER } from '../../observe/stats/schemas.ts';
import type { MetadataValue, StreamFacts } from '../../observe/stream-facts.ts';
import type { OriginalDstPlan } from '../../plan/cluster-plan.ts';
import type { ClusterEntry } from '../cluster.ts';
import type { Host, PickContext } from '../upstream.ts';
import type { HostChooser } from './chooser.ts';
import { DynamicHosts } from './dynamic-hosts.ts';

/** 'ip:port' or '[ip]:port'; null: neither. */
function parseAddress(text: string): { readonly ip: string; readonly port: number } | null {
  const m = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (m === null) return null;
  const ip = m[1] ?? m[2]!, port = Number(m[3]);
  return port > 65535 || parseIp(ip) === null ? null : { ip, port };
}

export class OriginalDstChooser implements HostChooser {
  private readonly entry: ClusterEntry;
  private readonly plan: OriginalDstPlan;
  private readonly hosts: DynamicHosts;
  constructor(entry: ClusterEntry, plan: OriginalDstPlan) { this.entry = entry; this.plan = plan; this.hosts = new DynamicHosts(entry, plan.cleanupMs); }

  choose(ctx: PickContext): Host | null {
    const address = this.addressOf(ctx);
    return address === null ? null : this.hosts.at(address, '');
  }

  private addressOf(ctx: PickContext): Address | null {
    const { header, metadata, port } = this.plan;
    const given = (header === '' ? undefined : ctx.request?.get(header)) ?? (metadata === null ? undefined : textAt(ctx.facts, metadata));
    if (given !== undefined) {
      const at = parseAddress(given);
      if (at !== null) return ipAddress(at.ip, port > 0 ? port : at.port);
      this.entry.stats.inc(CLUSTER.original_dst_host_invalid);
    }
    const connection = ctx.facts?.connection;
    return connection !== undefined && connection.localRestored && connection.localIp !== '' ? ipAddress(connection.localIp, port > 0 ? port : connection.localPort) : null;
  }

  drain(): void { this.hosts.drain(); }
}

function textAt(facts: StreamFacts | null, key: { readonly filter: string; readonly path: readonly string[] }): string | undefined {
  let v: MetadataValue | undefined = facts?.metadata?.get(key.filter);
  for (const p of key.path) v = v !== null && typeof v === 'object' && !Array.isArray(v) ? (v as { readonly [k: string]: MetadataValue })[p] : undefined;
  return typeof v === 'string' ? v : undefined;
}
