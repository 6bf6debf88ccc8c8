// The shape of one host's probe: one check at a time over a connection of its own, which it may keep. Results come by one call each; nothing here knows of thresholds.
import type { SocketSink, Transport, TransportSocket, ConnectOptions } from '../../net/transport/transport.ts';
import type { Address } from '../../net/address.ts';
import type { SocketOption, TcpKeepalive } from '../../net/transport/transport.ts';

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

/** How a cluster connects: as its workers do. */
export interface ProbeConnector { connect(address: Address, sink: SocketSink): TransportSocket }

export class TransportConnector implements ProbeConnector {
  private readonly transport: Transport;
  private readonly options: Pick<ConnectOptions, 'bind' | 'options' | 'keepalive'>;
  constructor(transport: Transport, cluster: { readonly bind: Address | null; readonly socketOptions: readonly SocketOption[]; readonly keepalive: TcpKeepalive | null }) { this.transport = transport; this.options = { bind: cluster.bind, options: cluster.socketOptions, keepalive: cluster.keepalive }; }
  connect(address: Address, sink: SocketSink): TransportSocket { return this.transport.connect({ remote: address, freebind: false, noDelay: true, ...this.options }, sink); }
}
