// The shapes between a listener's accepted connection and the network filters on it. The class that implements DownstreamConnection is
// downstream-connection.ts; a terminal filter (HTTP connection manager, tcp_proxy) takes the bytes.
import type { ConnectionFacts, StreamFacts } from '../observe/stream-facts.ts';
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import type { ListenerFilterFactory } from './listener-filter.ts';
import type { StreamAccounts } from './stream-accounts.ts';
import type { UdpFilter } from './udp-filter.ts';
import type { TransportSocket } from './transport/transport.ts';
import type { WorkerEnv } from './worker-env.ts';

/** Who holds a connection's reading back; it goes on when no reason is left. */
export type ReadPause = 'filter' | 'upstream-wait' | 'upstream-full' | 'terminal';

/** An accepted connection after listener filters, filter-chain match and TLS: what network filters work on. */
export interface DownstreamConnection {
  readonly socket: TransportSocket;
  readonly facts: ConnectionFacts;
  /** The connection's own record, made at the first look: network filters and the listener's access logs share it (Envoy: the connection's StreamInfo). */
  readonly stream: StreamFacts;
  readonly env: WorkerEnv;
  /** per_connection_buffer_limit_bytes of the listener. */
  readonly bufferLimit: number;
  /** Listener-level scope, e.g. 'listener.127.0.0.1_80', for filters with stats of their own there. */
  readonly listenerStatPrefix: string;
  /** The listener (or process) is draining: new responses should end the connection. */
  readonly draining: boolean;
  /** The overload manager has no say here. */
  readonly bypassOverload: boolean;
  /** Back-pressure by reason. Bytes that come all the same (read before the pause took hold) are kept and delivered when the last reason is gone. */
  pauseReading(why: ReadPause): void;
  resumeReading(why: ReadPause): void;
  /** A filter that said 'stop' lets the connection go on with the filters after it. Not from inside its own hook. */
  continueReading(filter: NetworkFilter): void;
  /** Closes from our side. 'flush': after what is queued, as long as the peer takes some of it in every `delayMs` (0: for ever); 'now': at once; 'flush-delay': flush, then wait for the peer's close for `delayMs` in which nothing moves; `details` for %CONNECTION_TERMINATION_DETAILS%. The filters' onClose is called with ''. */
  close(how: 'flush' | 'now' | 'reset' | 'flush-delay', details?: string, delayMs?: number): void;
}

/**
 * 'next': the filter after this one goes on. 'stop': not yet; what comes is kept up to the buffer limit until `continueReading` (the terminal filter, which
 * takes the bytes, always says 'stop'). 'close': the connection ends at once.
 */
export type NetworkVerdict = 'next' | 'stop' | 'close';

/** A filter on one connection. Each gets onConnection before its first bytes, and only after the filters before it have let the connection pass. */
export interface NetworkFilter {
  onConnection?(): NetworkVerdict;
  /** Bytes [start, end), lent until this returns. */
  onData?(bytes: Buffer, start: number, end: number): NetworkVerdict;
  onEnd?(): void;
  /** TLS with the client stands; only of filters that have begun. */
  onSecured?(): void;
  onBlocked?(): void;
  onDrained?(): void;
  /** Last call. `error`: errno name, '' orderly; `local`: we closed. */
  onClose?(error: string, local: boolean): void;
  /** A 'flush-delay' close ran into its delay. */
  onDelayedClose?(): void;
  /** The listener begins to drain (gracefully): finish what is under way, then close. */
  onDrain?(): void;
  /** reduce_timeouts has become stronger or weaker. */
  onTimersScaled?(): void;
  /** Tells its streams and what they hold (overload action reset_high_memory_stream). */
  collectAccounts?(accounts: StreamAccounts): void;
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
  listenerFilter(kind: string, body: unknown, env: WorkerEnv, listenerStatPrefix: string): ListenerFilterFactory;
  udpFilter(kind: string, body: unknown, env: WorkerEnv): UdpFilter;
  accessLog(kind: string, body: unknown, env: WorkerEnv): AccessLog;
}
