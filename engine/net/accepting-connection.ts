// An accepted connection until its filter chain is chosen: runs the listener filters over the first bytes, then hands the socket over with all bytes that no filter
// took. Ends once: handed over, refused by a filter, timed out, or left by the client.
//
// Bytes that decide at once (the usual case: one segment holds a whole ClientHello) are never copied; only what has to wait is kept, at most LIMIT of it.
import type { Seated } from '../base/seats.ts';
import { LISTENER } from '../observe/stats/schemas.ts';
import type { StatBlock } from '../observe/stats/stat-block.ts';
import { setStreamMetadata, StreamFacts, type ConnectionFacts, type MetadataValue } from '../observe/stream-facts.ts';
import type { Timer } from '../loop/timer-wheel.ts';
import type { ListenerFilter, ListenerFilterFactory, ListenerVerdict, PendingConnection } from './listener-filter.ts';
import type { SocketSink, TransportSocket } from './transport/transport.ts';
import type { WorkerEnv } from './worker-env.ts';

const NO_BYTES = Buffer.alloc(0);
/** Bytes kept for filters that wait; reading stops here, and the timeout ends what still waits. */
const LIMIT = 1 << 17;

/** A listener filter with the test that turns it off for a connection (filter_disabled). */
export interface PlacedListenerFilter { readonly factory: ListenerFilterFactory; readonly disabled: ((facts: ConnectionFacts) => boolean) | null }

/** What the listener does with it. */
export interface AcceptingOwner {
  readonly stats: StatBlock;
  readonly listenerFilters: readonly PlacedListenerFilter[];
  readonly listenerFiltersTimeoutMs: number;
  readonly continueOnTimeout: boolean;
  /** All filters are done. The bytes are lent; the socket's sink is the caller's to set. */
  accepted(connection: AcceptingConnection, bytes: Buffer, start: number, end: number): void;
  /** It ended before that. */
  dropped(connection: AcceptingConnection): void;
}

export class AcceptingConnection implements PendingConnection, SocketSink, Seated {
  seat = -1;
  readonly socket: TransportSocket;
  readonly facts: ConnectionFacts;
  readonly env: WorkerEnv;
  private readonly owner: AcceptingOwner;
  private readonly filters: readonly ListenerFilter[];
  private at = 0;
  /** Whether onAccept of the filter at `at` has run. */
  private begun = false;
  private kept: Buffer = NO_BYTES;
  private keptLength = 0;
  private consumed = 0;
  private over = false;
  private paused = false;
  private timer: Timer | null = null;
  private ownStream: StreamFacts | null;
  readonly handedOff: boolean;

  /** `stream`: what the connection came with. `handedOff`: by another listener, for its destination. */
  constructor(socket: TransportSocket, facts: ConnectionFacts, owner: AcceptingOwner, env: WorkerEnv, stream: StreamFacts | null = null, handedOff = false) {
    this.ownStream = stream; this.handedOff = handedOff;
    this.socket = socket; this.facts = facts; this.owner = owner; this.env = env;
    socket.sink = this;
    owner.stats.inc(LISTENER.downstream_pre_cx_active);
    this.filters = owner.listenerFilters.filter((f) => f.disabled === null || !f.disabled(facts)).map((f) => f.factory.create(this));
  }

  get stream(): StreamFacts { return this.ownStream ??= new StreamFacts(this.facts); }
  /** The record that filters have begun, if any. */
  get begunStream(): StreamFacts | null { return this.ownStream; }
  setMetadata(namespace: string, value: { [key: string]: MetadataValue }): void { setStreamMetadata(this.stream, namespace, value); }
  consume(bytes: number): void { this.consumed += bytes; }

  start(): void {
    this.run(NO_BYTES, 0, 0);
    if (!this.over && this.owner.listenerFiltersTimeoutMs > 0) this.timer = this.env.wheel.after(this.owner.listenerFiltersTimeoutMs, () => this.timedOut());
  }

  private run(bytes: Buffer, start: number, end: number): void {
    for (; this.at < this.filters.length; this.at++, this.begun = false) {
      const f = this.filters[this.at]!;
      let verdict: ListenerVerdict = f.onData === undefined ? 'next' : 'wait';
      if (!this.begun) { this.begun = true; if (f.onAccept !== undefined) verdict = f.onAccept(); }
      if (verdict === 'wait' && f.onData !== undefined && end > start) {
        verdict = f.onData(bytes, start, end);
        start += this.consumed; this.consumed = 0;
      }
      if (verdict === 'next') continue;
      if (verdict === 'close') this.drop('now'); else this.keep(bytes, start, end);
      return;
    }
    this.finish(bytes, start, end);
  }

  /** Keeps what still waits: `bytes` is the lent batch, or our own buffer. */
  private keep(bytes: Buffer, start: number, end: number): void {
    const n = end - start;
    if (bytes === this.kept) { if (start > 0) { this.kept.copyWithin(0, start, end); this.keptLength = n; } } else this.grow(bytes, start, end, 0);
    if (this.keptLength >= LIMIT && !this.paused) { this.paused = true; this.socket.pause(); }
  }
  private grow(bytes: Buffer, start: number, end: number, at: number): void {
    const n = at + end - start;
    if (n > this.kept.length) { const bigger = Buffer.allocUnsafeSlow(Math.max(1024, 2 * n)); this.kept.copy(bigger, 0, 0, at); this.kept = bigger; }
    bytes.copy(this.kept, at, start, end);
    this.keptLength = n;
  }

  private finish(bytes: Buffer, start: number, end: number): void {
    if (!this.close()) return;
    if (this.paused) this.socket.resume();
    this.owner.accepted(this, bytes, start, end);
  }

  private timedOut(): void {
    this.owner.stats.inc(LISTENER.downstream_pre_cx_timeout);
    if (this.owner.continueOnTimeout) this.finish(this.kept, 0, this.keptLength); else this.drop('now');
  }

  /** Refused here, or by the listener (drain, removal). */
  drop(how: 'now' | 'gone'): void {
    if (!this.close()) return;
    if (how === 'now') this.socket.destroy('now');
    this.owner.dropped(this);
  }

  private close(): boolean {
    if (this.over) return false;
    this.over = true;
    if (this.timer !== null) this.env.wheel.cancel(this.timer);
    this.owner.stats.dec(LISTENER.downstream_pre_cx_active);
    for (let i = this.at; i < this.filters.length; i++) this.filters[i]!.onEnd?.();
    return true;
  }

  onConnect(): void { /* an accepted socket is connected */ }
  onData(bytes: Buffer, start: number, end: number): void {
    if (this.over) return;
    if (this.keptLength === 0) { this.run(bytes, start, end); return; }
    this.grow(bytes, start, end, this.keptLength);
    this.run(this.kept, 0, this.keptLength);
  }
  onEnd(): void { if (this.over) return; this.owner.stats.inc(LISTENER.downstream_listener_filter_remote_close); this.drop('now'); }
  onBlocked(): void { /* nothing is written here */ }
  onDrained(): void { /* nothing is written here */ }
  onClose(error: string): void { if (this.over) return; if (error !== '') this.owner.stats.inc(LISTENER.downstream_listener_filter_error); else this.owner.stats.inc(LISTENER.downstream_listener_filter_remote_close); this.drop('gone'); }
}
