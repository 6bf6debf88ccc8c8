// One accepted connection: carries socket events through its network filters to the terminal one, and ends once, with its stats and the listener's access logs.
// Made by the listener; ends by the socket's close or by `close` of a filter.
//
//   filters:   0 … passed-1   |  passed (said 'stop', bytes wait in `held`)  |  those that have not begun
//
// A connection whose only filter is the terminal one goes straight through: nothing is held but what comes while reading is paused.
import type { Seated } from '../base/seats.ts';
import { Kept, keepLast } from '../base/kept.ts';
import { ByteQueue } from '../base/byte-queue.ts';
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import { LISTENER, LISTENER_WORKER } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';
import { StreamFacts, type ConnectionFacts } from '../observe/stream-facts.ts';
import type { Timer } from '../loop/timer-wheel.ts';
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory, NetworkVerdict, ReadPause } from './connection.ts';
import type { DownstreamSocketFactory } from './tls/contexts.ts';
import { boundFlush } from './bound-flush.ts';
import type { StreamAccounts } from './stream-accounts.ts';
import type { SocketSink, TransportSocket } from './transport/transport.ts';
import type { WorkerEnv } from './worker-env.ts';

/** What connections share with their listener. */
export interface ListenerState {
  readonly stats: StatBlock;
  readonly workerStats: StatBlock;
  readonly statPrefix: string;
  readonly bufferLimit: number;
  readonly accessLogs: readonly AccessLog[];
  readonly draining: boolean;
  readonly plan: { readonly bypassOverload: boolean };
  /** A transport socket's handshake timeout under the present pressure, ms. */
  handshakeMs(ms: number): number;
  /** The connection has ended. */
  left(connection: AcceptedConnection): void;
}

const NO_BYTES = Buffer.alloc(0);
const PAUSE_BIT: Record<ReadPause, number> = { filter: 1, 'upstream-wait': 2, 'upstream-full': 4, terminal: 8 };

export class AcceptedConnection implements DownstreamConnection, SocketSink, Seated {
  seat = -1;
  private transport: TransportSocket;
  readonly facts: ConnectionFacts;
  readonly env: WorkerEnv;
  private readonly state: ListenerState;
  private filters: NetworkFilter[] = [];
  /** Filters whose onConnection has run. */
  private begun = 0;
  /** The filter that said 'stop', -1: none. Bytes after it wait in `held`. */
  private holder = -1;
  /** Made when something has to wait: an idle connection owns none. */
  private held: ByteQueue | null = null;
  private heldEnd = false;
  private pauses = 0;
  private ended = false;
  private closing: Timer | null = null;
  private ownStream: StreamFacts | null = null;

  /** `stream`: the record that listener filters began, if any. */
  constructor(socket: TransportSocket, facts: ConnectionFacts, state: ListenerState, env: WorkerEnv, stream: StreamFacts | null = null) {
    keepLast(Kept.downstream, this);
    this.transport = socket; this.facts = facts; this.state = state; this.env = env;
    if (stream !== null) this.ownStream = addresses(stream);
    socket.sink = this;
  }

  /** What filters write to: the accepted socket, or the transport socket on it. */
  get socket(): TransportSocket { return this.transport; }

  /** Puts a transport socket on the accepted one; before `start`. False: it cannot be, and the connection is closed. `timeoutMs` for its handshake, 0: none. */
  secure(factory: DownstreamSocketFactory, timeoutMs: number): boolean {
    const wrapped = factory.wrap(this.transport, this.facts);
    if (wrapped === null) { this.facts.transportFailure = 'TLS error: Secret is not supplied by SDS'; this.close('now'); return false; }
    this.transport = wrapped;
    wrapped.sink = this;
    if (timeoutMs > 0) this.handshake = { ms: timeoutMs, since: this.env.clock.nowMs(), timer: this.env.wheel.after(this.state.handshakeMs(timeoutMs), () => this.onHandshakeTimeout()) };
    return true;
  }
  private handshake: { readonly ms: number; readonly since: number; readonly timer: Timer } | null = null;
  private onHandshakeTimeout(): void { this.state.stats.inc(LISTENER.downstream_cx_transport_socket_connect_timeout); this.close('now', 'transport socket timeout was reached'); }

