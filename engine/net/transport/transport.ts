// The batch interface between sockets and everything above (design.md section 4). Two implementations: native.ts (own epoll in C, Linux) and node.ts
// (node:net). One Transport per worker. All callbacks of a turn come on one stack: `onTurnStart` (the clock is ticked), the sockets' events, `onTurnEnd`
// (later-queue, timers); then the transport carries out all writes and closes in one go, adjacent writes of a socket as one system call.
// Nothing here throws for a peer's fault. Received bytes are lent: valid until the sink's onData returns (whoever keeps them copies).
import type { Address } from '../address.ts';
import type { DatagramOptions, DatagramSink, DatagramSocket } from './datagrams.ts';

/** What a socket tells its owner. Never called from inside a call of the owner to the socket (no re-entrance). */
export interface SocketSink {
  /** An outgoing connection is established. */
  onConnect(): void;
  /** Bytes [start, end) of `bytes`, lent until this returns. */
  onData(bytes: Buffer, start: number, end: number): void;
  /** The other side has sent FIN; writing may still work. */
  onEnd(): void;
  /** More is queued than the kernel takes: `pendingBytes` exceeds the socket's high mark. */
  onBlocked(): void;
  /** The queue has fallen below half of the high mark again after onBlocked. */
  onDrained(): void;
  /** The socket is gone; last call. `error` is '' for an orderly end, else the errno name ('ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT'…). */
  onClose(error: string): void;
}

/** Of a socket that nobody looks after (any more). */
export const NO_SINK: SocketSink = { onConnect() {}, onData() {}, onEnd() {}, onBlocked() {}, onDrained() {}, onClose() {} };

/** `family`: for sockets of this IP version only. */
export interface SocketOption { readonly level: number; readonly name: number; /** Integer value, or raw bytes. */ readonly value: number | Uint8Array; readonly family?: 4 | 6 }

/** Those that are for sockets of an address. */
export function optionsFor(options: readonly SocketOption[], address: Address): readonly SocketOption[] {
  return options.length === 0 ? options : options.filter((o) => o.family === undefined || (address.kind === 'ip' && address.family === o.family));
}

export interface TcpKeepalive { /** Seconds; 0: system default. */ readonly idleS: number; readonly intervalS: number; readonly probes: number }

/** One stream socket. TLS wraps one and offers the same shape. */
export interface TransportSocket {
  /** Set by the owner before the first event; may be replaced at any time (e.g. tcp tunnelling after an upgrade). */
  sink: SocketSink;
  readonly local: Address;
  readonly remote: Address;
  /** Where the client meant to go before the kernel redirected it here (SO_ORIGINAL_DST, TPROXY); null: it was not redirected. */
  readonly originalDestination: Address | null;
  /** Queues a byte string (latin1, one char per byte). */
  writeLatin1(text: string): void;
  /** Queues bytes [start, end). They are sent or copied before the turn ends; bytes of the receive slab of this same turn are forwarded without a copy. */
  write(bytes: Uint8Array, start: number, end: number): void;
  /** Bytes taken from the owner but not yet by the kernel, also after destroy('flush'). May lag within a turn by what the turn itself has queued. */
  readonly pendingBytes: number;
  /** Stops and restarts reading. Idempotent; who may pause for what reason is the owner's ledger. */
  pause(): void;
  resume(): void;
  /** Sends FIN after what is queued; reading goes on. */
  end(): void;
  /** Closes. 'flush': after what is queued was sent (a further 'now' or 'reset' drops the rest); 'now': at once, dropping the queue; 'reset': at once with RST. onClose does not come any more. */
  destroy(how: 'flush' | 'now' | 'reset'): void;
  setNoDelay(on: boolean): void;
  setKeepalive(keepalive: TcpKeepalive): void;
  /** setsockopt on the live socket; false where this transport or system cannot. */
  setOption(option: SocketOption): boolean;
  /** Mark of pendingBytes above which onBlocked comes; default 1 MiB. */
  highMark: number;
}

export interface ListenOptions {
  readonly address: Address;
  readonly backlog: number;
  /** SO_REUSEPORT: every worker binds its own socket. Off: worker 0 alone listens (the caller sees to it). */
  readonly reusePort: boolean;
  readonly transparent: boolean;
  readonly freebind: boolean;
  readonly ipv6Only: boolean;
  /** Connections accepted per turn and listener; 0: the transport's own bound. */
  readonly maxAcceptsPerTurn: number;
  readonly options: readonly SocketOption[];
  /** Multipath TCP. */
  readonly mptcp: boolean;
  /** Connections are spread over the workers that listen under one name (transport/README.md); null: each keeps what it accepts. */
  readonly share: ListenShare | null;
}

export interface ListenShare {
  /** The same in all workers, and only for this address of this listener. */
  readonly group: string;
  /** Every connection goes to the worker that has fewest (exact_balance); otherwise only where it would have clearly too many. */
  readonly exact: boolean;
  /** This worker has no socket of its own: it serves what another hands over. */
  readonly socketless: boolean;
}

/** What node:net cannot do is refused, not ignored: the error of `listen` and of connections then. */
export const NOT_HERE = 'ENOTSUP';

export interface ListenerSocket {
  /** The bound address (a real port where 0 was asked). */
  readonly local: Address;
  /** Stops taking connections (drain, overload), the kernel's queue stays. */
  pause(): void;
  resume(): void;
  /** Closes the listening socket. */
  close(): void;
}

export interface ConnectOptions {
  readonly remote: Address;
  readonly bind: Address | null;
  readonly freebind: boolean;
  readonly options: readonly SocketOption[];
  readonly noDelay: boolean;
  readonly keepalive: TcpKeepalive | null;
}

/** Told of an exception (our bug) out of an event of `socket`; null where it came from elsewhere in the turn. It may throw: the thread then ends. */
export type OnException = (e: unknown, socket: TransportSocket | null) => void;

export interface TransportTurn { onTurnStart(): void; onTurnEnd(): void }

export interface Transport {
  readonly name: 'native' | 'node';
  /** Binds and listens. Resolves to an errno name on failure ('EADDRINUSE'). `onAccept` must set the socket's sink before it returns. Start-up only, so it may be a promise. */
  listen(options: ListenOptions, onAccept: (socket: TransportSocket) => void): Promise<ListenerSocket | { readonly error: string }>;
  /** Begins to connect; the result comes to the sink (onConnect or onClose), also for immediate failures. Writes before onConnect are queued. */
  connect(options: ConnectOptions, sink: SocketSink): TransportSocket;
  /** Opens a datagram socket. Resolves to an errno name on failure. */
  datagrams(options: DatagramOptions, sink: DatagramSink): Promise<DatagramSocket | { readonly error: string }>;
  /** Asks for a turn soon, so that queued work (Later, timers) runs; harmless when one is under way. */
  wake(): void;
  /**
   * Tells when the timer wheel wants a turn at the latest, in ms from now; -1: none. Called in onTurnEnd and when a timer is armed outside a turn. False: not taken, as a turn
   * that was asked for is about to come, at whose end it must be told again.
   */
  wakeIn(ms: number): boolean;
  /** Open sockets (not listeners). */
  readonly openSockets: number;
  /** Closes everything at once and lets the thread end. */
  close(): void;
}
