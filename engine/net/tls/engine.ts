// TLS as a byte transform: ciphertext in, plaintext and events out, and back. No sockets, clocks or timers in here; tls-socket.ts puts a session on a transport
// socket. Two engines: rustls (rustls.ts, where the addon is built) and node:tls (node.ts).
import type { SecretPlan, DownstreamTlsPlan, UpstreamTlsPlan } from '../../plan/tls-plan.ts';
import type { TlsFacts } from '../../observe/stream-facts.ts';
import type { StapleOutcome } from './ocsp.ts';

/**
 * What a session tells its owner: from within `receive`, `send`, `start` and `closeNotify`, or, by an engine that does not answer at once, later through the turn's queue.
 * All bytes are lent until the call returns. After onFault or `close` nothing comes any more.
 */
export interface TlsSink {
  /** For the peer. */
  onCiphertext(bytes: Uint8Array, start: number, end: number): void;
  /** A client asked for an OCSP staple, and this is what it gets. 'fail': onFault comes next. */
  onStaple(outcome: StapleOutcome): void;
  /** The handshake is complete, and the peer's certificate is accepted. */
  onSecured(facts: HandshakeFacts): void;
  onPlaintext(bytes: Buffer, start: number, end: number): void;
  /** The peer will send no more. */
  onCloseNotify(): void;
  /** The transport has ended; `clean`: after close_notify, so nobody has cut the stream. */
  onTransportEnd(clean: boolean): void;
  /** What `pendingBytes` counted after the handshake has come out: by an engine that encrypts in its own time. */
  onWritten(): void;
  /** Everything that was sent, and close_notify, has come out: `closeNotify` had said that it would take time. */
  onFlushed(): void;
  /** The session is over; `facts`: what is known of it, where a certificate was refused. An alert, where one is due, was given to onCiphertext before. */
  onFault(fault: TlsFault, facts: HandshakeFacts | null): void;
}

/** Which of Envoy's counters a failure belongs to, and its reason as %DOWNSTREAM_TRANSPORT_FAILURE_REASON% has it. */
export interface TlsFault { readonly stat: '' | 'connection_error' | 'fail_verify_no_cert' | 'fail_verify_error' | 'fail_verify_san' | 'fail_verify_cert_hash'; readonly reason: string }

export interface HandshakeFacts extends TlsFacts {
  readonly resumed: boolean;
  /** Names of Envoy's stats ssl.curves.X, ssl.sigalgs.X; '' where not known. */
  readonly curve: string;
  readonly signature: string;
}

/** One connection's TLS. Made by a context; must be closed once. */
export interface TlsSession {
  /** Begins: a client's hello goes to the sink. A server waits for bytes. */
  start(): void;
  receive(bytes: Buffer, start: number, end: number): void;
  /** Takes plaintext; before the handshake is complete it waits in the session. */
  send(bytes: Uint8Array, start: number, end: number): void;
  /** The transport says FIN: told to the sink behind what was received before. */
  receiveEnd(): void;
  /** Ends our direction. False: it comes out later, and onFlushed tells. */
  closeNotify(): boolean;
  /** Frees everything. Idempotent. */
  close(): void;
  /** Plaintext taken by `send` that has not come out as ciphertext yet. */
  readonly pendingBytes: number;
}

/** Everything that a context is built of. `onKeyLines`: lines for key_log, called where the plan has one. Contexts are immutable: a changed secret makes a new one, and older connections keep theirs. */
export interface ServerContextSpec { readonly side: 'server'; readonly plan: DownstreamTlsPlan; readonly secrets: ContextSecrets; /** Wall clock. */ nowMs(): number; onKeyLines(lines: readonly string[], sink: TlsSink): void }
export interface ClientContextSpec { readonly side: 'client'; readonly plan: UpstreamTlsPlan; readonly secrets: ContextSecrets; /** Wall clock. */ nowMs(): number; onKeyLines(lines: readonly string[], sink: TlsSink): void }
export interface ContextSecrets {
  readonly certificates: readonly Extract<SecretPlan, { kind: 'certificate' }>[];
  readonly validation: Extract<SecretPlan, { kind: 'validation' }>['validation'] | null;
  /**
   * Names the policy for client certificates: a session made under one is resumed only under the same. It covers the certificates, the validation context, and
   * whether a client certificate is demanded.
   */
  readonly sessionGroup: string;
  /** For tickets of this group, 32 bytes each, the same in all workers: the first one seals, all open. */
  readonly ticketSeeds: readonly Uint8Array[];
}

/** What one upstream connection asks for. */
export interface ClientOptions {
  /** Server name to ask for, '' for none. */
  readonly serverName: string;
  /** In place of the context's ALPN list; null: the context's. */
  readonly alpn: readonly string[] | null;
  /** Names of which the certificate must bear one (auto_san_validation); null: as the context says. */
  readonly sans: readonly string[] | null;
}

export interface ServerContext { accept(sink: TlsSink): TlsSession }
export interface ClientContext { connect(sink: TlsSink, options: ClientOptions): TlsSession }

export interface TlsEngine {
  readonly name: 'rustls' | 'node';
  /** '' where this engine can do what the spec asks, else what it cannot. */
  cannot(spec: ServerContextSpec | ClientContextSpec): string;
  /** Throws with a reason for secrets that do not make a context. */
  server(spec: ServerContextSpec): ServerContext;
  client(spec: ClientContextSpec): ClientContext;
}
