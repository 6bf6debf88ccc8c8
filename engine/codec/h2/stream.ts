// What server and client streams share: the states of RFC 9113 section 5.1 (without push), both windows, what waits to be sent, and who pauses the body that comes in.
//
//   idle ──HEADERS──▶ open ──END_STREAM sent──▶ half-local ──END_STREAM seen──▶ closed
//                       └──END_STREAM seen──▶ half-remote ──END_STREAM sent──▶ closed          any ──RST, connection lost──▶ closed
import { ByteQueue } from '../../base/byte-queue.ts';
import type { PeerFault } from '../../base/fault.ts';
import type { Headers } from '../../headers/headers.ts';
import type { MetadataMap, PauseReason, ResetReason } from '../codec.ts';
import { PauseSet } from '../pause-set.ts';
import type { H2Connection } from './connection.ts';
import { ERROR } from './frames.ts';
import { encodeMetadata, MetadataReader } from './metadata.ts';
import { ReceiveWindow } from './receive-window.ts';

/** A stream that has more than HIGH bytes waiting for a window is blocked, and flows again below LOW. */
const HIGH = 65_536, LOW = 16_384;

/** What the stream tells of the writer's side. */
export interface StreamSink { onBlocked(): void; onDrained(): void; onMetadata?(map: MetadataMap): void; onReset(reason: ResetReason, fault: PeerFault | null): void }

export abstract class H2Stream {
  /** 0 while idle. */
  id = 0;
  state: 'idle' | 'open' | 'half-local' | 'half-remote' | 'closed' = 'idle';
  readonly connection: H2Connection;
  /** What we may send. */
  sendWindow: number;
  private receiveWindow: ReceiveWindow | null = null;
  /** Bytes that came while the body was paused: owed to both windows. */
  private held = 0;
  /** The head of what comes in was seen: data and trailers may follow. */
  headed = false;
  /** content-length of what comes in, or -1; and what came of it. */
  expected = -1;
  got = 0;
  private queue: ByteQueue | null = null;
  private queuedEnd = false;
  private queuedTrailers: Headers | null = null;
  /** In the connection's list of those that wait to send. */
  waiting = false;
  private blocked = false;
  private pauses: PauseSet | null = null;
  private metadataRead: MetadataReader | null = null;
  bytesReceived = 0;
  bytesSent = 0;
  headerBytesReceived = 0;
  headerBytesSent = 0;

  constructor(connection: H2Connection) { this.connection = connection; this.sendWindow = connection.peer.initialWindow; }

  abstract get streamSink(): StreamSink | null;
  /** END_STREAM was sent: the stream may be over. */
  protected abstract localEnded(): void;
  /** The connection has let go of the stream, by whatever cause. */
  abstract released(): void;

  /** Nothing comes any more. */
  get remoteOver(): boolean { return this.state === 'half-remote' || this.state === 'closed'; }
  /** Nothing may be sent any more. */
  get localOver(): boolean { return this.state === 'half-local' || this.state === 'closed'; }

