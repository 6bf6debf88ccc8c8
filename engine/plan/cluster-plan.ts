// A cluster as workers install it; its endpoints come apart, as they change on their own.
import type { Address } from '../net/address.ts';
import type { SocketOption, TcpKeepalive } from '../net/transport/transport.ts';
import type { MetadataValue } from '../observe/stream-facts.ts';
import type { OutlierVotingPlan } from './health-plan.ts';
import type { Http1OptionsPlan } from './http1-options-plan.ts';

export interface BalancerPlan {
  readonly kind: 'round-robin' | 'least-request' | 'random' | 'ring-hash' | 'maglev';
  readonly choices: number;
  readonly activeBias: number;
  readonly minRing: number; readonly maxRing: number; readonly murmur: boolean;
  readonly tableSize: number;
  readonly byHostname: boolean;
  /** Percent, 0: off. */
  readonly balanceFactor: number;
  readonly localityWeighted: boolean;
}

export interface ClusterPlan {
  readonly name: string;
  readonly statName: string;
  readonly connectTimeoutMs: number;
  readonly balancer: BalancerPlan;
  readonly panicPercent: number;
  readonly failOnPanic: boolean;
  readonly overprovisioning: number;
  readonly bufferLimit: number;
  readonly http1: Http1OptionsPlan;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxRequestsPerConnection: number;
  readonly maxStreamDurationMs: number;
  readonly preconnectRatio: number;
  readonly keepalive: TcpKeepalive | null;
  readonly bind: Address | null;
  readonly socketOptions: readonly SocketOption[];
  readonly metadata: { readonly [key: string]: MetadataValue } | null;
  /** Circuit-table records of default and high priority. */
  readonly circuits: readonly [number, number];
  readonly perHostMaxConnections: number;
  /** null: no outlier detection, nothing is counted for it. */
  readonly outlier: OutlierVotingPlan | null;
  /** Hosts are checked actively: x-envoy-immediate-health-check-fail is looked at. */
  readonly healthChecked: boolean;
}

export interface HostPlan {
  readonly index: number;
  readonly address: Address;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  readonly localityWeight: number;
  readonly metadata: { readonly [key: string]: MetadataValue } | null;
}