  get bufferLimit(): number { return this.state.bufferLimit; }
  get listenerStatPrefix(): string { return this.state.statPrefix; }
  get draining(): boolean { return this.state.draining; }
  get bypassOverload(): boolean { return this.state.plan.bypassOverload; }
  timersScaled(): void {
    const { handshake: h, env: { wheel, clock } } = this;
    if (h !== null) wheel.arm(h.timer, Math.max(1, h.since + this.state.handshakeMs(h.ms) - clock.nowMs()));
    for (const f of this.filters) f.onTimersScaled?.();
  }
  collectAccounts(accounts: StreamAccounts): void { for (const f of this.filters) f.collectAccounts?.(accounts); }
  get stream(): StreamFacts { return this.ownStream ??= addresses(new StreamFacts(this.facts)); }
  get live(): boolean { return !this.ended; }

  start(factories: readonly NetworkFilterFactory[]): void {
    this.filters = factories.map((f) => f.create(this));
    this.run(0, NO_BYTES, 0, 0);
  }

  /** Takes filters from `from` on through what is new: their beginning, and bytes if there are any. */
  private run(from: number, bytes: Buffer, start: number, end: number): void {
    const { filters } = this, last = filters.length - 1;
    for (let i = from; i <= last; i++) {
      const f = filters[i]!;
      let verdict: NetworkVerdict = 'next';
      if (i >= this.begun) { this.begun = i + 1; if (f.onConnection !== undefined) verdict = f.onConnection(); }
      if (this.ended) return;
      if (end > start && verdict !== 'close') {
        // The terminal filter's 'stop' is no answer to bytes; one that pauses reading as it begins gets them later.
        if (i === last && (this.pauses !== 0 || this.waiting > 0)) { this.hold(bytes, start, end); return; }
        if ((verdict === 'next' || i === last) && f.onData !== undefined) verdict = f.onData(bytes, start, end);
        if (this.ended) return;
      }
      if (verdict === 'next') continue;
      if (verdict === 'close') { this.close('now'); return; }
      if (i < last) { this.holder = i; this.hold(bytes, start, end); this.limitHeld(); }
      return;
    }
  }

  private hold(bytes: Buffer, start: number, end: number): void { (this.held ??= new ByteQueue()).pushCopy(bytes, start, end); }
  private get waiting(): number { return this.held === null ? 0 : this.held.length; }

  /** A filter that lets its bytes wait bounds them; what comes while reading is paused is bounded by the turn it was read in. */
  private limitHeld(): void { if (this.holder >= 0 && this.waiting >= Math.max(1, this.state.bufferLimit)) this.pauseReading('filter'); }

  continueReading(filter: NetworkFilter): void {
    if (this.ended || this.holder < 0 || this.filters[this.holder] !== filter) return;
    const next = this.holder + 1, wasPaused = this.pauses !== 0;
    this.holder = -1;
    this.pauses &= ~PAUSE_BIT.filter;
    if (this.waiting === 0) this.run(next, NO_BYTES, 0, 0);
    else { const b = this.held!.takeAll(); this.run(next, Buffer.from(b.buffer, b.byteOffset, b.byteLength), 0, b.length); }
    if (this.ended || this.pauses !== 0) return;
    if (wasPaused) this.socket.resume();
    if (this.heldEnd && this.holder < 0 && this.waiting === 0) { this.heldEnd = false; this.passEnd(); }
  }

  pauseReading(why: ReadPause): void {
    const first = this.pauses === 0;
    this.pauses |= PAUSE_BIT[why];
    if (first && !this.ended) this.socket.pause();
  }
  resumeReading(why: ReadPause): void {
    if ((this.pauses & PAUSE_BIT[why]) === 0) return;
    this.pauses &= ~PAUSE_BIT[why];
    if (this.pauses !== 0 || this.ended) return;
    this.socket.resume();
    if (this.holder < 0 && (this.waiting > 0 || this.heldEnd)) this.env.later.soon(() => this.deliverHeld());
  }
  /** What came for the terminal filter while reading was paused; on a stack of its own, as resuming may happen inside a filter's hook. */
  private deliverHeld(): void {
    if (this.ended || this.pauses !== 0 || this.holder >= 0) return;
    if (this.waiting > 0) { const b = this.held!.takeAll(); this.run(this.filters.length - 1, Buffer.from(b.buffer, b.byteOffset, b.byteLength), 0, b.length); }
    if (this.heldEnd && !this.ended && this.pauses === 0 && this.holder < 0 && this.waiting === 0) { this.heldEnd = false; this.passEnd(); }
  }

