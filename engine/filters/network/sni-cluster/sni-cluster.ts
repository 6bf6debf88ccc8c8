// sni_cluster: the server name that the client asks for is the name of the cluster (tcp_proxy reads it).
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory } from '../../../net/connection.ts';

/** Filter state that names the cluster of a connection (Envoy: PerConnectionCluster). */
const CLUSTER_KEY = 'envoy.tcp_proxy.cluster';

export class SniClusterFactory implements NetworkFilterFactory {
  readonly terminal = false;
  create(connection: DownstreamConnection): NetworkFilter {
    return { onConnection: () => {
      const { facts } = connection;
      if (facts.serverName !== '') (facts.filterState ??= new Map()).set(CLUSTER_KEY, facts.serverName);
      return 'next';
    } };
  }
}
