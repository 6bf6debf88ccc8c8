// stats_sinks as compiled.
import type { IpAddress } from '../../../net/address.ts';

/** How a line carries tags: not at all (the whole name), after the value (DogStatsD), after the name (Graphite). */
export type TagStyle = 'none' | 'dog' | 'graphite';
export type StatSinkPlan =
  | { readonly kind: 'udp'; readonly to: IpAddress; readonly prefix: string; readonly style: TagStyle; /** Lines are gathered up to this; 0: each is a datagram. */ readonly maxBytes: number }
  | { readonly kind: 'tcp'; readonly cluster: string; readonly prefix: string };
