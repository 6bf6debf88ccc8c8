// The one update path: control sends records, each worker installs them in order. Bodies are plain JSON-like data (msgpack on the way). A cluster's or
// route table's body stays packed in the worker until first use, so 10,000 idle clusters cost their bytes only.

import type { OverloadAction, TimerScalePlan } from './overload-plan.ts';

export type PlanRecord =
  | { readonly kind: 'settings'; readonly body: SettingsPlan }
  | { readonly kind: 'cluster'; readonly name: string; readonly version: string; readonly body: Uint8Array }
  /** A name of a DNS cache; null: it is forgotten. */
  | { readonly kind: 'dns'; readonly cache: string; readonly host: string; readonly answer: { readonly addresses: readonly string[]; readonly error: string } | null }
  | { readonly kind: 'cluster-removed'; readonly name: string }
  /** All clusters have been sent, and these are all listeners: others, of a control thread that was there before, are removed. */
  | { readonly kind: 'settled'; readonly listeners: readonly string[] }
  /** Endpoints of a cluster (hosts with their host-table indexes), whenever they change. */
  | { readonly kind: 'hosts'; readonly name: string; readonly body: Uint8Array }
  /** Flags of hosts have moved in a cluster that closes connections with that. */
  | { readonly kind: 'health'; readonly name: string }
  | { readonly kind: 'listener'; readonly name: string; readonly version: string; readonly body: Uint8Array }
  | { readonly kind: 'listener-removed'; readonly name: string }
  /** A route configuration under the key its users know it by: 'static:LISTENER:CHAIN' for inline ones, the RDS name otherwise. */
  | { readonly kind: 'routes'; readonly name: string; readonly version: string; readonly body: Uint8Array }
  /** A secret (SecretPlan), sealed: see sealed.ts. */
  | { readonly kind: 'secret'; readonly name: string; readonly body: Uint8Array }
  | { readonly kind: 'secret-removed'; readonly name: string }
  | { readonly kind: 'routes-removed'; readonly name: string }
  /** All runtime values at once (layers merged). */
  | { readonly kind: 'runtime'; readonly values: { readonly [key: string]: string | number | boolean } }
  /** Pattern of application log lines. */
  | { readonly kind: 'log-format'; readonly pattern: string }
  | { readonly kind: 'log-level'; readonly levels: { readonly [component: string]: string } }
  /** Stat slots of an owner ('cluster.NAME') are to be let go of once nothing there is active; `ask` comes back with the answer. */
  | { readonly kind: 'stats-leave'; readonly owner: string; readonly ask: number }
  /** Those that were let go under that number may be used again. */
  | { readonly kind: 'stats-free'; readonly number: number }
  /** Everything before this is one consistent update: workers install and acknowledge `seq`. */
  | { readonly kind: 'commit'; readonly seq: number }
  | { readonly kind: 'command'; readonly command: WorkerCommand };

export type WorkerCommand =
  | { readonly name: 'drain-listeners'; readonly graceful: boolean; readonly inboundOnly: boolean; readonly skipExit: boolean }
  | { readonly name: 'reopen-logs' }
  /** Process drain: connections are told to go over `drainTimeS`, strategy as --drain-strategy. */
  | { readonly name: 'drain'; readonly drainTimeS: number; readonly strategy: 'gradual' | 'immediate' }
  /** An overload action has become stronger or weaker; its strength stands in the shared words. */
  | { readonly name: 'overload'; readonly action: OverloadAction; readonly value: number }
  /** A CPU profile of each worker, written beside PATH when it ends. */
  | { readonly name: 'profile'; readonly what: 'cpu' | 'heap'; readonly on: boolean; readonly path: string }
  | { readonly name: 'stop' };

/** What holds for the whole process. */
export interface SettingsPlan {
  readonly concurrency: number;
  readonly nodeId: string; readonly nodeCluster: string; readonly nodeZone: string; readonly nodeMetadata: unknown;
  readonly fileFlushIntervalMs: number;
  readonly fileMinFlushBytes: number;
  readonly drainTimeS: number;
  readonly drainStrategy: 'gradual' | 'immediate';
  /** resource monitor downstream_connections / runtime overload.global_downstream_max_connections; 0: no limit. */
  readonly maxDownstreamConnections: number;
  readonly localClusterName: string;
  /** Timers that reduce_timeouts shortens. */
  readonly overloadTimers: readonly TimerScalePlan[];
  /** How often the worker shows that it lives, ms. */
  readonly beatMs: number;
  /** Of what reset_high_memory_stream looks at (OverloadPlan). */
  readonly accountPowerOfTwo: number;
  /** --local-address-ip-version. */
  readonly localAddressIpVersion: 'v4' | 'v6';
  /** buffer_size_kb of internal listeners, bytes. */
  readonly internalBufferBytes: number;
  /** node.locality; null: not given. */
  readonly nodeLocality: { readonly region: string; readonly zone: string; readonly subZone: string } | null;
}
