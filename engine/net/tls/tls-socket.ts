// A TLS session on a transport socket: the same TransportSocket to whoever is above. Reads are decrypted as they come, writes encrypted as they go; before the
// handshake is complete writes wait in the session; after it, small ones in the worker's stage until the turn ends (write-stage.ts). Downstream the sink hears of the connection's failure by onClose, its reason stands in the facts.
//
//   handshake ──secured──▶ open ──destroy('flush')──▶ flushing (close_notify is still to come out) ──▶ closed
//   any ──▶ closed (fault, transport gone, destroy)
import { NO_SINK, type SocketOption, type SocketSink, type TcpKeepalive, type TransportSocket } from '../transport/transport.ts';
import type { Address } from '../address.ts';
import type { HandshakeFacts, TlsFault, TlsSession, TlsSink } from './engine.ts';
import type { StapleOutcome } from './ocsp.ts';
import type { WriteStage } from './write-stage.ts';

/** Who counts what becomes of a handshake. */
export interface TlsWatcher {
  onSecured(socket: TlsSocket, facts: HandshakeFacts): void;
  onFault(socket: TlsSocket, fault: TlsFault, facts: HandshakeFacts | null): void;
  onStaple(outcome: StapleOutcome): void;
}

export class TlsSocket implements TransportSocket, SocketSink, TlsSink {
  sink: SocketSink = NO_SINK;
  private readonly lower: TransportSocket;
  private session: TlsSession = NO_SESSION;
  private readonly watcher: TlsWatcher;
  private readonly stage: WriteStage;
  private state: 'handshake' | 'open' | 'flushing' | 'closed' = 'handshake';
  private readEnded = false;
  private writeEnded = false;
  /** Those above were told to wait: the transport has enough (`lowerBlocked`), or the session. */
  private blocked = false;
  private lowerBlocked = false;
  facts: HandshakeFacts | null = null;

  /** `lower` is connected, or will say so; its sink is this socket from now on. */
  constructor(lower: TransportSocket, watcher: TlsWatcher, stage: WriteStage) {
    this.lower = lower;
    this.stage = stage;
    this.watcher = watcher;
    lower.sink = this;
  }

  /** Gives the socket its session; before any byte. */
  use(session: TlsSession): this { this.session = session; return this; }

  get local(): Address { return this.lower.local; }
  get remote(): Address { return this.lower.remote; }
  get originalDestination(): Address | null { return this.lower.originalDestination; }
  get secured(): boolean { return this.state === 'open'; }

  // ---- from above ------------------------------------------------------------------------------------------------------------

  writeLatin1(text: string): void {
    if (this.state === 'closed' || this.state === 'flushing' || this.writeEnded) return;
    if (this.state === 'open') { this.stage.writeText(this.session, text); return; }
    const bytes = Buffer.from(text, 'latin1');
    this.session.send(bytes, 0, bytes.length);
    this.noteBlocked();
  }
  write(bytes: Uint8Array, start: number, end: number): void {
    if (this.state === 'closed' || this.state === 'flushing' || this.writeEnded || end <= start) return;
    if (this.state === 'open') { this.stage.write(this.session, bytes, start, end); return; }
    this.session.send(bytes, start, end);
    this.noteBlocked();
  }
  /** What waits for the handshake counts against the mark as what waits for the kernel does. */
  private noteBlocked(): void {
    if (this.blocked || this.session.pendingBytes <= this.lower.highMark) return;
    this.blocked = true;
    this.sink.onBlocked();
  }
  get pendingBytes(): number { return this.lower.pendingBytes + this.session.pendingBytes + this.stage.heldFor(this.session); }
  pause(): void { this.lower.pause(); }
  resume(): void { this.lower.resume(); }

  end(): void {
    if (this.state === 'closed' || this.state === 'flushing' || this.writeEnded) return;
    this.writeEnded = true;
    this.stage.flushOf(this.session);
    if (this.session.closeNotify() && this.state === 'open') this.lower.end();
  }
  destroy(how: 'flush' | 'now' | 'reset'): void {
    if (this.state === 'closed' || (this.state === 'flushing' && how === 'flush')) return;
    this.stage.flushOf(this.session);
    // Every ordinary end says close_notify, as far as nothing of more weight would be sent with it.
    if (how === 'now' && this.state === 'open' && this.pendingBytes === 0) how = 'flush';
    if (how === 'flush' && this.state === 'open' && !this.writeEnded && !this.session.closeNotify()) { this.state = 'flushing'; this.sink = NO_SINK; return; }
    this.state = 'closed';
    this.session.close();
    this.lower.destroy(how);
  }
  setNoDelay(on: boolean): void { this.lower.setNoDelay(on); }
  setKeepalive(keepalive: TcpKeepalive): void { this.lower.setKeepalive(keepalive); }
  setOption(option: SocketOption): boolean { return this.lower.setOption(option); }
  get highMark(): number { return this.lower.highMark; }
  set highMark(bytes: number) { this.lower.highMark = bytes; }

