// One HTTP/2 connection from either side: frames to streams and back, settings, both windows, header blocks, abuse limits, GOAWAY (RFC 9113). Server and client codec
// are its two ends. No clock, no socket: bytes come by `receive`, what is written is gathered until `flush`, time comes as an argument.
//
//   opening (their first SETTINGS is missing) ──▶ open ──▶ closed (by a fault, by the socket's end, or by the last stream after a GOAWAY)
import type { PeerFault } from '../../base/fault.ts';
import type { Headers, RequestHeaders } from '../../headers/headers.ts';
import type { Http2OptionsPlan } from '../../plan/http2-options-plan.ts';
import type { CodecOutput, HttpProtocol, ResetReason } from '../codec.ts';
import { HpackDecoder } from '../hpack/decoder.ts';
import { HpackEncoder } from '../hpack/encoder.ts';
import { H2_FAULT, faultOfCode, type H2Counters, type H2Fault } from './faults.ts';
import { DEFAULT_WINDOW, ERROR, FLAG, FRAME, FrameWriter, MAX_WINDOW, STATUS_TEXT } from './frames.ts';
import { EndedStreams } from './ended-streams.ts';
import { FloodGuard } from './flood-guard.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { misshapen } from './frame-shape.ts';
import { HeadReader } from './head-reader.ts';
import { HeaderBlock } from './header-block.ts';
import { Keepalive } from './keepalive.ts';
import { ownFrameSize, type Settings } from './own-settings.ts';
import { PeerSettings } from './peer-settings.ts';
import { ReceiveWindow } from './receive-window.ts';
import { Sender } from './sender.ts';
import { RESET_CODE, type H2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

/** What a connection needs of its owner beside the output. */
export interface H2Owner extends H2Counters {
  /** Asks for one call of `flush` when the present turn ends. Comes once until then. */
  flushSoon(): void;
  /** A fault of the peer's ends the connection, and streams with it. */
  streamsCut?(): void;
}

/** Well, or the connection has ended (the reader stops either way). */
const OK = -1, STOP = 0;
/** One for all connections of a thread: a block is decoded on one stack. */
export const headReader = new HeadReader();
/** Blocks that come in one frame go through the same one; a connection takes it for itself while CONTINUATIONs are to come. */
let spareBlock = new HeaderBlock();
const NO_KEEPALIVE = new Keepalive(null, null);

export abstract class H2Connection implements FrameSink {
  readonly protocol: HttpProtocol = 'HTTP/2';
  readonly streams = new StreamTable<H2Stream>();
  readonly options: Http2OptionsPlan;
  protected readonly owner: H2Owner;
  /** @internal */ readonly writer: FrameWriter;
  private readonly reader: FrameReader;
  private readonly decoder: HpackDecoder;
  private readonly encoder: HpackEncoder;
  protected readonly guard: FloodGuard;
  readonly keepalive: Keepalive;
  protected state: 'opening' | 'open' | 'closed' = 'opening';
  /** @internal */ readonly peer: PeerSettings;
  /** @internal */ readonly sender: Sender;
  private readonly received: ReceiveWindow;
  /** Highest stream of the peer's that was seen. */
  protected lastPeerStream = 0;
  protected readonly ended = new EndedStreams();
  /** A block whose CONTINUATIONs are still to come. */
  private partial: HeaderBlock | null = null;
  // The DATA frame under way.
  private dataStream: H2Stream | null = null;
  private dataLength = 0;
  private dataTold = false;
  private broken: PeerFault | null = null;
  private started = false;

  constructor(output: CodecOutput, options: Http2OptionsPlan, owner: H2Owner, client: boolean) {
    this.options = options;
    this.owner = owner;
    this.writer = new FrameWriter(output, () => this.owner.flushSoon());
    this.encoder = new HpackEncoder(options.hpackTableSize, options.huffman);
    this.decoder = new HpackDecoder(options.hpackTableSize, options.maxHeaderFieldBytes);
    this.reader = new FrameReader(this, ownFrameSize(options));
    this.guard = new FloodGuard(options);
    this.peer = new PeerSettings(client);
    this.sender = new Sender(this.writer);
    this.received = new ReceiveWindow(Math.max(DEFAULT_WINDOW, options.initialConnectionWindowSize));
    this.keepalive = options.keepalive === null ? NO_KEEPALIVE : new Keepalive(options.keepalive, this.writer);
  }

  protected abstract readonly side: 'downstream' | 'upstream';
  /** Our SETTINGS. */
  protected abstract settings(): Settings;
  /** HEADERS that begin a stream, or belong to one that has ended; decoded already for the table's sake. */
  protected abstract onHead(id: number, stream: H2Stream | undefined, endStream: boolean): number;
  /** What kind of block comes for this stream. */
  protected abstract kindOf(stream: H2Stream | undefined): 'request' | 'response' | 'trailers';
  protected abstract onPeerGoAway(lastStream: number, code: number): void;
  protected abstract onPeerReset(stream: H2Stream, code: number): void;
  protected abstract deliver(stream: H2Stream, bytes: Buffer, start: number, end: number, last: boolean): void;
  protected abstract onFault(fault: PeerFault): void;
  protected abstract onRelease(stream: H2Stream): void;
  /** True for an id that nobody has used yet. */
  protected abstract isIdle(id: number): boolean;
  protected onSettingsSeen(): void { /* for the client's limits */ }
  /** The peer sent an RST_STREAM; true: more of them than it may. */
  protected manyResets(): boolean { return false; }

  get activeStreams(): number { return this.streams.size; }
  /** @internal The window that a new stream begins with. */
  get streamWindow(): number { return this.options.initialStreamWindowSize; }

  /** Sends our preface and settings; called by the owner once there is an output, or by the first use. */
  start(): void {
    if (this.started) return;
    this.started = true;
    if (this.side === 'upstream') this.writer.preface();
    this.writer.settings(this.settings());
    const more = this.options.initialConnectionWindowSize - DEFAULT_WINDOW;
    if (more > 0) this.writer.windowUpdate(0, more);
  }

  /** What the turn has written goes out in one piece. */
  flush(): void {
    this.writer.flush();
    if (!this.sender.blocked) this.writer.controlFrames = this.writer.frames = 0;
  }

  protected feed(bytes: Buffer, start: number, end: number): PeerFault | null {
    if (this.state === 'closed') return this.broken;
    this.start();
    const code = this.reader.receive(bytes, start, end);
    if (code > 0) this.fail(faultOfCode(code));
    else if (this.writer.controlFrames > this.options.maxOutboundControlFrames) this.fail(H2_FAULT.outboundControl);
    else if (this.writer.frames > this.options.maxOutboundFrames && this.sender.blocked) this.fail(H2_FAULT.outboundFrames);
    return this.broken;
  }

  /** Ends the connection for what the peer did, on the stream `on` perhaps: GOAWAY, every stream is reset. */
  fail(fault: H2Fault, on: H2Stream | null = null): number {
    if (this.state === 'closed') return STOP;
    const own = fault[this.side], peer = this.broken = this.side === 'downstream' ? fault.rest : own;
    if (fault.stat !== null) this.owner.count(fault.stat, 1);
    this.writer.goAway(this.lastPeerStream, fault.code, own.detail);
    if (this.streams.size > 0) this.owner.streamsCut?.();
    this.state = 'closed';
    on?.lost('protocol-error', own);
    this.endAll('protocol-error', peer);
    this.flush();
    this.onFault(peer);
    return STOP;
  }

  protected endAll(reason: ResetReason, fault: PeerFault | null): void {
    this.state = 'closed';
    for (const s of this.streams.values()) s.lost(reason, fault);
    this.sender.clear();
  }

  /** The socket is gone. */
  protected lose(): void {
    this.endAll('connection-end', null);
    this.writer.abandon();
  }

  onBlocked(): void { this.sender.blocked = true; }
  onDrained(): void {
    this.writer.controlFrames = this.writer.frames = 0;
    this.sender.unblock();
  }

  /** See Keepalive.tick; a ping that was not answered ends the connection. */
  tick(nowMs: number, chance: number): number {
    if (this.state === 'closed') return -1;
    const next = this.keepalive.tick(nowMs, chance);
    if (next !== -2) return next;
    this.fail(H2_FAULT.pingTimeout);
    return -1;
  }

  // ---- sending -----------------------------------------------------------------------------------------------------------------

  /** @internal */
  sendResponseHead(s: H2Stream, status: number, headers: Headers, end: boolean): void {
    this.encoder.begin();
    this.encoder.line(':status', STATUS_TEXT[status] ?? String(status));
    this.sendBlock(s, headers, end);
  }

  /** @internal An upgrade is written as extended CONNECT (RFC 8441), a plain CONNECT with nothing but its authority. */
  sendRequestHead(s: H2Stream, headers: RequestHeaders, end: boolean): void {
    const { encoder } = this, upgrade = headers.protocol !== '';
    encoder.begin();
    encoder.line(':method', upgrade ? 'CONNECT' : headers.method);
    if (upgrade) encoder.line(':protocol', headers.protocol);
    if (upgrade || headers.method !== 'CONNECT') { encoder.line(':scheme', headers.scheme); encoder.line(':path', headers.path); }
    encoder.line(':authority', headers.authority);
    this.sendBlock(s, headers, end);
  }

  private sendBlock(s: H2Stream, headers: Headers, end: boolean): void {
    const { encoder } = this;
    encoder.fields(headers.flat);
    s.bytesSent += encoder.length + 9;
    s.headerBytesSent += encoder.length + 9;
    this.writer.headers(s.id, encoder.out, encoder.length, end);
  }

  /** @internal */
  sendTrailers(s: H2Stream, trailers: Headers): void { this.encoder.begin(); this.sendBlock(s, trailers, true); }

  /** @internal Bytes were consumed: the peer may send as many more on the connection. */
  giveBack(bytes: number): void {
    const increment = this.received.giveBack(bytes);
    if (increment > 0 && this.state !== 'closed') this.writer.windowUpdate(0, increment);
  }

  /** @internal */
  codeOf(reason: ResetReason): number { return this.side === 'downstream' && (reason === 'local' || reason === 'remote') ? ERROR.INTERNAL_ERROR : RESET_CODE[reason]; }

  /** @internal The stream is over; `code` ≥ 0 goes to the peer as RST_STREAM. */
  release(s: H2Stream, code: number): void {
    if (s.id !== 0 && this.streams.delete(s.id)) {
      this.owner.count('streams_active', -1);
      this.ended.add(s.id, code >= 0);
    }
    if (code >= 0 && this.state !== 'closed') { this.writer.reset(s.id, code); this.owner.count('tx_reset', 1); }
    this.onRelease(s);
  }

  /** What the peer did on a stream ends that stream, and only it, unless it makes a habit of it. */
  protected streamFault(s: H2Stream, fault: H2Fault): number {
    if (fault.stat !== null) this.owner.count(fault.stat, 1);
    this.writer.controlFrames++;
    s.lost('protocol-error', fault[this.side], fault.code);
    return this.guard.forcedReset() ? this.fail(H2_FAULT.forcedResets) : OK;
  }

  /** A message that is none: the stream's end or the connection's, as configured. */
  protected messageFault(s: H2Stream, fault: H2Fault): number { return this.options.streamErrorOnInvalidHttpMessage || fault.code === ERROR.INTERNAL_ERROR ? this.streamFault(s, fault) : this.fail(fault, s); }

  private resetUnknown(id: number, code: number): number {
    this.writer.controlFrames++;
    this.writer.reset(id, code);
    return this.guard.forcedReset() ? this.fail(H2_FAULT.forcedResets) : OK;
  }

  // ---- DATA ----------------------------------------------------------------------------------------------------------------------

  onDataHead(id: number, length: number): number {
    if (this.state === 'opening' || this.partial !== null || id === 0) return ERROR.PROTOCOL_ERROR;
    // Every DATA frame counts for the connection, whatever became of its stream (section 6.9).
    if (!this.received.take(length)) return ERROR.FLOW_CONTROL_ERROR;
    this.dataLength = length;
    this.dataTold = false;
    const s = this.streams.get(id);
    this.dataStream = null;
    if (s === undefined) {
      if (this.isIdle(id)) return ERROR.PROTOCOL_ERROR;
      const how = this.ended.how(id);
      return how === 'ours' ? OK : how === 'theirs' ? ERROR.STREAM_CLOSED : this.resetUnknown(id, ERROR.STREAM_CLOSED);
    }
    if (s.remoteOver) return this.fail(H2_FAULT.streamClosed, s);
    s.bytesReceived += length + 9;
    if (!s.takeWindow(length)) return this.streamFault(s, H2_FAULT.streamWindow);
    this.dataStream = s;
    return OK;
  }

  onDataContent(id: number, length: number, flags: number): number {
    if (length > 0 || (flags & FLAG.END_STREAM) !== 0) { this.guard.fullFrame(); return OK; }
    return this.guard.emptyFrame() ? this.fail(H2_FAULT.emptyFrames, this.streams.get(id)) : OK;
  }

  onDataPiece(bytes: Buffer, start: number, end: number, last: boolean): number { return this.passData(bytes, start, end, last); }

  private passData(bytes: Buffer, start: number, end: number, last: boolean): number {
    const s = this.dataStream;
    if (s === null || s.state === 'closed') return OK;
    if (!s.headed) return this.fail(H2_FAULT.protocol);
    if (s.expected >= 0) {
      s.got += end - start;
      if (s.got > s.expected || (last && s.got !== s.expected)) return this.streamFault(s, H2_FAULT.length);
    }
    if (last) { this.dataTold = true; this.endRemote(s); }
    this.deliver(s, bytes, start, end, last);
    if (last) this.settle(s);
    return this.state === 'closed' ? STOP : OK;
  }

  onDataEnd(endStream: boolean): number {
    const length = this.dataLength;
    let code = OK;
    if (endStream && !this.dataTold) code = this.passData(EMPTY, 0, 0, true);
    const s = this.dataStream;
    this.dataStream = null;
    if (s === null) this.giveBack(length); else s.consumed(length);
    return code;
  }

  /** END_STREAM was seen. A stream that is then closed both ways is released after its sink was told. */
  protected endRemote(s: H2Stream): void { s.state = s.state === 'half-local' ? 'closed' : 'half-remote'; }
  protected settle(s: H2Stream): void { if (s.state === 'closed') s.close(-1); }

  // ---- other frames --------------------------------------------------------------------------------------------------------------

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): number {
    if (this.state === 'opening') { if (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0) return ERROR.PROTOCOL_ERROR; this.state = 'open'; }
    if (this.partial !== null && (type !== FRAME.CONTINUATION || id !== this.partial.stream)) return ERROR.PROTOCOL_ERROR;
    const shape = misshapen(type, id, end - start);
    if (shape !== OK) return shape;
    switch (type) {
      case FRAME.HEADERS: return this.onHeaders(flags, id, bytes, start, end);
      case FRAME.CONTINUATION: return this.partial === null ? ERROR.PROTOCOL_ERROR : this.onBlock(this.partial, this.partial.continuation(this.guard, this.options, flags, bytes, start, end));
      case FRAME.WINDOW_UPDATE: return this.onWindowUpdate(id, bytes, start);
      case FRAME.RST_STREAM: return this.onResetFrame(id, bytes, start);
      case FRAME.SETTINGS: return this.onSettings(flags, bytes, start, end);
      case FRAME.PING:
        if (flags & FLAG.ACK) this.keepalive.acknowledged(); else this.writer.ping(true, bytes, start);
        return OK;
      case FRAME.PRIORITY: return (bytes.readUInt32BE(start) & MAX_WINDOW) === id ? ERROR.PROTOCOL_ERROR : this.guard.priorityFrame() ? this.fail(H2_FAULT.priorityFrames) : OK;
      case FRAME.GOAWAY:
        this.onPeerGoAway(bytes.readUInt32BE(start) & MAX_WINDOW, bytes.readUInt32BE(start + 4));
        return this.state as string === 'closed' ? STOP : OK;
      case FRAME.PUSH_PROMISE: return this.fail(H2_FAULT.streamFrame, this.streams.get(id)); // nobody may push to us (ENABLE_PUSH 0), and clients never may
      case FRAME.METADATA: return this.options.maxMetadataBytes === 0 ? OK : this.onMetadata(flags, id, bytes, start, end);
      default: return OK; // section 4.1: unknown types are ignored
    }
  }

  private onHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): number {
    const block = spareBlock, code = block.headers(this.guard, flags, id, bytes, start, end);
    if (code === OK && !block.whole && block.fault === null) { this.partial = block; spareBlock = new HeaderBlock(); }
    return this.onBlock(block, code);
  }

  /** A piece of a header block. Whole, it is decoded whatever becomes of it, for the table's sake. */
  private onBlock(block: HeaderBlock, code: number): number {
    if (code !== OK) return code;
    if (block.fault !== null) return this.fail(block.fault, this.streams.get(block.stream));
    if (!block.whole) return OK;
    this.partial = null;
    const { bytes, start, end, endStream, stream: id } = block, s = this.streams.get(id);
    headReader.begin(this.kindOf(s), this.options);
    if (this.decoder.decode(bytes, start, end, headReader) !== null) return ERROR.COMPRESSION_ERROR;
    headReader.finish();
    headReader.wire = block.wire;
    if (s !== undefined) { s.bytesReceived += block.wire; s.headerBytesReceived += block.wire; }
    const ended = this.onHead(id, s, endStream);
    return ended === OK && this.state === 'closed' ? STOP : ended;
  }

  /** Of a stream that is not there, or whose message is whole, it is passed over (as in Envoy). */
  private onMetadata(flags: number, id: number, bytes: Buffer, start: number, end: number): number {
    const s = this.streams.get(id);
    if (s === undefined || s.remoteOver) return OK;
    const size = s.takeMetadata(bytes, start, end, (flags & FLAG.END_METADATA) !== 0);
    if (size < 0) return this.fail(H2_FAULT.metadata, s);
    if (size === 0) this.owner.count('metadata_empty_frames', 1);
    return this.state === 'closed' ? STOP : OK;
  }

  private onWindowUpdate(id: number, bytes: Buffer, start: number): number {
    if (this.guard.windowUpdate(this.writer.dataFrames)) return this.fail(H2_FAULT.windowUpdates);
    const increment = bytes.readUInt32BE(start) & MAX_WINDOW;
    // On a stream it would be that stream's error; whoever sends it wants us to reset (CVE-2025-8671), and Envoy ends the connection.
    if (increment === 0) return this.fail(H2_FAULT.streamFrame, this.streams.get(id));
    if (id === 0) {
      if (!this.sender.grow(increment)) return ERROR.FLOW_CONTROL_ERROR;
    } else {
      const s = this.streams.get(id);
      if (s === undefined) return this.isIdle(id) ? ERROR.PROTOCOL_ERROR : OK;
      // The stream's end alone (section 6.9.1, and h2spec asks for it); Envoy ends the connection.
      if (!this.sender.growStream(s, increment)) return this.streamFault(s, H2_FAULT.streamOverflow);
      this.sender.pump();
    }
    return this.state === 'closed' ? STOP : OK;
  }

  private onResetFrame(id: number, bytes: Buffer, start: number): number {
    const s = this.streams.get(id);
    if (s === undefined && this.isIdle(id)) return ERROR.PROTOCOL_ERROR;
    if (s !== undefined) {
      this.owner.count('rx_reset', 1);
      this.onPeerReset(s, bytes.readUInt32BE(start));
    }
    if (this.manyResets()) return this.fail(H2_FAULT.resets);
    return this.state === 'closed' ? STOP : OK;
  }

  private onSettings(flags: number, bytes: Buffer, start: number, end: number): number {
    if (flags & FLAG.ACK) return end === start ? OK : ERROR.FRAME_SIZE_ERROR;
    const before = this.peer.initialWindow, code = this.peer.apply(bytes, start, end, this.encoder);
    if (code !== OK) return code;
    const delta = this.peer.initialWindow - before;
    // Section 6.9.2: open streams move with it, possibly below zero.
    if (delta !== 0) for (const s of this.streams.values()) if (!this.sender.growStream(s, delta)) return ERROR.FLOW_CONTROL_ERROR;
    this.writer.settingsAck();
    if (delta > 0) this.sender.pump();
    this.onSettingsSeen();
    return this.state === 'closed' ? STOP : OK;
  }
}

const EMPTY = Buffer.alloc(0);
