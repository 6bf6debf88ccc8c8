// The shapes between a listener's accepted connection and the network filters on it. The class that implements DownstreamConnection is
// downstream-connection.ts; a terminal filter (HTTP connection manager, tcp_proxy) takes the bytes.
import type { ConnectionFacts } from '../observe/stream-facts.ts';
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import type { TransportSocket } from './transport/transport.ts';
import type { WorkerEnv } from './worker-env.ts';

/** An accepted connection after listener filters, filter-chain match and TLS: what network filters work on. */
export interface DownstreamConnection {
  readonly socket: TransportSocket;
  readonly facts: ConnectionFacts;
  readonly env: WorkerEnv;
  /** per_connection_buffer_limit_bytes of the listener. */
  readonly bufferLimit: number;
  /** Listener-level scope, e.g. 'listener.127.0.0.1_80', for filters with stats of their own there. */
  readonly listenerStatPrefix: string;
  /** The listener (or process) is draining: new responses should end the connection. */
  readonly draining: boolean;
  /** Closes from our side. 'flush': after what is queued; 'flush-delay': flush, FIN, then wait `delayMs` for the peer's close; `details` for %CONNECTION_TERMINATION_DETAILS%. The filters' onClose is called with ''. */
  close(how: 'flush' | 'now' | 'reset' | 'flush-delay', details?: string, delayMs?: number): void;
}

/** 'next': the bytes go on to the next filter; 'stop': held back by this filter (it pauses the socket or drops them). */
export interface NetworkFilter {
  onConnection?(): 'next' | 'stop';
  onData(bytes: Buffer, start: number, end: number): 'next' | 'stop';
  onEnd?(): void;
  onBlocked?(): void;
  onDrained?(): void;
  /** Last call. `error`: errno name, '' orderly; `local`: we closed. */
  onClose(error: string, local: boolean): void;
  /** A 'flush-delay' close ran into its delay. */
  onDelayedClose?(): void;
  /** The listener begins to drain (gracefully): finish what is under way, then close. */
  onDrain?(): void;
  /** Access logs of the listener are written by the connection; a terminal filter that ends with facts of its own may add them before onClose. */
}

/** Built once per filter chain when the listener plan is installed. */
export interface NetworkFilterFactory {
  readonly terminal: boolean;
  create(connection: DownstreamConnection): NetworkFilter;
}

/** Builders that the data catalog offers to the rooms: extension plans to runtime objects. */
export interface DataCatalog {
  /** `listenerStatPrefix` is 'listener.ADDRESS'. */
  networkFilter(kind: string, body: unknown, env: WorkerEnv, listenerStatPrefix: string): NetworkFilterFactory;
  accessLog(kind: string, body: unknown, env: WorkerEnv): AccessLog;
}
