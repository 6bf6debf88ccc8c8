// The shape of a listener filter: it looks at the first bytes of an accepted connection before a filter chain is chosen (envoy: listener_filters). It learns things
// (server name, protocol, real addresses) and writes them to the connection's facts; it never answers the client.
import type { ConnectionFacts, MetadataValue, StreamFacts } from '../observe/stream-facts.ts';
import type { TransportSocket } from './transport/transport.ts';
import type { WorkerEnv } from './worker-env.ts';

/** 'next': done, the filter after this one goes on. 'wait': more bytes are needed (the clock is listener_filters_timeout). 'close': the connection ends at once. */
export type ListenerVerdict = 'next' | 'wait' | 'close';

/** A connection on its way through the listener filters. */
export interface PendingConnection {
  readonly socket: TransportSocket;
  readonly facts: ConnectionFacts;
  readonly stream: StreamFacts;
  readonly env: WorkerEnv;
  /** Takes `bytes` off the front of what the filters after this one, and the connection, will see (a PROXY header). Only from inside onData. */
  consume(bytes: number): void;
  setMetadata(namespace: string, value: { [key: string]: MetadataValue }): void;
}

/** A filter on one connection. */
export interface ListenerFilter {
  /** Before any byte is looked at. Left out: 'wait' for a filter with onData. */
  onAccept?(): ListenerVerdict;
  /** All bytes [start, end) that are there, from the first that no filter has consumed; again with more of them after 'wait'. Lent until this returns. */
  onData?(bytes: Buffer, start: number, end: number): ListenerVerdict;
  /** The connection has ended or moved on before this filter was done. */
  onEnd?(): void;
}

/** Built once per listener when its plan is installed. */
export interface ListenerFilterFactory { create(connection: PendingConnection): ListenerFilter }
