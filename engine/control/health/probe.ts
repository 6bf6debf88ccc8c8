// The shape of one host's probe: one check at a time over a connection of its own, which it may keep. Results come by one call each; nothing here knows of thresholds.
import type { SocketSink, TransportSocket } from '../../net/transport/transport.ts';
import type { Address } from '../../net/address.ts';
import type { MetadataValue } from '../../observe/stream-facts.ts';
import type { HostPlace, HostSockets } from '../../upstream/host-sockets.ts';

/** How a check failed (Envoy: HealthCheckFailureType): ACTIVE, the host says so; NETWORK, it cannot be asked; NETWORK_TIMEOUT. */
export type FailureType = 'ACTIVE' | 'PASSIVE' | 'NETWORK' | 'NETWORK_TIMEOUT';
/** `retriable`: counts against the unhealthy threshold; else the host is out at once. */
export type ProbeResult = { readonly ok: true; readonly degraded: boolean } | { readonly ok: false; readonly type: FailureType; readonly retriable: boolean; /** It answered that it belongs to another cluster. */ readonly wrongCluster?: boolean; /** HTTP status of the answer. */ readonly status?: number };

export interface Probe {
  /** Begins a check. `done` comes at most once, never from inside this call. */
  start(done: (result: ProbeResult) => void): void;
  /** Gives the check up (time is over): no `done` comes any more; its connection closes. */
  abort(): void;
  /** Last call. */
  close(): void;
}

/** The host as probes see it. */
export interface ProbeTarget { readonly address: Address; readonly hostname: string; readonly clusterName: string }

/** How a cluster connects: as its workers do, but for what the check asks for otherwise. */
export interface ProbeConnector { readonly secured: boolean; connect(address: Address, sink: SocketSink): TransportSocket }

/** For one host. */
export class HostConnector implements ProbeConnector {
  private readonly sockets: HostSockets;
  private readonly place: HostPlace;
  private readonly alpn: readonly string[] | null;
  /** `criteria`: transport_socket_match_criteria, in place of what the host's metadata says; `alpn`: tls_options, null the cluster's. */
  constructor(sockets: HostSockets, host: HostPlace, criteria: { readonly [key: string]: MetadataValue } | null, alpn: readonly string[] | null) {
    this.sockets = sockets; this.alpn = alpn;
    this.place = { address: host.address, hostname: host.hostname, metadata: criteria === null ? host.metadata : { ...host.metadata, 'envoy.transport_socket_match': criteria } };
  }
  get secured(): boolean { return this.sockets.secured(this.place); }
  connect(address: Address, sink: SocketSink): TransportSocket { return this.sockets.connect({ ...this.place, address }, sink, null, '', this.alpn); }
}