  // ---- from the transport ----------------------------------------------------------------------------------------------------

  onConnect(): void { if (this.state === 'handshake') this.session.start(); }
  onData(bytes: Buffer, start: number, end: number): void {
    if (this.state === 'closed' || this.readEnded) return;
    // What was written before these bytes goes before whatever they bring, an alert perhaps.
    this.stage.flushOf(this.session);
    this.session.receive(bytes, start, end);
  }
  onEnd(): void { if (this.state !== 'closed') this.session.receiveEnd(); }
  /** FIN is in order only after close_notify; else somebody may have cut the stream (a body delimited by the close must not look complete). */
  onTransportEnd(clean: boolean): void {
    if (this.state === 'closed') return;
    if (clean && !this.readEnded) this.onCloseNotify();
    if (this.readEnded) { if (this.writeEnded) this.gone('', 'now'); return; }
    if (this.state === 'handshake') { this.fail(NOTHING_SAID, null); return; }
    this.gone('ECONNRESET', 'flush');
  }
  onBlocked(): void {
    this.lowerBlocked = true;
    if (this.state === 'closed' || this.blocked) return;
    this.blocked = true;
    this.sink.onBlocked();
  }
  onDrained(): void { this.lowerBlocked = false; this.release(); }
  /** Whoever has enough last lets those above go on: the transport may have drained while the session still had much, and what that lets go may block nobody. */
  private release(): void {
    if (this.state === 'closed' || !this.blocked || this.lowerBlocked || this.session.pendingBytes > this.lower.highMark) return;
    this.blocked = false;
    this.sink.onDrained();
  }
  onClose(error: string): void {
    if (this.state === 'closed') return;
    const early = this.state === 'handshake';
    this.state = 'closed';
    this.stage.drop(this.session);
    this.session.close();
    if (early) this.watcher.onFault(this, NOTHING_SAID, null);
    this.sink.onClose(error);
  }

  // ---- from the session ------------------------------------------------------------------------------------------------------

  onCiphertext(bytes: Uint8Array, start: number, end: number): void { this.lower.write(bytes, start, end); }
  onStaple(outcome: StapleOutcome): void { this.watcher.onStaple(outcome); }
  onSecured(facts: HandshakeFacts): void {
    if (this.state !== 'handshake') return;
    this.state = 'open';
    this.facts = facts;
    this.watcher.onSecured(this, facts);
    this.sink.onConnect();
    this.release();
  }
  onPlaintext(bytes: Buffer, start: number, end: number): void { if (this.state === 'open' && !this.readEnded) this.sink.onData(bytes, start, end); }
  onCloseNotify(): void {
    if (this.state !== 'open' || this.readEnded) return;
    this.readEnded = true;
    this.sink.onEnd();
  }
  onFault(fault: TlsFault, facts: HandshakeFacts | null): void { this.fail(fault, facts); }

  onWritten(): void { this.release(); }
  onFlushed(): void {
    if (this.state === 'flushing') { this.state = 'closed'; this.session.close(); this.lower.destroy('flush'); } else if (this.state === 'open' && this.writeEnded) this.lower.end();
  }

  private fail(fault: TlsFault, facts: HandshakeFacts | null): void {
    if (this.state === 'closed') return;
    this.facts ??= facts;
    this.watcher.onFault(this, fault, facts);
    this.gone(fault.reason === '' ? 'ECONNRESET' : fault.reason, 'flush');
  }

  private gone(error: string, how: 'flush' | 'now'): void {
    this.state = 'closed';
    this.stage.drop(this.session);
    this.session.close();
    this.lower.destroy(how);
    this.sink.onClose(error);
  }
}

/** The peer left before the handshake was over: no reason, and nothing is counted. */
const NOTHING_SAID: TlsFault = { stat: '', reason: '' };
const NO_SESSION: TlsSession = { start() {}, receive() {}, receiveEnd() {}, send() {}, closeNotify: () => true, close() {}, pendingBytes: 0 };