  /** An accepted socket is connected: this is its transport socket's handshake. */
  onConnect(): void {
    if (this.handshake !== null) { this.env.wheel.cancel(this.handshake.timer); this.handshake = null; }
    for (let i = 0; i < this.begun && !this.ended; i++) this.filters[i]!.onSecured?.();
  }
  onData(bytes: Buffer, start: number, end: number): void {
    this.facts.bytesReceived += end - start;
    if (this.closing !== null) return;
    if (this.holder >= 0) { this.hold(bytes, start, end); this.limitHeld(); return; }
    if (this.filters.length === 1 && this.pauses === 0 && this.waiting === 0) this.filters[0]!.onData?.(bytes, start, end); else this.run(0, bytes, start, end);
  }
  onEnd(): void {
    if (this.closing !== null) { this.finish('now', false); return; } // the peer is the first to close
    if (this.holder >= 0 || this.pauses !== 0 || this.waiting > 0) { this.heldEnd = true; return; }
    this.passEnd();
  }
  private passEnd(): void { for (const f of this.filters) f.onEnd?.(); }
  onBlocked(): void { for (const f of this.filters) f.onBlocked?.(); }
  onDrained(): void { for (const f of this.filters) f.onDrained?.(); }
  onClose(error: string): void { this.end(error, false); }

  drain(): void { for (const f of this.filters) f.onDrain?.(); }

  close(how: 'flush' | 'now' | 'reset' | 'flush-delay', details = '', delayMs = 0): void {
    if (this.ended) return;
    if (details !== '' && this.facts.terminationDetails === '') this.facts.terminationDetails = details;
    if (how !== 'flush-delay' || delayMs === 0) {
      this.finish(how === 'flush-delay' ? 'flush' : how);
      if (how === 'flush' && delayMs > 0) boundFlush(this.socket, this.env.wheel, delayMs);
      return;
    }
    if (this.closing !== null) return;
    // The peer gets time to read what was sent before its own bytes lead to a reset; it usually closes first. Envoy sends no FIN meanwhile.
    let before = Infinity;
    const timer = this.closing = this.env.wheel.after(delayMs, () => {
      const left = this.socket.pendingBytes;
      if (left > 0 && left < before) { before = left; this.env.wheel.arm(timer, delayMs); return; }
      for (const f of this.filters) f.onDelayedClose?.();
      this.finish('now');
    });
  }

  private finish(how: 'flush' | 'now' | 'reset', local = true): void {
    if (this.ended) return;
    this.socket.destroy(how);
    this.end('', local);
  }

  private end(error: string, local: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.held?.clear();
    if (this.closing !== null) this.env.wheel.cancel(this.closing);
    if (this.handshake !== null) this.env.wheel.cancel(this.handshake.timer);
    this.facts.endMs = this.env.clock.nowMs();
    for (const f of this.filters) f.onClose?.(error, local);
    const { stats, workerStats } = this.state;
    stats.inc(LISTENER.downstream_cx_destroy);
    stats.dec(LISTENER.downstream_cx_active);
    workerStats.dec(LISTENER_WORKER.downstream_cx_active);
    stats.record(LISTENER.downstream_cx_length_ms, this.env.clock.nowMs() - this.facts.startMs);
    if (this.state.accessLogs.length > 0) logConnection(this.state.accessLogs, this.stream, this.env.clock.nowMs());
    this.state.left(this);
  }
}

function addresses(stream: StreamFacts): StreamFacts {
  const f = stream.connection;
  stream.startMs = f.startMs; stream.startWallMs = f.startWallMs;
  stream.remoteIp = f.remoteIp; stream.remotePort = f.remotePort; stream.remoteText = f.remoteText;
  return stream;
}

/** The listener's access logs at the end of a connection, also of one that found no filter chain. */
export function logConnection(logs: readonly AccessLog[], stream: StreamFacts, nowMs: number): void {
  if (logs.length === 0) return;
  addresses(stream);
  stream.endMs = nowMs;
  stream.wireReceived = stream.connection.bytesReceived; stream.wireSent = stream.connection.bytesSent;
  for (const log of logs) log.log(stream, 'NotSet');
}