  // ---- sending -----------------------------------------------------------------------------------------------------------------

  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.localOver || this.queuedEnd || this.state === 'idle' || (start === end && !last)) return;
    let at = start;
    if (this.queue === null || this.queue.length === 0) {
      at = this.connection.sender.send(this, bytes, start, end, last, Infinity);
      if (at < 0) { if (last) this.endLocal(); return; }
    }
    this.queue ??= new ByteQueue();
    this.queue.pushCopy(bytes, at, end);
    if (last) this.queuedEnd = true;
    this.connection.sender.wait(this);
    if (!this.blocked && (this.queue.length > HIGH || this.connection.sender.blocked)) { this.blocked = true; this.streamSink?.onBlocked(); }
  }

  trailers(trailers: Headers): void {
    if (this.localOver || this.queuedEnd || this.state === 'idle') return;
    if (trailers.size === 0) { this.data(EMPTY, 0, 0, true); return; }
    if (this.queue !== null && this.queue.length > 0) { this.queuedEnd = true; this.queuedTrailers = trailers; return; }
    this.connection.sendTrailers(this, trailers);
    this.endLocal();
  }

  /** Overtakes what waits for a window: it counts for none. */
  metadata(map: MetadataMap): void {
    if (this.localOver || this.state === 'idle' || this.connection.options.maxMetadataBytes === 0 || map.size === 0) return;
    this.connection.writer.metadata(this.id, encodeMetadata(map));
  }

  get queuedBytes(): number { return this.queue === null ? 0 : this.queue.length; }

  /** Sends one frame of what waits; true: there is more, and the stream's own window lets it go. */
  sendWaiting(): boolean {
    const queue = this.queue;
    if (this.localOver || queue === null) return false;
    const chunk = queue.shift();
    if (chunk !== undefined || this.queuedEnd) {
      const piece = chunk ?? EMPTY, last = this.queuedEnd && queue.length === 0 && this.queuedTrailers === null;
      const at = this.connection.sender.send(this, piece, 0, piece.length, last, 1);
      if (at >= 0) queue.unshift(piece.subarray(at));
      else if (last) { this.endLocal(); return false; }
    }
    if (queue.length === 0 && this.queuedTrailers !== null) { this.connection.sendTrailers(this, this.queuedTrailers); this.endLocal(); return false; }
    if (this.blocked && queue.length < LOW && !this.connection.sender.blocked) { this.blocked = false; this.streamSink?.onDrained(); }
    return queue.length > 0 && this.sendWindow > 0;
  }

  protected endLocal(): void {
    this.queue = null;
    this.state = this.state === 'half-remote' ? 'closed' : 'half-local';
    this.localEnded();
  }

  // ---- receiving -----------------------------------------------------------------------------------------------------------------

  /** DATA of `bytes` (with padding) is announced; false: the peer may not send so much. */
  takeWindow(bytes: number): boolean {
    this.receiveWindow ??= new ReceiveWindow(this.connection.streamWindow);
    return this.receiveWindow.take(bytes);
  }

  /** A DATA frame has been passed on whole: its bytes are given back, now or when the pause is over. */
  consumed(bytes: number): void {
    if (this.pauses !== null && this.pauses.paused && this.state !== 'closed') { this.held += bytes; return; }
    this.connection.giveBack(bytes);
    if (this.remoteOver) return;
    const increment = this.receiveWindow?.giveBack(bytes) ?? 0;
    if (increment > 0) this.connection.writer.windowUpdate(this.id, increment);
  }

  /** A METADATA frame of the peer; -1: what is no map, or more of them than the peer may send. 0: an empty map, which nobody is told of. */
  takeMetadata(bytes: Buffer, start: number, end: number, whole: boolean): number {
    const map = (this.metadataRead ??= new MetadataReader(this.connection.options.maxMetadataBytes)).take(bytes, start, end, whole);
    if (map === null || map === 'bad') return map === null ? 1 : -1;
    if (map.size > 0) this.streamSink?.onMetadata?.(map);
    return map.size;
  }

  pause(why: PauseReason): void { (this.pauses ??= new PauseSet()).add(why); }
  resume(why: PauseReason): void {
    if (this.pauses === null || !this.pauses.remove(why) || this.held === 0) return;
    const held = this.held;
    this.held = 0;
    this.consumed(held);
  }

  // ---- the end -----------------------------------------------------------------------------------------------------------------

  /** Our owner gives up: RST_STREAM, if the peer knows of the stream. No callback comes any more. */
  reset(reason: ResetReason): void {
    if (this.state === 'closed') return;
    this.close(this.state === 'idle' ? -1 : this.connection.codeOf(reason));
  }

  /** Ends the stream once; `code` ≥ 0 is told to the peer. */
  close(code: number): void {
    if (this.state === 'closed' && this.connection.streams.get(this.id) !== this) return;
    const known = this.id !== 0;
    this.state = 'closed';
    this.queue = null;
    this.queuedTrailers = null;
    const held = this.held;
    this.held = 0;
    this.connection.release(this, known ? code : -1);
    // What a cancelled stream had taken is owed to the connection all the same.
    if (held > 0) this.connection.giveBack(held);
    this.released();
  }

  /** The peer or the connection ended it: closed, and the sink is told. */
  lost(reason: ResetReason, fault: PeerFault | null, code = -1): void {
    const sink = this.streamSink;
    this.close(code);
    sink?.onReset(reason, fault);
  }
}

const EMPTY = new Uint8Array(0);
export const RESET_CODE: Record<ResetReason, number> = {
  local: ERROR.CANCEL, remote: ERROR.CANCEL, refused: ERROR.REFUSED_STREAM, 'connection-failure': ERROR.INTERNAL_ERROR, 'connection-end': ERROR.INTERNAL_ERROR, overflow: ERROR.INTERNAL_ERROR,
  'protocol-error': ERROR.PROTOCOL_ERROR, 'connect-error': ERROR.CONNECT_ERROR, 'no-error': ERROR.NO_ERROR,
};
