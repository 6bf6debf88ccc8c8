// The health check event log: one JSON line an event, as Envoy's HealthCheckEventFileSink writes them. Written at once, in the control thread; a full disk harms nobody.
import { appendFileSync } from 'node:fs';
import type { Address } from '../../net/address.ts';
import type { MetadataValue } from '../../observe/stream-facts.ts';

/** The host that an event is about. */
export interface EventHost { readonly address: Address; readonly metadata: { readonly [key: string]: MetadataValue } | null; readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string } }

/** envoy.config.core.v3.Address as Envoy prints it. */
function addressJson(a: Address): unknown {
  return a.kind === 'ip' ? { socket_address: { protocol: 'TCP', address: a.ip, port_value: a.port, resolver_name: '', ipv4_compat: false, network_namespace_filepath: '' } } : a.kind === 'pipe' ? { pipe: { path: a.path, mode: a.mode } } : {};
}

export class HealthEvents {
  private readonly paths: readonly string[];
  private readonly clusterName: string;
  private readonly checker: 'HTTP' | 'TCP' | 'GRPC';
  private readonly wallMs: () => number;
  constructor(paths: readonly string[], clusterName: string, kind: 'http' | 'tcp' | 'grpc', wallMs: () => number) {
    this.paths = paths; this.clusterName = clusterName; this.wallMs = wallMs;
    this.checker = kind === 'http' ? 'HTTP' : kind === 'tcp' ? 'TCP' : 'GRPC';
  }

  /** `what`: the event's own field, e.g. `{add_healthy_event: {first_check: true}}`. */
  write(host: EventHost, what: { readonly [event: string]: unknown }): void {
    if (this.paths.length === 0) return;
    const { region, zone, subZone } = host.locality;
    const line = `${JSON.stringify({
      health_checker_type: this.checker, host: addressJson(host.address), cluster_name: this.clusterName, ...what, timestamp: new Date(this.wallMs()).toISOString(),
      ...(host.metadata === null ? {} : { metadata: { filter_metadata: host.metadata, typed_filter_metadata: {} } }), locality: { region, zone, sub_zone: subZone },
    })}\n`;
    for (const path of this.paths) try { appendFileSync(path, line); } catch { /* an event that cannot be written is lost */ }
  }
}
